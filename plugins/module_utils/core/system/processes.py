# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on this machine: from /proc on Linux, which needs no program, and from ps elsewhere."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from .command import Cli

_PROC = Path("/proc")
_SECONDS = 10
_VARIABLE = re.compile(r" (?=[A-Za-z_][A-Za-z0-9_]*=)")
_INTERPRETER = re.compile(r"(?i)python[\d.]*|(ba|da|z)?sh")
# Each column has an -o of its own: on a Mac, as POSIX has it, the text after a = is the header of that column.


def commands() -> dict[int, list[str]]:
    """Return the arguments of every process of this user, by its number."""
    if not _has_proc():
        rows = (line.split() for line in _ps("-xww", "-o", "pid=", "-o", "args=").splitlines())
        return {int(row[0]): row[1:] for row in rows if len(row) > 1 and row[0].isdigit()}
    found = {int(entry.name): _arguments(entry) for entry in _PROC.iterdir() if entry.name.isdigit() and _is_own(entry)}
    return {pid: arguments for pid, arguments in found.items() if arguments}


def is_alive(pid: int) -> bool:
    """Whether there is such a process, of any user."""
    try:
        with contextlib.suppress(PermissionError):
            os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    return True


def command_of(pid: int) -> list[str]:
    """Return the arguments of a process. Returns an empty list when there is none, also when only its number is left."""
    if _has_proc():
        return _arguments(_PROC / str(pid))
    state, *arguments = _ps("-ww", "-o", "stat=", "-o", "args=", "-p", str(pid)).split() or [""]
    return [] if state.startswith("Z") else arguments


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped (SIGSTOP, Ctrl-Z) and waits to be continued. Returns False when that is unknown."""
    if _has_proc():
        with contextlib.suppress(OSError):
            return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[:1] in (["T"], ["t"])
        return False
    return _ps("-o", "stat=", "-p", str(pid)).strip().startswith("T")


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment that a process of this user was started with. Returns an empty one when it is unknown."""
    if _has_proc():
        try:
            parts = (_PROC / str(pid) / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return {}
    else:
        # A Mac's ps has it behind the arguments, and nothing marks where a value ends.
        parts = _VARIABLE.split(_ps("-E", "-ww", "-o", "command=", "-p", str(pid)))[1:]
    return {name: value.rstrip("\n") for name, given, value in (part.partition("=") for part in parts) if given}


def age_of(pid: int) -> float:
    """Return for how many seconds a process has been there. Returns 0 when that is unknown."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        if _has_proc():
            ticks = int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19])
            return float((_PROC / "uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
        days, _dash, clock = _ps("-o", "etime=", "-p", str(pid)).strip().rpartition("-")
        seconds = 0
        for part in clock.split(":"):
            seconds = 60 * seconds + int(part)
        return 86400.0 * int(days or 0) + seconds
    return 0.0


def program_of(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the name of the program that a process runs, and its arguments; of a script, its own.

    A shell is not the program that is named somewhere in its command.
    """
    place = 0
    if words and _INTERPRETER.fullmatch(_last(words[0])):
        place = next((place for place, word in enumerate(words) if place and not word.startswith("-")), 0)
        if not words[place].startswith("/") or "-c" in words[:place]:
            place = 0
    return (_last(words[place]) if words else ""), list(words[place + 1 :])


def flags_of(arguments: Sequence[str], takes_value: Callable[[str], object]) -> tuple[dict[str, str], list[str]]:
    """Return the flags, by name or letter, and the other words, as Go's pflag tells them apart.

    takes_value: whether the flag of that name or letter takes the next word where no value is written to it.
    """
    flags: dict[str, str] = {}
    others: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return flags, others + rest
        if word.startswith("--"):
            name, given, value = word[2:].partition("=")
            flags[name] = value if given else rest.pop(0) if takes_value(name) and rest else "true"
        elif word.startswith("-") and word != "-":
            flags |= _letters_of(word[1:], rest, takes_value)
        else:
            others.append(word)
    return flags, others


def _letters_of(letters: str, rest: list[str], takes_value: Callable[[str], object]) -> dict[str, str]:
    """Return the flags of a word like -it. rest: the words behind it, of which the first one goes where it is a value."""
    flags = dict[str, str]()
    while letters and not takes_value(letters[0]):
        flags[letters[0]], letters = "true", letters[1:]
    if letters:
        value = letters[1:].removeprefix("=")
        flags[letters[0]] = value or (rest.pop(0) if rest and len(letters) == 1 else "")
    return flags


def _last(path: str) -> str:
    return path.rpartition("/")[2]


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
        # It has ended meanwhile, or belongs to another user.
        return []


def _ps(*arguments: str) -> str:
    return Cli("ps", "It is part of the system.").run(*arguments, check=False, timeout=_SECONDS).stdout
