# SPDX-License-Identifier: GPL-3.0-or-later
"""Images on their way, as the archive that an engine packs: passed on piece by piece, without the layers that the target has.

Since version 25 engines name each file of it by its digest, so a layer that is not needed is known before it comes. Archives of
older engines are passed on whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...docker.engine import Silent
from ...docker.stream import PIECE

_BLOCK = 512
_END = bytes(_BLOCK)
_BLOBS = "blobs/sha256/"
# Headers of tar that say something about the file behind them.
_ABOUT_THE_NEXT = b"xgLK"
_LIST = "manifest.json"
_LONGEST_LIST = 16 << 20


@dataclass
class Passed:
    """What has passed, in bytes. layers: the blobs of each image's layers, by its names."""

    sent: int = 0
    left_out: int = 0
    layers: dict[str, tuple[str, ...]] = field(default_factory=dict)


def pass_on(
    read: Callable[[int], bytes], write: Callable[[bytes], object], known: Collection[str], on_bytes: Callable[[int], object]
) -> Passed:
    """Pass an archive of images on, but for known blobs ("sha256:..."). Raises Silent for one that ends too early."""
    source, passed, before = _Source(read), Passed(), b""
    while (header := source.exactly(_BLOCK)) != _END:
        size = _size(header)
        padded = -(-size // _BLOCK) * _BLOCK
        on_bytes(_BLOCK + padded)
        if header[156:157] in _ABOUT_THE_NEXT:
            before += header + b"".join(source.pieces(padded))
            continue
        name = header[:100].rstrip(b"\0").decode(errors="replace")
        blob = f"sha256:{name.removeprefix(_BLOBS)}" if name.startswith(_BLOBS) and size else ""
        if blob in known:
            for _piece in source.pieces(padded):
                pass
            passed.left_out += padded
        else:
            keep = list[bytes]() if name == _LIST and size < _LONGEST_LIST else None
            write(before + header)
            for piece in source.pieces(padded):
                write(piece)
                if keep is not None:
                    keep.append(piece)
            passed.sent += padded
            if keep is not None:
                passed.layers = _layers(b"".join(keep)[:size])
        before = b""
    write(_END + _END)
    source.drain()
    return passed


class _Source:
    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.read = read

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield exactly so many bytes."""
        while size:
            piece = self.read(min(size, PIECE))
            if not piece:
                raise Silent("it hung up in the middle of an archive")
            size -= len(piece)
            yield piece

    def exactly(self, size: int) -> bytes:
        return b"".join(self.pieces(size))

    def drain(self) -> None:
        while self.read(PIECE):
            pass


def _size(header: bytes) -> int:
    """Return the size of a file: octal digits, or, from 8 GiB on, a number in base 256."""
    field_ = header[124:136]
    try:
        return int.from_bytes(field_[1:], "big") if field_[0] & 0x80 else int(field_.rstrip(b" \0") or b"0", 8)
    except ValueError:
        raise Silent("what it sends is not an archive") from None


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
