# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on this machine: from /proc on Linux, which needs no program, and from ps elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from .cli import Cli

_PROC = Path("/proc")
_SECONDS = 10
# Each column has an -o of its own: on a Mac, as POSIX has it, all that follows a = is the header of that column.


def commands() -> dict[int, list[str]]:
    """Return the arguments of every process of this user, by its number."""
    if not _has_proc():
        rows = (line.split() for line in _ps("-xww", "-o", "pid=", "-o", "args=").splitlines())
        return {int(row[0]): row[1:] for row in rows if len(row) > 1 and row[0].isdigit()}
    found = {int(entry.name): _arguments(entry) for entry in _PROC.iterdir() if entry.name.isdigit() and _is_own(entry)}
    return {pid: arguments for pid, arguments in found.items() if arguments}


def command_of(pid: int) -> list[str]:
    """Return the arguments of a process. Returns an empty list when there is none, also when only its number is left."""
    if _has_proc():
        return _arguments(_PROC / str(pid))
    state, *arguments = _ps("-ww", "-o", "stat=", "-o", "args=", "-p", str(pid)).split() or [""]
    return [] if state.startswith("Z") else arguments


def _has_proc() -> bool:
    return (_PROC / "self" / "cmdline").exists()


def _is_own(entry: Path) -> bool:
    try:
        return entry.stat().st_uid == os.geteuid()
    except OSError:
        return False


def _arguments(entry: Path) -> list[str]:
    try:
        return [part for part in (entry / "cmdline").read_bytes().decode(errors="replace").split("\0") if part]
    except OSError:
        # It has ended meanwhile, or is somebody else's.
        return []


def _ps(*arguments: str) -> str:
    return Cli("ps", "It is part of the system.").run(*arguments, check=False, timeout=_SECONDS).stdout
