# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else changes VMs: other runs (one lock per Lima home), a colima that a killed run left, and starts by other programs.

colima itself takes no lock. A profile that is only named in COLIMA_PROFILE can't be seen.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...colima_paths import parse_name
from ...core.errors import InputError, RefusedStep
from ...core.system.command import Tail, printed_to
from ...core.system.files import make_directory, text_of
from ...core.system.lock import Lock
from ...core.system.processes import command_of, flags_of, program_of
from ..model.answers import parse_pid
from ..model.settings import SETTINGS

_POLL_SECONDS = 0.1
_STARTS = ("start", "restart")
# Flags of colima without a value of their own; every other flag takes the next word, unless there is a = in it. A setting that is
# on or off has such a flag, most by its own name; here are the others.
_OTHER_SWITCHES = """
    activate edit force force-disk-image foreground help kubernetes network-host-addresses save-config ssh-agent template
    verbose very-verbose vz-rosetta with-kubernetes e f h k s v z
"""
_SWITCHES = frozenset(_OTHER_SWITCHES.split()) | {
    setting.option.replace(".", "-").replace("_", "-") for setting in SETTINGS if setting.kind is bool
}
WORK = "change colima's profiles"


@dataclass(frozen=True)
class RunningStart:
    """A start that is under way: of which Lima instance, and whether its process stays for as long as the VM runs."""

    id: str
    stays: bool = False


class RunLock:
    """The lock of a Lima home. directory: ours in it. To be made before reading, and entered before the first step.

    A killed run loses its lock with its process, but the colima that it started works on: entering waits for that too.
    Returns whether what was read before is still true. say gets what it waits for, on_line each line of such a colima with the
    instance that it works on.
    """

    def __init__(
        self,
        directory: Path,
        wait: float,
        say: Callable[[str], None] = lambda _: None,
        on_line: Callable[[str, str], None] = lambda _instance, _line: None,
    ) -> None:
        self.directory, self.wait, self.say, self.on_line = directory, wait, say, on_line
        self._lock = Lock(directory, WORK, wait, say)

    def __enter__(self) -> bool:
        make_directory(self.directory)
        end = time.monotonic() + self.wait
        quiet = self._lock.__enter__()
        try:
            orphans = sorted(self.directory.glob("*.pid"))
            for note in orphans:
                self._wait_for_orphan(note, end)
                _forget(note)
        except BaseException:
            self._lock.__exit__()
            raise
        return quiet and not orphans

    def __exit__(self, *error: object) -> None:
        self._lock.__exit__(*error)

    def wait_for_orphans(self) -> None:
        """Wait until no colima of a killed run is running, to read what it leaves; it is forgotten by who enters."""
        end = time.monotonic() + self.wait
        for note in sorted(self.directory.glob("*.pid")):
            self._wait_for_orphan(note, end)

    def _wait_for_orphan(self, note: Path, end: float) -> None:
        """Wait until the colima of a killed run is gone. It prints to files, so nothing of it is lost."""
        pid, instance = parse_pid(text_of(note) or ""), note.stem
        tails = [Tail(file) for file in printed_to(log_of(note.parent, instance))]
        while pid and works_on(command_of(pid), instance):
            self.say(f"waiting for process {pid}, which an earlier run started")
            if time.monotonic() >= end:
                raise RefusedStep(
                    WORK,
                    f"process {pid}, which an earlier run started, still works on '{instance}'",
                    f"Wait for it to end, or end it with 'kill {pid}', and run again.",
                )
            for line in (line for tail in tails for line in tail.lines()):
                self.on_line(instance, line.rstrip("\n"))
            time.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def noted(directory: Path, instance: str) -> Iterator[Path]:
    """Keep a note of a colima process while it works, for the next run in case this one is killed."""
    note = directory / f"{instance}.pid"
    try:
        yield note
    finally:
        _forget(note)


def log_of(directory: Path, instance: str) -> Path:
    """Return where a colima that works on this instance prints, without the endings for its two channels."""
    return directory / f"{instance}.log"


def _forget(note: Path) -> None:
    for file in (*printed_to(log_of(note.parent, note.stem)), note):
        file.unlink(missing_ok=True)


def start_of(words: Sequence[str]) -> RunningStart | None:
    """Return the start that a process with these arguments carries out; None when it does not start a VM."""
    program, arguments = program_of(words)
    if program == "limactl":
        return _start_by_limactl(arguments)
    return _start_by_colima(arguments) if program == "colima" else None


def _start_by_limactl(arguments: Sequence[str]) -> RunningStart | None:
    verb, *targets = [word for word in arguments if not word.startswith("-")] or [""]
    return RunningStart(targets[-1].rpartition("/")[2].removesuffix(".yaml")) if verb in _STARTS and targets else None


def _start_by_colima(arguments: Sequence[str]) -> RunningStart | None:
    flags, others = _flags(arguments)
    if not others or others[0] not in _STARTS:
        return None
    instance = _instance(flags, others)
    # The same letter means --force to a restart.
    stays = others[0] == "start" and ("f" in flags or flags.get("foreground", "false") != "false")
    return RunningStart(instance, stays) if instance else None


def works_on(words: Sequence[str], instance: str) -> bool:
    """Whether a process with these arguments is a colima that works on this Lima instance: process numbers are used again."""
    program, arguments = program_of(words)
    return program == "colima" and _instance(*_flags(arguments)) == instance


def _flags(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    return flags_of(arguments, lambda flag: flag not in _SWITCHES)


def _instance(flags: dict[str, str], others: Sequence[str]) -> str:
    """Return the Lima instance that colima's arguments name; empty for a name that is invalid."""
    try:
        return parse_name(flags.get("profile") or flags.get("p") or next(iter(others[1:]), "") or "default").id
    except InputError:
        return ""
