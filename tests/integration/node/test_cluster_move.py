# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in another engine's Kubernetes goes into a real node on containerd: never torn, never twice, and it runs there.

The old cluster is a real API server beside a real dockerd, in which the container of its pod really runs and writes.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.defaults import complete
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError, NotVerified
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import Step
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run
from ansible_collections.laptop.containers.plugins.module_utils.migration.cluster.model import SendClaim
from ansible_collections.laptop.containers.plugins.module_utils.migration.cluster.task import ClusterMove

from tests.support.ecr_pull_secret.scenario import HOST
from tests.support.migration.engines import docker
from tests.support.migration.move import PROFILE, converge
from tests.support.migration.old_cluster import OldCluster, runs_on
from tests.support.migration.trees import many_files, odd_tree, told
from tests.support.processes import killed_after

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.dockerd import Dockerd
    from tests.support.builds.node import Node

pytestmark = pytest.mark.real("node", "registry", "buildkit", "buildx", "docker", "kubernetes", "kubectl")
NAMESPACE, CONTEXT = "desktop", "docker-desktop"
LONG = bool(os.environ.get("LAPTOP_LONG"))
KILLS, LATEST, FILES = (20, 8.0, 10_000) if LONG else (1, 2.0, 300)


@pytest.fixture
def old(dockerd: Dockerd, apiserver: ApiServer) -> OldCluster:
    return OldCluster(dockerd, apiserver, NAMESPACE)


@pytest.fixture
def storage(node: Node, tmp_path: Path) -> Iterator[Path]:
    """Where the new cluster keeps its volumes, as k3s tells its provisioner."""
    place = tmp_path / "storage"
    text = json.dumps({"nodePathMap": [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [str(place)]}]})
    create = ("create", "configmap", "local-path-config", "--namespace=kube-system", f"--from-literal=config.json={text}")
    node.cluster.kubectl(*create)
    yield place
    node.cluster.kubectl("delete", "configmap", "local-path-config", "--namespace=kube-system")


def move(
    old: OldCluster, phase: str = "copy", *, check: bool = False, subject: type[ClusterMove] = ClusterMove, **more: Any
) -> dict[str, Any]:
    ends = {"source": old.dockerd.host, "context": CONTEXT, "target": PROFILE, "phase": phase}
    given = {**ends, "namespaces": [NAMESPACE], "secrets": True, "ready_timeout": 120, **more}
    return run(subject(), complete(ClusterMove.argument_spec, given), check_mode=check)


