# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies a large file that is mostly holes: as a clone where the file system can, else without writing zeros."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ..core.system.files import flush
from ..core.system.sparse import data_units, uncached

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
        for at, data in data_units(one.fileno(), believe_holes=True):
            os.pwrite(file, data, at)
            on_bytes(len(data))
        os.ftruncate(file, os.fstat(one.fileno()).st_size)
        flush(file)


def digest(path: Path) -> str:
    """Return a digest of size and content, reading all of it; holes count as the zeros that they are."""
    found = hashlib.sha256()
    with uncached(path) as file:
        found.update(b"%d" % os.fstat(file).st_size)
        for at, data in data_units(file, believe_holes=False):
            found.update(b" %d " % at + data)
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
