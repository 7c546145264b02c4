# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies a volume: into one with a temporary name, then compared with what left the source, and only then under its own name.

A volume can't be renamed. So its own one is created empty, and the directory with the data takes the place of the empty one: the
system does that at once, and refuses it where the other is not empty.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from ...core.errors import CommandFailed, NotVerified
from ...core.plan import Pending
from ...docker.stream import EngineRefused
from ..inventory import volume_of
from ..model import LABEL, MOVING, Volume
from . import helper
from .contents import Contents, contents_in
from .helper import BLOCKS, HELPER, MADE, SIGNS_OF_LIFE, Changed, Container, HelperImage, Shell, directory, run
from .sides import Meter, Side

_KEPT = ("--xattrs", "--acls", "--numeric-owner", f"--blocking-factor={BLOCKS}")
# Sorted, so that both sides tell the same in the same order, and of hard links the same one first. Later forms of files with
# holes have the number of tar's process in their names.
READ = (
    "/bin/tar", "--create", "--directory=/v", "--sparse", "--sparse-version=0.0", *_KEPT, "--xattrs-exclude=security.selinux",
    "--sort=name", "--format=posix", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime", ".",
)  # fmt: skip
DIGEST = (*READ[:-1], "--use-compress-program=/bin/b2sum", *SIGNS_OF_LIFE, READ[-1])
WRITE = (
    "/bin/tar", "--extract", "--directory=/v", *_KEPT, "--xattrs-include=*", "--preserve-permissions", "--same-owner",
    "--delay-directory-restore", *SIGNS_OF_LIFE,
)  # fmt: skip
# A smaller archive is read to its end first: with its length known, one shell writes it and then the next one.
_SMALL = 1 << 20
# Prints, of the directory that it is in, sockets, that two names are one FIFO, and flags that keep a file from being changed.
LEFT_OUT = (
    r"{ find . -type s -printf 'socket %P\n' -o -type p -links +1 -printf 'one name of the FIFO %P\n'; "
    r"lsattr -Ra . 2>/dev/null | sed -n '/\/\.\.$/d; / \.\/.*\/\.$/d; s,^[-A-Za-z]*[ai][-A-Za-z]* \./\(.*\),flags of \1,p'; } | "
    r"head -c 4096"
)
# Where a volume's data is in its directory, and where it is while a run looks whether it may go.
_DATA, _ASIDE, _MOUNT = "_data", "_aside", "/v"
# A volume that changes is read so many times.
_READINGS = 3
_AT_WORK = ("running", "restarting")
_NOT_FOUND = 404


@dataclass(frozen=True)
class Place:
    """One engine with its helpers."""

    side: Side
    image: HelperImage


def temporary(name: str, work: str = MOVING) -> str:
    """Return the name under which a volume is filled."""
    return f"{work}{hashlib.sha256(name.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Copied:
    """A volume under its temporary name. sent, arrived: digests of what left the source, and of what is at the target.

    left: what no archive carries, in words.
    """

    sent: str
    arrived: str
    left: tuple[str, ...] = ()


class InUse(CommandFailed):
    """A volume was written to while it was copied. writers: containers that can write to it, by name; none where others did."""

    def __init__(self, doing: str, writers: Sequence[str]) -> None:
        quoted = ", ".join(f"'{one}'" for one in writers)
        reason = f"container{'s' * (len(writers) > 1)} {quoted} can write to it" if writers else "it changes while it is read"
        super().__init__(doing, reason, "Stop what writes to it, or set E(pause=true), and run again.")
        self.writers = tuple(writers)

    def pending(self, target: str) -> Pending:
        """Return the same as what waits. target: what people call the volume."""
        return Pending(target, "its copy", self.reason, self.remedy, kind="in_use")


def copy(source: Place, target: Place, what: Volume, work: str) -> Copied:
    """Fill a volume of a temporary name, and compare it with what left the source. work: that name. Raises InUse."""
    doing, meter = doing_with(what), Meter(what.name, what.size or 0)
    found = settled(doing, lambda: _copied(source, target, what, work, meter), lambda: writers(source, what.name, doing))
    verify(target, what, work, found, lambda: contents(source, what.name, doing))
    meter.done()
    return found


def settled(doing: str, copied: Callable[[], tuple[Copied, str]], writers: Callable[[], Sequence[str]]) -> Copied:
    """Return a copy of what did not change meanwhile. Raises InUse.

    copied: makes one, and returns the digest of a second reading of the source, which begins after the first. If both are equal,
    nothing changed in between.
    """
    for _attempt in range(_READINGS):
        found, again = None, ""
        with contextlib.suppress(Changed):
            found, again = copied()
        if names := writers():
            raise InUse(doing, names)
        if found and again == found.sent:
            return found
    raise InUse(doing, ())


