# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed of a user's timer, and carrying out a step for it. launchd and systemd have files of their own."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

from ..core.errors import WorkstationError, naming_files
from ..core.plan import Step
from ..core.system.command import Cli, Output
from ..core.system.files import write_atomically
from .model import CleanUp, Installed, Remove, Start, Stop, Timer, Write

SECONDS = 30.0


class Manager(ABC):
    """Timers of one user under one service manager."""

    cli: Cli

    def check(self, timer: Timer) -> None:  # noqa: B027 - launchd has a form for everything
        """Raise InputError for a timer that the service manager has no form for."""

    def warnings(self, timer: Timer, needs: Iterable[str]) -> Iterable[str]:
        """Yield what may keep the timer from its work, although it can be installed. needs: the files that its command reads."""
        del timer, needs
        return ()

    def complaint(self, timer: Timer, since: float) -> str:
        """Return what kept the command from beginning after that time (seconds since the epoch); empty where nothing is known."""
        del timer, since
        return ""

    def waits(self, timer: Timer) -> str:
        """Return why the timer can't be started before the next log-in; empty where it can."""
        del timer
        return ""

    @abstractmethod
    def files(self, timer: Timer) -> dict[str, str]:
        """Return the files of a timer, by path."""

    @abstractmethod
    def active(self, timer: Timer) -> bool:
        """Whether the timer runs. Raises ToolMissing."""

    @abstractmethod
    def enabled(self, timer: Timer) -> bool:
        """Whether it will run after the next log-in, too; or would, were its files still there."""

    @abstractmethod
    def start(self, timer: Timer) -> Output:
        """Start it with the files as they are now, and return the last answer."""

    @abstractmethod
    def stop(self, timer: Timer) -> None:
        """Stop it, and see that it does not come back at log-in."""

    @abstractmethod
    def remedy(self, timer: Timer, refusal: Output) -> str:
        """Return what to do when it was refused."""

    @abstractmethod
    def question(self, timer: Timer) -> str:
        """Return the command that shows a timer's state."""

    @abstractmethod
    def forget(self, timer: Timer) -> None:
        """Clean up behind files that were removed."""

    def read(self, timer: Timer) -> Installed:
        """Return what is installed of a timer. A missing service manager runs nothing."""
        contents: dict[str, str | None] = {}
        with naming_files(f"read timer '{timer.name}'"):
            for path in self.files(timer):
                contents[path] = None
                with contextlib.suppress(FileNotFoundError):
                    contents[path] = Path(path).read_text(encoding="utf-8", errors="replace")
            if not self.cli.installed:
                return Installed(contents, active=False)
            active = self.active(timer)
            return Installed(contents, active, self.enabled(timer), "" if active else self.waits(timer))

    def apply(self, timer: Timer, step: Step) -> None:
        """Carry out one step. Raises WorkstationError when the service manager refuses the timer."""
        with naming_files(f"change timer '{timer.name}'"):
            if isinstance(step, Write):
                # For its owner only: the address of a proxy may hold a password.
                write_atomically(step.path, step.text)
            elif isinstance(step, Remove):
                step.path.unlink(missing_ok=True)
            elif isinstance(step, Start):
                self._check(timer, self.start(timer))
            elif isinstance(step, Stop) and self.cli.installed:
                self.stop(timer)
            elif isinstance(step, CleanUp) and self.cli.installed:
                self.forget(timer)

    def _check(self, timer: Timer, answer: Output) -> None:
        if answer.rc != 0:
            said = (answer.stderr or answer.stdout).strip().splitlines() or [f"exit code {answer.rc}"]
            raise WorkstationError(
                f"start timer '{timer.name}'",
                said[0].rstrip("."),
                self.remedy(timer, answer),
                stdout=answer.stdout,
                stderr=answer.stderr,
            )
