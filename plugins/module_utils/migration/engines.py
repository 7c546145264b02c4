# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the two engines that the options name, what runs helpers on them, and the room that the target has."""

from __future__ import annotations

import base64
import os
import platform
import shutil
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..buildx.health import OWN_HOST
from ..colima.client.programs import Colima
from ..colima.observe.read import known_profiles
from ..colima.observe.space import usages
from ..colima_paths import Name, Paths, parse_name, resolve, short_name
from ..core.errors import CommandFailed, InputError
from ..core.options import suggestion
from ..core.system.command import Cli
from ..core.system.home import home
from ..docker.client import context_hosts, docker_directory
from ..docker.context.model import BUILT_IN
from ..docker.stream import EngineApi
from ..manifest.file import ManifestFile
from . import inventory
from .model import MOVING, Inventory, MoveState
from .move.guest import Inside
from .origins.containerd import ContainerdOrigin
from .origins.docker import DockerOrigin
from .origins.reading import Origin, compare_volumes, names_to_read
from .transfer.helper import PACK, HelperImage, Programs
from .transfer.sides import Side
from .transfer.volumes import Place, aside

_UNIX, _CONTAINERD, _DOCKER = "unix://", "containerd.sock", "docker.sock"
_PACK_SECONDS = 60.0
# What options of both modules have in common.
OPTIONS: dict[str, Any] = {
    "source": {"type": "str", "required": True},
    "target": {"type": "str", "default": "docker-buildx"},
    "timeout": {"type": "float", "default": 120.0},
}


def silence_from(params: Mapping[str, Any]) -> float:
    """Return for how many seconds an engine may be silent. Raises InputError."""
    return _seconds(params, "timeout", "nothing can answer in that time", 120)


def patience_from(params: Mapping[str, Any]) -> float:
    """Return for how many seconds workloads are waited for. Raises InputError."""
    return _seconds(params, "ready_timeout", "no workload gets ready in that time", 300)


def _seconds(params: Mapping[str, Any], option: str, why_none: str, usual: int) -> float:
    seconds: float = params[option]
    if seconds <= 0:
        raise InputError(f"use {seconds:g} as O({option})", why_none, f"Set it to seconds, such as {usual}.")
    return seconds


@dataclass(frozen=True)
class Ends:
    """The two engines. profile: of the target, None for an engine that is not a colima profile."""

    source: Origin
    target: Place
    profile: Name | None

    @property
    def both(self) -> tuple[Origin, Origin]:
        """Both of them, for what is done to each."""
        return self.source, DockerOrigin(self.target)

    def manifest(self, source: Inventory, target: Inventory) -> ManifestFile:
        """Return what is noted of the two. VMs that were cloned have the same id."""
        return ManifestFile(f"{source.engine}@{self.source.socket}", f"{target.engine}@{self.target.side.api.path}")

    @staticmethod
    def work(manifest: ManifestFile) -> str:
        """Return how the temporary names of volumes begin that are filled for the two."""
        return f"{MOVING}{manifest.path.stem[:8]}-"

    def check_target(self) -> None:
        """Raise InputError for a profile that is not there."""
        if not self.profile or Path(self.target.side.api.path).exists():
            return
        paths = resolve(os.environ, platform.system())
        known = [str(one) for one in known_profiles(paths, with_disks=False)]
        if str(self.profile) not in known:
            remedy = f"There are: {', '.join(known) or 'none'}.{suggestion(str(self.profile), known)}"
            raise InputError(f"move to profile '{self.profile}'", "there is no such profile", remedy)

    def read(self, doing: str, *, source_sizes: bool, target_sizes: bool = False) -> MoveState:
        """Return what both keep, and what is noted of them. sizes: whether to have volumes counted, which takes long."""
        self.check_target()
        source = self.source.read(doing, sizes=source_sizes)
        with self.target.side.trouble(doing):
            target = inventory.read(self.target.side.api, sizes=target_sizes)
        manifest = self.manifest(source, target)
        return MoveState(source, target, time.time(), rows=manifest.rows(), work=self.work(manifest))

    def read_volumes(self, found: MoveState, at_once: int, known: Collection[str] = (), *, left_out: bool = False) -> MoveState:
        """Return the same with the volumes that both have, but for known ones, see origins.reading."""
        names = [name for name in names_to_read(found) if name not in known]
        if names:
            self.prepare()
        if names or found.target.begun:
            found = replace(found, aside=aside(self.target, found.target.volumes, "read volumes"))
        return replace(found, volumes=compare_volumes(self.source, self.target, found, names, at_once, left_out=left_out))

    def prepare(self) -> None:
        """Get both engines ready for volumes, side by side."""
        with ThreadPoolExecutor(len(self.both)) as pool:
            list(pool.map(lambda one: one.prepare("read volumes"), self.both))

    def close(self) -> None:
        """Take the helpers away from both engines."""
        for one in self.both:
            one.close()