def start_pod(old: OldCluster, path: Path) -> str:
    """Let a pod of the Deployment run in docker, as a kubelet with docker's shim does. Returns the name of its container."""
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    spec = {"containers": [{"name": "app", "image": old.image}], "volumes": volumes}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "1"}
    meta = {"name": "web-1-a", "namespace": NAMESPACE, "ownerReferences": [owner]}
    old.kubectl("apply", "--filename=-", items=[{"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}])
    uid = old.kubectl("get", "pod", "web-1-a", f"--namespace={NAMESPACE}", "--output=jsonpath={.metadata.uid}")
    return start_container(old, path, f"k8s_app_web-1-a_{NAMESPACE}_{uid}_0")


def start_container(old: OldCluster, path: Path, name: str) -> str:
    docker(old.dockerd, "run", "--detach", "--network=none", f"--name={name}", f"--volume={path}:/data", old.image)
    return name


def moments() -> list[float]:
    """Return after how many seconds runs are killed."""
    draw = random.Random(os.environ.get("LAPTOP_SEED", "cluster"))  # noqa: S311 - not for secrets
    return [draw.uniform(0.5, LATEST) for _ in range(KILLS)]


def killed(old: OldCluster, seconds: float) -> bool:
    """Begin a move, and kill it after some time. Returns False where it was faster."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ends = [str(old.dockerd.directory), str(old.apiserver.directory)]
    process = subprocess.Popen([sys.executable, "-c", _RUN, *ends], env=environment, start_new_session=True)
    if killed_after(process, seconds):
        return True
    assert process.returncode == 0
    return False


_RUN = """
import sys
from collections.abc import Iterator
from pathlib import Path
from rehearsal.services.apiserver import ApiServer
from rehearsal.services.dockerd import Dockerd
from tests.integration.node.test_cluster_move import NAMESPACE, move
from tests.support.migration.old_cluster import OldCluster
move(OldCluster(Dockerd(Path(sys.argv[1])), ApiServer(Path(sys.argv[2])), NAMESPACE), pause=True)
"""


def forget(node: Node, storage: Path) -> None:
    """Take what has arrived away from the new cluster."""
    node.cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s")
    node.cluster.kubectl("delete", "persistentvolume", f"{NAMESPACE}-1", "--timeout=120s")
    node.forget(f"{HOST}/{NAMESPACE}:1")
    shutil.rmtree(storage)


def test_what_runs_in_another_engines_kubernetes_runs_on_containerd(
    node: Node, old: OldCluster, laptop: Path, storage: Path, tmp_path: Path
) -> None:
    path = tmp_path / "k8s-pvs" / "data"
    path.mkdir(parents=True)
    (path / "words").write_text("kept\n")
    odd_tree(path)
    many_files(path, FILES)
    old.fill(node, tmp_path, path)
    container = start_pod(old, path)
    converge("containerd")
    (laptop / "home/.kube/config").write_text(old.apiserver.kubeconfig.read_text().replace("colima-k8s", CONTEXT))

    with pytest.raises(InputError, match="Did you mean 'docker-desktop'"):
        move(old, context="docker-dekstop")
    planned = move(old, check=True, pause=True)
    (claim,) = planned["volumes"]
    assert claim["name"] == f"{NAMESPACE}/data" and claim["bytes"] >= len("kept\n") and not storage.exists()

    # Its pod writes: neither the data nor the Deployment goes.
    held = move(old)
    assert f"pod {NAMESPACE}/web-1-a may write to it" in " ".join(one["reason"] for one in held["pending"])
    assert not storage.exists() and f"Deployment {NAMESPACE}/web" not in held["objects"]

    # A container that the kubelet starts again, because the paused one does not answer, writes.
    again = f"{container.removesuffix('0')}1"

    class Restarted(ClusterMove):
        def apply(self, step: Step) -> None:
            if isinstance(step, SendClaim):
                start_container(old, path, again)
            super().apply(step)

    with pytest.raises(NotVerified, match=f"pod {NAMESPACE}/web-1-a could write to it meanwhile"):
        move(old, pause=True, subject=Restarted)
    docker(old.dockerd, "rm", "--force", again)
    assert f"{NAMESPACE}-1_{NAMESPACE}_data" not in {one.name for one in storage.iterdir()}

    tree = told(path)
    for moment in moments():
        if killed(old, moment):
            assert told(path) == tree
        else:
            forget(node, storage)
        arrived = storage / f"{NAMESPACE}-1_{NAMESPACE}_data"
        assert not arrived.exists() or told(arrived) == tree
    found = move(old, pause=True)
    assert found["images"] == [old.image] and f"Deployment {NAMESPACE}/web" in found["objects"]
    assert docker(old.dockerd, "inspect", "--format={{.State.Status}}", container).strip() == "running"
    (arrived,) = storage.iterdir()
    assert arrived.name == f"{NAMESPACE}-1_{NAMESPACE}_data" and told(arrived) == tree == told(path)

    move(old, "ready")
    runs_on(node, NAMESPACE)
    # It would fail if there were something left to copy, or if the old cluster had changed a volume since.
    assert move(old, "verify")["compared"] == [f"{NAMESPACE}/data"]
    docker(old.dockerd, "rm", "--force", container)
    old.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    node.cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
