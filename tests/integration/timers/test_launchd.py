# SPDX-License-Identifier: GPL-3.0-or-later
"""A timer under a Mac's real launchd: it is loaded, runs at once, is loaded again when it changes, and goes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.processes.system import comes_true
from tests.support.in_process_module import ModuleRun

pytestmark = pytest.mark.skipif(sys.platform != "darwin", reason="launchd is part of macOS; .github/workflows/mac.yml runs this")
# A name that only this test uses: agents of one desktop share their names, whatever HOME says.
NAME = f"trial-{os.getpid()}"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[ModuleRun]:
    made = ModuleRun(capsys)
    yield made
    subprocess.run(["launchctl", "bootout", f"gui/{os.getuid()}/laptop.containers.{NAME}"], capture_output=True, check=False)


def loaded() -> bool:
    argv = ["launchctl", "print", f"gui/{os.getuid()}/laptop.containers.{NAME}"]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def test_an_agent_is_loaded_runs_changes_and_goes(run: ModuleRun, home: Path) -> None:
    timer: dict[str, Any] = {"name": NAME, "command": ["/usr/bin/touch", str(home / "ran")], "every": 60, "manager": "launchd"}
    assert run("user_timer", check=True, **timer)["changed"] and not loaded()
    made = run("user_timer", **timer)
    assert made["changed"] and not made.get("failed"), made
    assert loaded() and comes_true((home / "ran").exists, 30)
    assert not run("user_timer", **timer)["changed"]
    assert run("user_timer", **{**timer, "every": 30})["changed"] and loaded()
    assert run("user_timer", **{**timer, "state": "absent"})["changed"] and not loaded()
    assert not run("user_timer", **{**timer, "state": "absent"})["changed"]
    assert not list(home.rglob(f"*{NAME}*"))
