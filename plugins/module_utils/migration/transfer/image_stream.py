# SPDX-License-Identifier: GPL-3.0-or-later
"""Images on their way, as the archive that an engine packs: passed on piece by piece, without the layers that the target has.

Since version 25 engines name each file of it by its digest, so a layer that is not needed is known before it comes. Archives of
older engines are passed on whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ...docker.engine import EngineSilent
from ...docker.stream import PIECE
from .tar import END, Archive, Broken, Entry, entries

_BLOBS = "blobs/sha256/"
_LIST = "manifest.json"
_LONGEST_LIST = 16 << 20


@dataclass
class Passed:
    """What has passed, in bytes. layers: the blobs of each image's layers, by its names."""

    sent: int = 0
    left_out: int = 0
    layers: dict[str, tuple[str, ...]] = field(default_factory=dict)


Write: TypeAlias = "Callable[[bytes | memoryview], object]"


def pass_on(read: Callable[[int], bytes], write: Write, known: Collection[str], on_bytes: Callable[[int], object]) -> Passed:
    """Pass an archive of images on, but for known blobs ("sha256:..."). Raises EngineSilent where it ends too early."""

    def pieces() -> Iterator[bytes]:
        while piece := read(PIECE):
            on_bytes(len(piece))
            yield piece

    passed, archive = Passed(), Archive(pieces())
    try:
        for entry in entries(archive):
            _pass(archive, entry, write, known, passed)
    except Broken as error:
        raise EngineSilent(str(error)) from error
    write(END + END)
    return passed


def _pass(archive: Archive, entry: Entry, write: Write, known: Collection[str], passed: Passed) -> None:
    name = entry.header[:100].rstrip(b"\0").decode(errors="replace")
    blob = f"sha256:{name.removeprefix(_BLOBS)}" if name.startswith(_BLOBS) and entry.stored else ""
    if blob in known:
        for _piece in archive.pieces(entry.padded):
            pass
        passed.left_out += entry.padded
        return
    keep = list[memoryview]() if name == _LIST and entry.stored < _LONGEST_LIST else None
    write(entry.before + entry.header)
    for piece in archive.pieces(entry.padded):
        write(piece)
        if keep is not None:
            keep.append(piece)
    passed.sent += entry.padded
    if keep is not None:
        passed.layers = _layers(b"".join(keep)[: entry.stored])


def _layers(text: bytes) -> dict[str, tuple[str, ...]]:
    """Return the blobs of each image's layers in the list of an archive, by the image's names."""
    try:
        rows: list[dict[str, Any]] = json.loads(text)
        return {
            tag: tuple(f"sha256:{layer.removeprefix(_BLOBS)}" for layer in row["Layers"])
            for row in rows
            for tag in row.get("RepoTags") or ()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
