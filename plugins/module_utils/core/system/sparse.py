# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a large file that is mostly holes, such as the image of a VM's disk."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# A file is read in units of this size.
_UNIT = 1 << 20
_ZEROS = bytes(_UNIT)


@contextlib.contextmanager
def uncached(path: Path) -> Iterator[int]:
    """Open a file so that its holes are not laid out in the page cache: reading 100 GiB of them takes a tenth of the time."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        file = os.open(path, flags | getattr(os, "O_DIRECT", 0))
    except OSError as error:
        # tmpfs, and others that have no blocks.
        if error.errno != errno.EINVAL:
            raise
        file = os.open(path, flags)
    try:
        yield file
    finally:
        os.close(file)


def data_units(file: int, *, believe_holes: bool) -> Iterator[tuple[int, bytes]]:
    """Yield each unit that is not zeros alone, with its offset in bytes. Raises OSError where a read ends before the file does.

    believe_holes: pass over what the system calls a hole; never done on macOS, whose APFS can report data that was just
    written as a hole.
    """
    size, at = os.fstat(file).st_size, 0
    # Memory of whole pages: what is read past the cache has to go to an aligned place.
    with mmap.mmap(-1, _UNIT) as unit:
        while at < size:
            if believe_holes and sys.platform != "darwin":
                at = _next_data(file, at, size) // _UNIT * _UNIT
            # macOS has no preadv before 11.
            os.lseek(file, at, os.SEEK_SET)
            data = unit[: os.readv(file, [unit])]
            # What was not read may be anything, and must not count as zeros.
            if len(data) < min(_UNIT, size - at):
                raise OSError(errno.EIO, f"A read of the file ends at byte {at + len(data)} of {size}")
            if data and data != _ZEROS[: len(data)]:
                yield at, data
            at += _UNIT


def _next_data(file: int, at: int, size: int) -> int:
    """Return where the next data begins; the file's size where there is none."""
    try:
        return os.lseek(file, at, os.SEEK_DATA)
    except OSError as error:
        # A file system that does not know its holes says so; then all is data.
        return size if error.errno == errno.ENXIO else at
