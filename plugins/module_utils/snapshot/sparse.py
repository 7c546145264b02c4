# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies a large file that is mostly holes: as a clone where the file system can, else without writing zeros.

What is compared is always read: APFS can report data that was just written as a hole.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import mmap
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ..core.system.files import flush

# Content is copied and compared in units of this size; those of zeros alone are passed over.
_UNIT = 1 << 20
_ZEROS = bytes(_UNIT)
_FICLONE = 0x40049409
# What file systems that can't clone answer, and for two that are not one.
_NO_CLONE = {errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM}


def clone(source: Path, target: Path) -> bool:
    """Make a new file that shares its blocks with another one. Returns False, and makes none, where that can't be done."""
    try:
        _clone(source, target)
    except OSError as error:
        if error.errno not in _NO_CLONE:
            raise
        with contextlib.suppress(FileNotFoundError):
            target.unlink()
        return False
    return True


def _clone(source: Path, target: Path) -> None:
    if sys.platform == "darwin":
        import ctypes

        library = ctypes.CDLL(None, use_errno=True)
        if library.clonefile(os.fsencode(source), os.fsencode(target), 0):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(target))
        target.chmod(0o600)
        return
    with source.open("rb") as one, _new(target) as other:
        fcntl.ioctl(other, _FICLONE, one.fileno())


def copy(source: Path, target: Path, on_bytes: Callable[[int], object]) -> None:
    """Make a new file with the same content, and holes where the other one has holes or zeros. on_bytes gets what was written."""
    with source.open("rb") as one, _new(target) as file:
        for at, data in _units(one.fileno(), ask_holes=sys.platform != "darwin"):
            os.pwrite(file, data, at)
            on_bytes(len(data))
        os.ftruncate(file, os.fstat(one.fileno()).st_size)
        flush(file)


def digest(path: Path) -> str:
    """Return a digest of size and content, reading all of it; holes count as the zeros that they are."""
    found = hashlib.sha256()
    file = _uncached(path)
    try:
        found.update(b"%d" % os.fstat(file).st_size)
        for at, data in _units(file, ask_holes=False):
            found.update(b" %d " % at + data)
    finally:
        os.close(file)
    return found.hexdigest()


def occupied(path: Path) -> int:
    """Return how many bytes of the disk a file takes; clones count their shared blocks as well."""
    return path.stat().st_blocks * 512


@contextlib.contextmanager
def _new(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _uncached(path: Path) -> int:
    """Open a file so that its holes are not laid out in the page cache: reading 100 GiB of them takes a tenth of the time."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        return os.open(path, flags | getattr(os, "O_DIRECT", 0))
    except OSError as error:
        # tmpfs, and others that have no blocks.
        if error.errno != errno.EINVAL:
            raise
        return os.open(path, flags)


def _units(file: int, *, ask_holes: bool) -> Iterator[tuple[int, bytes]]:
    """Yield the units that are not zeros alone, with their places. ask_holes: pass over what the system calls a hole."""
    size, at = os.fstat(file).st_size, 0
    # Memory of whole pages: what is read past the cache has to go to an aligned place.
    with mmap.mmap(-1, _UNIT) as unit:
        while at < size:
            at = _next_data(file, at, size) // _UNIT * _UNIT if ask_holes else at
            # macOS has no preadv before 11.
            os.lseek(file, at, os.SEEK_SET)
            data = unit[: os.readv(file, [unit])]
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
