# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping VMs in which nothing of the user's has run for long: seen by one run after the other."""

from __future__ import annotations

import json
import os
import time

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name

from tests.support.colima.standin_laptop import ColimaLab, Result

DEV = {"name": "dev", "cpu": 2, "memory": 4, "disk": 20}
NAME = parse_name("dev")
MINUTE = 60


@pytest.fixture
def lab(lab: ColimaLab) -> ColimaLab:
    lab.converge(DEV)
    return lab


def look(lab: ColimaLab, check: bool = False) -> Result:
    """Run once, as the timer does."""
    return lab.converge({**DEV, "state": "stopped"}, check=check, stop="if_idle", idle_for="2h")


def pass_minutes(lab: ColimaLab, minutes: int, asleep: bool = False) -> None:
    """Let time pass, by setting back what was written before; asleep: without a look at the laptop in between."""
    agent = lab.paths.instance(NAME) / "ha.pid"
    if agent.exists():
        before = agent.stat().st_mtime - minutes * MINUTE
        os.utime(agent, (before, before))
    if lab.paths.idle(NAME).exists():
        note = json.loads(lab.paths.idle(NAME).read_text())
        seen = time.time() - (minutes if asleep else 15) * MINUTE
        lab.paths.idle(NAME).write_text(json.dumps({"since": note["since"] - minutes * MINUTE, "seen": seen}))


def reasons(result: Result) -> list[str]:
    return [item.reason for item in result.pending]


def is_up(lab: ColimaLab) -> bool:
    return any(row.status == "Running" for row in lab.colima.rows())


def test_a_vm_is_stopped_once_when_nothing_has_run_in_it_for_long_enough(lab: ColimaLab) -> None:
    for minutes in (0, 60):
        pass_minutes(lab, minutes)
        held = look(lab)
        assert held.actions == ()
        assert reasons(held) == [f"nothing has run in it for {minutes} minutes only, and O(idle_for) is 120 minutes"]
    assert is_up(lab)

    pass_minutes(lab, 60)
    assert look(lab, check=True).actions == ("stop profile 'dev' (nothing has run in it for 120 minutes)",)
    assert look(lab).actions == ("stop profile 'dev' (nothing has run in it for 120 minutes)",)
    assert not is_up(lab)
    last = look(lab)
    assert (last.actions, last.pending) == ((), ())


def test_work_in_between_counts_anew(lab: ColimaLab) -> None:
    look(lab)
    pass_minutes(lab, 110)
    lab.containers("web")
    assert reasons(look(lab)) == ["1 container runs in it (web)"]
    assert not lab.paths.idle(NAME).exists()
    lab.containers()
    look(lab)
    pass_minutes(lab, 15)
    assert reasons(look(lab)) == ["nothing has run in it for 15 minutes only, and O(idle_for) is 120 minutes"]


def test_a_vm_that_was_started_since_counts_anew(lab: ColimaLab) -> None:
    look(lab)
    pass_minutes(lab, 120)
    assert lab.run("colima", "stop", "dev").returncode == 0
    assert lab.run("colima", "start", "dev").returncode == 0
    assert reasons(look(lab)) == ["nothing has run in it for 0 minutes only, and O(idle_for) is 120 minutes"]


def test_a_night_in_which_the_laptop_slept_does_not_count(lab: ColimaLab) -> None:
    look(lab)
    pass_minutes(lab, 15)
    look(lab)
    pass_minutes(lab, 600, asleep=True)
    assert reasons(look(lab)) == ["nothing has run in it for 0 minutes only, and O(idle_for) is 120 minutes"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"since": null, "seen": 1}',
        '{"since": NaN, "seen": NaN}',
        pytest.param(f'{{"since": {"9" * 400}, "seen": 1}}', id="no float"),
    ],
)
def test_a_damaged_note_counts_anew(lab: ColimaLab, text: str) -> None:
    look(lab)
    pass_minutes(lab, 120)
    lab.paths.idle(NAME).write_text(text)
    assert reasons(look(lab)) == ["nothing has run in it for 0 minutes only, and O(idle_for) is 120 minutes"]
    assert set(json.loads(lab.paths.idle(NAME).read_text())) == {"since", "seen"}


def test_only_runs_with_the_option_keep_notes(lab: ColimaLab) -> None:
    before = lab.tree()
    look(lab, check=True)
    lab.converge(DEV)
    assert lab.tree() == before
    look(lab)
    assert lab.paths.idle(NAME).exists()
    # Without it a stop does not wait, and a VM that goes takes its note with it.
    assert lab.converge({**DEV, "state": "stopped"}, stop="if_idle").actions == ("stop profile 'dev'",)
    lab.converge({**DEV, "state": "absent"})
    assert not lab.paths.idle(NAME).exists()
