# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes in a machine, set up by colima's own code. After the teardown, as two CPUs are few for three machines."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.config_maps import ConfigMapPlace
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.network.pods import AUTHORITIES, PROXY

from rehearsal.engines import find
from rehearsal.machines.kubernetes import PAUSES, VERSION
from rehearsal.processes.system import comes_true
from tests.support.colima.real_machines import Machines
from tests.support.network.company_proxy import REGISTRY, company_proxy
from tests.support.network.guest_matrix import kinds, matrix

pytestmark = pytest.mark.long(
    "k3s starts for minutes on an emulated VM; tests/integration/lab/test_workstation.py with a real API server"
)
WORKSTATION = "playbooks/workstation.yml"
# On a Mac colima downloads the k3s of its default version.
KUBERNETES = {"enabled": True, **({"version": VERSION} if sys.platform == "linux" else {})}
CLUSTER: dict[str, Any] = {"name": "k8s", "runtime": "containerd", "cpu": 2, "memory": 2, "disk": 10, "kubernetes": KUBERNETES}
SETTINGS = {
    "colima_profiles": [{**CLUSTER, "mounts": [{"location": "none"}], "binfmt": False}],
    "secret_refresh_registries": [{"host": "123456789012.dkr.ecr.eu-central-1.amazonaws.com"}],
    "secret_refresh_namespaces": ["default"],
}
PROBE = f"https://{REGISTRY}/v2/"
PULLS = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "pulls"},
    "spec": {"hostNetwork": True, "nodeName": "colima-k8s", "containers": [{"name": "one", "image": f"{REGISTRY}/team/none"}]},
}
# The lab's cluster has no name server: what a pod of k3s asks is not there.
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "inside"},
    "spec": {
        "nodeName": "colima-k8s",
        "containers": [{"name": "one", "image": PAUSES[0], "imagePullPolicy": "Never"}],
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["10.43.0.10"], "searches": ["default.svc.cluster.local", "svc.cluster.local"]},
    },
}
# k3s has flannel for that; the lab's has none.
POD_NETWORK = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "pods0",
            "isGateway": True,
            "ipMasq": True,
            "ipam": {"type": "host-local", "subnet": "10.42.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]},
        }
    ],
}
TAKEN = [ConfigMapPlace("colima-k8s", "default", name) for name in (AUTHORITIES, PROXY)]
SECONDS = 300


def play(laptop: Machines, *arguments: str) -> int:
    """Converge the cluster's machine and its pull secret; return the number of changes."""
    return laptop.play(WORKSTATION, "--tags", "colima,secret_refresh,network", "-e", json.dumps(SETTINGS), *arguments).changed


def asked(laptop: Machines, *words: str) -> Any:
    return json.loads(laptop.run("kubectl", "--context", "colima-k8s", "get", *words, "--output", "json"))


def is_ready(laptop: Machines) -> bool:
    states = [{one["type"]: one["status"] for one in node["status"]["conditions"]} for node in asked(laptop, "nodes")["items"]]
    return [state["Ready"] for state in states] == ["True"]


def messages(laptop: Machines) -> set[str]:
    return {event["message"] for event in asked(laptop, "events")["items"]}


def phase(laptop: Machines, pod: str) -> str:
    return str(asked(laptop, "pod", pod)["status"].get("phase"))


@pytest.fixture(scope="module")
def laptop(empty: Machines) -> Machines:
    """The laptop with nothing but a machine of that cluster."""
    for name, status in empty.statuses().items():
        if status == "Running":
            empty.run("colima", "stop", name)
    assert play(empty)
    return empty


def test_colima_sets_a_cluster_up_and_gives_it_a_context(laptop: Machines) -> None:
    assert laptop.run("kubectl", "config", "current-context").strip() == "colima-k8s"
    assert comes_true(lambda: is_ready(laptop), SECONDS)
    (node,) = asked(laptop, "nodes")["items"]
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("containerd://")
    assert asked(laptop, "secret", "ecr-creds")["type"] == "kubernetes.io/dockerconfigjson"


def test_a_second_run_changes_nothing_in_a_cluster(laptop: Machines) -> None:
    assert play(laptop) == 0


