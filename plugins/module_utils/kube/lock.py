# SPDX-License-Identifier: GPL-3.0-or-later
"""kubectl's lock on a kubeconfig: a file beside it that exists while a program writes. kubectl fails at once; this one waits."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import RefusedStep, naming_files
from ..core.system.files import check_links

WAIT_SECONDS = 45.0
# kubectl holds the lock for milliseconds; one this old was left by a killed process.
STALE_SECONDS = 20.0
_PAUSE = 0.05


def lock_of(path: Path) -> Path:
    """Return the lock file of a kubeconfig."""
    return path.with_name(path.name + ".lock")


@contextlib.contextmanager
def locked(path: Path, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold kubectl's lock. Raises RefusedStep when another process holds it for too long, InputError for a closed directory."""
    lock = lock_of(path)
    with naming_files(f"lock kubeconfig '{path}'"):
        check_links(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        handle = _acquire(lock, time.monotonic() + wait)
    if handle is None:
        raise RefusedStep(
            f"change kubeconfig '{path}'",
            f"'{lock}' has been there for {wait:g} s",
            "If kubectl is not running, remove that file and run again.",
        )
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            # A run that took too long has lost its lock to a successor, who still needs it.
            if os.path.samestat(os.fstat(handle), lock.stat(follow_symlinks=False)):
                lock.unlink()
        os.close(handle)


def _acquire(lock: Path, end: float) -> int | None:
    """Create the lock file and return its handle. Returns None when time is over."""
    seen, since = None, 0.0
    while True:
        with contextlib.suppress(FileExistsError):
            return os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        found = _identity(lock)
        if found != seen:
            seen, since = found, time.monotonic()
        if found is not None and (_is_old(lock) or time.monotonic() - since > STALE_SECONDS):
            _remove_stale(lock, found)
        elif time.monotonic() >= end:
            return None
        else:
            time.sleep(_PAUSE)


def _remove_stale(lock: Path, found: tuple[int, int]) -> None:
    """Remove exactly the lock file that was judged stale, one process at a time: another may have replaced it already."""
    directory = os.open(lock.parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            # Some network file systems know no such lock; the comparison below still holds there.
            fcntl.flock(directory, fcntl.LOCK_EX)
        if _identity(lock) == found:
            lock.unlink(missing_ok=True)
    finally:
        os.close(directory)


def _identity(lock: Path) -> tuple[int, int] | None:
    try:
        found = lock.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _is_old(lock: Path) -> bool:
    """Whether its date lies far back, or far ahead: no process is writing then."""
    try:
        return abs(time.time() - lock.stat(follow_symlinks=False).st_mtime) > STALE_SECONDS
    except FileNotFoundError:
        return False
