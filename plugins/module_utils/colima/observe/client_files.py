# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of the host's clients say about profiles: docker contexts, kubeconfig, ssh settings, nerdctl wrappers."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...colima_paths import Name, Paths, parse_name
from ...core.errors import InputError, WorkstationError
from ...core.system.files import text_of
from ...docker.client import context_host, current_context, docker_directory
from ...kube import kubeconfig
from ..model.cluster_builds import COLIMAS_OWN, BuildkitFiles
from ..model.state import ClientState, SharedTraces
from .kube_entry import digest_of, is_noted

_WRAPPER_BYTES = 4096
BUILDKIT = "buildkit/buildkitd.toml"
# What a start with containerd writes below ~/.config where there is nothing.
DEFAULTS = {
    "containerd/config.toml": "[grpc]\ngid = 1000\n",
    BUILDKIT: COLIMAS_OWN,
}
_SERVER_PORT = re.compile(r":(\d{1,5})/?$")


def holds_default(path: Path, text: str) -> bool:
    """Whether a file is what colima wrote, to the letter."""
    return not path.is_symlink() and text_of(path) == text


class ClientFiles:
    """What the files of the host's clients say about profiles. A file that can't be read is a problem, not a failure."""

    def __init__(self, environment: Mapping[str, str], with_wrappers: bool, paths: Paths) -> None:
        self.environment = environment
        self.with_wrappers = with_wrappers
        self.paths = paths
        self.problems: list[str] = []
        self._home = Path(environment.get("HOME") or "~").expanduser()
        self._settings = Path(environment.get("XDG_CONFIG_HOME") or self._home / ".config")
        self._docker = docker_directory(environment, str(self._home))
        self._docker_current = ""
        with contextlib.suppress(InputError):
            self._docker_current = current_context(self._docker)
        self._kube = kubeconfig.path_from(environment)
        self._kube_text = text_of(self._kube) or ""
        self._kube_config: dict[str, Any] | None = None

    def _names(self, name: Name) -> bool:
        """Whether the kubeconfig may have an entry of the profile."""
        return name.id in self._kube_text

    def compared(self, name: Name) -> Mapping[str, Any] | None:
        """Return a profile's entry that was compared with its k3s, empty where there is none; None: it has to be compared."""
        if not self._names(name):
            return {}
        with contextlib.suppress(WorkstationError):
            entry = kubeconfig.parts(self._kube_parsed(), name.id)
            return entry if not entry or is_noted(self.paths, name, entry) else None
        return None

    def of(self, name: Name, k3s: Mapping[str, Any], address: str) -> ClientState:
        """Return what the clients know. k3s: the kubeconfig of the k3s in the VM, if it was asked; address: the VM's own."""
        entry, port, current, dangling, digest = "", 0, "", False, ""
        if self._names(name):
            try:
                config = self._kube_parsed()
                found = kubeconfig.parts(config, name.id)
                entry = _state_of(config, name, k3s, address) if found else ""
                port = _port_of(found)
                current, dangling = str(config.get("current-context") or ""), kubeconfig.is_dangling(config)
                if k3s and entry == "present" and not is_noted(self.paths, name, found):
                    digest = digest_of(found)
            except WorkstationError as error:
                self.problems.append(error.message)
        docker = (context_host(self._docker, name.id), self._docker_current == name.id)
        clients = ClientState(*docker, entry, port, current, dangling, digest)
        return self._with_traces(name, clients) if self.with_wrappers else clients

    def _with_traces(self, name: Name, clients: ClientState) -> ClientState:
        """Return the clients with what only matters where the profile goes."""
        from .kube_context import former_context, split_backups

        former = ""
        try:
            config = self._kube_parsed()
        except WorkstationError as error:
            self.problems.append(error.message)
            return replace(clients, wrappers=self._wrappers(name))
        current = str(config.get("current-context") or "")
        if current == name.id or not (current or clients.kube_entry):
            former = former_context(self.paths, name, self._kube, config)
        buildx = tuple(str(path) for path in _buildx_records(self._docker, name) if path.exists())
        copies, kept = (tuple(map(str, files)) for files in split_backups(self.environment, name, config))
        wrappers = self._wrappers(name)
        return replace(
            clients, wrappers=wrappers, kube_former=former, kube_backups=copies, kube_backups_kept=kept, buildx_records=buildx
        )

    def _kube_parsed(self) -> dict[str, Any]:
        if self._kube_config is None:
            self._kube_config = kubeconfig.load(self._kube)
        return self._kube_config

    def shared(self) -> SharedTraces:
        """Return the traces of colima that belong to no profile. They are only looked for with the wrappers."""
        if not self.with_wrappers:
            return SharedTraces()
        theirs = str(self.paths.base / "ssh_config")
        lines = (text_of(self._home / ".ssh" / "config") or "").splitlines()
        return SharedTraces(
            ssh_include=theirs if any(line.split() == ["Include", theirs] for line in lines) else "",
            files=tuple(
                str(self._settings / name) for name, text in DEFAULTS.items() if holds_default(self._settings / name, text)
            ),
        )

    def buildkit(self, name: Name) -> BuildkitFiles:
        """Return what configures BuildKit in the profile's VM, where it has a file of its own or may get one."""
        file, saved = self.paths.buildkit(name), self.paths.saved_buildkit(name)
        shared = self._settings / BUILDKIT
        there = file if os.path.lexists(file) or not os.path.lexists(saved) else saved
        # One that can't be read still belongs to another program.
        own = (text_of(there) or "") if os.path.lexists(there) else None
        unread = False
        with contextlib.suppress(OSError):
            unread = file.stat().st_mtime_ns > self.paths.applied(name).stat().st_mtime_ns
        return BuildkitFiles(str(file), own, str(shared), text_of(shared), os.path.lexists(saved), unread)

    def _wrappers(self, name: Name) -> tuple[str, ...]:
        """Return the scripts on PATH that are colima's own to the letter: a script that only calls one is the user's own."""
        from ...nerdctl.wrapper import bound_profile

        found = []
        for directory in dict.fromkeys(self.environment.get("PATH", "").split(":")):
            if not directory.startswith("/"):
                # A directory relative to this run does not hold the user's commands.
                continue
            file = Path(directory) / "nerdctl"
            with contextlib.suppress(OSError, UnicodeDecodeError, InputError):
                bound = bound_profile(file.read_text()) if file.stat().st_size <= _WRAPPER_BYTES else None
                if bound is not None and parse_name(bound) == name:
                    found.append(str(file))
        return tuple(found)


def _buildx_records(docker: Path, name: Name) -> list[Path]:
    """Return what buildx notes of the builder that it sees in colima's docker context; of a builder made by name, nothing."""
    if (docker / "buildx" / "instances" / name.id).exists():
        return []
    return [docker / "buildx" / part / name.id for part in ("activity", "refs")]


def _state_of(config: Mapping[str, Any], name: Name, k3s: Mapping[str, Any], address: str) -> str:
    """Return whether an entry is incomplete, stale (not that of the running k3s) or simply present."""
    if not kubeconfig.is_complete(config, name.id):
        return "incomplete"
    with contextlib.suppress(InputError):
        change = kubeconfig.Change(name.id, kubeconfig.entry_from_k3s(k3s, address))
        return "present" if kubeconfig.changed(config, change) == config else "stale"
    return "present"


def _port_of(entry: Mapping[str, Any]) -> int:
    found = _SERVER_PORT.search(str((entry.get("cluster") or {}).get("server") or ""))
    return int(found[1]) if found else 0
