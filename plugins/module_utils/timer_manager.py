# SPDX-License-Identifier: GPL-3.0-or-later
"""launchd and systemd as far as a user's timers need them. Which files there are it learns from timer_units."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from .atomic_file import write_atomically
from .cli import Cli
from .errors import NotVerified, WorkstationError
from .plan import Plan
from .timer_units import Installed, Timer, launchd_files, systemd_files

SECONDS = 30.0


class Manager:
    """Timers of one user under one service manager."""

    def __init__(self, kind: str, environment: Mapping[str, str], uid: int) -> None:
        self.kind = kind
        self.home = Path(environment.get("HOME") or "~").expanduser()
        self.config = Path(environment.get("XDG_CONFIG_HOME") or self.home / ".config")
        self.domain = f"gui/{uid}"
        if kind == "launchd":
            self.cli = Cli("launchctl", "It is part of macOS; set 'manager' to systemd elsewhere.")
        else:
            # A login over SSH often lacks this variable, though the user's own manager runs.
            runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
            self.cli = Cli("systemctl", "This system has no systemd; renew by hand or with cron.", {"XDG_RUNTIME_DIR": runtime})

    def files(self, timer: Timer) -> dict[str, str]:
        """Return the files of a timer, by path."""
        return launchd_files(timer, self.home) if self.kind == "launchd" else systemd_files(timer, self.config)

    def read(self, timer: Timer) -> Installed:
        """Return what is installed of a timer. A missing service manager runs nothing."""
        contents: dict[str, str | None] = {}
        for path in self.files(timer):
            contents[path] = None
            with contextlib.suppress(FileNotFoundError):
                contents[path] = Path(path).read_text()
        return Installed(contents, self.cli.installed and self._active(timer))

    def _active(self, timer: Timer) -> bool:
        if self.kind == "launchd":
            return self.cli.run("print", f"{self.domain}/{timer.label}", check=False, timeout=SECONDS).rc == 0
        unit = f"{timer.unit}.timer"
        return all(
            self.cli.run("--user", verb, "--quiet", unit, check=False, timeout=SECONDS).rc == 0
            for verb in ("is-active", "is-enabled")
        )

    def apply(self, timer: Timer, plan: Plan) -> None:
        """Carry out a plan. Raises NotVerified when the service manager does not run what it was given."""
        verbs = {step.verb for step in plan.steps}
        wanted = self.files(timer)
        if verbs & {"start", "restart"}:
            # Raises ToolMissing before anything is written.
            _ = self.cli.path
        if "stop" in verbs:
            self._stop(timer)
        for step in plan.steps:
            if step.verb in ("write", "rewrite"):
                # For its owner only: the address of a proxy may hold a password.
                write_atomically(Path(step.target), wanted[step.target])
            elif step.verb == "remove":
                Path(step.target).unlink(missing_ok=True)
        if verbs & {"start", "restart"}:
            self._start(timer)
            if not self._active(timer):
                raise NotVerified(
                    f"Could not start timer '{timer.name}': {self.cli.tool} took it and yet does not run it. "
                    f"Look at '{self._question(timer)}'."
                )
        elif self.kind == "systemd" and verbs:
            self.cli.run("--user", "daemon-reload", check=False, timeout=SECONDS)

    def _start(self, timer: Timer) -> None:
        if self.kind == "launchd":
            # An agent that is loaded keeps its old settings until it is thrown out.
            self.cli.run("bootout", f"{self.domain}/{timer.label}", check=False, timeout=SECONDS)
            self.cli.run("enable", f"{self.domain}/{timer.label}", check=False, timeout=SECONDS)
            path = next(iter(self.files(timer)))
            done = self.cli.run("bootstrap", self.domain, path, check=False, timeout=SECONDS)
        else:
            unit = f"{timer.unit}.timer"
            self.cli.run("--user", "daemon-reload", check=False, timeout=SECONDS)
            self.cli.run("--user", "enable", unit, check=False, timeout=SECONDS)
            done = self.cli.run("--user", "restart", unit, check=False, timeout=SECONDS)
        if done.rc != 0:
            said = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.rc}"]
            raise WorkstationError(
                f"Could not start timer '{timer.name}': {said[-1].rstrip('.')}. Log in to the desktop once (macOS), "
                "or run 'loginctl enable-linger' (Linux), and run again.",
                stdout=done.stdout,
                stderr=done.stderr,
            )

    def _stop(self, timer: Timer) -> None:
        if self.kind == "launchd":
            self.cli.run("bootout", f"{self.domain}/{timer.label}", check=False, timeout=SECONDS)
        else:
            self.cli.run("--user", "disable", "--now", f"{timer.unit}.timer", check=False, timeout=SECONDS)

    def _question(self, timer: Timer) -> str:
        if self.kind == "launchd":
            return f"launchctl print {self.domain}/{timer.label}"
        return f"systemctl --user status {timer.unit}.timer"
