# SPDX-License-Identifier: GPL-3.0-or-later
"""A real node beside a laptop: what is built on it, pushed to ECR's registry, and pulled again."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.laptop.containers.plugins.module_utils.colima.model.cluster_builds import BuildkitFiles

from rehearsal.processes.system import comes_true
from rehearsal.services.cluster.cluster import Cluster
from rehearsal.services.cluster.kubelet import FLAGS
from rehearsal.services.ecr import REGION
from tests.support.builds.images import context_of
from tests.support.ecr_pull_secret.ecr_proxy import Front
from tests.support.ecr_pull_secret.scenario import HOST

if TYPE_CHECKING:
    from rehearsal.services.ecr import Ecr

PAUSE = "docker.io/library/pause:dev"
SECONDS = 60.0
ABROAD = "us-east-1"
# A registry with a token of its own.
SECOND = HOST.replace(REGION, ABROAD)


def machine() -> dict[str, str]:
    """Return what a kubelet would change outside of its own directory."""
    flags = {flag: file.read_text() for flag in FLAGS if (file := Path("/proc/sys", flag)).exists()}
    places = {place: str(Path(place).exists()) for place in ("/var/lib/kubelet", "/var/log/pods", "/usr/libexec/kubernetes")}
    save = shutil.which("iptables-save")
    rules = subprocess.run([save], capture_output=True, text=True, check=True).stdout if save else ""
    return {**flags, **places, "rules": "\n".join(line for line in rules.splitlines() if "KUBE-" in line)}


class Node:
    """A cluster, a builder on its BuildKit, and the way from both to the registries of HOST and SECOND."""

    def __init__(self, place: Path, home: Path, ecr: Ecr, registries: tuple[str, str], buildx: Path) -> None:
        self.before = machine()
        self.home = home
        self.ecr = ecr
        self.front = Front(place / "front", registries[0], HOST, elsewhere={SECOND: registries[1]})
        self.docker_config = home / ".docker" / "config.json"
        plugins = home / ".docker" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-buildx").symlink_to(buildx)
        (place / "buildkitd.toml").write_text(BuildkitFiles().rendered())
        self.cluster = Cluster(place, PAUSE, place / "buildkitd.toml", self.front.environment)

    def start(self) -> None:
        """Start the cluster, and build the image that holds its pods together."""
        self.cluster.start()
        socket = self.cluster.kubelet.containerd.buildkit_socket
        self._buildx("create", "--name", "k8s", "--driver", "remote", f"unix://{socket}")
        self.build(PAUSE, context_of(self.home / "pause", "sleep", ["infinity"]))

    def build(self, image: str, context: Path) -> None:
        """Build an image straight into the cluster."""
        self._build(image, context, "type=image,unpack=true")

    def run(
        self, pod: str, image: str, until: str = "{.status.phase}=Succeeded", *, pull: str = "Never", secret: str = ""
    ) -> None:
        """Run a pod once, until its status says this. secret: with which its image is pulled."""
        spec = {"imagePullSecrets": [{"name": secret}]} if secret else {}
        self.cluster.kubectl(
            *("run", pod, f"--image={image}", f"--image-pull-policy={pull}", "--restart=Never"),
            f"--overrides={json.dumps({'spec': spec})}",
        )
        self.cluster.kubectl("wait", f"pod/{pod}", f"--for=jsonpath={until}", "--timeout=60s")

    def save(self, image: str, context: Path, file: Path) -> None:
        """Build an image into a file, as `docker load` takes it."""
        self._build(image, context, f"type=docker,dest={file}")

    def push(self, image: str) -> None:
        """Build an image that sleeps into ECR's registry, and not into the cluster. Its content is like no other's."""
        context = context_of(self.home / image.replace("/", "-"), "sleep", ["infinity"])
        (context / "words").write_text(image)
        self.build_and_push(image, context)

    def build_and_push(self, image: str, context: Path) -> None:
        """Build an image into ECR's registry, and not into the cluster."""
        self.docker_config.write_text(json.dumps(self.logins()))
        self._build(image, context, "type=image,push=true,store=false")
        self.docker_config.unlink()

    def logins(self) -> dict[str, dict[str, dict[str, str]]]:
        """Return docker's configuration with the current tokens of both registries."""
        tokens = {HOST: self.ecr.token(), SECOND: self.ecr.token(region=ABROAD)}
        return {"auths": {host: {"auth": base64.b64encode(f"AWS:{token}".encode()).decode()} for host, token in tokens.items()}}

    def _build(self, image: str, context: Path, output: str) -> None:
        self._buildx("build", "--builder", "k8s", "--output", output, "--tag", image, str(context))

    def _buildx(self, *argv: str) -> None:
        environment = {**os.environ, "HOME": str(self.home), "DOCKER_CONFIG": str(self.docker_config.parent)}
        done = subprocess.run(
            ["docker", "buildx", *argv], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr

    def forget(self, image: str) -> None:
        """Remove an image from the node."""
        ctr = self.cluster.kubelet.containerd.inside(["ctr", "--namespace", "k8s.io", "images", "remove", "--sync", image])
        subprocess.run(ctr, capture_output=True, check=True)

    def runs(self, name: str, namespace: str) -> None:
        """Wait until the pods of a Deployment run."""
        self.cluster.kubectl("rollout", "status", f"deployment/{name}", f"--namespace={namespace}", "--timeout=90s")

    def refusal(self, namespace: str) -> str:
        """Wait until no pod of a namespace gets its image; return the events of that."""
        # kubectl waits only for pods that are there.
        assert comes_true(lambda: bool(self._pods(namespace)), SECONDS), f"no pod in namespace {namespace}"
        reason = "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ErrImagePull"
        self.cluster.kubectl("wait", "pods", "--all", f"--namespace={namespace}", reason, "--timeout=90s")
        return self.cluster.kubectl("get", "events", f"--namespace={namespace}", "--field-selector=reason=Failed")

    def _pods(self, namespace: str) -> list[object]:
        status, found = self.cluster.api.request("GET", f"/api/v1/namespaces/{namespace}/pods")
        assert status == 200, found
        return list(found["items"])

    def stop(self) -> None:
        """End everything."""
        self.cluster.stop()
        self.front.close()
