# SPDX-License-Identifier: GPL-3.0-or-later
"""launchd as far as a user's agents need it: their files, and the launchctl command."""

from __future__ import annotations

import contextlib
import os
import plistlib
import re
import time
from collections.abc import Iterable
from pathlib import Path

from ..core.errors import NotVerified
from ..core.system.command import Cli, Output
from ..core.system.files import text_of
from ..core.system.macos import FILES, LOGIN_ITEMS
from .manager import SECONDS, Manager
from .model import Timer, times_of_day

# launchd answers a bootout before the agent is gone: a program has 20 seconds to end, and the label stays taken for some more.
GONE_WITHIN, TAKEN_WITHIN, PAUSE = 40.0, 15.0, 0.2
# "Input/output error" and "Operation already in progress": both also while the agent's former self is still ending.
TAKEN = (5, 37)
# "Could not find specified domain" and "Domain does not support specified action": the user is not logged in to the desktop.
NO_DOMAIN = (112, 125)
# Folders that macOS keeps from what the user did not start: a program in the background is refused, mostly without a question.
GUARDED = ("Desktop", "Documents", "Downloads", "Library/CloudStorage", "Library/Mobile Documents")


def launchd_log(timer: Timer, home: Path) -> Path:
    """Return where the error output of an agent goes: what it says when it can't even begin is found nowhere else."""
    return home / "Library" / "Logs" / f"{timer.label}.log"


def launchd_calendar(minutes: int) -> list[dict[str, int]]:
    """Return the value of StartCalendarInterval."""
    return [{"Minute": minute} if hour is None else {"Hour": hour, "Minute": minute} for hour, minute in times_of_day(minutes)]


def launchd_files(timer: Timer, home: Path) -> dict[str, str]:
    """Return path and content of the agent."""
    agent: dict[str, object] = {
        "Label": timer.label,
        "ProgramArguments": list(timer.command),
        **({"StartCalendarInterval": launchd_calendar(timer.minutes)} if timer.minutes is not None else {}),
        "RunAtLoad": True,
        # A VM inherits it, and would run on the slow cores alone for as long as it lives.
        "ProcessType": "Interactive" if timer.starts_vms else "Background",
        "StandardOutPath": "/dev/null",
        "StandardErrorPath": str(launchd_log(timer, home)),
    }
    if timer.environment:
        agent["EnvironmentVariables"] = dict(timer.environment)
    if timer.directory:
        agent["WorkingDirectory"] = timer.directory
    path = home / "Library" / "LaunchAgents" / f"{timer.label}.plist"
    return {str(path): plistlib.dumps(agent).decode()}


class Launchd(Manager):
    """Agents in the domain of one user's desktop."""

    def __init__(self, home: Path, uid: int) -> None:
        self.home = home
        self.domain = f"gui/{uid}"
        self.cli = Cli("launchctl", "It is part of macOS; set 'manager' to systemd elsewhere.")

    def files(self, timer: Timer) -> dict[str, str]:
        """Return the agent, by path."""
        return launchd_files(timer, self.home)

    def active(self, timer: Timer) -> bool:
        """Whether the agent is loaded."""
        return self._ask("print", self._target(timer)).rc == 0

    def enabled(self, timer: Timer) -> bool:
        """Whether it is loaded at log-in: its file is there, and it is not disabled."""
        disabled = self._ask("print-disabled", self.domain).stdout
        # Since macOS 13 it says "disabled", and said "true" before.
        named = re.search(rf'"{re.escape(timer.label)}" => (true|disabled)', disabled)
        return named is None and all(Path(path).exists() for path in self.files(timer))

    def waits(self, timer: Timer) -> str:
        """Return why the timer can't be started before the next log-in; empty where it can."""
        answer = self._ask("print", self._target(timer))
        return "the user is not logged in to the desktop of this Mac" if answer.rc in NO_DOMAIN else ""

    def warnings(self, timer: Timer, needs: Iterable[str]) -> Iterable[str]:
        """Yield a warning where the timer works in a folder that macOS keeps from programs in the background."""
        home = os.path.realpath(self.home)
        paths = [os.path.realpath(path) for path in (*timer.command, *needs, timer.directory) if path.startswith("/")]
        for folder in GUARDED:
            if any(path.startswith(f"{home}/{folder}/") for path in paths):
                yield (
                    f"Timer '{timer.name}' works in ~/{folder}, and macOS may refuse that to programs in the background. "
                    f"Move the project to another folder, or allow it in {FILES}."
                )

    def start(self, timer: Timer) -> Output:
        """Load the agent again: a loaded agent keeps its old settings until it is unloaded."""
        launchd_log(timer, self.home).parent.mkdir(parents=True, exist_ok=True)
        self._unload(timer)
        self._ask("enable", self._target(timer))
        path = next(iter(self.files(timer)))
        deadline = time.monotonic() + TAKEN_WITHIN
        while True:
            answer = self._ask("bootstrap", self.domain, path)
            if answer.rc not in TAKEN or time.monotonic() >= deadline:
                return answer
            time.sleep(PAUSE)

    def stop(self, timer: Timer) -> None:
        """Unload the agent."""
        self._unload(timer)

    def forget(self, timer: Timer) -> None:
        """Remove the log."""
        launchd_log(timer, self.home).unlink(missing_ok=True)

    def complaint(self, timer: Timer, since: float) -> str:
        """Return the last line of what the command could not even begin with after that time; empty where it began."""
        log = launchd_log(timer, self.home)
        with contextlib.suppress(OSError):
            lines = (text_of(log) or "").split("\n") if log.stat().st_mtime > since else []
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""

    def remedy(self, timer: Timer, refusal: Output) -> str:
        """Return what to do when launchd refuses the agent."""
        if refusal.rc in NO_DOMAIN:
            return "Log in to the desktop of the Mac once, and run again."
        path = next(iter(self.files(timer)))
        return (
            f"Allow it in {LOGIN_ITEMS}, and run again in a minute. "
            f"If it stays, look at 'plutil -lint {path}' and '{self.question(timer)}'."
        )

    def question(self, timer: Timer) -> str:
        """Return the command that shows the agent."""
        return f"launchctl print {self._target(timer)}"

    def _unload(self, timer: Timer) -> None:
        self._ask("bootout", self._target(timer))
        deadline = time.monotonic() + GONE_WITHIN
        while self.active(timer):
            if time.monotonic() >= deadline:
                reason = f"launchd still has it {GONE_WITHIN:g} s after it was unloaded"
                raise NotVerified(f"stop timer '{timer.name}'", reason, f"Look at '{self.question(timer)}', and run again.")
            time.sleep(PAUSE)

    def _target(self, timer: Timer) -> str:
        return f"{self.domain}/{timer.label}"

    def _ask(self, *words: str) -> Output:
        return self.cli.run(*words, check=False, timeout=SECONDS)