def _copied(source: Place, target: Place, what: Volume, work: str, meter: Meter) -> tuple[Copied, str]:
    """Copy a volume once. Returns another reading's digest, too, made while the target reads what it has written."""
    doing, again = doing_with(what), list[Future[tuple[str, tuple[str, ...]]]]()
    with ThreadPoolExecutor(1) as pool, reading(source, what.name, doing) as pieces:

        def passing() -> Iterator[memoryview]:
            yield from pieces
            again.append(pool.submit(lambda: (digest(source, what.name, doing), left_out(source, what.name, doing))))

        found = receive(target, what, work, passing(), meter)
        now, left = again[0].result()
    return replace(found, left=left), now


def writers(place: Place, name: str, doing: str, *, stopped: bool = False) -> list[str]:
    """Return the names of running containers that can write to a volume: they mount it, or its directory.

    stopped: of all others, too, that could once they run.
    """
    with place.side.trouble(doing):
        found = _volume(place, name, doing)
        device = (found.get("Options") or {}).get("device")
        places = [PurePosixPath(str(one)) for one in (found["Mountpoint"], device) if one]
        there = place.side.api.objects("/containers/json?all=1", "Id", "State")
    at_work = [one for one in there if (stopped or one["State"] in _AT_WORK) and (one.get("Labels") or {}).get(LABEL) != HELPER]
    return sorted(_name(one) for one in at_work if any(_writes(mount, name, places) for mount in one.get("Mounts") or ()))


def _name(container: Mapping[str, Any]) -> str:
    return str(next(iter(container.get("Names") or ()), container["Id"][:12])).lstrip("/")


def _writes(mount: Mapping[str, Any], name: str, places: Iterable[PurePosixPath]) -> bool:
    """Whether a mount lets a container write to a volume. places: the directories of its data."""
    if not mount.get("RW"):
        return False
    source = PurePosixPath(str(mount.get("Source") or ""))
    return mount.get("Name") == name or any(source.is_relative_to(one) or source == one.parent for one in places)


def left_out(place: Place, name: str, doing: str) -> tuple[str, ...]:
    """Return what of a volume no archive carries, in words; of many things the first."""
    with _opened(place, name, doing) as (shell, directory), place.side.trouble(doing):
        text = shell.run(f"cd {directory} && {LEFT_OUT}", doing)
    return lines_of(text)


def lines_of(text: str) -> tuple[str, ...]:
    """Return the lines that say something."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def doing_with(what: Volume) -> str:
    """Return in words what is done."""
    return f"copy volume '{what.name}'"


def receive(target: Place, what: Volume, work: str, pieces: Iterable[memoryview | bytes], meter: Meter) -> Copied:
    """Fill the volume of a temporary name out of an archive."""
    sent = hashlib.blake2b()

    def passing() -> Iterator[memoryview | bytes]:
        for piece in pieces:
            meter.add(len(piece))
            sent.update(piece)
            yield piece

    arrived = fill(target, work, {LABEL: what.name}, passing(), doing_with(what))
    return Copied(sent.hexdigest(), arrived)


def verify(target: Place, what: Volume, work: str, found: Copied, at_source: Callable[[], Contents]) -> None:
    """Compare a copy with its original, which is read once more where it must be. Raises NotVerified."""
    # File systems that see holes in other places make another archive of the same files.
    if found.arrived != found.sent and at_source() != contents(target, work, doing_with(what)):
        reason = "what arrived is not what the source has"
        raise NotVerified(f"verify the copy of volume '{what.name}'", reason, "Run again: it is copied again.")


@contextlib.contextmanager
def reading(source: Place, name: str, doing: str) -> Iterator[Iterator[memoryview]]:
    """Give a volume's archive, piece by piece."""
    with _opened(source, name, doing) as (shell, directory):
        yield _archive(source, shell, directory, doing)


@contextlib.contextmanager
def reading_mount(source: Place, mount: Mapping[str, Any], doing: str) -> Iterator[Iterator[memoryview]]:
    """Give the archive of what is at /v, piece by piece."""
    with contextlib.ExitStack() as opened:
        with source.side.trouble(doing):
            container = opened.enter_context(source.image.container(mount))
            shell = opened.enter_context(container.shell())
        yield _archive(source, shell, "/v", doing)


def _archive(source: Place, shell: Shell, directory: str, doing: str) -> Iterator[memoryview]:
    with source.side.trouble(doing):
        shell.begin(_in(READ, directory))
        yield from shell.output()
        shell.end(doing)


def _in(program: Sequence[str], directory: str) -> str:
    """Return a command that reads or writes a directory."""
    return shlex.join(f"--directory={directory}" if word == "--directory=/v" else word for word in program)