def test_a_pod_runs_in_it_and_is_seen_by_nerdctl(laptop: Machines) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "holds"},
        "spec": {
            "hostNetwork": True,
            "nodeName": "colima-k8s",
            "containers": [{"name": "one", "image": PAUSES[0], "imagePullPolicy": "Never"}],
        },
    }
    laptop.run("kubectl", "--context", "colima-k8s", "apply", "--filename", "-", given=json.dumps(pod))
    assert comes_true(lambda: phase(laptop, "holds") == "Running", SECONDS), messages(laptop)
    assert "holds" in laptop.inside("k8s", "sudo", "nerdctl", "--namespace", "k8s.io", "ps")


def test_another_port_is_refused_as_the_guest_keeps_the_first(laptop: Machines) -> None:
    with pytest.raises(RefusedStep, match="port"):
        laptop.converge({**CLUSTER, "kubernetes": {**KUBERNETES, "port": 16443}})


def test_a_cluster_outlives_its_machine(laptop: Machines) -> None:
    server = laptop.run("kubectl", "config", "view", "--minify", "--output", "jsonpath={.clusters[0].cluster.server}")
    laptop.run("kubectl", "--context", "colima-k8s", "create", "configmap", "mine", "--from-literal=kept=yes")
    laptop.run("colima", "stop", "k8s")
    assert play(laptop)
    assert laptop.run("kubectl", "config", "view", "--minify", "--output", "jsonpath={.clusters[0].cluster.server}") == server
    assert asked(laptop, "configmap", "mine")["data"] == {"kept": "yes"}
    assert comes_true(lambda: is_ready(laptop), SECONDS)


def test_the_doctor_finds_the_cluster_well(laptop: Machines) -> None:
    report = laptop.lab.directory / "tmp" / "cluster"
    # The other groups miss the docker machine, which is not there.
    groups = "profiles,kubernetes,registries"
    laptop.play("playbooks/doctor.yml", "--tags", groups, "-e", json.dumps({**SETTINGS, "doctor_report": str(report)}))
    (found,) = json.loads(report.with_suffix(".json").read_text())["laptops"]
    assert {check["group"] for check in found["checks"]} >= {"profiles", "kubernetes"}
    assert [check for check in found["checks"] if check["status"] not in ("ok", "note")] == []


def cells(laptop: Machines, url: str = PROBE) -> tuple[str, str]:
    """Return how far the kubelet and a pod come."""
    found = kinds(matrix(laptop, url, TAKEN))
    return found["kubelet", "k8s"], found["pod", "k8s"]


def test_the_kubelet_and_a_pod_come_through_a_company_s_proxy(laptop: Machines, tmp_path: Path) -> None:
    assert find("crictl"), "run LAPTOP_LONG=1 make engines, then make machines"
    network = shlex.quote(json.dumps(POD_NETWORK))
    laptop.inside("k8s", "sudo", "sh", "-c", f"echo {network} >/etc/cni/net.d/05-pods.conflist")
    laptop.run("kubectl", "--context", "colima-k8s", "apply", "--filename", "-", given=json.dumps(POD))
    assert comes_true(lambda: phase(laptop, "inside") == "Running", SECONDS), messages(laptop)
    assert cells(laptop) == ("name", "name")
    with company_proxy() as proxy:
        company = {
            "network_authorities": [proxy.certificate],
            "network_https_proxy": proxy.url,
            "network_no_proxy": [".direct"],
            "network_pod_namespaces": ["default"],
            "network_probes": [PROBE],
        }
        assert play(laptop, "-e", json.dumps({**company, "colima_restart": "always"}))
        assert comes_true(lambda: cells(laptop) == ("reached", "reached"), SECONDS), matrix(laptop, PROBE, TAKEN)
        assert play(laptop, "-e", json.dumps(company)) == 0
        # What crictl asks of containerd, the kubelet asks as well.
        laptop.run("kubectl", "--context", "colima-k8s", "apply", "--filename", "-", given=json.dumps(PULLS))
        assert comes_true(lambda: f"{REGISTRY}:443/v2/team/none/manifests/latest" in proxy.asked, SECONDS), proxy.asked
        with proxy.another_authority(tmp_path):
            assert cells(laptop) == ("authority", "authority")
        assert cells(laptop, "https://nowhere.direct/v2/") == ("name", "name")
        proxy.stop()
        assert cells(laptop) == ("proxy", "proxy")
