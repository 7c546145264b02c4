# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster whose pods run in docker: the last kubelet that does so by itself, on a dockerd, beside a control plane of today."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from rehearsal.engines import SYSTEM_PATH, find
from rehearsal.processes.daemon import Daemon
from rehearsal.processes.system import LabError, free_port
from rehearsal.services.apiserver import ApiServer
from rehearsal.services.cluster.cluster import Cluster
from rehearsal.services.cluster.control_plane import ControlPlane
from rehearsal.services.cluster.kubelet import NODE, READY_SECONDS, Kubelet
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
    """The kubelet, on a dockerd. pause is an image there."""

    def __init__(self, directory: Path, pause: str, dockerd: Dockerd) -> None:
        self.directory, self.pause, self.dockerd = directory, pause, dockerd
        self.daemon = Daemon("kubelet", directory)

    def start(self, kubeconfig: Path, flags: Sequence[str] = ()) -> None:
        """Start the kubelet with more flags; dockerd must run. Raises LabError."""
        program = find("kubelet-docker")
        if program is None:
            raise LabError("Could not start the kubelet: it is not installed. Run 'LAPTOP_LONG=1 make engines'.")
        settings, own = self.directory / "kubelet.json", self.directory / "kubelet"
        settings.write_text(json.dumps(self._settings()))
        own.mkdir(parents=True, exist_ok=True)
        run = [str(program), f"--config={settings}", f"--root-dir={own}", f"--hostname-override={NODE}", *flags]
        run += [f"--kubeconfig={kubeconfig}", "--container-runtime=docker", f"--docker-endpoint={self.dockerd.host}"]
        run += [f"--pod-infra-container-image={self.pause}", "--network-plugin="]
        shared = f"mountpoint -q {own} || {{ mount --bind {own} {own} && mount --make-rshared {own}; }}"
        apart = ["unshare", "--mount", "--propagation", "unchanged", "/bin/sh", "-euc", self._private(), "kubelet", *run]
        inside = self.dockerd.realm.enter(["/bin/sh", "-euc", f'{shared}\nexec "$@"', "kubelet", *apart])
        before = self._starts
        self.daemon.spawn(inside, {**os.environ, "PATH": SYSTEM_PATH, "HOME": str(self.directory)})
        self.daemon.wait_until(lambda: self._starts > before, READY_SECONDS)

    def _settings(self) -> dict[str, object]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "address": "127.0.0.1",
            "port": free_port(),
            "healthzPort": 0,
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": False,
            "enforceNodeAllocatable": [],
            "failSwapOn": False,
            "evictionHard": {"memory.available": "1Mi"},
            "makeIPTablesUtilChains": False,
            "volumePluginDir": str(self.directory / "plugins"),
        }

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
