# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a volume, made out of the archive of it: one digest over names, owners, modes, times, attributes and contents.

Two volumes have the same digest exactly if their archives, sorted by name, tell the same. Holes count as the zeros that they are.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_PIECE = 1 << 20
_END = bytes(1024)
# Attributes, access lists and times finer than a second.
_TELLING = ("SCHILY.", "mtime")


@dataclass(frozen=True)
class Contents:
    """What an archive held. size: bytes of all files, each hard link once."""

    digest: str
    files: int
    size: int


class Pieces:
    """A file to read from, made of pieces as they come; each is first given to somebody else."""

    def __init__(self, pieces: Iterable[bytes], also: Callable[[bytes], object] = lambda _: None) -> None:
        self.pieces, self.also, self.left = iter(pieces), also, memoryview(b"")
        self.last = b""

    def read(self, size: int) -> bytes:
        """Return so many bytes; fewer only at the end."""
        found = []
        while size:
            if not self.left:
                piece = next(self.pieces, b"")
                if not piece:
                    break
                self.also(piece)
                self.last = (self.last + piece)[-len(_END) :] if len(piece) < len(_END) else piece[-len(_END) :]
                self.left = memoryview(piece)
            found.append(self.left[:size])
            self.left = self.left[len(found[-1]) :]
            size -= len(found[-1])
        return b"".join(found)

    def drain(self) -> None:
        """Take what comes behind the end of the archive."""
        while self.read(_PIECE):
            pass


def contents_of(source: Pieces) -> Contents:
    """Return what the archive holds, reading all of it. Raises ValueError for what is no archive, or ends too early."""
    total, files, size = hashlib.sha256(), 0, 0
    try:
        with tarfile.open(fileobj=source, mode="r|", bufsize=_PIECE, encoding="utf-8", errors="surrogateescape") as archive:  # type: ignore[call-overload]
            for entry in archive:
                # It would keep all entries in memory.
                archive.members = []
                total.update(_row(entry, _content(archive, entry)))
                files += 1
                size += entry.size if entry.isreg() else 0
    except tarfile.TarError as error:
        raise ValueError(f"the archive of it is damaged: {error}") from error
    source.drain()
    if source.last != _END:
        raise ValueError("the archive of it ends too early")
    return Contents(total.hexdigest(), files, size)


def _row(entry: tarfile.TarInfo, content: bytes) -> bytes:
    """Return all that makes an entry what it is."""
    more = sorted((key, value) for key, value in entry.pax_headers.items() if key.startswith(_TELLING))
    device = (entry.devmajor, entry.devminor) if entry.isdev() and not entry.isfifo() else ()
    size = entry.size if entry.isreg() else 0
    fields: tuple[Any, ...] = (entry.name, entry.type, entry.mode, entry.uid, entry.gid, int(entry.mtime), size)
    return repr((*fields, entry.linkname, device, more)).encode("utf-8", "surrogateescape") + content


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    """Return the digest of a file's content."""
    if not entry.isreg() or entry.size == 0:
        return b""
    digest = hashlib.sha256()
    for piece in _read(archive, entry):
        digest.update(piece)
    return digest.digest()


def _read(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Iterator[bytes]:
    file = archive.extractfile(entry)
    while file is not None and (piece := file.read(_PIECE)):
        yield piece
