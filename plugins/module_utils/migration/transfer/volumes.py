# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies a volume: into one with a temporary name, then compared with what left the source, and only then under its own name.

A volume can't be renamed. So its own one is created empty, and the directory with the data takes the place of the empty one: the
system does that at once, and refuses it where the other is not empty.
"""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from ...core.errors import CommandFailed, NotVerified, TimedOut
from ...docker.engine import Silent
from ...docker.stream import Refused
from ..inventory import volume_of
from ..model import LABEL, MOVING, Volume
from .contents import Contents, contents_in
from .helper import BLOCKS, SIGNS_OF_LIFE, Helper, HelperImage, directory, run, volume
from .sides import Meter, Side

_KEPT = ("--xattrs", "--acls", "--numeric-owner", f"--blocking-factor={BLOCKS}")
# Sorted, so that both sides tell the same in the same order, and of hard links the same one first.
READ = (
    "/bin/tar", "--create", "--directory=/v", "--sparse", *_KEPT, "--xattrs-exclude=security.selinux", "--sort=name",
    "--format=posix", "--pax-option=delete=atime,delete=ctime", ".",
)  # fmt: skip
DIGEST = (*READ[:-1], "--use-compress-program=/bin/b2sum", *SIGNS_OF_LIFE, READ[-1])
WRITE = (
    "/bin/tar", "--extract", "--directory=/v", *_KEPT, "--xattrs-include=*", "--preserve-permissions", "--same-owner",
    "--delay-directory-restore", *SIGNS_OF_LIFE,
)  # fmt: skip
# What was written is read again in the same container.
WRITE_AND_DIGEST = ("/bin/sh", "-c", f"{shlex.join(WRITE)} && exec {shlex.join(DIGEST)}")
_NOT_FOUND = 404


@dataclass(frozen=True)
class Place:
    """One engine with its helpers."""

    side: Side
    image: HelperImage


def temporary(name: str, work: str = MOVING) -> str:
    """Return the name under which a volume is filled."""
    return f"{work}{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def copy(source: Place, target: Place, what: Volume, work: str) -> tuple[str, str]:
    """Fill a volume of a temporary name, and compare it with what left the source. Returns the digests of both sides.

    work: that name.
    """
    doing, meter = doing_with(what), Meter(what.name, what.size or 0)
    with reading(source, what.name, doing) as pieces:
        digests = receive(target, what, work, pieces, meter)
    verify(target, what, work, digests, lambda: contents(source, what.name, doing))
    meter.done()
    return digests


def doing_with(what: Volume) -> str:
    """Return in words what is done."""
    return f"copy volume '{what.name}'"


def receive(target: Place, what: Volume, work: str, pieces: Iterable[memoryview | bytes], meter: Meter) -> tuple[str, str]:
    """Fill the volume of a temporary name out of an archive. Returns the digests of what came, and of what is in it then."""
    sent = hashlib.blake2b()

    def passing() -> Iterator[memoryview | bytes]:
        for piece in pieces:
            meter.add(len(piece))
            sent.update(piece)
            yield piece

    arrived = fill(target, work, {LABEL: what.name}, passing(), doing_with(what))
    return sent.hexdigest(), arrived


def verify(target: Place, what: Volume, work: str, digests: tuple[str, str], at_source: Callable[[], Contents]) -> None:
    """Compare a copy with its original, which is read once more where it must be. Raises NotVerified."""
    sent, arrived = digests
    # File systems that see holes in other places make another archive of the same files.
    if arrived != sent and at_source() != contents(target, work, doing_with(what)):
        reason = "what arrived is not what the source has"
        raise NotVerified(f"verify the copy of volume '{what.name}'", reason, "Run again: it is copied again.")


def reading(source: Place, name: str, doing: str) -> contextlib.AbstractContextManager[Iterator[memoryview]]:
    """Give a volume's archive, piece by piece."""
    return reading_mount(source, volume(name, read_only=True), doing)


@contextlib.contextmanager
def reading_mount(source: Place, mount: Mapping[str, Any], doing: str) -> Iterator[Iterator[memoryview]]:
    """Give the archive of what is at /v, piece by piece."""

    def pieces() -> Iterator[memoryview]:
        with source.side.trouble(doing):
            reader.start()
            yield from reader.output()
            reader.end(doing)

    with source.side.trouble(doing):
        reader = Helper(source.image, READ, [mount])
    with contextlib.closing(reader):
        yield pieces()


def fill(target: Place, name: str, labels: Mapping[str, str], pieces: Iterable[memoryview | bytes], doing: str) -> str:
    """Make a volume, in place of one of that name, out of an archive. Returns the digest of what is in it then."""
    with contextlib.ExitStack() as opened:
        with target.side.trouble(doing):
            remove(target, name)
            target.side.api.ask("POST", "/volumes/create", {"Name": name, "Labels": dict(labels)})
            writer = Helper(target.image, WRITE_AND_DIGEST, [volume(name, read_only=False)], stdin=True)
            opened.callback(writer.close)
            writer.start()
        for piece in pieces:
            with target.side.trouble(doing):
                writer.feed(piece, doing)
        with target.side.trouble(doing):
            return digest_in(writer.fed(doing), doing)


def digest(place: Place, name: str, doing: str) -> str:
    """Return the digest of a volume's archive, which is made and digested beside it."""
    with place.side.trouble(doing):
        return digest_in(run(place.image, doing, DIGEST, [volume(name, read_only=True)]), doing)


def digest_in(text: str, doing: str) -> str:
    """Return the digest that a helper has printed. Raises CommandFailed where none arrived, as when its connection was cut."""
    found = text.partition(" ")[0].strip()
    if not found:
        raise CommandFailed(doing, "the helper's answer was lost", "Run again: it continues from what is there.")
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
        names = [f"/d/{name}/_data" for name in (filled, what.name)]
        run(target.image, doing, ["/bin/mv", "--no-target-directory", *names], [directory(str(volumes))])
        return volume_of(api.object(f"/volumes/{quote(what.name)}", "Name")).identity


def remove(place: Place, name: str) -> None:
    """Remove a volume; one that is gone already is fine."""
    try:
        place.side.api.ask("DELETE", f"/volumes/{quote(name)}")
    except Refused as refused:
        if refused.status != _NOT_FOUND:
            raise


def paused(
    source: Side, containers: Sequence[str], doing: str, note: Callable[[str, bool], object]
) -> contextlib.AbstractContextManager[None]:
    """Keep containers from writing meanwhile. note gets each before it is paused, and after it goes on."""

    def change(container: str, verb: str) -> None:
        with source.trouble(doing):
            source.api.ask("POST", f"/containers/{container}/{verb}")

    return pausing(change, containers, note)


@contextlib.contextmanager
def pausing(
    change: Callable[[str, str], object], containers: Sequence[str], note: Callable[[str, bool], object]
) -> Iterator[None]:
    """Keep containers from writing meanwhile, see paused(). change: gets one, and "pause" or "unpause"."""

    def go_on(container: str) -> None:
        change(container, "unpause")
        note(container, False)

    with contextlib.ExitStack() as stack:
        for container in containers:
            note(container, True)
            try:
                change(container, "pause")
            except CommandFailed as error:
                # One that fell silent may have paused it: the next run looks.
                if not isinstance(error.__cause__, (Silent, TimedOut)):
                    note(container, False)
                raise
            stack.callback(go_on, container)
        yield


def unpause(source: Side, container: str) -> None:
    """Let a container go on."""
    source.api.ask("POST", f"/containers/{container}/unpause")
