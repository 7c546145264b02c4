# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster whose pods run in docker: the last kubelet that does so by itself, on a dockerd, beside a control plane of today."""

from __future__ import annotations

import shlex
from pathlib import Path

from rehearsal.processes.daemon import Daemon
from rehearsal.processes.realm import Realm
from rehearsal.services.apiserver import ApiServer
from rehearsal.services.cluster.cluster import Cluster
from rehearsal.services.cluster.control_plane import ControlPlane
from rehearsal.services.cluster.kubelet import Kubelet
from rehearsal.services.dockerd import Dockerd

# It gives the container that holds a pod together a score that a machine without that right refuses.
_RUNC = """\
#!/bin/sh
last=
for word; do
    [ "$last" != --bundle ] || sed -i 's/"oomScoreAdj":-[0-9]*/"oomScoreAdj":0/' "$word/config.json"
    last=$word
done
exec runc "$@"
"""


class DockerKubelet(Kubelet):
    """The kubelet, on a dockerd, which must run. pause is an image there."""

    program, how = "kubelet-docker", "LAPTOP_LONG=1 make engines"

    def __init__(self, directory: Path, pause: str, dockerd: Dockerd) -> None:
        self.directory, self.pause, self.dockerd = directory, pause, dockerd
        self.daemon = Daemon("kubelet", directory)

    @property
    def _realm(self) -> Realm:
        return self.dockerd.realm

    def _runtime_flags(self) -> list[str]:
        runtime = ["--container-runtime=docker", f"--docker-endpoint={self.dockerd.host}", "--network-plugin="]
        return [*runtime, f"--pod-infra-container-image={self.pause}"]

    def _settings(self) -> dict[str, object]:
        return self._shared_settings()

    def stop(self) -> None:
        """End the kubelet and dockerd with its containers."""
        self.kill()
        self.dockerd.stop()


class DockerCluster(Cluster):
    """API server, scheduler, controllers, and one kubelet whose pods are in docker. start_kubelet() comes after its images."""

    kubelet: DockerKubelet

    def __init__(self, directory: Path, pause: str) -> None:
        runc = directory / "runc"
        runc.write_text(_RUNC)
        runc.chmod(0o755)
        configuration = {"runtimes": {"lab": {"path": str(runc)}}, "default-runtime": "lab"}
        self.api = ApiServer(directory / "kube", complete=True)
        self.control_plane = ControlPlane(self.api)
        self.kubelet = DockerKubelet(directory, pause, Dockerd(directory / "dockerd", configuration=configuration))

    def start_engines(self) -> None:
        """Start everything but the kubelet. Raises LabError."""
        self.api.start()
        self.control_plane.start()
        self.kubelet.dockerd.start()

    def share(self, source: Path, path: Path) -> list[str]:
        """Return a command that lets this node alone have a directory, which is elsewhere, at a path."""
        there = path.parent
        words = [f"mount -t tmpfs tmpfs {shlex.quote(str(there))}", f"mkdir {shlex.quote(str(path))}"]
        words.append(f"mount --bind {shlex.quote(str(source))} {shlex.quote(str(path))}")
        return self.kubelet.dockerd.realm.enter(["/bin/sh", "-euc", "\n".join(words)])

    def rest(self) -> list[str]:
        """Return a command that ends the kubelet and its pods, as a stop of Kubernetes in a VM does."""
        docker = shlex.join(["docker", "--host", self.kubelet.dockerd.host])
        pid = self.kubelet.daemon.pid
        kill = f"pkill -KILL -P {pid} kubelet; kill -KILL {pid}; "
        return ["/bin/sh", "-c", f"{kill}{docker} rm --force $({docker} ps --all --quiet --filter name=k8s_)"]
