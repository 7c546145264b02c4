# SPDX-License-Identifier: GPL-3.0-or-later
"""Daemons that outlive the command that started them. A file records each one, and it is ended by id, never by name."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rehearsal.engines import ROOT
from rehearsal.processes.system import LabError, birth, comes_true


class Daemon:
    """One background process; NAME.daemon and NAME.log in its directory are enough to find and end it."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.record = directory / f"{name}.daemon"
        self.log = directory / f"{name}.log"
        self._started: subprocess.Popen[bytes] | None = None

    def spawn(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start the process in a session of its own, its output in the log."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._started = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(environment) if environment is not None else None,
                cwd=self.directory,
                start_new_session=True,
            )
        self.remember(self._started.pid, argv)

    def remember(self, pid: int, argv: Sequence[str]) -> None:
        """Record which process it is."""
        part = self.record.with_suffix(".part")
        part.write_text(json.dumps({"pid": pid, "birth": birth(pid), "argv": list(argv)}))
        part.replace(self.record)

    def spawn_module(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a module of this project."""
        given = dict(os.environ if environment is None else environment)
        paths = [str(ROOT), *filter(None, [given.get("PYTHONPATH")])]
        ours = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
        self.spawn([sys.executable, "-m", module, *arguments], {**given, **ours})

    @property
    def pid(self) -> int | None:
        """The id of the process while it runs."""
        if self._started is not None:
            self._started.poll()
        try:
            record = json.loads(self.record.read_text())
            pid, recorded = int(record["pid"]), record["birth"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        now = birth(pid)
        return pid if now is not None and now == recorded else None

    def signal(self, number: int) -> None:
        """Send a signal to the process if it is there."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self, grace: float = 10.0) -> None:
        """End the process with SIGTERM, then with SIGKILL."""
        self.signal(signal.SIGTERM)
        if not comes_true(lambda: self.pid is None, grace):
            self.kill()
        self.record.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self.signal(signal.SIGKILL)
        comes_true(lambda: self.pid is None, 30.0)
        self.record.unlink(missing_ok=True)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until ready() holds. Raises LabError when the process dies first or time is up.

        seconds is for starts that hang: several times what a start takes on a busy machine.
        """
        end = time.monotonic() + seconds
        while not ready():
            if self.pid is None:
                raise LabError(f"Could not start {self.name}: it ended at once. {self.last_words()}")
            if time.monotonic() > end:
                raise LabError(f"Could not start {self.name}: not ready after {seconds:.0f} s. {self.last_words()}")
            time.sleep(0.05)

    def last_words(self, lines: int = 5) -> str:
        """Return the end of the log."""
        try:
            text = self.log.read_text(errors="replace").strip().splitlines()[-lines:]
        except OSError:
            text = []
        return f"Its log {self.log} ends with: {' | '.join(text)}" if text else f"Its log {self.log} is empty."
