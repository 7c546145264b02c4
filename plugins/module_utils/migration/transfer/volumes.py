# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies a volume: into one with a temporary name, then compared with what left the source, and only then under its own name.

A volume can't be renamed. So its own one is created empty, and the directory with the data takes the place of the empty one: the
system does that at once, and refuses it where the other is not empty.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from ...core.errors import CommandFailed, NotVerified
from ...docker.stream import Refused
from ..model import LABEL, Volume
from .contents import Contents, Pieces, contents_of
from .helper import Helper, HelperImage, directory, run, volume
from .sides import Meter, Side

_KEPT = ("--xattrs", "--acls", "--numeric-owner")
# Sorted, so that both sides tell the same in the same order, and of hard links the same one first.
READ = (
    "/bin/tar", "--create", "--directory=/v", "--sparse", *_KEPT, "--xattrs-exclude=security.selinux", "--sort=name",
    "--format=posix", "--pax-option=delete=atime,delete=ctime", ".",
)  # fmt: skip
WRITE = (
    "/bin/tar", "--extract", "--directory=/v", *_KEPT, "--xattrs-include=*", "--preserve-permissions", "--same-owner",
    "--delay-directory-restore",
)  # fmt: skip
DIGEST = "/bin/b2sum"
_NOT_FOUND = 404


@dataclass(frozen=True)
class Place:
    """One engine with its helpers."""

    side: Side
    image: HelperImage


def temporary(name: str) -> str:
    """Return the name under which a volume is filled."""
    return f"laptop.containers.moving-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def copy(source: Place, target: Place, what: Volume) -> str:
    """Fill a volume of a temporary name, and compare it with what left the source. Returns the copy's digest."""
    name, doing = temporary(what.name), f"copy volume '{what.name}'"
    with target.side.trouble(doing):
        remove(target, name)
        target.side.api.ask("POST", "/volumes/create", {"Name": name, "Labels": {LABEL: what.name}})
    sent = _stream(source, target, what, name, doing)
    arrived = digest(target, name, doing)
    # File systems that see holes in other places make another archive of the same files.
    if arrived != sent and contents(source, what.name, doing) != contents(target, name, doing):
        reason = "what arrived is not what the source has"
        raise NotVerified(f"verify the copy of volume '{what.name}'", reason, "Run again: it is copied again.")
    return arrived


def _stream(source: Place, target: Place, what: Volume, name: str, doing: str) -> str:
    """Read the one volume into the other. Returns the digest of what has left the source."""
    meter, sent = Meter(what.name, what.size or 0), hashlib.blake2b()
    with source.side.trouble(doing):
        reader = Helper(source.image, READ, [volume(what.name, read_only=True)])
    with contextlib.ExitStack() as opened:
        opened.callback(reader.close)
        with target.side.trouble(doing):
            writer = Helper(target.image, WRITE, [volume(name, read_only=False)], stdin=True)
            opened.callback(writer.close)
            writer.start()
        with source.side.trouble(doing):
            reader.start()
            for piece in reader.output():
                meter.add(len(piece))
                sent.update(piece)
                with target.side.trouble(doing):
                    writer.feed(piece, doing)
            reader.end(doing)
        with target.side.trouble(doing):
            writer.fed(doing)
    meter.done()
    return sent.hexdigest()


def digest(place: Place, name: str, doing: str) -> str:
    """Return the digest of a volume's archive, which is made and digested beside it."""
    with place.side.trouble(doing):
        command = (*READ[:-1], f"--use-compress-program={DIGEST}", READ[-1])
        return run(place.image, doing, command, [volume(name, read_only=True)]).split()[0]


def same(source: Place, target: Place, name: str, doing: str) -> bool:
    """Whether a volume is the same on both sides."""
    if digest(source, name, doing) == digest(target, name, doing):
        return True
    return contents(source, name, doing) == contents(target, name, doing)


def contents(place: Place, name: str, doing: str) -> Contents:
    """Return what is in a volume, reading all of it here."""
    with place.side.trouble(doing), contextlib.closing(Helper(place.image, READ, [volume(name, read_only=True)])) as reader:
        reader.start()
        try:
            found = contents_of(Pieces(reader.output()))
        except ValueError as error:
            # Where tar or the engine can tell why, they do.
            reader.end(doing)
            raise CommandFailed(doing, str(error), "Run again: it is read again.") from error
        reader.end(doing)
        return found


def put_in_place(target: Place, what: Volume, moved: str, *, replace: bool, again: bool) -> None:
    """Give a filled volume its name. moved: its digest. again: an earlier run may have done so, and not lived to note it."""
    doing = f"copy volume '{what.name}'"
    api = target.side.api
    with target.side.trouble(doing):
        if again and _exists(target, what.name) and digest(target, what.name, doing) == moved:
            remove(target, temporary(what.name))
            return
        if replace:
            remove(target, what.name)
        final = api.ask("POST", "/volumes/create", {"Name": what.name, "Labels": dict(what.labels)})
        # Both are directories of the engine's own, side by side.
        volumes = PurePosixPath(final["Mountpoint"]).parent.parent
        names = [f"/d/{name}/_data" for name in (temporary(what.name), what.name)]
        run(target.image, doing, ["/bin/mv", "--no-target-directory", *names], [directory(str(volumes))])
        remove(target, temporary(what.name))


def _exists(place: Place, name: str) -> bool:
    return any(one["Name"] == name for one in (place.side.api.ask("GET", "/volumes") or {}).get("Volumes") or ())


def remove(place: Place, name: str) -> None:
    """Remove a volume; one that is gone already is fine."""
    try:
        place.side.api.ask("DELETE", f"/volumes/{quote(name)}")
    except Refused as refused:
        if refused.status != _NOT_FOUND:
            raise


def sweep(place: Place, complete: Collection[str]) -> None:
    """Remove the volumes that a killed run has begun to fill. complete: the temporary names of those that are filled."""
    for one in (place.side.api.ask("GET", "/volumes") or {}).get("Volumes") or ():
        if LABEL in (one.get("Labels") or {}) and one["Name"] not in complete:
            remove(place, one["Name"])


@contextlib.contextmanager
def paused(source: Side, containers: Sequence[str], doing: str, note: Callable[[str, bool], object]) -> Iterator[None]:
    """Keep containers from writing meanwhile. note gets each before it is paused, and after it goes on."""

    def go_on(container: str) -> None:
        with source.trouble(doing):
            unpause(source, container)
        note(container, False)

    with contextlib.ExitStack() as stack:
        for container in containers:
            note(container, True)
            try:
                with source.trouble(doing):
                    source.api.ask("POST", f"/containers/{container}/pause")
            except CommandFailed:
                note(container, False)
                raise
            stack.callback(go_on, container)
        yield


def unpause(source: Side, container: str) -> None:
    """Let a container go on."""
    source.api.ask("POST", f"/containers/{container}/unpause")
