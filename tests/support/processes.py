# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that tests kill or pause, so that no test depends on timing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from rehearsal.standin.colima.lima.instances import alive
from tests.support.test_runs import fault_rows


def kill(pid: int) -> None:
    """Kill a process and wait until it has ended."""
    os.kill(pid, signal.SIGKILL)
    while alive(pid):
        time.sleep(0.001)


def killed_after(process: subprocess.Popen[Any], seconds: float) -> bool:
    """Kill a process after some time, with its group, whose number it has. Returns False where it had ended before."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        fault_rows.killed()
        return True
    return False


@contextlib.contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Pause a process inside the block; a negative number is a whole group, as for kill()."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def standing_still_until(pid: int, true: Callable[[], object]) -> Iterator[None]:
    """Pause a process until a condition holds, at most 30 s."""
    over, end = threading.Event(), time.monotonic() + 30

    def watch() -> None:
        while not over.wait(0.02) and not true() and time.monotonic() < end:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    watcher = threading.Thread(target=watch)
    with standing_still(pid):
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
