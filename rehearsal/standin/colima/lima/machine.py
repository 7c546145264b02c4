# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting the host agent of an instance, and waiting for what outlives it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from .instances import Instance, alive

REPOSITORY = Path(__file__).resolve().parents[4]
LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv[1]); from rehearsal.standin.colima.lima.host_agent import main; main(sys.argv[2:])"
)


def launch(instance: Instance, seconds: float) -> subprocess.Popen[bytes]:
    """Start the host agent. seconds is how long its part of the boot takes."""
    clear_logs(instance)
    with (instance.directory / "ha.stderr.log").open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(REPOSITORY), str(instance.directory), str(seconds)],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
            cwd="/",
        )


def clear_logs(instance: Instance) -> None:
    """Empty the logs of the previous host agent."""
    for log in ("ha.stdout.log", "ha.stderr.log"):
        (instance.directory / log).write_text("", encoding="utf-8")


def wait_for_bell(instance: Instance, seconds: float = 30.0) -> None:
    """Wait until everything of the machine's previous run has ended."""
    deadline = time.monotonic() + seconds
    pid = int(instance.notes().get("bell") or 0)
    while pid and alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
