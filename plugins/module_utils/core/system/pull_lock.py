# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock between runs and pulls on this laptop. Runs share it; a pull (role pull_timer), which replaces the project, is alone.

Both lock the home directory itself, so that no file has to be there before the first run. roles/pull_timer/files/laptop.py takes
it alone, roles/refresh_timer/files/refresh.py takes part for what timers run. Where a home directory can't be locked, no pull
begins, so that runs need not wait for one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import RefusedStep
from .home import home

# Set for the playbook of a pull, which holds the lock already.
ALONE = "LAPTOP_CONTAINERS_ALONE"
LONGEST_WAIT, _PAUSE = 3600.0, 0.2  # seconds


def take_part(project: Path, on_wait: Callable[[], None], environment: Mapping[str, str]) -> None:
    """Keep pulls away until this process ends. While one runs, wait for it for up to an hour; on_wait is called first.

    Raises RefusedStep where the wait was in vain, or the files of this run's project were replaced meanwhile.
    """
    if environment.get(ALONE):
        return
    before = _version(project)
    # Kept open until the process ends: forked workers share it, the programs that they start do not.
    handle = os.open(home(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if _locked(handle):
        return
    on_wait()
    end = time.monotonic() + LONGEST_WAIT
    while not _locked(handle):
        if time.monotonic() >= end:
            os.close(handle)
            reason = f"the timer 'pull' has been running for {LONGEST_WAIT / 60:g} minutes"
            raise RefusedStep("begin the run", reason, "Look at playbooks/doctor.yml, and run again.")
        time.sleep(_PAUSE)
    if _version(project) != before:
        os.close(handle)
        raise RefusedStep("begin the run", "a pull has brought a newer commit of this project meanwhile", "Run again.")


def _locked(handle: int) -> bool:
    """Whether no pull runs. A file system without such locks reports that, and then no pull runs either."""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return not isinstance(error, BlockingIOError)
    return True


def _version(project: Path) -> int:
    """Return what changes whenever git replaces files of a project."""
    with contextlib.suppress(OSError):
        return (project / ".git" / "index").stat().st_mtime_ns
    return 0
