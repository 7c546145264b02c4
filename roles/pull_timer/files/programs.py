# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a pull runs, and the two ways in which it ends early."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ANSWER_SECONDS = 60.0
TIMED_OUT = 124


class Skip(Exception):
    """Now is not the time, for the reason given."""


class Failure(Exception):
    """It can't be done; the text is a whole message."""


class Done(NamedTuple):
    """What a program left: its exit code, its output, and what it said beside that."""

    code: int
    output: str
    said: str

    @property
    def first(self) -> str:
        """The first line of what it said, which names the reason where git explains at length."""
        return self._lines()[0]

    @property
    def last(self) -> str:
        """The last line of what it said."""
        return self._lines()[-1]

    def _lines(self) -> list[str]:
        lines = [line.strip() for line in (self.said or self.output).splitlines() if line.strip()]
        return [line.removeprefix("fatal: ").removeprefix("error: ").rstrip(".") for line in lines] or [f"exit code {self.code}"]


def git(*words: str, seconds: float = ANSWER_SECONDS) -> Done:
    """Run git, which must not prompt."""
    around = {"GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    return run(["git", *words], seconds, environment={**os.environ, **around})


def run(
    command: Sequence[str],
    seconds: float = ANSWER_SECONDS,
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Done:
    """Run a program for so long at most. It writes to files, as a child that it leaves behind would keep a pipe open."""
    with tempfile.TemporaryFile("w+", errors="replace") as output, tempfile.TemporaryFile("w+", errors="replace") as said:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=said, env=environment, cwd=directory
            )
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Failure(f"Could not run '{command[0]}': {reason}. Install it, or add it to pull_timer_programs.") from error
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return Done(TIMED_OUT, "", f"it took longer than {seconds:g} s")
        output.seek(0)
        said.seek(0)
        return Done(code, output.read(), said.read())
