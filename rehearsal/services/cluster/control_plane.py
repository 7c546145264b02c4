# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts beside the API server that Deployments, service accounts and volumes need."""

from __future__ import annotations

from pathlib import Path

from rehearsal.engines import find
from rehearsal.processes.daemon import Daemon
from rehearsal.processes.system import LabError, free_port
from rehearsal.services.apiserver import ApiServer


class ControlPlane:
    """kube-scheduler and kube-controller-manager of an API server."""

    def __init__(self, api: ApiServer) -> None:
        self.api = api
        self.scheduler = Daemon("kube-scheduler", api.directory)
        self.controllers = Daemon("kube-controller-manager", api.directory)

    def start(self) -> None:
        """Start both and do not wait for them; the API server must run. Raises LabError."""
        key, authority = self.api.data / "server.key", self.api.data / "ca.crt"
        accounts = [f"--service-account-private-key-file={key}", f"--root-ca-file={authority}"]
        # It would make the folder of that name on this machine.
        plugins = f"--flex-volume-plugin-dir={self.api.directory / 'plugins'}"
        self._spawn(self.scheduler)
        self._spawn(self.controllers, *accounts, plugins)

    def _spawn(self, daemon: Daemon, *flags: str) -> None:
        program = find(daemon.name)
        if program is None:
            raise LabError(f"Could not start {daemon.name}: it is not installed. Run 'make engines'.")
        daemon.spawn([str(program), *self._shared(self.api.kubeconfig), *flags])

    @staticmethod
    def _shared(kubeconfig: Path) -> list[str]:
        # There is one of each, and they serve no requests.
        return [
            f"--kubeconfig={kubeconfig}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            "--profiling=false",
        ]

    def require(self) -> None:
        """Raise LabError when one of them has ended."""
        for daemon in (self.scheduler, self.controllers):
            if daemon.pid is None:
                raise LabError(f"Could not keep {daemon.name} running: it ended. {daemon.last_words()}")

    def kill(self) -> None:
        """End both at once."""
        self.scheduler.kill()
        self.controllers.kill()
