# SPDX-License-Identifier: GPL-3.0-or-later
"""A Deployment with a pull secret and a volume goes from a cluster on docker to a real node on containerd, and runs there.

The old cluster is a real API server without a kubelet, beside a real dockerd with the images: a shim that runs its pods in docker
is not here. What the move reads of it is the same.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.engines import find
from rehearsal.processes.system import comes_true
from rehearsal.standin import colima
from tests.support.builds.images import context_of
from tests.support.builds.node import SECONDS, Node
from tests.support.migration import guest
from tests.support.migration.runtime import PROFILE, converge, objects, run_phase
from tests.support.pull_secret.scenario import HOST

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.dockerd import Dockerd

pytestmark = pytest.mark.real("node", "registry", "buildkit", "buildx", "docker", "kubernetes", "kubectl")
NAMESPACE, IMAGE = "moved", f"{HOST}/moved:1"


@pytest.fixture
def laptop(node: Node, dockerd: Dockerd, apiserver: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose docker profile has the one cluster, and whose containerd profile has the node."""
    place = Path(tempfile.mkdtemp(prefix="mv-", dir="/tmp"))
    colima.install(place / "bin")
    for name in ("docker", "kubectl"):
        program = find(name) or shutil.which(name)
        assert program
        (place / "bin" / name).symlink_to(program)
    script = place / "bin" / "guest"
    script.write_text(f"#!{sys.executable}\n{Path(guest.__file__).read_text()}")
    script.chmod(0o755)
    engine = node.cluster.kubelet.containerd
    ends = {
        "docker": {"sockets": {"docker.sock": str(dockerd.socket)}, "kubeconfig": str(apiserver.kubeconfig), "nerdctl": []},
        "containerd": {
            "sockets": {"containerd.sock": str(engine.socket), "buildkitd.sock": str(engine.buildkit_socket)},
            "kubeconfig": str(node.cluster.api.kubeconfig),
            "nerdctl": engine.nerdctl([]),
        },
    }
    variables = {
        "PATH": f"{place}/bin:{os.environ['PATH']}",
        "HOME": str(place / "home"),
        "DOCKER_CONFIG": str(place / "home/.docker"),
        "KUBECONFIG": str(place / "home/.kube/config"),
        "COLIMA_HOME": str(place / "colima"),
        "REHEARSAL_SYSTEM": "Darwin",
        "REHEARSAL_GUEST": str(script),
        "REHEARSAL_INSIDE": json.dumps(ends),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for directory in ("home", "colima"):
        (place / directory).mkdir()
    try:
        yield place
    finally:
        subprocess.run(["colima", "stop", "--force", PROFILE], capture_output=True, check=False)
        shutil.rmtree(place)


def old_cluster(node: Node, dockerd: Dockerd, apiserver: ApiServer, place: Path, path: Path) -> None:
    """Put an image into docker, and a Deployment that was ready into the cluster."""
    context, file = context_of(place / "app", "tail", ["-n", "+1", "-f", "/data/words"]), place / "image.tar"
    node.save(IMAGE, context, file)
    subprocess.run(["docker", "--host", dockerd.host, "load", "--input", str(file)], check=True, capture_output=True)
    apiserver.namespace(NAMESPACE)
    secret: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": "ecr-creds", "namespace": NAMESPACE},
        "stringData": {".dockerconfigjson": json.dumps({"auths": {HOST: {"username": "AWS", "password": "old"}}})},
    }
    items = {"apiVersion": "v1", "kind": "List", "items": [secret, *objects(str(path), IMAGE, NAMESPACE, "moved-1")]}
    kubectl = ["kubectl", "--kubeconfig", str(apiserver.kubeconfig)]
    subprocess.run([*kubectl, "apply", "--filename=-"], input=json.dumps(items), text=True, check=True, capture_output=True)
    ready = json.dumps({"status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "availableReplicas": 1}})
    patch = ["patch", "deployment", "web", f"--namespace={NAMESPACE}", "--subresource=status", "--type=merge", f"--patch={ready}"]
    subprocess.run([*kubectl, *patch], check=True, capture_output=True)


def test_a_deployment_with_its_secret_and_its_data_runs_on_containerd(
    node: Node, dockerd: Dockerd, apiserver: ApiServer, laptop: Path, tmp_path: Path
) -> None:
    path = tmp_path / "vm" / "data"
    old_cluster(node, dockerd, apiserver, tmp_path, path)
    converge("docker")
    source = laptop / f"colima/_lima/colima-{PROFILE}/root{path}"
    source.mkdir(parents=True)
    (source / "words").write_text("kept\n")

    given = {"directory": str(laptop / "moves"), "namespaces": [NAMESPACE], "secrets": True, "images": []}
    found = run_phase("leave", **given)
    assert found["archive"]["images"] == [IMAGE] and found["archive"]["volumes"] == [f"{NAMESPACE}/data"]
    converge("containerd")
    run_phase("arrive", **given)
    assert run_phase("ready", **given)["verified"]

    # The registry does not have it: what runs is what was moved.
    node.runs("web", NAMESPACE)
    pods = json.loads(node.cluster.kubectl("get", "pods", f"--namespace={NAMESPACE}", "--output=json"))["items"]
    (pod,) = (one for one in pods if not one["metadata"].get("deletionTimestamp"))
    assert pod["spec"]["imagePullSecrets"] == [{"name": "ecr-creds"}]
    assert pod["status"]["containerStatuses"][0]["containerID"].startswith("containerd://")
    # What a container prints comes to the log a moment later.
    assert comes_true(lambda: node.cluster.kubelet.said(pod["metadata"]["name"], NAMESPACE) == "kept", SECONDS)
    ps = ["docker", "--host", dockerd.host, "ps", "--all", "--format", "{{.Names}}"]
    assert b"web" not in subprocess.run(ps, capture_output=True, check=True).stdout
    assert run_phase("arrive", **given)["changed"] is False
    node.cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
