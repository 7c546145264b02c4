# SPDX-License-Identifier: GPL-3.0-or-later
"""A dockerd of its own: own data, own socket, no network rules on the host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from rehearsal.engines import find
from rehearsal.processes.realm import CGROUP_NOTE, Program, Realm, cgroup_for, remove_cgroups
from rehearsal.processes.system import LabError
from rehearsal.services.http import get_unix
from rehearsal.services.in_realm import InRealm

NEEDS = "docker"
READY_SECONDS = 120.0


class Dockerd(InRealm):
    """dockerd with a directory for its state; data and socket can be elsewhere."""

    def __init__(
        self,
        directory: Path,
        socket: Path | None = None,
        data: Path | None = None,
        configuration: dict[str, Any] | None = None,
    ) -> None:
        self.directory = directory
        self.socket = socket or directory / "docker.sock"
        self.data = data or directory / "data"
        self.configuration = configuration or {}
        self.realm = Realm("dockerd", directory)
        self.log = directory / "dockerd-engine.log"

    @property
    def host(self) -> str:
        """What DOCKER_HOST or a context's endpoint would be."""
        return f"unix://{self.socket}"

    def start(self) -> Self:
        """Start the daemon and wait until it answers. Raises LabError."""
        program = find("dockerd")
        if program is None:
            raise LabError("Could not start dockerd: it is not installed. Run 'make engines'.")
        for place in (self.directory, self.data, self.socket.parent):
            place.mkdir(parents=True, exist_ok=True)
        settings = self.directory / "daemon.json"
        settings.write_text(json.dumps(self._settings(), indent=2))
        argv = (
            str(program),
            f"--config-file={settings}",
            f"--data-root={self.data}",
            f"--exec-root={self.directory / 'exec'}",
            f"--pidfile={self.directory / 'inner.pid'}",
            f"--host={self.host}",
        )
        # A pid file of a killed daemon names a process of another realm: dockerd would take it for its own or its containerd.
        for pid_file in ("inner.pid", "exec/containerd/containerd.pid"):
            (self.directory / pid_file).unlink(missing_ok=True)
        self.realm.start([Program(argv, self.log, self.socket)])
        try:
            self.realm.daemon.wait_until(lambda: get_unix(self.socket, "/_ping") == "OK", READY_SECONDS)
        except LabError as error:
            self.kill()
            raise LabError(f"{error} {self._last_words()}") from None
        return self

    def _settings(self) -> dict[str, Any]:
        """daemon.json: what was asked for, and no bridge or firewall rule on the host (containers get network none or host)."""
        ours = {
            "bridge": "none",
            "iptables": False,
            "ip6tables": False,
            "ip-forward": False,
            "ip-masq": False,
            "cgroup-parent": f"/{cgroup_for(self.directory)}",
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
        }
        return {**ours, **{key: value for key, value in self.configuration.items() if key not in {"bridge", "iptables"}}}

    def _last_words(self) -> str:
        try:
            return " | ".join(self.log.read_text(errors="replace").strip().splitlines()[-3:])
        except OSError:
            return ""

    def _clean(self) -> None:
        self.socket.unlink(missing_ok=True)
        note = self.directory / CGROUP_NOTE
        if note.exists():
            remove_cgroups(note.read_text())