@contextlib.contextmanager
def _opened(place: Place, name: str, doing: str, *, read_only: bool = True) -> Iterator[tuple[Shell, str]]:
    """Yield a shell of a helper that has a volume, and the directory of the volume there. It never makes the volume."""
    with contextlib.ExitStack() as opened:
        with place.side.trouble(doing):
            found = _volume(place, name, doing)
            volumes, kept = _beside(volume_of(found)), None
            if volumes:
                kept = _kept(place, helper.directory(volumes, read_only=read_only), name, doing)
            if kept is None:
                kept = opened.enter_context(_mounted(place, name, doing, read_only=read_only)), _MOUNT
            container, directory = kept
            shell = opened.enter_context(container.shell())
        try:
            yield shell, directory
        except CommandFailed as failure:
            if "rc" in failure.context:
                with place.side.trouble(doing):
                    _volume(place, name, doing)
            raise


def _volume(place: Place, name: str, doing: str) -> dict[str, Any]:
    try:
        return place.side.api.object(f"/volumes/{quote(name)}", "Mountpoint")
    except EngineRefused as refused:
        if refused.status != _NOT_FOUND:
            raise
        raise _removed(doing) from refused


def _removed(doing: str) -> CommandFailed:
    return CommandFailed(doing, "it was removed meanwhile", "Run again.")


def _beside(what: Volume) -> str:
    """Return the directory in which an engine has its volumes side by side; empty for one whose data is elsewhere."""
    path = PurePosixPath(what.mountpoint)
    return "" if what.outside or path.parts[-2:] != (what.name, _DATA) else str(path.parent.parent)


def _kept(place: Place, mount: Mapping[str, Any], name: str, doing: str) -> tuple[Container, str] | None:
    """Return the container of all volumes, and where it has the data of one; None where it has none, as where it is hidden."""
    try:
        with place.image.container(mount) as container, container.shell() as shell:
            there = _there(shell, doing, _in_all(name), _in_all(name, _ASIDE))
    except EngineRefused:
        return None
    return (container, there[0]) if there else None


def _in_all(name: str, part: str = _DATA) -> str:
    """Return where the container of all volumes has the data of one."""
    return f"/d/{name}/{part}"


def _there(shell: Shell, doing: str, *directories: str) -> list[str]:
    """Return those directories, or patterns of them, that exist and are not links."""
    look = 'if [ -d "$at" ] && [ ! -L "$at" ]; then echo "$at"; fi'
    return shell.run(f"for at in {' '.join(directories)}; do {look}; done", doing).split()


def is_renamed(place: Place, work: str, name: str, doing: str) -> bool:
    """Whether the data of one volume was moved to another: the first exists without data, the second has some."""
    with place.side.trouble(doing):
        volumes = PurePosixPath(str(_volume(place, work, doing)["Mountpoint"])).parent.parent
    return _in_volumes(place, str(volumes), doing, *map(_in_all, (work, name))) == [_in_all(name)]


def aside(place: Place, some: Iterable[Volume], doing: str) -> frozenset[str]:
    """Return the volumes whose data a killed run has taken aside. some: all of the engine's."""
    volumes = next(filter(None, map(_beside, some)), "")
    found = _in_volumes(place, volumes, doing, _in_all("*", _ASIDE)) if volumes else []
    return frozenset(PurePosixPath(directory).parent.name for directory in found)


def _in_volumes(place: Place, volumes: str, doing: str, *directories: str) -> list[str]:
    """Return which of these the container of all volumes has; an engine whose machine is hidden shows it none."""
    with place.side.trouble(doing):
        try:
            with place.image.container(helper.directory(volumes, read_only=True)) as container, container.shell() as shell:
                return _there(shell, doing, *directories)
        except EngineRefused:
            return []


@contextlib.contextmanager
def _mounted(place: Place, name: str, doing: str, *, read_only: bool) -> Iterator[Container]:
    """Yield a container with a volume of its own. An engine makes a volume for a mount that was removed: that one goes again."""
    mark = secrets.token_hex(16)

    def check() -> None:
        if (_volume(place, name, doing).get("Labels") or {}).get(MADE) == mark:
            raise _Made

    try:
        with place.image.container(helper.volume(name, mark, read_only=read_only), check) as container:
            yield container
    except _Made:
        remove(place, name)
        raise _removed(doing) from None


class _Made(Exception):
    """The engine made a volume for a mount."""


def fill(target: Place, name: str, labels: Mapping[str, str], pieces: Iterable[memoryview | bytes], doing: str) -> str:
    """Make a volume, in place of one of that name, out of an archive. Returns the digest of what is in it then."""
    with target.side.trouble(doing):
        remove(target, name)
        target.side.api.ask("POST", "/volumes/create", {"Name": name, "Labels": dict(labels)})
    rest, small = iter(pieces), bytearray()
    whole = not any(_more(small, piece) for piece in rest)
    with _opened(target, name, doing, read_only=False) as (shell, directory):
        with target.side.trouble(doing):
            # What was written is read again at once.
            shell.begin(f"{_in(WRITE, directory)} && {_in(DIGEST, directory)}", len(small) if whole else None)
            shell.feed(small, doing)
        for piece in rest:
            with target.side.trouble(doing):
                shell.feed(piece, doing)
        with target.side.trouble(doing):
            return digest_in(shell.fed(doing), doing)


