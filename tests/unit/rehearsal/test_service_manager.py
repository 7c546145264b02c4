# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-ins for launchctl and systemctl keep what was loaded and run it on request."""

from __future__ import annotations

import plistlib
import subprocess
from pathlib import Path

import pytest

from rehearsal.standin.service_manager import install

TARGET = "gui/501/laptop.test"


@pytest.fixture
def tools(home: Path) -> Path:
    """A directory with both tools."""
    install(home / "bin")
    return home / "bin"


def run(tool: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def plist(home: Path) -> Path:
    """An agent that writes its environment into a file."""
    path = home / "Library" / "LaunchAgents" / "laptop.test.plist"
    path.parent.mkdir(parents=True)
    program = ["/bin/sh", "-c", f"echo $MARK $AWS_PROFILE > {home}/ran"]
    path.write_bytes(plistlib.dumps({"Label": "laptop.test", "ProgramArguments": program, "EnvironmentVariables": {"MARK": "m"}}))
    return path


def test_an_agent_is_loaded_once_and_found_until_it_is_removed(tools: Path, plist: Path) -> None:
    launchctl = tools / "launchctl"
    assert run(launchctl, "print", TARGET)[0] == 113
    assert run(launchctl, "bootout", TARGET) == (3, "Boot-out failed: 3: No such process\n")
    assert run(launchctl, "bootstrap", "gui/501", str(plist)) == (0, "")
    assert run(launchctl, "bootstrap", "gui/501", str(plist))[0] == 5
    assert "last exit code = (never exited)" in run(launchctl, "print", TARGET)[1]
    assert run(launchctl, "bootout", TARGET) == (0, "")
    assert [run(launchctl, "print", TARGET)[0] for _ in range(3)] == [0, 0, 113]


def test_a_removed_agent_is_not_gone_at_once(tools: Path, plist: Path) -> None:
    launchctl = tools / "launchctl"
    run(launchctl, "bootstrap", "gui/501", str(plist))
    run(launchctl, "bootout", TARGET)
    assert [run(launchctl, "print", TARGET)[0] for _ in range(3)] == [0, 0, 113]
    said = (5, "Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors.\n")
    assert run(launchctl, "bootstrap", "gui/501", str(plist)) == said
    assert run(launchctl, "bootstrap", "gui/501", str(plist)) == (0, "")
    assert run(launchctl, "print", TARGET)[0] == 0


def test_a_disabled_agent_can_not_be_loaded(tools: Path, plist: Path) -> None:
    launchctl = tools / "launchctl"
    run(launchctl, "disable", TARGET)
    assert run(launchctl, "bootstrap", "gui/501", str(plist))[0] == 5
    run(launchctl, "enable", TARGET)
    assert run(launchctl, "bootstrap", "gui/501", str(plist))[0] == 0


def test_a_kicked_agent_runs_with_its_own_environment_only(
    tools: Path, plist: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "of-the-shell")
    run(tools / "launchctl", "bootstrap", "gui/501", str(plist))
    assert run(tools / "launchctl", "kickstart", "-k", TARGET)[0] == 0
    assert (home / "ran").read_text() == "m\n"
    assert "runs = 1" in run(tools / "launchctl", "print", TARGET)[1]


def test_an_agents_errors_are_in_its_file(tools: Path, plist: Path, home: Path) -> None:
    program = ["/bin/sh", "-c", "echo said; echo complained >&2; exit 3"]
    agent = {"Label": "laptop.test", "ProgramArguments": program, "StandardErrorPath": str(home / "log")}
    plist.write_bytes(plistlib.dumps(agent))
    run(tools / "launchctl", "bootstrap", "gui/501", str(plist))
    run(tools / "launchctl", "kickstart", TARGET)
    assert (home / "log").read_text() == "complained\n"
    assert "last exit code = 3" in run(tools / "launchctl", "print", TARGET)[1]
    plist.write_bytes(plistlib.dumps({**agent, "StandardErrorPath": str(home / "missing" / "log")}))
    run(tools / "launchctl", "kickstart", TARGET)
    assert "last exit code = 78" in run(tools / "launchctl", "print", TARGET)[1]


def test_a_timer_is_enabled_and_active_until_it_is_disabled(tools: Path, home: Path) -> None:
    systemctl = tools / "systemctl"
    assert run(systemctl, "--user", "restart", "x.timer") == (5, "Failed to restart x.timer: Unit x.timer not found.\n")
    folder = home / ".config" / "systemd" / "user"
    folder.mkdir(parents=True)
    (folder / "x.timer").write_text("[Timer]\nOnUnitActiveSec=1h\n")
    assert run(systemctl, "--user", "is-enabled", "x.timer") == (1, "disabled\n")
    run(systemctl, "--user", "enable", "x.timer")
    assert run(systemctl, "--user", "is-enabled", "x.timer") == (0, "enabled\n")
    assert run(systemctl, "--user", "is-active", "x.timer") == (3, "inactive\n")
    run(systemctl, "--user", "restart", "x.timer")
    assert run(systemctl, "--user", "is-active", "--quiet", "x.timer") == (0, "")
    run(systemctl, "--user", "disable", "--now", "x.timer")
    assert run(systemctl, "--user", "is-active", "x.timer") == (3, "inactive\n")
    assert run(systemctl, "--user", "is-enabled", "x.timer") == (1, "disabled\n")


def test_a_service_runs_to_its_end_and_reports_its_failure(tools: Path, home: Path) -> None:
    folder = home / ".config" / "systemd" / "user"
    folder.mkdir(parents=True)
    unit = f'[Service]\nEnvironment="MARK=a b"\nExecStart=/bin/sh -c "echo $$MARK > {home}/ran"\n'
    (folder / "x.service").write_text(unit)
    assert run(tools / "systemctl", "--user", "start", "x.service") == (0, "")
    assert (home / "ran").read_text() == "a b\n"
    (folder / "x.service").write_text("[Service]\nExecStart=/bin/false\n")
    assert run(tools / "systemctl", "--user", "start", "x.service")[0] == 1
