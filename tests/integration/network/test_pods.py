# SPDX-License-Identifier: GPL-3.0-or-later
"""What pods are given of a company's network, in a real API server: two ConfigMaps in the namespaces that are named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.config_maps import ConfigMapPlace, ConfigMaps, plan_config_maps
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.core.notes import Notes
from ansible_collections.laptop.containers.plugins.module_utils.network.pods import AUTHORITIES, FILE, PROXY

from rehearsal.services.certificates import Authority
from tests.support.ansible_runs.cluster_roles import leading_nowhere, role_alone
from tests.support.in_process_module import ModuleRun
from tests.support.lab_playbooks import ROOT

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer

pytestmark = pytest.mark.real("kubernetes")
ARGUMENTS = ["--cluster-cidr=10.60.0.0/16"]


class Cluster:
    """The module on the API server, and what the server has."""

    def __init__(self, server: ApiServer, run: ModuleRun, home: Path) -> None:
        self.server, self.run, self.home = server, run, home
        self.kubeconfig = server.kubeconfig
        self.given: dict[str, Any] = {
            "authorities": [str(Authority(home / "company").certificate_file)],
            "https_proxy": "http://127.0.0.1:3128",
            "profiles": [{"name": "k8s", "kubernetes": {"enabled": True, "k3s_args": ARGUMENTS}}],
        }

    def network(self, *namespaces: str, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {"kubeconfig": str(self.kubeconfig), "pod_namespaces": list(namespaces), **self.given, **options}
        return self.run("network", check=check, **given)

    def namespace(self, name: str) -> None:
        self.server.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})

    def data(self, namespace: str, name: str) -> dict[str, str] | None:
        status, answer = self.server.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")
        return answer["data"] if status == 200 else None


@pytest.fixture
def cluster(apiserver: ApiServer, capsys: pytest.CaptureFixture[str], home: Path) -> Cluster:
    for name in (AUTHORITIES, PROXY):
        for namespace in ("default", "team-p"):
            apiserver.request("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    made = Cluster(apiserver, ModuleRun(capsys), home)
    made.namespace("team-p")
    return made


def test_pods_get_the_authorities_and_the_proxy_and_lose_them_again(cluster: Cluster) -> None:
    planned = cluster.network("default", "team-p", check=True)
    assert f"write configmap team-p/{PROXY} of colima-k8s" in planned["actions"] and cluster.data("default", PROXY) is None
    assert "BEGIN CERTIFICATE" not in str(planned["diff"]) and " certificates" in str(planned["diff"])
    assert cluster.network("default", "team-p")["changed"] and not cluster.network("team-p", "default")["changed"]
    data = cluster.data("team-p", PROXY)
    assert data is not None and data["HTTPS_PROXY"] == data["https_proxy"] == "http://192.168.5.2:3128"
    assert {"10.60.0.0/16", ".svc", "192.168.5.0/24", "localhost"} <= set(data["NO_PROXY"].split(","))
    authorities = cluster.data("team-p", AUTHORITIES)
    assert authorities is not None and authorities[FILE].count("BEGIN CERTIFICATE") > 100
    # Without its notes a run notes again what it finds.
    (cluster.home / ".local/state/laptop.containers/network.json").unlink()
    assert not cluster.network("team-p", "default")["changed"]
    # One namespace less, then no proxy, then nothing of it.
    assert len(cluster.network("default")["actions"]) == 2 and cluster.data("team-p", PROXY) is None
    assert cluster.network("default", https_proxy="")["actions"][1:] == [f"remove configmap default/{PROXY} of colima-k8s"]
    assert cluster.network(state="absent")["changed"] and cluster.data("default", AUTHORITIES) is None
    assert not cluster.network(state="absent")["changed"]
    assert not (cluster.home / ".local/state/laptop.containers/network.json").exists()


def test_a_namespace_that_is_missing_waits_and_holds_up_nothing_else(cluster: Cluster) -> None:
    found = cluster.network("default", "none-yet")
    assert cluster.data("default", PROXY) and {one["kind"] for one in found["pending"]} == {"missing"}
    assert found["pending"][0]["reason"] == "namespace 'none-yet' does not exist"


def test_one_of_another_tool_is_refused_before_anything_is_written(cluster: Cluster) -> None:
    path = "/api/v1/namespaces/team-p/configmaps"
    cluster.server.request("POST", path, {"metadata": {"name": PROXY}, "data": {"HTTPS_PROXY": "theirs"}})
    refused = cluster.network("default", "team-p")
    assert f"change configmap team-p/{PROXY} of colima-k8s: another tool has written it" in refused["msg"]
    assert cluster.data("default", PROXY) is None and cluster.data("team-p", PROXY) == {"HTTPS_PROXY": "theirs"}
    assert not (cluster.home / ".local/state/laptop.containers/authorities.pem").exists()


def test_what_another_tool_writes_meanwhile_is_not_taken_over(cluster: Cluster) -> None:
    place = ConfigMapPlace("colima-k8s", "team-p", PROXY)
    maps = ConfigMaps(Notes("network"), "give the network to pods")
    found = maps.read([place], (cluster.kubeconfig,))
    (step,) = plan_config_maps({place: {"HTTPS_PROXY": "ours"}}, found, ()).steps
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PROXY}, "data": {"HTTPS_PROXY": "theirs"}}
    cluster.server.request("POST", "/api/v1/namespaces/team-p/configmaps?fieldManager=other", body)
    with pytest.raises(RefusedStep, match=f"write configmap team-p/{PROXY} of colima-k8s: other has just written it"):
        maps.apply(step)
    assert cluster.data("team-p", PROXY) == {"HTTPS_PROXY": "theirs"}


def test_one_in_which_a_person_keeps_something_is_not_removed(cluster: Cluster) -> None:
    cluster.network("team-p")
    path = f"/api/v1/namespaces/team-p/configmaps/{PROXY}"
    _status, there = cluster.server.request("GET", path)
    cluster.server.request("PUT", path, {**there, "data": {**there["data"], "ftp_proxy": "http://me:hidden@px.example"}})
    found = cluster.network("default")
    assert "ftp_proxy" in found["pending"][0]["reason"] and "hidden" not in str(found)
    assert (cluster.data("team-p", PROXY) or {})["ftp_proxy"]
    cluster.server.request("DELETE", path)


def test_what_another_manager_has_written_as_well_stays_and_runs_end(cluster: Cluster) -> None:
    cluster.network("team-p", http_proxy="http://10.0.0.1:3128")
    path = f"/api/v1/namespaces/team-p/configmaps/{PROXY}"
    theirs = {
        "data": {"http_proxy": "http://10.0.0.1:3128"},
        "metadata": {"name": PROXY},
        "apiVersion": "v1",
        "kind": "ConfigMap",
    }
    cluster.server.request("PATCH", f"{path}?fieldManager=gitops", theirs, content_type="application/apply-patch+yaml")
    assert not cluster.network("team-p", http_proxy="http://10.0.0.1:3128")["changed"]
    assert cluster.network("team-p")["changed"] and not cluster.network("team-p")["changed"]
    data = cluster.data("team-p", PROXY) or {}
    assert data["http_proxy"] == "http://10.0.0.1:3128" and "HTTP_PROXY" not in data
    assert "(http_proxy)" in cluster.network()["pending"][0]["reason"]


def test_a_second_context_of_the_cluster_takes_nothing_away(cluster: Cluster) -> None:
    cluster.network("team-p")
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    (context,) = [one for one in document["contexts"] if one["name"] == "colima-k8s"]
    document["contexts"].append({**context, "name": "renamed"})
    cluster.kubeconfig = cluster.home / "two"
    cluster.kubeconfig.write_text(yaml.safe_dump(document))
    assert not [step for step in cluster.network("team-p", context="renamed")["actions"] if "remove" in step]
    assert cluster.data("team-p", PROXY) and not cluster.network("team-p", context="renamed")["changed"]


def test_an_immutable_one_of_ours_is_told_as_that(cluster: Cluster) -> None:
    cluster.network("team-p", "default")
    path = f"/api/v1/namespaces/team-p/configmaps/{PROXY}"
    _status, there = cluster.server.request("GET", path)
    cluster.server.request("PUT", path, {**there, "immutable": True})
    refused = cluster.network("team-p", "default", https_proxy="http://other.example:3128")
    assert (cluster.data("default", PROXY) or {})["https_proxy"] == "http://other.example:3128"
    assert refused["actions"][1:] == [f"change configmap default/{PROXY} of colima-k8s"]
    assert (
        f"write configmap team-p/{PROXY} of colima-k8s: an object of this name is of another type or immutable" in refused["msg"]
    )


def test_a_cluster_that_sleeps_is_pending_and_the_laptop_is_served(cluster: Cluster) -> None:
    cluster.kubeconfig = leading_nowhere(cluster.kubeconfig, cluster.home / "away")
    found = cluster.network("default", "team-p")
    assert found["changed"] and {one["kind"] for one in found["pending"]} == {"unreachable"}
    assert (cluster.home / ".local/state/laptop.containers/authorities.pem").exists()


@pytest.mark.parametrize(
    ("name", "reason"), [("Team", "Kubernetes allows only"), ("a.b", "Kubernetes allows only"), ("", "it is empty")]
)
def test_a_name_that_is_none_is_refused(cluster: Cluster, name: str, reason: str) -> None:
    assert f"namespace '{name}': {reason}" in cluster.network(name)["msg"]


def test_the_role_removes_them_when_the_settings_go(cluster: Cluster) -> None:
    converge = role_alone(cluster.home, "laptop.containers.network", network_kubeconfig=str(cluster.kubeconfig))
    settings = {"network_https_proxy": "http://proxy.example:3128", "network_probes": [], "network_pod_namespaces": ["default"]}
    assert "changed=1" in converge(**settings) and cluster.data("default", PROXY)
    assert "changed=0" in converge(**settings)
    assert "changed=1" in converge() and cluster.data("default", PROXY) is None
    assert "skipped=1" in converge()


def test_the_pod_of_the_page_is_one_and_takes_both(cluster: Cluster) -> None:
    page = (ROOT / "docs" / "network.md").read_text()
    (block,) = re.findall(r"^```yaml\n(containers:.*?)^```", page, re.DOTALL | re.MULTILINE)
    pod = yaml.safe_load(block)
    (container,), (volume,) = pod["containers"], pod["volumes"]
    assert container["envFrom"][0]["configMapRef"]["name"] == PROXY and volume["configMap"]["name"] == AUTHORITIES
    assert container["env"][0]["value"] == f"{container['volumeMounts'][0]['mountPath']}/{FILE}"
    whole = {"metadata": {"name": "web"}, "spec": {**pod, "automountServiceAccountToken": False}}
    status, answer = cluster.server.request("POST", "/api/v1/namespaces/default/pods?dryRun=All&fieldValidation=Strict", whole)
    assert status == 201, answer