def _more(small: bytearray, piece: memoryview | bytes) -> bool:
    """Whether an archive, to which a piece is added, is not small any more."""
    small += piece
    return len(small) > _SMALL


def digest(place: Place, name: str, doing: str) -> str:
    """Return the digest of a volume's archive, which is made and digested beside it."""
    with _opened(place, name, doing) as (shell, directory), place.side.trouble(doing):
        return digest_in(shell.run(_in(DIGEST, directory), doing), doing)


def digest_in(text: str, doing: str) -> str:
    """Return the digest that a helper has printed. Raises CommandFailed where none arrived, as when its connection was cut."""
    found = text.partition(" ")[0].strip()
    if not found:
        raise CommandFailed(doing, "the helper's answer was lost", "Run again: it continues where it ended.")
    return found


def contents(place: Place, name: str, doing: str) -> Contents:
    """Return what is in a volume, reading all of it here."""
    with reading(place, name, doing) as pieces:
        return contents_in(pieces, doing)


def put_in_place(target: Place, what: Volume, filled: str) -> str:
    """Give a filled volume its name, under which nothing may be but a volume that is empty. Returns what tells it from others."""
    doing, api = doing_with(what), target.side.api
    with target.side.trouble(doing):
        final = {"Name": what.name, "Labels": dict(what.labels), "DriverOpts": dict(what.options)}
        made = api.object("/volumes/create", "Mountpoint", method="POST", body=final)
        # Both are directories of the engine's own, side by side.
        volumes = PurePosixPath(made["Mountpoint"]).parent.parent
        _rename(target, str(volumes), _in_all(filled), _in_all(what.name), doing)
        return volume_of(api.object(f"/volumes/{quote(what.name)}", "Name")).identity


def _rename(place: Place, volumes: str, old: str, new: str, doing: str) -> None:
    """Rename a directory within that of all volumes. The new name may be an empty one's."""
    run(place.image, doing, ["/bin/mv", "--no-target-directory", old, new], [directory(volumes)])


def remove_known(target: Place, name: str, known: str, doing: str) -> None:
    """Remove a volume whose digest is known, unless it was used since. Raises NotVerified.

    Its data is taken aside first: then no container starts that has the volume, and the engine removes none that a container has.
    """
    try:
        take_aside(target, name, doing)
        had = partial(writers, target, name, doing, stopped=True)
        # The engine makes a new directory for a container that mounts it by its path: it must not go with the volume.
        if had() or _unless_used(target, name, doing) != known or had():
            raise NotVerified(doing, "the target's was used meanwhile", "Run again: both are compared once more.")
        with target.side.trouble(doing):
            remove(target, name)
    except BaseException:
        # Where that can't be done, the next run does it.
        with contextlib.suppress(CommandFailed):
            give_back(target, name, doing)
        raise


def _unless_used(place: Place, name: str, doing: str) -> str:
    """Return the digest of a volume, which is empty where it was written to meanwhile.

    What was taken aside no one writes to. Of data that is not the engine's own, the times of changes tell.
    """
    with _opened(place, name, doing) as (shell, directory), place.side.trouble(doing):
        command = _in(DIGEST, directory)
        if directory == _MOUNT:
            command = f": >/dev/shm/begun && {command} && find {directory} -cnewer /dev/shm/begun -printf used -quit"
        text = shell.run(command, doing)
    return "" if text.endswith("used") else digest_in(text, doing)


def take_aside(place: Place, name: str, doing: str) -> None:
    """Rename the directory of a volume's data, unless that is not the engine's own: then nothing is done."""
    _rename_data(place, name, _DATA, _ASIDE, doing)


def give_back(place: Place, name: str, doing: str) -> None:
    """Give a volume its data back that was taken aside."""
    _rename_data(place, name, _ASIDE, _DATA, doing)


def _rename_data(place: Place, name: str, old: str, new: str, doing: str) -> None:
    with place.side.trouble(doing):
        if volumes := _beside(volume_of(_volume(place, name, doing))):
            _rename(place, volumes, _in_all(name, old), _in_all(name, new), doing)


def remove(place: Place, name: str) -> None:
    """Remove a volume, unless it is gone already."""
    try:
        place.side.api.ask("DELETE", f"/volumes/{quote(name)}")
    except EngineRefused as refused:
        if refused.status != _NOT_FOUND:
            raise