def ends_from(params: Mapping[str, Any]) -> Ends:
    """Return the engines. Raises InputError."""
    seconds = silence_from(params)
    target, profile = _target(params["target"])
    programs = Programs(lambda: _archive(profile))
    source = _origin(params["source"], programs, seconds, target)
    if os.path.realpath(source.socket) == os.path.realpath(target):
        raise InputError("move from an engine to itself", f"both are '{target}'", "Name another one as O(source).")
    side = Side(EngineApi(target, seconds), f"the target '{params['target']}'")
    return Ends(source, Place(side, HelperImage(side.api, programs)), profile)


def _origin(text: str, programs: Programs, seconds: float, target: str) -> Origin:
    socket, called = _source(text, target), f"the source '{text}'"
    if name := _containerd_of(socket):
        inside = Inside(Colima(resolve(os.environ, platform.system())), name, seconds)
        return ContainerdOrigin(inside, socket, called, seconds)
    return DockerOrigin(_place(socket, called, programs, seconds))


def source_from(text: str, programs: Programs, seconds: float) -> Place:
    """Return a docker engine to move from: a docker context, a colima profile, or the address of a socket. Raises InputError."""
    socket = _source(text, "")
    if name := _containerd_of(socket):
        what = f"move what runs in the Kubernetes of profile '{name}'"
        raise InputError(
            what, "its runtime is containerd", "Name an engine whose runtime is docker as O(source), or leave O(context) empty."
        )
    return _place(socket, f"the source '{text}'", programs, seconds)


def _place(socket: str, called: str, programs: Programs, seconds: float) -> Place:
    side = Side(EngineApi(socket, seconds), called)
    return Place(side, HelperImage(side.api, programs))


def programs_of(profile: Name) -> Programs:
    """Return the programs of helpers, which a profile's VM gives."""
    return Programs(lambda: _archive(profile))


def engine_from(text: str, called: str, seconds: float) -> tuple[Place, Name | None]:
    """Return one engine by itself, and its profile, None for an engine that is not a colima profile. Raises InputError."""
    socket, profile = _target(text)
    return _place(socket, f"{called} '{text}'", Programs(lambda: _archive(profile)), seconds), profile


def _source(text: str, target: str) -> str:
    """Return the socket of a source: an address, a docker context's, or a profile's. target: the socket to move to."""
    paths = resolve(os.environ, platform.system())
    hosts = {BUILT_IN: OWN_HOST, **context_hosts(docker_directory(os.environ, home()))}
    host = text if "://" in text else hosts.get(text) or _of_profile(text, paths)
    if not host:
        raise _unknown(text, target, hosts, paths)
    if not host.startswith(_UNIX):
        raise InputError(
            f"move from '{text}'", f"its address '{host}' is not a unix socket", "Use an engine on this laptop as O(source)."
        )
    socket = Path(_path(host))
    # The context of a profile outlives a change of its runtime.
    containerd = socket.with_name(_CONTAINERD)
    return str(containerd if profile_behind(str(containerd)) and containerd.exists() and not socket.exists() else socket)


def _unknown(text: str, target: str, hosts: Mapping[str, str], paths: Paths) -> InputError:
    """Return that no engine has a name, with the names there are. hosts: of docker contexts."""
    there = Path(_path(OWN_HOST)).exists()
    others = [name for name, host in hosts.items() if host.removeprefix(_UNIX) != target and (there or name != BUILT_IN)]
    # Beside an engine of docker, it is that engine's own.
    alone = (socket for socket in paths.base.glob(f"*/{_CONTAINERD}") if not socket.with_name(_DOCKER).exists())
    others += [socket.parent.name for socket in alone]
    known = f"There are: {', '.join(sorted(others))}." if others else "There is none but that of the target."
    what = f"find the engine '{text}'" if text else "find the engine to move from"
    reason = "no docker context and no colima profile has that name" if text else "it is not named"
    remedy = "Name one, or the address of a socket: playbooks/migrate.yml with -e migrate_source=NAME."
    return InputError(what, reason, f"{remedy} {known}{suggestion(text, others)}")


def _of_profile(text: str, paths: Paths) -> str:
    """Return the address of a running profile, whatever its runtime; empty for anything else."""
    name = short_name(text)
    if not name:
        return ""
    profile = parse_name(name)
    for tool in ("docker", "containerd"):
        if Path(_path(address := paths.socket(profile, tool))).exists():
            return address
    if paths.configured(profile).exists():
        raise InputError(f"move from profile '{name}'", "it does not run", f"Start it with 'colima start {name}', and run again.")
    return ""


def _containerd_of(socket: str) -> Name | None:
    """Return the profile whose containerd listens there; None for any other engine."""
    name = profile_behind(socket) if Path(socket).name == _CONTAINERD else ""
    return parse_name(name) if name else None


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
    """Return the colima profile whose socket this is, or leads to; empty for another engine."""
    base = Path(os.path.realpath(resolve(os.environ, platform.system()).base))
    folders = (Path(os.path.realpath(Path(socket).parent)), Path(os.path.realpath(socket)).parent)
    return next((folder.name for folder in folders if folder.parent == base), "")


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
