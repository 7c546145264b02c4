# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a volume, made out of the archive of it: one digest over names, owners, modes, times, attributes and contents.

Two volumes have the same digest exactly if their archives, sorted by name, tell the same. Holes count as the zeros that they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ...core.errors import CommandFailed
from .tar import Archive, Entry, entries

# Content is compared in units of this size; those of zeros alone are passed over.
_UNIT = 1 << 20
_ZEROS = bytes(_UNIT)
_REGULAR = b"0"
# The record of how large a file with holes is.
_HOLES = b"GNU.sparse.size"
# Where a header has a field, and the record that takes its place.
_FIELDS = (
    (b"mode", 100, 108), (b"uid", 108, 116), (b"gid", 116, 124), (b"mtime", 136, 148), (b"type", 156, 157),
    (b"linkpath", 157, 257), (b"device", 329, 345),
)  # fmt: skip
_ATTRIBUTES = b"SCHILY."


@dataclass(frozen=True)
class Contents:
    """What an archive held. size: bytes of all files, each hard link once."""

    digest: str
    files: int
    size: int


def contents_of(archive: Archive) -> Contents:
    """Return what an archive holds, reading all of it. Raises ValueError for what is not one, or ends too early."""
    total, files, size = hashlib.sha256(), 0, 0
    for entry in entries(archive):
        records = dict(entry.records)
        real = int(records.get(_HOLES) or entry.stored) if entry.header[156:157] == _REGULAR else 0
        content = _content(archive, entry, real, _data(entry.records) if _HOLES in records else [(0, entry.stored)])
        row = b"\0".join((*_row(entry, records), b"%d" % real, content))
        total.update(b"%d " % len(row) + row)
        files += 1
        size += real
    return Contents(total.hexdigest(), files, size)


def contents_in(pieces: Iterable[memoryview | bytes], doing: str) -> Contents:
    """Return the same for the pieces of an archive. Raises CommandFailed for half of one."""
    try:
        return contents_of(Archive(pieces))
    except ValueError as error:
        raise CommandFailed(doing, str(error), "Run again: it is read again.") from error


def _row(entry: Entry, records: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """Yield everything of an entry but its content."""
    yield records.get(b"path") or entry.name
    for field, begin, end in _FIELDS:
        yield records.get(field) or entry.header[begin:end].rstrip(b"\0 ")
    for field in sorted(records):
        if field.startswith(_ATTRIBUTES):
            yield field + b"=" + records[field]


def _content(archive: Archive, entry: Entry, real: int, data: list[tuple[int, int]]) -> bytes:
    """Return the digest of a file's content, reading it with its padding. data: where it has some, as places and lengths."""
    digest, unit, number = hashlib.sha256(), bytearray(), -1
    left = entry.padded

    def finish() -> None:
        if unit and unit != _ZEROS[: len(unit)]:
            digest.update(b"%d " % number + unit)

    for begin, length in data:
        at, end = begin, begin + length
        while at < end:
            if at // _UNIT != number:
                finish()
                number = at // _UNIT
                unit = bytearray(min(_UNIT, max(real, entry.stored) - number * _UNIT))
            piece = archive.some(min(end, (number + 1) * _UNIT) - at)
            place = at - number * _UNIT
            unit[place : place + len(piece)] = piece
            at += len(piece)
            left -= len(piece)
    finish()
    archive.exactly(left)
    return digest.digest()


def _data(said: Iterable[tuple[bytes, bytes]]) -> list[tuple[int, int]]:
    offsets, lengths = (
        [int(value) for name, value in said if name == b"GNU.sparse." + part] for part in (b"offset", b"numbytes")
    )
    return list(zip(offsets, lengths, strict=True))
