# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is for everything else: pods on containerd and not in docker, and volumes that outlive a pod."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.builds.images import context_of
from tests.support.builds.node import PAUSE, Node

if TYPE_CHECKING:
    from rehearsal.services.dockerd import Dockerd

pytestmark = pytest.mark.real("node", "registry", "buildkit", "buildx")


def docker(engine: Dockerd, *argv: str, standard_input: bytes = b"") -> str:
    done = subprocess.run(["docker", "--host", engine.host, *argv], input=standard_input, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def empty_archive() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w"):
        return content.getvalue()


@pytest.mark.real("docker")
def test_pods_run_on_containerd_and_docker_sees_only_its_own_containers(node: Node, dockerd: Dockerd) -> None:
    node.cluster.kubectl("run", "idle", f"--image={PAUSE}", "--image-pull-policy=Never")
    node.cluster.kubectl("wait", "pod/idle", "--for=condition=Ready", "--timeout=60s")
    runtime = node.cluster.kubectl("get", "nodes", "--output=jsonpath={.items[*].status.nodeInfo.containerRuntimeVersion}")
    assert runtime.startswith("containerd://")
    docker(dockerd, "import", "-", "mine", standard_input=empty_archive())
    docker(dockerd, "create", "--name", "my-own", "--network", "none", "mine", "nothing")
    assert docker(dockerd, "ps", "--all", "--format", "{{.Names}}").split() == ["my-own"]
    docker(dockerd, "rm", "my-own")


def volume(path: Path) -> list[dict[str, Any]]:
    """Return a volume in a folder of the machine, and a claim of it."""
    shared = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    disk = {"capacity": {"storage": "1Mi"}, "hostPath": {"path": str(path)}, **shared}
    claim = {"volumeName": "data", "resources": {"requests": {"storage": "1Mi"}}, **shared}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "data"}, "spec": disk},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": claim},
    ]


def test_a_pod_finds_its_data_through_a_claim(node: Node, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "words").write_text("kept")
    node.build("docker.io/me/reader:dev", context_of(tmp_path / "app", "cat", ["/data/words"]))
    container = {"name": "app", "image": "me/reader:dev", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    spec = {"restartPolicy": "Never", "containers": [{**container, "imagePullPolicy": "Never"}], "volumes": volumes}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "reader"}, "spec": spec}
    items = {"apiVersion": "v1", "kind": "List", "items": [*volume(tmp_path / "data"), pod]}
    node.cluster.kubectl("apply", "--filename", "-", standard_input=json.dumps(items))
    node.cluster.kubectl("wait", "pod/reader", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    assert node.cluster.kubelet.said("reader") == "kept"
