# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams from the old engine into the new VM, without a file in between, each compared at both ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import IO

from ...core.errors import CommandFailed
from ...docker.stream import EngineRefused
from ...manifest.model import Fingerprint
from ..move.guest import Inside
from ..move.model import CLUSTER, Claim
from ..transfer import volumes
from ..transfer.contents import contents_in
from ..transfer.helper import data, run
from ..transfer.images import pack
from ..transfer.piped import Piped
from ..transfer.sides import Meter, Side
from .model import SendClaim, SendImages

_SIZE = ("/bin/du", "--apparent-size", "--block-size=1", "--summarize", "/v")


def send_images(source: Side, inside: Inside, step: SendImages, say: Callable[[], object]) -> None:
    """Send images into the namespace of the kubelet, and look at them there."""

    def work(into: IO[bytes]) -> None:
        pack(source, step.images, str(step), into.write)

    with Piped(work, reads=False, stop=source.api.abort) as pipe:
        with pipe.program() as archive:
            inside.load(CLUSTER, step.images, archive, say)
        pipe.result()


def send_claim(
    source: volumes.Place,
    inside: Inside,
    step: SendClaim,
    quiet: Callable[[], contextlib.AbstractContextManager[None]],
    say: Callable[[], object],
) -> Fingerprint:
    """Send the data of a volume, and give it its place once it is the same. Returns the reading of it there.

    quiet: keeps it from being written meanwhile.
    """
    doing, meter = f"copy volume '{step.claim.claim}'", Meter(step.claim.claim, step.claim.size)

    def work(into: IO[bytes]) -> str:
        def passing(pieces: Iterator[memoryview]) -> Iterator[memoryview]:
            for piece in pieces:
                meter.add(len(piece))
                into.write(piece)
                yield piece

        with quiet(), volumes.reading_mount(source, data(step.claim.path), doing) as pieces:
            return contents_in(passing(pieces), doing).digest

    with Piped(work, reads=False, stop=source.side.api.abort) as pipe, pipe.program() as archive:
        identity = inside.fill(step.claim.claim, step.path, archive, pipe.result, say)
        sent = pipe.result()
    meter.done()
    return Fingerprint(sent, identity)


def digest_of(source: volumes.Place, claim: Claim) -> str:
    """Return the digest of what a volume holds in the old cluster, reading all of it."""
    doing = f"read volume '{claim.claim}'"
    with volumes.reading_mount(source, data(claim.path), doing) as pieces:
        return contents_in(pieces, doing).digest


def size_of(source: volumes.Place, claim: Claim) -> int | None:
    """Return how many bytes the directory of a volume holds, holes included; None where the engine's machine has no such one."""
    doing = f"look at volume '{claim.claim}'"
    with source.side.trouble(doing):
        source.image.make()
        try:
            return int(run(source.image, doing, _SIZE, [data(claim.path)]).split()[0])
        except EngineRefused as refused:
            if "bind source path does not exist" in str(refused):
                return None
            raise
        except (IndexError, ValueError) as error:
            raise CommandFailed(doing, "du does not tell its size", "Run again.") from error
