# SPDX-License-Identifier: GPL-3.0-or-later
"""launchd as far as a user's agents need it."""

from __future__ import annotations

import time
from pathlib import Path

from ..core.command import Cli, Output
from ..core.errors import NotVerified
from .manager import SECONDS, Manager
from .units import Timer, launchd_files, launchd_log

# launchd answers a bootout before the agent is gone: a program has 20 seconds to end, and the label stays taken for some more.
GONE_WITHIN, TAKEN_WITHIN, PAUSE = 40.0, 15.0, 0.2
# "Input/output error" and "Operation already in progress": both also while the agent's former self is on its way out.
TAKEN = (5, 37)
NO_DESKTOP = 125


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
        """Whether it is loaded at log-in: as long as its file is there."""
        return all(Path(path).exists() for path in self.files(timer))

    def start(self, timer: Timer) -> Output:
        """Load the agent anew: one that is loaded keeps its old settings until it is thrown out."""
        launchd_log(timer, self.home).parent.mkdir(parents=True, exist_ok=True)
        self._throw_out(timer)
        self._ask("enable", self._target(timer))
        path = next(iter(self.files(timer)))
        deadline = time.monotonic() + TAKEN_WITHIN
        while True:
            answer = self._ask("bootstrap", self.domain, path)
            if answer.rc not in TAKEN or time.monotonic() >= deadline:
                return answer
            time.sleep(PAUSE)

    def stop(self, timer: Timer) -> None:
        """Throw the agent out."""
        self._throw_out(timer)

    def forget(self, timer: Timer) -> None:
        """Remove the log."""
        launchd_log(timer, self.home).unlink(missing_ok=True)

    def remedy(self, timer: Timer, refusal: Output) -> str:
        """Return what to do when launchd does not take the agent."""
        if refusal.rc == NO_DESKTOP:
            return "Log in to the desktop of the Mac once, and run again."
        path = next(iter(self.files(timer)))
        return f"Run again in a minute; if it stays, look at 'plutil -lint {path}' and '{self.question(timer)}'."

    def question(self, timer: Timer) -> str:
        """Return the command that shows the agent."""
        return f"launchctl print {self._target(timer)}"

    def _throw_out(self, timer: Timer) -> None:
        self._ask("bootout", self._target(timer))
        deadline = time.monotonic() + GONE_WITHIN
        while self.active(timer):
            if time.monotonic() >= deadline:
                raise NotVerified(
                    f"Could not stop timer '{timer.name}': launchd still has it {GONE_WITHIN:g} s after it was thrown out. "
                    f"Look at '{self.question(timer)}', and run again."
                )
            time.sleep(PAUSE)

    def _target(self, timer: Timer) -> str:
        return f"{self.domain}/{timer.label}"

    def _ask(self, *words: str) -> Output:
        return self.cli.run(*words, check=False, timeout=SECONDS)
