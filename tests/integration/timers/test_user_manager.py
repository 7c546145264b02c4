# SPDX-License-Identifier: GPL-3.0-or-later
"""A timer under a real systemd of a user: it fires, makes up for sleep, comes back with the next log-in, and goes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.processes.system import comes_true
from tests.support.in_process_module import ModuleRun
from tests.support.processes import standing_still
from tests.support.whole_machine.user_manager import UserManager

pytestmark = pytest.mark.real("systemd")
UNIT = "laptop-containers-refresh"
# Our own units say how late they may be, which is right for a laptop and long for a test.
PROMPT = "[Timer]\nAccuracySec=1s\nRandomizedDelaySec=0\n"
# What a busy machine may need beside a minute of the calendar.
PATIENT = 20.0


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> ModuleRun:
    return ModuleRun(capsys)


@pytest.fixture
def manager(home: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UserManager]:
    """A user's systemd, to which this process' systemctl talks."""
    made = UserManager(short_path / f"user-{home.name}", home)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    # Our timers also fire a minute after the log-in: not in the moment in which a test waits for what was slept through.
    time.sleep(max(0.0, PATIENT - time.time() % 60))
    made.log_in()
    yield made
    made.log_out()


@pytest.fixture
def timer(home: Path) -> dict[str, Any]:
    """A timer that notes every minute when it ran."""
    prompt = home / ".config" / "systemd" / "user" / f"{UNIT}.timer.d" / "prompt.conf"
    prompt.parent.mkdir(parents=True)
    prompt.write_text(PROMPT)
    return {"name": "refresh", "command": ["/bin/sh", "-c", 'date +%s >> "$HOME/ran"'], "every": 1, "manager": "systemd"}


def systemctl(*words: str) -> str:
    return subprocess.run(["systemctl", "--user", *words], capture_output=True, text=True, check=False, timeout=60).stdout


def times(home: Path) -> list[int]:
    file = home / "ran"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


@pytest.mark.long("waits for real minutes; tests/integration/ecr_pull_secret/test_timer.py on the stand-in")
def test_a_timer_fires_makes_up_for_sleep_comes_back_at_log_in_and_goes(
    run: ModuleRun, manager: UserManager, timer: dict[str, Any], home: Path
) -> None:
    assert run("user_timer", check=True, **timer)["changed"]
    made = run("user_timer", **timer)
    assert made["changed"] and not made.get("failed"), made
    assert not run("user_timer", **timer)["changed"]
    assert f"{UNIT}.timer" in systemctl("list-timers")
    assert comes_true(lambda: len(times(home)) > 0, 60 + PATIENT)

    # A machine that sleeps over a full minute: its clock continues, and nothing else does.
    time.sleep(max(0.0, 57 - time.time() % 60))
    with standing_still(manager.pid):
        before = times(home)
        time.sleep(61 - time.time() % 60)
        assert times(home) == before
    assert comes_true(lambda: len(times(home)) > len(before), PATIENT)

    manager.log_out()
    manager.log_in()
    assert f"{UNIT}.timer" in systemctl("list-timers")
    assert not run("user_timer", **timer)["changed"]

    assert run("user_timer", **{**timer, "state": "absent"})["changed"]
    assert UNIT not in systemctl("list-timers", "--all") + systemctl("list-units", "--all")
    assert not run("user_timer", **{**timer, "state": "absent"})["changed"]
    # What is left was the test's own.
    assert {path.name for path in home.rglob(f"*{UNIT}*")} == {f"{UNIT}.timer.d"}
