# SPDX-License-Identifier: GPL-3.0-or-later
"""A node without a cluster: containerd, BuildKit, and a kubelet that runs the pods in its folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

from rehearsal.engines import SYSTEM_PATH, find
from rehearsal.processes.daemon import Daemon
from rehearsal.processes.system import LabError, free_port
from rehearsal.services.containerd import Containerd

NEEDS = "kubelet"
READY_SECONDS = 120.0
# A kubelet has fixed places below these, and sets these flags of the kernel. Here it gets its own, and the machine keeps its.
_PLACES = ("/var/lib", "/var/log")
FLAGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


class Kubelet:
    """A kubelet on a containerd of its own. Pods use the network of the machine, and no image is pulled for them."""

    def __init__(self, directory: Path, pause: str, buildkitd_toml: Path | None = None) -> None:
        self.directory = directory
        self.containerd = Containerd(directory / "containerd", directory, buildkitd_toml=buildkitd_toml, pause=pause)
        self.daemon = Daemon("kubelet", directory)
        self.pods = directory / "pods"
        self.logs = directory / "logs"

    def start(self) -> None:
        """Start the kubelet; containerd must run. Raises LabError."""
        program = find("kubelet")
        if program is None:
            raise LabError("Could not start the kubelet: it is not installed. Run 'make engines'.")
        self.pods.mkdir(parents=True, exist_ok=True)
        settings = self.directory / "kubelet.json"
        settings.write_text(json.dumps(self._settings()))
        run = [str(program), f"--config={settings}", f"--root-dir={self.directory / 'kubelet'}", "--hostname-override=lab"]
        inside = self.containerd.realm.enter(["unshare", "--mount", "/bin/sh", "-euc", self._private(), "kubelet", *run])
        self.daemon.spawn(inside, {**os.environ, "PATH": SYSTEM_PATH, "HOME": str(self.directory)})
        self.daemon.wait_until(lambda: "Started kubelet" in self.said_itself(), READY_SECONDS)

    def _private(self) -> str:
        """Return a script that hides from the machine what a kubelet changes in it."""
        copies = self.directory / "flags"
        lines = [f"mount -t tmpfs tmpfs {place}" for place in _PLACES]
        for flag in FLAGS:
            file, copy = f"/proc/sys/{flag}", copies / flag.replace("/", ".")
            lines.append(f"[ ! -e {file} ] || {{ cat {file} >{copy}; mount --bind {copy} {file}; }}")
        return "\n".join([f"mkdir -p {copies}", *lines, 'exec "$@"'])

    def _settings(self) -> dict[str, object]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "address": "127.0.0.1",
            "port": free_port(),
            "healthzPort": 0,
            "containerRuntimeEndpoint": self.containerd.address,
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": False,
            "enforceNodeAllocatable": [],
            "failCgroupV1": False,
            "failSwapOn": False,
            "evictionHard": {"memory.available": "1Mi"},
            "fileCheckFrequency": "1s",
            "localStorageCapacityIsolation": False,
            "makeIPTablesUtilChains": False,
            "podLogsDir": str(self.logs),
            "staticPodPath": str(self.pods),
            "volumePluginDir": str(self.directory / "plugins"),
        }

    def run(self, name: str, image: str, policy: str = "Never") -> None:
        """Let a pod run that is not started again when it ends."""
        container = {"name": "app", "image": image, "imagePullPolicy": policy}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"hostNetwork": True, "restartPolicy": "Never", "containers": [container]},
        }
        part = self.pods / f".{name}"
        part.write_text(json.dumps(pod))
        part.replace(self.pods / f"{name}.json")

    def said(self, name: str) -> str:
        """Return what the container of a pod wrote, without times."""
        lines = [line for file in self.logs.glob(f"default_{name}-lab_*/app/*.log") for line in file.read_text().splitlines()]
        return "\n".join(line.split(" ", 3)[-1] for line in lines)

    def has_said(self, name: str, words: str) -> bool:
        """Whether that is all that it wrote so far."""
        return self.said(name) == words

    def said_itself(self) -> str:
        """Return the kubelet's own log."""
        return self.daemon.log.read_text(errors="replace")

    def stop(self) -> None:
        """End the kubelet, its pods and the engines."""
        self.daemon.kill()
        self.containerd.stop()
