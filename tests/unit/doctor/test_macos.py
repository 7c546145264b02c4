# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor on a Mac: agents that wait or can't begin, and remedies in macOS' own words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.doctor.groups import network, timers
from ansible_collections.laptop.containers.plugins.module_utils.doctor.laptop import Laptop
from ansible_collections.laptop.containers.plugins.module_utils.doctor.model import Check, Status
from ansible_collections.laptop.containers.plugins.module_utils.timer.launchd import launchd_log
from ansible_collections.laptop.containers.plugins.module_utils.timer.model import Timer

from rehearsal.standin.service_manager import install
from tests.support.in_process_module import ModuleRun

TIMER: dict[str, Any] = {"name": "refresh", "command": ["/bin/true", "run", "state"], "every": 60, "manager": "launchd"}
# As launchd left it for an agent below ~/Documents (home-manager, Homebrew and others, macOS 10.15 to 26).
REFUSED = "/opt/homebrew/bin/python3: can't open file '/Users/me/Documents/c/refresh.py': [Errno 1] Operation not permitted\n"


@pytest.fixture(autouse=True)
def mac(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(home / "tools")
    monkeypatch.setenv("PATH", f"{home / 'tools'}:/usr/bin:/bin")


def checks() -> dict[str, Check]:
    return {check.id: check for check in timers.examine(Laptop({"user_timer": TIMER}, "ansible-playbook workstation.yml", ""))}


def test_an_agent_that_waits_for_a_log_in_is_not_broken(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".rehearsal").mkdir()
    (home / ".rehearsal" / "no-desktop").touch()
    done = ModuleRun(capsys)("user_timer", **TIMER)
    assert done["changed"] and done["pending"][0]["kind"] == "no_desktop"
    found = checks()["timers.installed"]
    assert (found.status, found.found) == (
        Status.NOTE,
        "it starts at the next log-in to the desktop: the user is not logged in to the desktop of this Mac",
    )


def test_an_agent_that_macos_kept_from_its_files_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ModuleRun(capsys)("user_timer", **TIMER)
    log = launchd_log(Timer("refresh"), home)
    log.write_text(REFUSED)
    found = checks()["timers.last_run"]
    assert (found.status, found.found) == (Status.BROKEN, f"it could not begin: {REFUSED.strip()}")
    assert found.remedy == (
        "Allow its program in System Settings > Privacy & Security > Files & Folders, or move the project to another folder."
    )
    # Since then it has run.
    state = home / ".local/state/laptop.containers"
    (state / "refresh.json").write_text('{"time": "2026-11-23T12:00:00Z", "result": "fresh"}')
    os.utime(log, (0, 0))
    assert "could not begin" not in checks()["timers.last_run"].found


def test_a_name_is_asked_for_as_macos_does(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = [{"host": "123456789012.dkr.ecr.eu-central-1.amazonaws.com", "endpoint_url": "http://no-such-host.invalid"}]
    for name in network._PROXIES:
        monkeypatch.delenv(name, raising=False)
    for system, command in (("Darwin", "dscacheutil -q host -a name"), ("Linux", "nslookup")):
        settings: dict[str, dict[str, Any]] = {
            "ecr_pull_secret": {"registries": registry},
            "colima_profile": {"profiles": [], "host": {"system": system}},
        }
        found = [one for one in network._names(Laptop(settings, "", "")) if one.id == "network.names"]
        assert [one.remedy for one in found] == [f"{command} no-such-host.invalid"]
