# SPDX-License-Identifier: GPL-3.0-or-later
"""A containerd of its own, with buildkitd beside it where that is installed."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from rehearsal.engines import SYSTEM_PATH, caches, find
from rehearsal.processes.realm import Program, Realm, remove_cgroups
from rehearsal.processes.system import LabError
from rehearsal.services.http import listens
from rehearsal.services.in_realm import InRealm

NEEDS = "containerd"
READY_SECONDS = 120.0
# Where BuildKit keeps its data in a virtual machine.
BUILDKIT_ROOT = "/var/lib/buildkit"
# k3s has its own network plugins; the CRI plugin would look for networks of the host.
_NO_CRI = 'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'


class Containerd(InRealm):
    """containerd (and buildkitd) with a directory for its state; data and sockets can be elsewhere."""

    def __init__(
        self,
        directory: Path,
        sockets_in: Path | None = None,
        data: Path | None = None,
        buildkitd_toml: Path | None = None,
        *,
        cri: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        home = sockets_in or directory
        self.socket = home / "containerd.sock"
        self.buildkit_socket = home / "buildkitd.sock"
        self.data = data or directory / "data"
        self.buildkitd_toml = buildkitd_toml
        # Settings of the plugin that a kubelet talks to; without them there is none.
        self.cri = cri
        # What the daemons get beside the environment of this process.
        self.environment = dict(environment or {})
        self.realm = Realm("containerd", directory)

    @property
    def address(self) -> str:
        """What nerdctl's --address wants."""
        return f"unix://{self.socket}"

    def start(self) -> Self:
        """Start the daemons and wait until they answer. Raises LabError."""
        program = find("containerd")
        if program is None:
            raise LabError("Could not start containerd: it is not installed. Run 'make engines'.")
        for place in (self.directory / "root", self.data, self.socket.parent):
            place.mkdir(parents=True, exist_ok=True)
        settings = self.directory / "containerd.toml"
        settings.write_text(
            "version = 2\n"
            f'root = "{self.data / "containerd"}"\n'
            f'state = "{self.directory / "state"}"\n'
            f"{self.cri or _NO_CRI}"
            f'[grpc]\naddress = "{self.socket}"\n'
        )
        programs = [Program((str(program), f"--config={settings}"), self.directory / "containerd-engine.log", self.socket)]
        buildkit = find("buildkitd")
        if buildkit is not None:
            programs.append(self._buildkit(buildkit))
        self.realm.start(programs, {**os.environ, **self.environment})
        last = programs[-1].socket
        try:
            self.realm.daemon.wait_until(lambda: listens(self.socket) and listens(last), READY_SECONDS)
        except LabError as error:
            self.kill()
            raise LabError(f"{error} See {self.directory}.") from None
        return self

    def _buildkit(self, program: Path) -> Program:
        config = self.buildkitd_toml if self.buildkitd_toml and self.buildkitd_toml.exists() else None
        settings = tomllib.loads(config.read_text()) if config else {}
        below = str(settings.get("root", BUILDKIT_ROOT)).removeprefix(BUILDKIT_ROOT).strip("/")
        argv = (
            str(program),
            *((f"--config={config}",) if config else ()),
            f"--root={self.data / 'buildkit' / below}",
            f"--addr=unix://{self.buildkit_socket}",
            "--oci-worker=false",
            "--containerd-worker=true",
            f"--containerd-worker-addr={self.socket}",
            "--containerd-worker-net=host",
        )
        return Program(argv, self.directory / "buildkitd-engine.log", self.buildkit_socket)

    def nerdctl(self, arguments: Sequence[str]) -> list[str]:
        """The command line of nerdctl inside the realm, where its pipes and the engine's are the same."""
        program = find("nerdctl")
        if program is None:
            raise LabError("Could not run nerdctl: it is not installed. Run 'make engines'.")
        settings = [
            f"--address={self.socket}",
            f"--data-root={self.data / 'nerdctl'}",
            f"--cni-netconfpath={self.data / 'cni'}",
            "--cgroup-manager=cgroupfs",
        ]
        environment = [
            f"PATH={os.pathsep.join([*map(str, caches()), SYSTEM_PATH])}",
            f"BUILDKIT_HOST=unix://{self.buildkit_socket}",
            "NERDCTL_TOML=/nonexistent",
            # Root of a virtual machine has a login of its own, not the host's.
            f"HOME={self.directory / 'root'}",
            f"DOCKER_CONFIG={self.directory / 'root' / '.docker'}",
        ]
        return self.realm.enter(["/usr/bin/env", *environment, str(program), *settings, *arguments])

    def inside(self, argv: Sequence[str]) -> list[str]:
        """The command line of ctr or buildctl inside the realm."""
        path = os.pathsep.join([*map(str, caches()), SYSTEM_PATH])
        names = [f"CONTAINERD_ADDRESS={self.socket}", f"BUILDKIT_HOST=unix://{self.buildkit_socket}"]
        return self.realm.enter(["/usr/bin/env", f"PATH={path}", *names, *argv])

    def _clean(self) -> None:
        for place in (self.socket, Path(f"{self.socket}.ttrpc"), self.buildkit_socket):
            place.unlink(missing_ok=True)
        remove_container_cgroups(self.data)
        if self.cri:
            remove_cgroups("k8s.io")


def remove_container_cgroups(data: Path) -> None:
    """nerdctl puts containers into NAMESPACE/ID; the namespace's own group is removed when it is unused."""
    for container in data.glob("nerdctl/*/containers/*/*"):
        remove_cgroups(f"{container.parent.name}/{container.name}")
    # It also outlives containers that removed themselves.
    for namespace in data.glob("nerdctl/*/containers/*"):
        remove_cgroups(namespace.name)
