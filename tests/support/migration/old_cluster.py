# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster beside a real dockerd, with a Deployment that moves to a real node, and what has to be there then."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearsal.processes.system import comes_true
from tests.support.builds.images import context_of
from tests.support.builds.node import SECONDS, Node
from tests.support.ecr_pull_secret.scenario import HOST

from .move import objects

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.dockerd import Dockerd


@dataclass(frozen=True)
class OldCluster:
    """An API server and the engine beside it; what moves is in one namespace."""

    dockerd: Dockerd
    apiserver: ApiServer
    namespace: str

    @property
    def image(self) -> str:
        """The image of the Deployment, which no registry has."""
        return f"{HOST}/{self.namespace}:1"

    def kubectl(self, *argv: str, items: list[dict[str, Any]] | None = None) -> str:
        """Run kubectl. items: what it gets as its input."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}) if items else None
        argv = ("kubectl", "--kubeconfig", str(self.apiserver.kubeconfig), *argv)
        return subprocess.run(argv, input=text, text=True, check=True, capture_output=True).stdout

    def fill(self, node: Node, place: Path, path: Path, **pod: Any) -> None:
        """Put an image into docker, and a Deployment that was ready into the cluster.

        path: of its volume's data. pod: what its pods are to have besides.
        """
        context, file = context_of(place / "app", "tail", ["-n", "+1", "-f", "/data/words"]), place / "image.tar"
        # Its content is like no other's.
        (context / "words").write_text(self.namespace)
        node.save(self.image, context, file)
        load = ["docker", "--host", self.dockerd.host, "load", "--input", str(file)]
        subprocess.run(load, check=True, capture_output=True)
        self.apiserver.namespace(self.namespace)
        secret: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": "ecr-creds", "namespace": self.namespace},
            "stringData": {".dockerconfigjson": json.dumps({"auths": {HOST: {"username": "AWS", "password": "old"}}})},
        }
        items = objects(str(path), self.image, self.namespace, f"{self.namespace}-1")
        items[-1]["spec"]["template"]["spec"] |= pod
        self.kubectl("apply", "--filename=-", items=[secret, *items])
        ready = {"status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "availableReplicas": 1}}
        patch = ("patch", "deployment", "web", f"--namespace={self.namespace}", "--subresource=status", "--type=merge")
        self.kubectl(*patch, f"--patch={json.dumps(ready)}")


def runs_on(node: Node, namespace: str) -> None:
    """Wait until the Deployment runs on the node, on containerd, with its secret and the data of its volume."""
    # The registry does not have its image: what runs is what was moved.
    node.runs("web", namespace)
    pods = json.loads(node.cluster.kubectl("get", "pods", f"--namespace={namespace}", "--output=json"))["items"]
    (pod,) = (one for one in pods if not one["metadata"].get("deletionTimestamp"))
    assert pod["spec"]["imagePullSecrets"] == [{"name": "ecr-creds"}]
    assert pod["status"]["containerStatuses"][0]["containerID"].startswith("containerd://")
    # What a container prints comes to the log a moment later.
    assert comes_true(lambda: node.cluster.kubelet.said(pod["metadata"]["name"], namespace) == "kept", SECONDS)
