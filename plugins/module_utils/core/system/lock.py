# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock between runs of this collection: one per directory. Programs of others do not know it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import InputError, RefusedStep, file_trouble
from .files import unless_unknown_here
from .home import lock_directory, private_directory

_POLL_SECONDS = 0.1
_SECOND = 10**9  # nanoseconds
_NO_LOCKS = "Its file system may have no locks, as some of SMB: keep that directory on a disk of this machine, and run again."
# The stamp while a run holds the lock: it equals no stamp that a run leaves.
_HELD = -1


class Lock:
    """The lock of a directory, which is made for its owner only. To be made before reading, and entered before the first step.

    Entering waits up to so many seconds, then raises RefusedStep; say gets which run it waits for. It returns whether no other
    run has held the lock since this object was made: then what was read is still true.
    """

    def __init__(
        self, directory: Path, work: str, wait: float, say: Callable[[str], None] = lambda _: None, name: str = "lock"
    ) -> None:
        self.path, self.work, self.wait, self.say = directory / name, work, wait, say
        self._since = _stamp(self.path)
        self._handle = -1

    def __enter__(self) -> bool:
        private_directory(self.path.parent)
        made = self._since == 0 and not self.path.exists()
        self._handle = _open(self.path, os.O_RDWR | os.O_CREAT)
        try:
            try:
                waited = _wait(self._handle, self.path, self.work, self.wait, self.say)
            except OSError as error:
                raise file_trouble(f"lock '{self.path}'", error, _NO_LOCKS) from error
            # A file system that keeps whole seconds (HFS+) gives two runs one stamp.
            known = os.fstat(self._handle).st_mtime_ns == self._since and self._since % _SECOND
            quiet = not waited and bool(made or known)
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, str(os.getpid()).encode(), 0)
            # A kernel that stamps files itself does so in steps of some milliseconds.
            now = time.time_ns()
            os.utime(self._handle, ns=(now, now))
        except BaseException:
            os.close(self._handle)
            raise
        return quiet

    def __exit__(self, *_error: object) -> None:
        os.close(self._handle)


def user_files(work: str) -> Lock:
    """Return the lock of everything here that replaces a file of the user's: one per home."""
    return Lock(lock_directory(), work, 120.0)


@contextlib.contextmanager
def entries_of(directory: Path, work: str, wait: float = 120.0) -> Iterator[bool]:
    """Keep runs of any user away from the entries of a directory in which this collection keeps no file.

    Yields False: what was read before may be old.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Where a file system has no locks, what was found is compared before it is replaced, as with programs of others.
        with unless_unknown_here():
            _wait(handle, directory, work, wait, lambda _: None)
        yield False
    finally:
        os.close(handle)


def _stamp(path: Path) -> int:
    """Return a number that changes with every run that held the lock."""
    try:
        handle = _open(path, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        # What is read while another run works is not what it will leave.
        with unless_unknown_here():
            return os.fstat(handle).st_mtime_ns if _try_lock(handle, fcntl.LOCK_SH) else _HELD
        return _HELD
    finally:
        os.close(handle)


def _wait(handle: int, path: Path, work: str, wait: float, say: Callable[[str], None]) -> bool:
    """Wait for the lock. Returns whether another run had it."""
    end = time.monotonic() + wait
    waited = False
    while not _try_lock(handle):
        waited = True
        holder = _holder(handle)
        say(f"waiting for another run{holder}")
        if time.monotonic() >= end:
            raise RefusedStep(
                work, f"another run{holder} has held '{path}' for {wait:g} s", "Wait for it to end, or end it, and run again."
            )
        time.sleep(_POLL_SECONDS)
    return waited


def _open(path: Path, flags: int) -> int:
    """Open a lock file: never through a link, whose target it would change, and never a pipe, which would block."""
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return handle
        os.close(handle)
    except FileNotFoundError:
        raise
    except OSError as error:
        if not path.is_symlink() and not (path.exists() and not path.is_file()):
            raise
        raise _no_lock(path) from error
    raise _no_lock(path)


def _no_lock(path: Path) -> InputError:
    return InputError(f"lock '{path}'", "it is not a plain file", "Remove it, and run again.")


def _holder(handle: int) -> str:
    """Return ' (process 123)' for the run that holds the lock, where it wrote that down."""
    with contextlib.suppress(OSError, ValueError):
        return f" (process {int(os.pread(handle, 20, 0))})"
    return ""


def _try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
