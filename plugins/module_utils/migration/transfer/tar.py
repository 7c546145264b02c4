# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of tar as they come, entry by entry and without a file in between. Knows what headers say, not what it is for.

Python's own tarfile takes longer for a small file than tar needs to read and write it, and does not keep headers as they
came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

BLOCK = 512
END = bytes(BLOCK)
# Headers that say something about the entry behind them, and those of them that have records.
_ABOUT_THE_NEXT, _RECORDS = b"xgLK", b"x"
_NONE = "what it sends is not an archive"


class Broken(ValueError):
    """An archive ends too early, or is none."""


class Archive:
    """An archive in pieces as they come."""

    def __init__(self, pieces: Iterable[bytes | memoryview]) -> None:
        self._pieces, self._left = iter(pieces), memoryview(b"")

    def some(self, most: int) -> memoryview:
        """Return the next bytes, no more than so many. Raises Broken at the end."""
        if not self._left:
            piece = next(self._pieces, b"")
            if not piece:
                raise Broken("it hung up in the middle of an archive")
            self._left = memoryview(piece)
        found, self._left = self._left[:most], self._left[most:]
        return found

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield so many bytes."""
        while size:
            piece = self.some(size)
            size -= len(piece)
            yield piece

    def exactly(self, size: int) -> bytes:
        """Return so many bytes."""
        piece = self.some(size) if size else b""
        return bytes(piece) if len(piece) == size else b"".join((piece, *self.pieces(size - len(piece))))

    def drain(self) -> None:
        """Take what comes behind the end."""
        for _piece in self._pieces:
            pass


@dataclass(frozen=True)
class Entry:
    """An entry whose content comes next. before: headers about it, as they came. records: what they say, in their order.

    stored: bytes of its content in the archive, without what fills its last block.
    """

    header: bytes
    before: bytes
    records: tuple[tuple[bytes, bytes], ...]
    stored: int

    @property
    def padded(self) -> int:
        """How many bytes come before the next header."""
        return _padded(self.stored)

    @property
    def name(self) -> bytes:
        """Its name by its own header, and so not all of a long one."""
        return b"/".join(filter(None, (self.header[345:500].rstrip(b"\0"), self.header[:100].rstrip(b"\0"))))


def entries(archive: Archive) -> Iterator[Entry]:
    """Yield each entry; its content is to be taken before the next one. Takes all behind the end. Raises Broken."""
    before, records = b"", tuple[tuple[bytes, bytes], ...]()
    while (header := archive.exactly(BLOCK)) != END:
        stored = _number(dict(records).get(b"size") if records else None, header)
        if header[156:157] in _ABOUT_THE_NEXT:
            text = archive.exactly(_padded(stored))
            before += header + text
            if header[156:157] in _RECORDS:
                records = tuple(_records(text[:stored]))
            continue
        yield Entry(header, before, records, stored)
        before, records = b"", ()
    archive.drain()


def _number(said: bytes | None, header: bytes) -> int:
    """Return a size: as a record says it, in octal digits, or, from 8 GiB on, in base 256."""
    field = header[124:136]
    try:
        if said or not field[0] & 0x80:
            return int(said) if said else int(field.rstrip(b" \0") or b"0", 8)
    except ValueError:
        raise Broken(_NONE) from None
    return int.from_bytes(field[1:], "big")


def _records(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the records of an extended header: a length, a name, and a value of any bytes."""
    while text:
        digits, _space, _rest = text.partition(b" ")
        if not digits.isdigit() or not int(digits):
            raise Broken(_NONE)
        name, _equals, value = text[len(digits) + 1 : int(digits) - 1].partition(b"=")
        yield name, value
        text = text[int(digits) :]


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
