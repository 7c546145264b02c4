# SPDX-License-Identifier: GPL-3.0-or-later
"""The start at log-in: installed, run as the service manager would run it, and given up after a few attempts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import light_lab, play, run_agent, running

AUTOSTART = ("--tags", "autostart", "-e", "workstation_autostart=true", "-e", "autostart_manager=launchd")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with light_lab() as lab:
        play(lab, "playbooks/workstation.yml")
        yield lab


def test_it_is_off_until_it_is_wanted(lab: Lab) -> None:
    assert not list(lab.home.rglob("*autostart*"))


@pytest.mark.parametrize("manager", ["launchd", "systemd"])
def test_it_is_installed_once_and_removed_whole(lab: Lab, manager: str) -> None:
    flags = (*AUTOSTART[:-1], f"autostart_manager={manager}")
    assert "changed=1" in play(lab, "playbooks/workstation.yml", *flags)
    assert "changed=0" in play(lab, "playbooks/workstation.yml", *flags)
    text = "".join(path.read_text() for path in lab.home.rglob("*autostart*") if path.is_file())
    assert "start.yml" in text and "--limit=rehearsal" in text
    # At log-in, and no more.
    assert "OnCalendar" not in text and "StartCalendarInterval" not in text
    assert "changed=1" in play(lab, "playbooks/teardown.yml", "--tags", "autostart", "-e", f"autostart_manager={manager}")
    assert not list(lab.home.rglob("*autostart*"))


def test_a_log_in_starts_what_a_shutdown_has_stopped(lab: Lab) -> None:
    play(lab, "playbooks/workstation.yml", *AUTOSTART)
    play(lab, "playbooks/stop.yml")
    assert running(lab) == set()

    code, status = run_agent(lab, "autostart")

    assert (code, status["result"], status["failures"]) == (0, "done", 0), status
    assert "start profile 'k8s'" in status["message"]
    assert running(lab) == {"k8s", "docker-buildx"}
    assert run_agent(lab, "autostart")[1]["result"] == "fresh"


def test_a_start_that_keeps_failing_is_given_up_with_a_note(lab: Lab) -> None:
    play(lab, "playbooks/workstation.yml", *AUTOSTART, "-e", '{"autostart_pauses": [0, 0, 1]}')
    play(lab, "playbooks/stop.yml")
    broken = lab.home / ".colima" / "k8s" / "colima.yaml"
    text = broken.read_text()
    broken.unlink()
    broken.mkdir()
    try:
        code, status = run_agent(lab, "autostart")
    finally:
        broken.rmdir()
        broken.write_text(text)

    assert (code, status["result"], status["attempts"]) == (1, "failed", 4), status
    assert "colima.yaml" in status["message"]
    # The next log-in is a new beginning.
    assert run_agent(lab, "autostart")[:1] == (0,)
    assert running(lab) == {"k8s", "docker-buildx"}
