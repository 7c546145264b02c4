# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet of a node, on a containerd of its own with BuildKit beside it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rehearsal.engines import SYSTEM_PATH, find
from rehearsal.processes.daemon import Daemon
from rehearsal.processes.realm import Realm
from rehearsal.processes.system import LabError, children, free_port
from rehearsal.services.cluster import pods
from rehearsal.services.containerd import Containerd

READY_SECONDS = 120.0
# The API server finds the kubelet by this name, and it listens on the loopback alone.
NODE = "localhost"
_STARTED = "Started kubelet"
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
    """The kubelet of the only node. pause is the image that holds a pod together; it must be on the node by the first pod."""

    program, how = "kubelet", "make engines"

    def __init__(
        self, directory: Path, pause: str, buildkitd_toml: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.directory = directory
        cri = pods.settings(directory, pause)
        self.containerd = Containerd(
            directory / "containerd", directory, buildkitd_toml=buildkitd_toml, cri=cri, environment=environment
        )
        self.daemon = Daemon("kubelet", directory)
        self.logs = directory / "logs"

    def start_engines(self) -> None:
        """Start containerd and BuildKit. Raises LabError."""
        pods.install_network(self.directory)
        self.containerd.start()

    def start(self, kubeconfig: Path, flags: Sequence[str] = ()) -> None:
        """Start the kubelet with more flags; its engines must run. Raises LabError."""
        program = find(self.program)
        if program is None:
            raise LabError(f"Could not start the kubelet: it is not installed. Run '{self.how}'.")
        settings, own = self.directory / "kubelet.json", self.directory / "kubelet"
        settings.write_text(json.dumps(self._settings()))
        own.mkdir(parents=True, exist_ok=True)
        run = [str(program), f"--config={settings}", f"--root-dir={own}", f"--hostname-override={NODE}"]
        run += [f"--kubeconfig={kubeconfig}", *self._runtime_flags(), *flags]
        # The runtime has to see the volumes that the kubelet mounts for pods, and nothing else of what it mounts.
        shared = f"mountpoint -q {own} || {{ mount --bind {own} {own} && mount --make-rshared {own}; }}"
        apart = ["unshare", "--mount", "--propagation", "unchanged", "/bin/sh", "-euc", self._private(), "kubelet", *run]
        inside = self._realm.enter(["/bin/sh", "-euc", f'{shared}\nexec "$@"', "kubelet", *apart])
        before = self._starts
        self.daemon.spawn(inside, {**os.environ, "PATH": SYSTEM_PATH, "HOME": str(self.directory)})
        self.daemon.wait_until(lambda: self._starts > before, READY_SECONDS)

    @property
    def _realm(self) -> Realm:
        """The namespaces of the runtime."""
        return self.containerd.realm

    def _runtime_flags(self) -> list[str]:
        """Return the kubelet's arguments about its runtime."""
        return []

    def _private(self) -> str:
        """Return a script that hides from the machine what a kubelet changes in it."""
        copies = self.directory / "flags"
        lines = [f"mount -t tmpfs tmpfs {place}" for place in _PLACES]
        for flag in FLAGS:
            file, copy = f"/proc/sys/{flag}", copies / flag.replace("/", ".")
            lines.append(f"[ ! -e {file} ] || {{ cat {file} >{copy}; mount --bind {copy} {file}; }}")
        return "\n".join([f"mkdir -p {copies}", *lines, 'exec "$@"'])

    def _settings(self) -> dict[str, object]:
        """Return the settings, those of the runtime last."""
        return {
            **self._shared_settings(),
            "containerRuntimeEndpoint": self.containerd.address,
            "failCgroupV1": False,
            "localStorageCapacityIsolation": False,
            "podLogsDir": str(self.logs),
        }

    def _shared_settings(self) -> dict[str, object]:
        """Return the settings that kubelets of all releases know."""
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

    def said(self, pod: str, namespace: str = "default") -> str:
        """Return what the containers of a pod wrote, without times."""
        files = self.logs.glob(f"{namespace}_{pod}_*/*/*.log")
        lines = [line for file in files for line in file.read_text().splitlines()]
        return "\n".join(line.split(" ", 3)[-1] for line in lines)

    @property
    def _starts(self) -> int:
        """How often it has started so far, by its own log."""
        return self.daemon.log.read_text(errors="replace").count(_STARTED) if self.daemon.log.exists() else 0

    def kill(self) -> None:
        """End the kubelet at once; pods and engines stay."""
        # The recorded process has entered the engines' namespaces and waits for the kubelet there.
        pid = self.daemon.pid
        for inner in children(pid) if pid is not None else []:
            with suppress(ProcessLookupError):
                os.kill(inner, signal.SIGKILL)
        self.daemon.kill()

    def stop(self) -> None:
        """End the kubelet, its pods and the engines."""
        self.kill()
        self.containerd.stop()
