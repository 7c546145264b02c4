# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the image of a data disk ever held anything, proved by its bytes. Without that proof it did."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

_ZEROS = bytes(1 << 20)
# A file system writes more than this. Where the laptop's own file system knows no holes, the whole image counts as data.
_MOST_BYTES = 1 << 20
# The head of a qcow2 image: its mark, and the place of the table of what the guest has written (version 2 and 3 alike).
_QCOW2, _QCOW2_HEAD = b"QFI\xfb", struct.Struct(">36xIQ")


def is_written(directory: Path) -> bool:
    """Whether anything was ever stored on Lima's disk in this directory."""
    for name in ("datadisk", "raw.img"):
        with contextlib.suppress(FileNotFoundError):
            return _holds_data(directory / name)
    return True


def _holds_data(image: Path) -> bool:
    try:
        with image.open("rb", buffering=0) as file:
            handle = file.fileno()
            head = os.pread(handle, _QCOW2_HEAD.size, 0)
            if head.startswith(_QCOW2):
                return any(_written_table(handle, head))
            return any(chunk != _ZEROS[: len(chunk)] for chunk in _data(handle))
    except FileNotFoundError:
        raise
    except (AttributeError, OSError, ValueError, struct.error):
        # AttributeError: a Python without SEEK_DATA.
        return True


def _written_table(handle: int, head: bytes) -> bytes:
    """Return the first table of a qcow2 image, in which each entry of a part that was never written is zero."""
    entries, offset = _QCOW2_HEAD.unpack(head)
    length = entries * 8
    table = os.pread(handle, min(length, _MOST_BYTES), offset)
    if not length or len(table) < length:
        raise ValueError("not a whole table")
    return table


def _data(handle: int) -> Iterator[bytes]:
    """Yield what a sparse file holds between its holes. Raises ValueError for too much of it to be an image that is new."""
    size, position, seen = os.fstat(handle).st_size, 0, 0
    if sys.platform == "darwin":
        # APFS can report data that was just written as a hole.
        yield from (os.pread(handle, len(_ZEROS), at) for at in range(0, size, len(_ZEROS)))
        return
    while position < size:
        try:
            start = os.lseek(handle, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                # Nothing but a hole to the end.
                return
            raise
        end = os.lseek(handle, start, os.SEEK_HOLE)
        seen += end - start
        if seen > _MOST_BYTES:
            raise ValueError("too much for a new image")
        yield os.pread(handle, end - start, start)
        position = end
