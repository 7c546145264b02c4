# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress file of a run: made before the first task, named to modules by the environment, removed at the end."""

from __future__ import annotations

import atexit
import contextlib
import os
import tempfile
from pathlib import Path

from ..core.progress import VARIABLE
from ..core.system.processes import is_alive

_PREFIX = "laptop-containers-"
_SUFFIX = ".progress"


class ProgressFile:
    """Belongs to the process that made it."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._owner = os.getpid()

    def make(self) -> None:
        """Make it, unless an outer run has made it."""
        if VARIABLE in os.environ:
            return
        _remove_abandoned(Path(tempfile.gettempdir()))
        number, name = tempfile.mkstemp(prefix=f"{_PREFIX}{self._owner}-", suffix=_SUFFIX)
        os.close(number)
        os.environ[VARIABLE] = name
        self._path = Path(name)
        # A run that is interrupted ends without a summary.
        atexit.register(self.remove)

    def remove(self) -> None:
        """Remove it; in another process than the owner, do nothing."""
        if self._path is not None and os.getpid() == self._owner:
            self._path.unlink(missing_ok=True)
            os.environ.pop(VARIABLE, None)
            self._path = None


def _remove_abandoned(folder: Path) -> None:
    """Remove progress files of this user whose run was killed."""
    for file in folder.glob(f"{_PREFIX}*-*{_SUFFIX}"):
        process = file.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if process.isdigit() and file.stat().st_uid == os.geteuid() and not is_alive(int(process)):
                file.unlink()
