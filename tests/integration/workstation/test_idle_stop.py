# SPDX-License-Identifier: GPL-3.0-or-later
"""The stop of idle VMs: installed, run as the service manager would run it, and removed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import agent, light_lab, play, run_agent, running

IDLE_STOP = ("--tags", "idle_stop", "-e", "workstation_idle_stop=2h", "-e", "idle_stop_manager=launchd")
HOUR = 3600


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with light_lab() as lab:
        play(lab, "playbooks/workstation.yml")
        yield lab


def look(lab: Lab) -> dict[str, Any]:
    """Run what launchd runs every quarter of an hour; return the status file."""
    assert agent(lab, "idle-stop")["StartCalendarInterval"] == [{"Minute": minute} for minute in (0, 15, 30, 45)]
    code, status = run_agent(lab, "idle-stop")
    assert code == 0
    return status


def pass_two_hours(lab: Lab) -> None:
    """Set back what was written before: the VMs run for longer, and were last looked at a quarter of an hour ago."""
    lima = lab.home / ".colima" / "_lima"
    for pid_file in lima.glob("colima-*/ha.pid"):
        before = pid_file.stat().st_mtime - 2 * HOUR
        os.utime(pid_file, (before, before))
    for note in (lima / "_laptop.containers").glob("*.idle"):
        since = json.loads(note.read_text())["since"] - 2 * HOUR
        note.write_text(json.dumps({"since": since, "seen": time.time() - HOUR / 4}))


@pytest.mark.long("runs of the timer; tests/integration/colima/test_idle_stop.py stops what is idle")
def test_vms_are_stopped_by_the_look_after_two_idle_hours(lab: Lab) -> None:
    assert not list(lab.home.rglob("*idle*"))
    assert "changed=1" in play(lab, "playbooks/workstation.yml", *IDLE_STOP)
    assert "changed=0" in play(lab, "playbooks/workstation.yml", *IDLE_STOP)

    first = look(lab)
    assert first["result"] == "waiting", first
    assert running(lab) == {"k8s", "docker-buildx"}

    pass_two_hours(lab)
    second = look(lab)
    assert second["result"] == "done", second
    assert "stop profile 'k8s' (nothing has run in it for 120 minutes)" in second["message"]
    assert running(lab) == set()

    # What is stopped stays so, and a VM that is started by hand has two hours again.
    assert look(lab)["result"] == "fresh"
    play(lab, "playbooks/start.yml", "--tags", "colima")
    assert look(lab)["result"] == "waiting"
    assert running(lab) == {"k8s", "docker-buildx"}

    assert "changed=1" in play(lab, "playbooks/teardown.yml", "--tags", "idle_stop", "-e", "idle_stop_manager=launchd")
    assert not list(lab.home.rglob("*idle-stop*.plist"))


def test_a_time_that_is_none_is_refused_when_it_is_set(lab: Lab) -> None:
    with pytest.raises(
        AssertionError, match=r"Could not use 'soon' as workstation_idle_stop: it is not a time such as 7d, 2h or 1h30m"
    ):
        play(lab, "playbooks/workstation.yml", "--tags", "idle_stop", "-e", "workstation_idle_stop=soon")
