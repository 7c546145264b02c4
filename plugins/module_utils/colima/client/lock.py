# SPDX-License-Identifier: GPL-3.0-or-later
"""One lock per Lima home, for everything of ours that starts, stops, changes or deletes a VM. colima itself takes none."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ...core.errors import RefusedStep
from ...core.processes import command_of

_POLL_SECONDS = 0.1


_HELD = -1


def stamp(room: Path) -> int:
    """Return a number that changes with every run that held the lock; one that never comes again while a run holds it."""
    try:
        with (room / "lock").open() as handle:
            # What is read while another run is at work is not what it will leave.
            free = _try_lock(handle.fileno(), fcntl.LOCK_SH)
            return os.fstat(handle.fileno()).st_mtime_ns if free else _HELD
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def exclusive(room: Path, wait: float, since: int = _HELD, say: Callable[[str], None] = lambda _: None) -> Iterator[bool]:
    """Hold the lock of a Lima home; room is our directory in it. Waits up to so many seconds, then raises RefusedStep.

    say gets whom this one waits for.

    Yields whether no other run of ours has held it since that stamp. A killed run loses the lock with its process, but the
    colima that it started may still be at work: that is waited for too.
    """
    room.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + wait
    made = since == 0 and not (room / "lock").exists()
    with (room / "lock").open("a+") as handle:
        waited = False
        while not _try_lock(handle.fileno()):
            waited = True
            holder = _holder(room / "lock")
            say(f"waiting for another run{holder}")
            if time.monotonic() >= end:
                raise RefusedStep(
                    f"Could not change colima's profiles: another run{holder} has held '{room / 'lock'}' for {wait:g} s. "
                    "Wait for it to end, or end it, and run again."
                )
            time.sleep(_POLL_SECONDS)
        orphans = sorted(room.glob("*.pid"))
        quiet = not orphans and not waited and (made or os.fstat(handle.fileno()).st_mtime_ns == since)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        for left in orphans:
            _wait_for_orphan(left, end, say)
        # A kernel that stamps files itself does so in steps of some milliseconds.
        now = time.time_ns()
        os.utime(handle.fileno(), ns=(now, now))
        yield quiet


def _holder(lock: Path) -> str:
    """Return ' (process 123)' for the run that holds the lock, as far as it wrote that down."""
    with contextlib.suppress(OSError, ValueError):
        return f" (process {int(lock.read_text())})"
    return ""


def _try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def noted(room: Path, instance: str) -> Iterator[Path]:
    """Keep a note of a colima process while it works, for the next run in case this one is killed."""
    note = room / f"{instance}.pid"
    try:
        yield note
    finally:
        note.unlink(missing_ok=True)


def _wait_for_orphan(note: Path, end: float, say: Callable[[str], None]) -> None:
    """Wait until the colima process of a killed run is gone, then forget it."""
    try:
        pid = int(note.read_text())
    except (ValueError, OSError):
        pid = 0
    while pid and _is_colima(pid):
        say(f"waiting for process {pid}, which an earlier run started")
        if time.monotonic() >= end:
            raise RefusedStep(
                f"Could not change colima's profiles: process {pid}, which an earlier run started, still works on "
                f"'{note.stem}'. Wait for it to end, or end it with 'kill {pid}', and run again."
            )
        time.sleep(_POLL_SECONDS)
    note.unlink(missing_ok=True)


def _is_colima(pid: int) -> bool:
    """Whether a process is there and is colima: numbers are used again."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return "colima" in " ".join(command_of(pid))
