# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on this machine: from /proc on Linux, which needs no program, and from ps elsewhere."""

from __future__ import annotations

from pathlib import Path

from .cli import Cli

_PROC = Path("/proc")
_SECONDS = 10


def commands() -> list[list[str]]:
    """Return the arguments of every process."""
    if not _has_proc():
        return [line.split() for line in _ps("-axww", "-o", "args=").splitlines()]
    return [found for entry in _PROC.iterdir() if entry.name.isdigit() and (found := _arguments(entry))]


def command_of(pid: int) -> list[str]:
    """Return the arguments of a process. Returns an empty list when there is none, also when only its number is left."""
    if _has_proc():
        return _arguments(_PROC / str(pid))
    state, *arguments = _ps("-ww", "-o", "stat=,args=", "-p", str(pid)).split() or [""]
    return [] if state.startswith("Z") else arguments


def _has_proc() -> bool:
    return (_PROC / "self" / "cmdline").exists()


def _arguments(entry: Path) -> list[str]:
    try:
        return [part for part in (entry / "cmdline").read_bytes().decode(errors="replace").split("\0") if part]
    except OSError:
        # It has ended meanwhile, or is somebody else's.
        return []


def _ps(*arguments: str) -> str:
    return Cli("ps", "It is part of the system.").run(*arguments, check=False, timeout=_SECONDS).stdout
