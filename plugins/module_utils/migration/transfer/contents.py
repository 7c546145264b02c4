# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a volume, made out of the archive of it: one digest over names, owners, modes, times, attributes and contents.

Two volumes have the same digest exactly if their archives, sorted by name, tell the same. Holes count as the zeros that they are.
Python's own tarfile takes longer for a small file than tar needs to read and write it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ...core.errors import CommandFailed

_BLOCK = 512
_END = bytes(_BLOCK)
# Content is compared in units of this size; those of zeros alone are passed over.
_UNIT = 1 << 20
_ZEROS = bytes(_UNIT)
_REGULAR, _PAX, _GLOBAL = b"0", b"x", b"g"
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


class Pieces:
    """An archive in pieces as they come."""

    def __init__(self, pieces: Iterable[bytes | memoryview]) -> None:
        self.pieces, self.left = iter(pieces), memoryview(b"")

    def some(self, most: int) -> memoryview:
        """Return the next bytes, no more than so many. Raises ValueError at the end."""
        if not self.left:
            piece = next(self.pieces, b"")
            if not piece:
                raise ValueError("the archive of it ends too early")
            self.left = memoryview(piece)
        found, self.left = self.left[:most], self.left[most:]
        return found

    def exactly(self, size: int) -> bytes:
        """Return so many bytes."""
        found = bytearray()
        while len(found) < size:
            found += self.some(size - len(found))
        return bytes(found)

    def drain(self) -> None:
        """Take what comes behind the end."""
        for _piece in self.pieces:
            pass


def contents_of(source: Pieces) -> Contents:
    """Return what the archive holds, reading all of it. Raises ValueError for what is not an archive, or ends too early."""
    total, files, size = hashlib.sha256(), 0, 0
    records: dict[bytes, bytes] = {}
    # Where a file with holes has data, as places and lengths, if its header says so.
    data: list[tuple[int, int]] = []
    while (header := source.exactly(_BLOCK)) != _END:
        stored = int(records.get(b"size") or _octal(header[124:136]))
        kind = header[156:157]
        if kind in (_PAX, _GLOBAL):
            text = source.exactly(_padded(stored))[:stored]
            if kind == _PAX:
                said = list(_records(text))
                records, data = dict(said), _data(said)
            continue
        real = int(records.get(b"GNU.sparse.size") or records.get(b"GNU.sparse.realsize") or stored) if kind == _REGULAR else 0
        content = _content(source, stored, real, data, sparse=b"GNU.sparse.realsize" in records)
        row = b"\0".join((*_row(header, records), b"%d" % real, content))
        total.update(b"%d " % len(row) + row)
        files += 1
        size += real
        records, data = {}, []
    source.drain()
    return Contents(total.hexdigest(), files, size)


def contents_in(pieces: Iterable[memoryview | bytes], doing: str) -> Contents:
    """Return the same for the pieces of an archive. Raises CommandFailed for half of one."""
    try:
        return contents_of(Pieces(pieces))
    except ValueError as error:
        raise CommandFailed(doing, str(error), "Run again: it is read again.") from error


def _row(header: bytes, records: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """Yield all that makes an entry what it is, but for its content."""
    # The header of a file with holes has a name that tar made up.
    name = records.get(b"GNU.sparse.name") or records.get(b"path")
    yield name or b"/".join(filter(None, (header[345:500].rstrip(b"\0"), header[:100].rstrip(b"\0"))))
    for field, begin, end in _FIELDS:
        yield records.get(field) or header[begin:end].rstrip(b"\0 ")
    for field in sorted(records):
        if field.startswith(_ATTRIBUTES):
            yield field + b"=" + records[field]


def _content(source: Pieces, stored: int, real: int, data: list[tuple[int, int]], *, sparse: bool) -> bytes:
    """Return the digest of a file's content, reading it with its padding. sparse: what it has is said in front of it."""
    digest, unit, number = hashlib.sha256(), bytearray(), -1
    segments, left = data or [(0, stored)], stored
    if sparse:
        segments, taken = _map(source)
        left -= taken

    def finish() -> None:
        if unit and unit != _ZEROS[: len(unit)]:
            digest.update(b"%d " % number + unit)

    for begin, length in segments:
        at, end = begin, begin + length
        while at < end:
            if at // _UNIT != number:
                finish()
                number = at // _UNIT
                unit = bytearray(min(_UNIT, max(real, stored) - number * _UNIT))
            piece = source.some(min(end, (number + 1) * _UNIT) - at)
            place = at - number * _UNIT
            unit[place : place + len(piece)] = piece
            at += len(piece)
            left -= len(piece)
    finish()
    source.exactly(left + _padded(stored) - stored)
    return digest.digest()


def _data(said: Iterable[tuple[bytes, bytes]]) -> list[tuple[int, int]]:
    offsets, lengths = (
        [int(value) for name, value in said if name == b"GNU.sparse." + part] for part in (b"offset", b"numbytes")
    )
    return list(zip(offsets, lengths, strict=True))


def _map(source: Pieces) -> tuple[list[tuple[int, int]], int]:
    """Return where a file has data, as places and lengths, and how many bytes it took to say so."""
    text = source.exactly(_BLOCK)
    while text.count(b"\n") < 1 or text.count(b"\n") < 1 + 2 * int(text.split(b"\n", 1)[0]):
        text += source.exactly(_BLOCK)
    count, *numbers = text.split(b"\n")
    places = [int(number) for number in numbers[: 2 * int(count)]]
    return list(zip(places[::2], places[1::2], strict=True)), len(text)


def _records(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the records of an extended header: a length, a name, and a value of any bytes."""
    while text:
        length = int(text[: text.index(b" ")])
        name, _equals, value = text[text.index(b" ") + 1 : length - 1].partition(b"=")
        yield name, value
        text = text[length:]


def _octal(field: bytes) -> int:
    """Return a size: octal digits, or a number in base 256."""
    return int.from_bytes(field[1:], "big") if field[0] & 0x80 else int(field.rstrip(b" \0") or b"0", 8)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
