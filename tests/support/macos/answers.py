# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that answer as macOS does, for code that has to bear both answers. Where each comes from: docs/macos.md."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable

from rehearsal.standin.colima.lima.instances import alive

_killpg = os.killpg


def killpg(group: int, number: int) -> None:
    """Send a signal to a group. One in which all have just ended, and are not waited for, may not be signalled (killpg1, XNU)."""
    _killpg(group, signal.SIGKILL if number else 0)
    end = time.monotonic() + 20
    while alive(group) and time.monotonic() < end:
        time.sleep(0.01)
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def flock_of_a_share(_handle: int, _operation: int) -> None:
    """Lock nothing, as a file system without locks does (err_advlock, XNU)."""
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def nothing_but_holes() -> Callable[[int, int, int], int]:
    """Return an lseek that finds no data, as APFS may for data that was just written."""
    lseek = os.lseek

    def answer(file: int, at: int, how: int) -> int:
        if how == os.SEEK_DATA:
            raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
        return lseek(file, at, how)

    return answer


def refuses(number: int) -> Callable[..., None]:
    """Return a call that fails with this error."""

    def call(*_words: object, **_named: object) -> None:
        raise OSError(number, os.strerror(number))

    return call
