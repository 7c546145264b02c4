# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of a stand-in: its environment, its channels, and the programs that it starts.

All other files use it. in_process.py has another form, in which programs are functions and a machine is up
at once: the same stand-ins, without the cost of a Python for each call.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TextIO

REPOSITORY = Path(__file__).resolve().parents[3]
LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv[1]); from rehearsal.standin.colima.lima.host_agent import main; main(sys.argv[2:])"
)


class Agent(Protocol):
    """A host agent that was started."""

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""

    def terminate(self) -> None:
        """Ask it to end."""


class Done:
    """What a program left."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


class Process:
    """The process of this interpreter."""

    def __init__(self) -> None:
        self.environ: Mapping[str, str] = os.environ
        self.stdin: TextIO = sys.stdin
        self.stdout: TextIO = sys.stdout
        self.stderr: TextIO = sys.stderr
        self.name = sys.argv[0]

    def say(self, text: str) -> None:
        """Print a line."""
        self.stdout.write(text + "\n")

    def which(self, program: str) -> str | None:
        """Return where a program is on PATH, as shutil.which does, without loading it."""
        if "/" in program:
            return program if os.access(program, os.X_OK) else None
        for directory in self.environ.get("PATH", "").split(os.pathsep):
            candidate = os.path.join(directory, program)  # noqa: PTH118 - start-up time
            if os.path.isfile(candidate) and os.access(candidate, os.X_OK):  # noqa: PTH113
                return candidate
        return None

    def run(self, argv: Sequence[str], environ: Mapping[str, str]) -> int:
        """Run a program; what it prints on either channel goes to our stdout. Raises FileNotFoundError."""
        import subprocess

        self.stdout.flush()
        out = self.stdout.fileno()
        # Not run(): it kills a child that has not ended a quarter of a second after Ctrl-C, which the child has got, too.
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environ) as child:
            return child.wait()

    def output(self, argv: Sequence[str], environ: Mapping[str, str]) -> Done:
        """Run a program quietly. Raises FileNotFoundError."""
        import subprocess

        done = subprocess.run(argv, capture_output=True, text=True, env=environ, check=False, stdin=subprocess.DEVNULL)
        return Done(done.returncode, done.stdout, done.stderr)

    def launch(self, instance: Path, seconds: float) -> Agent:
        """Start the host agent of the instance in a directory. seconds is how long its part of the boot takes."""
        import subprocess

        clear_logs(instance)
        with (instance / "ha.stderr.log").open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-c", LAUNCH, str(REPOSITORY), str(instance), str(seconds)],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
                cwd="/",
            )

    def interrupt(self, pid: int) -> None:
        """Ask a host agent to shut its machine down. Raises ProcessLookupError."""
        import signal

        os.kill(pid, signal.SIGINT)

    def kill(self, pid: int) -> None:
        """End a process at once. Raises ProcessLookupError."""
        import signal

        os.kill(pid, signal.SIGKILL)


def clear_logs(instance: Path) -> None:
    """Empty the logs of the previous host agent of the instance in a directory."""
    for log in ("ha.stdout.log", "ha.stderr.log"):
        (instance / log).write_text("", encoding="utf-8")
