# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd as far as a user's timers need it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..core.command import Cli, Output
from .manager import SECONDS, Manager
from .units import Timer, check_for_systemd, systemd_files

# systemd lets a program take 90 seconds to end before it kills it.
ENDED_WITHIN = 120.0


class Systemd(Manager):
    """Timers of one user's own systemd."""

    def __init__(self, home: Path, environment: Mapping[str, str], uid: int) -> None:
        self.config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        # A login over SSH often lacks this variable, though the user's own manager runs.
        runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
        self.cli = Cli("systemctl", "This system has no systemd; renew by hand or with cron.", {"XDG_RUNTIME_DIR": runtime})

    def check(self, timer: Timer) -> None:
        """Raise InputError for a program that systemd does not start."""
        check_for_systemd(timer)

    def files(self, timer: Timer) -> dict[str, str]:
        """Return service and timer, by path."""
        return systemd_files(timer, self.config)

    def active(self, timer: Timer) -> bool:
        """Whether the timer is waiting for its time."""
        return self._ask("is-active", "--quiet", self._unit(timer)).rc == 0

    def enabled(self, timer: Timer) -> bool:
        """Whether it is started at log-in. The link says so; systemctl says nothing of one that leads nowhere."""
        return self._link(timer).is_symlink()

    def start(self, timer: Timer) -> Output:
        """Start the timer anew, now and at each log-in."""
        self._ask("daemon-reload")
        self._ask("enable", self._unit(timer))
        return self._ask("restart", self._unit(timer))

    def stop(self, timer: Timer) -> None:
        """Stop the timer and a run of it that is under way, and take away what would start it at log-in."""
        self._ask("disable", "--now", self._unit(timer))
        # What runs does not end with its timer, and would go on to write what is being taken back.
        self.cli.run("--user", "stop", f"{timer.unit}.service", check=False, timeout=ENDED_WITHIN)
        self._link(timer).unlink(missing_ok=True)

    def forget(self, timer: Timer) -> None:
        """Tell systemd that the files are gone; a last failure would be listed for ever."""
        self._ask("daemon-reload")
        self._ask("reset-failed", f"{timer.unit}.service")

    def remedy(self, timer: Timer, refusal: Output) -> str:
        """Return what to do when systemd does not take the timer."""
        if "bus" in refusal.stderr:
            return "Run 'loginctl enable-linger', as you have no session of your own on this machine, and run again."
        return f"Look at '{self.question(timer)}', and run again."

    def question(self, timer: Timer) -> str:
        """Return the command that shows the timer."""
        return f"systemctl --user status {self._unit(timer)}"

    def _link(self, timer: Timer) -> Path:
        return self.config / "systemd" / "user" / "timers.target.wants" / self._unit(timer)

    def _unit(self, timer: Timer) -> str:
        return f"{timer.unit}.timer"

    def _ask(self, *words: str) -> Output:
        return self.cli.run("--user", *words, check=False, timeout=SECONDS)
