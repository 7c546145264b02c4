# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the two engines that the options name, what runs helpers on them, and the room that the target has."""

from __future__ import annotations

import base64
import os
import platform
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..buildx.nodes import OWN_HOST
from ..colima.client.programs import Colima
from ..colima.observe.space import usages
from ..colima_paths import Name, parse_name, resolve
from ..core.errors import CommandFailed, InputError
from ..core.options import suggestion
from ..core.system.command import Cli
from ..core.system.home import home
from ..docker.client import context_hosts, docker_directory
from ..docker.context.model import BUILT_IN
from ..docker.stream import Api
from .transfer.helper import PACK, HelperImage, Programs
from .transfer.sides import Side
from .transfer.volumes import Place

_UNIX = "unix://"
_PACK_SECONDS = 60.0
# What options of both modules have in common.
OPTIONS: dict[str, Any] = {
    "source": {"type": "str", "required": True},
    "target": {"type": "str", "default": "docker-buildx"},
    "timeout": {"type": "float", "default": 120.0},
}


@dataclass(frozen=True)
class Ends:
    """The two engines. profile: of the target, None for an engine that is not a colima profile."""

    source: Place
    target: Place
    profile: Name | None

    @property
    def places(self) -> tuple[Place, Place]:
        """Both of them."""
        return self.source, self.target

    def prepare(self) -> None:
        """Bring the helpers to both engines, side by side."""

        def make(place: Place) -> None:
            with place.side.trouble("read volumes"):
                place.image.make()

        with ThreadPoolExecutor(len(self.places)) as pool:
            list(pool.map(make, self.places))

    def close(self) -> None:
        """Take the helpers away from both engines."""
        for place in self.places:
            place.image.remove()


def ends_from(params: Mapping[str, Any]) -> Ends:
    """Return the engines. Raises InputError."""
    target, profile = _target(params["target"])
    programs = Programs(lambda: _archive(profile))
    source = source_from(params["source"], programs, params["timeout"], target)
    if os.path.realpath(source.side.api.path) == os.path.realpath(target):
        raise InputError("move from an engine to itself", f"both are '{target}'", "Name another one as O(source).")
    side = Side(Api(target, params["timeout"]), f"the target '{params['target']}'")
    return Ends(source, Place(side, HelperImage(side.api, programs)), profile)


def source_from(text: str, programs: Programs, seconds: float, target: str = "") -> Place:
    """Return the engine to move from: a docker context, or the address of a socket. target: the socket to move to, if any.

    Raises InputError.
    """
    side = Side(Api(_source(text, target), seconds), f"the source '{text}'")
    return Place(side, HelperImage(side.api, programs))


def programs_of(profile: Name) -> Programs:
    """Return the programs of helpers, which a profile's VM gives."""
    return Programs(lambda: _archive(profile))


def engine_from(text: str, called: str, seconds: float) -> tuple[Place, Name | None]:
    """Return one engine by itself, and its profile, None for an engine that is not a colima profile. Raises InputError."""
    socket, profile = _target(text)
    side = Side(Api(socket, seconds), f"{called} '{text}'")
    return Place(side, HelperImage(side.api, Programs(lambda: _archive(profile)))), profile


def _source(text: str, target: str) -> str:
    """Return the socket of a source: an address, or the name of a docker context. target: the socket to move to."""
    hosts = {BUILT_IN: OWN_HOST, **context_hosts(docker_directory(os.environ, home()))}
    host = text if "://" in text else hosts.get(text, "")
    if not host:
        there = Path(_path(OWN_HOST)).exists()
        others = [name for name, host in hosts.items() if host.removeprefix(_UNIX) != target and (there or name != BUILT_IN)]
        known = f"There are: {', '.join(sorted(others))}." if others else "There is none but that of the target."
        what = f"find the engine '{text}'" if text else "find the engine to move from"
        reason = "no docker context has that name" if text else "it is not named"
        raise InputError(
            what, reason, f"Name a docker context, or the address of a socket, as O(source). {known}{suggestion(text, others)}"
        )
    if not host.startswith(_UNIX):
        raise InputError(
            f"move from '{text}'", f"its address '{host}' is not a unix socket", "Use an engine on this laptop as O(source)."
        )
    return _path(host)


def _target(text: str) -> tuple[str, Name | None]:
    if text.startswith(_UNIX):
        return _path(text), None
    name, paths = parse_name(text), resolve(os.environ, platform.system())
    docker, containerd = (paths.socket(name, tool).removeprefix(_UNIX) for tool in ("docker", "containerd"))
    if Path(containerd).exists() and not Path(docker).exists():
        raise InputError(
            f"use profile '{name}' as a docker engine", "its runtime is containerd", "Name one whose runtime is docker."
        )
    return docker, name


def profile_behind(socket: str) -> str:
    """Return the colima profile whose docker socket this is; empty for another engine."""
    folder = Path(os.path.realpath(socket)).parent
    base = resolve(os.environ, platform.system()).base
    return folder.name if folder.parent == Path(os.path.realpath(base)) else ""


def _path(address: str) -> str:
    return str(Path(address.removeprefix(_UNIX)).expanduser())


def _archive(profile: Name | None) -> bytes:
    """Return the programs of helpers, out of the target's VM, or on Linux of the laptop."""
    where = f"the VM of profile '{profile}'" if profile else "this laptop"
    failed = CommandFailed("read volumes", f"{where} does not give its GNU tar", "Restart the profile, and run again.")
    try:
        if profile:
            text = Colima(resolve(os.environ, platform.system())).in_guest(profile, "sh", "-c", PACK, seconds=_PACK_SECONDS)
        else:
            text = Cli("sh").run("-c", PACK, timeout=_PACK_SECONDS).stdout
        found = base64.b64decode(text)
    except (CommandFailed, ValueError) as error:
        raise failed from error
    if not found:
        raise failed
    return found


def free_bytes(profile: Name | None, root: str) -> int | None:
    """Return the free space where an engine keeps its data; None where it is not known."""
    try:
        if profile is None:
            return shutil.disk_usage(root).free
        colima = Colima(resolve(os.environ, platform.system()))
        found = usages(colima.in_guest(profile, "df", "-Pk", root).splitlines())
    except (OSError, CommandFailed):
        return None
    return next((usage.size - usage.used for usage in found.values()), None)
