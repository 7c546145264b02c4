# SPDX-License-Identifier: GPL-3.0-or-later
"""launchd and systemd as clients meet them: slow to let go, unwilling, or not there at all."""

from __future__ import annotations

import os
import plistlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError, NotVerified, WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.timer import launchd as timer_launchd
from ansible_collections.laptop.containers.plugins.module_utils.timer.launchd import Launchd
from ansible_collections.laptop.containers.plugins.module_utils.timer.manager import Manager
from ansible_collections.laptop.containers.plugins.module_utils.timer.model import Timer, plan_timer
from ansible_collections.laptop.containers.plugins.module_utils.timer.systemd import Systemd

from rehearsal.processes.system import comes_true
from rehearsal.standin.service_manager import install

TIMER = Timer("refresh", ("/bin/true",), 30)


@pytest.fixture
def tools(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in front of PATH, with the stand-ins of both service managers."""
    install(home / "tools")
    monkeypatch.setenv("PATH", f"{home / 'tools'}:/usr/bin:/bin")
    monkeypatch.setattr(timer_launchd, "PAUSE", 0.01)
    return home / "tools"


def says(tools: Path, tool: str, script: str) -> None:
    (tools / tool).write_text(f"#!/bin/sh\n{script}\n")


def settle(manager: Manager, timer: Timer, *, absent: bool = False) -> list[str]:
    plan = plan_timer(timer, manager.files(timer), manager.read(timer), absent=absent)
    for step in plan.steps:
        manager.apply(timer, step)
    assert plan_timer(timer, manager.files(timer), manager.read(timer), absent=absent).steps == ()
    return [step.verb for step in plan.steps if not step.silent]


def test_an_agent_is_loaded_again_although_launchd_is_slow_to_let_it_go(tools: Path, home: Path) -> None:
    manager = Launchd(home, 501)
    assert settle(manager, TIMER) == ["write", "start"]
    changed = Timer("refresh", ("/bin/true", "again"), 30)
    assert settle(manager, changed) == ["rewrite", "restart"]
    assert settle(manager, changed, absent=True) == ["stop", "remove"]


@pytest.mark.parametrize("absent", [False, True])
def test_an_agent_in_apples_binary_form_is_rewritten(tools: Path, home: Path, absent: bool) -> None:
    manager = Launchd(home, 501)
    settle(manager, TIMER)
    (path,) = map(Path, manager.files(TIMER))
    path.write_bytes(plistlib.dumps(plistlib.loads(path.read_bytes()) | {"Nice": 1.5}, fmt=plistlib.FMT_BINARY))
    assert settle(manager, TIMER, absent=absent) == (["stop", "remove"] if absent else ["rewrite", "restart"])


def test_an_agent_that_does_not_go_is_told(tools: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timer_launchd, "GONE_WITHIN", 0.05)
    says(tools, "launchctl", "exit 0")
    with pytest.raises(NotVerified, match=r"launchd still has it .* Look at 'launchctl print gui/501/laptop.containers.refresh'"):
        settle(Launchd(home, 501), TIMER, absent=True)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (
            5,
            "Allow it in System Settings > General > Login Items, and run again in a minute. If it stays, look at 'plutil -lint ",
        ),
        (125, "Log in to the desktop of the Mac once"),
    ],
)
def test_an_agent_that_is_not_taken_comes_with_what_to_do(
    tools: Path, home: Path, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str
) -> None:
    monkeypatch.setattr(timer_launchd, "TAKEN_WITHIN", 0.05)
    said = f"Bootstrap failed: {code}: some reason\\nTry re-running the command as root for richer errors."
    says(tools, "launchctl", f"case $1 in print) exit 113;; bootstrap) printf '{said}' >&2; exit {code};; esac")
    with pytest.raises(WorkstationError, match=f"timer 'refresh': Bootstrap failed: {code}: some reason. {remedy}"):
        settle(Launchd(home, 501), TIMER)


def test_without_a_desktop_an_agent_is_written_and_waits_for_the_next_log_in(tools: Path, home: Path) -> None:
    (home / ".rehearsal").mkdir()
    (home / ".rehearsal" / "no-desktop").touch()
    manager = Launchd(home, 501)
    assert settle(manager, TIMER) == ["write"]
    plan = plan_timer(TIMER, manager.files(TIMER), manager.read(TIMER), absent=False)
    assert [str(item) for item in plan.pending] == [
        "timer 'refresh': its start is pending because the user is not logged in to the desktop of this Mac. "
        "It starts at the next log-in to the desktop."
    ]
    assert settle(manager, TIMER, absent=True) == ["stop", "remove"]
    (home / ".rehearsal" / "no-desktop").unlink()
    assert settle(manager, TIMER) == ["write", "start"]


@pytest.mark.parametrize("word", ["disabled", "true"])
def test_an_agent_that_was_disabled_is_started_again(tools: Path, home: Path, word: str) -> None:
    manager = Launchd(home, 501)
    settle(manager, TIMER)
    subprocess.run([tools / "launchctl", "disable", f"gui/501/{TIMER.label}"], check=True)
    if word == "true":
        # As before macOS 13.
        real = (tools / "launchctl").rename(tools / "later")
        says(tools, "launchctl", f'said=$({real} "$@") || exit; echo "$said" | sed \'s/=> disabled/=> true/\'')
        (tools / "launchctl").chmod(0o755)
    assert manager.read(TIMER).active
    assert settle(manager, TIMER) == ["restart"]


@pytest.mark.parametrize(("starts_vms", "kind"), [(False, "Background"), (True, "Interactive")])
def test_what_starts_vms_is_not_held_back(home: Path, starts_vms: bool, kind: str) -> None:
    (text,) = Launchd(home, 501).files(replace(TIMER, starts_vms=starts_vms)).values()
    assert plistlib.loads(text.encode())["ProcessType"] == kind


@pytest.mark.parametrize(
    ("folder", "warned"), [("Documents", True), ("Library/Mobile Documents", True), ("Documents of mine", False), ("work", False)]
)
def test_a_folder_that_macos_guards_is_named(home: Path, folder: str, warned: bool) -> None:
    (home / folder / "clone").mkdir(parents=True)
    (home / "link").symlink_to(home / folder / "clone")
    timer = replace(TIMER, directory=str(home / "link"))
    found = list(Launchd(home, 501).warnings(timer, [f"{home}/{folder}/clone/refresh.py"]))
    assert len(found) == warned
    assert all(f"~/{folder}, and macOS may refuse that" in one for one in found)


def begun(command: list[str | Path], note: Path) -> subprocess.Popen[bytes]:
    """Have a service manager run what a timer runs, and wait until it does."""
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    assert comes_true(note.exists, 20)
    return run


@pytest.mark.parametrize("kind", ["systemd", "launchd"])
def test_a_run_that_is_under_way_ends_with_its_timer(tools: Path, home: Path, kind: str) -> None:
    manager: Manager = Systemd(home, {}, 501) if kind == "systemd" else Launchd(home, 501)
    timer = Timer("refresh", ("/bin/sh", "-c", 'touch "$HOME/begun"; exec sleep 60'), 30)
    settle(manager, timer)
    systemd: list[str | Path] = [tools / "systemctl", "--user", "start", f"{timer.unit}.service"]
    launchd: list[str | Path] = [tools / "launchctl", "kickstart", f"gui/501/{timer.label}"]
    run = begun(systemd if kind == "systemd" else launchd, home / "begun")
    try:
        settle(manager, timer, absent=True)
        # By itself it would end after a minute.
        assert run.wait(20) == (1 if kind == "systemd" else 0)
    finally:
        run.kill()


def test_under_systemd_a_run_that_is_under_way_outlives_a_change_of_its_timer(tools: Path, home: Path) -> None:
    timer = Timer("refresh", ("/bin/sh", "-c", 'touch "$HOME/begun"; exec sleep 60'), 30)
    settle(Systemd(home, {}, 501), timer)
    run = begun([tools / "systemctl", "--user", "start", f"{timer.unit}.service"], home / "begun")
    try:
        assert settle(Systemd(home, {}, 501), replace(timer, minutes=20)) == ["rewrite", "restart"]
        assert run.poll() is None
    finally:
        subprocess.run([tools / "systemctl", "--user", "stop", f"{timer.unit}.service"], check=True)
        run.wait(20)


def test_a_link_that_leads_nowhere_is_found_and_removed(tools: Path, home: Path) -> None:
    manager = Systemd(home, {}, 501)
    assert settle(manager, TIMER) == ["write", "write", "start"]
    for path in manager.files(TIMER):
        Path(path).unlink()
    (home / ".rehearsal" / "systemd.json").unlink()
    assert settle(manager, TIMER, absent=True) == ["stop"]
    assert [path for path in (home / ".config").rglob("*") if path.is_symlink()] == []


@pytest.mark.parametrize("kind", ["systemd", "launchd"])
def test_a_file_in_the_way_is_named(tools: Path, home: Path, kind: str) -> None:
    manager: Manager = Systemd(home, {}, 501) if kind == "systemd" else Launchd(home, 501)
    folder = Path(next(iter(manager.files(TIMER)))).parent
    folder.parent.mkdir(parents=True)
    folder.touch()
    with pytest.raises(InputError, match=f"Could not read timer 'refresh': '{folder}/.*': not a directory. Check that path"):
        settle(manager, TIMER)
    folder.unlink()
    folder.symlink_to(home / "nowhere")
    with pytest.raises(InputError, match=f"Could not change timer 'refresh': '{folder}': file exists. Check that path"):
        settle(manager, TIMER)


def test_a_directory_of_another_user_is_named(
    short_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    place = short_path / "timer"
    agents = place / "Library" / "LaunchAgents"
    agents.mkdir(parents=True)
    (place / "launchctl").touch()
    says(place, "launchctl", "exit 113")
    (place / "launchctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
    short_path.chmod(0o755)
    agents.chmod(0o555)
    if os.geteuid() == 0:
        # Root may write everywhere.
        request.addfinalizer(lambda: os.seteuid(0))
        os.seteuid(65534)
    with pytest.raises(InputError, match=f"Could not change timer 'refresh': '{agents}': permission denied. Check that path"):
        settle(Launchd(place, 501), TIMER)


def test_a_user_without_a_session_is_told_of_lingering(tools: Path, home: Path) -> None:
    says(tools, "systemctl", "echo 'Failed to connect to bus: No medium found' >&2; exit 1")
    with pytest.raises(WorkstationError, match=r"Failed to connect to bus: No medium found. Run 'loginctl enable-linger'"):
        settle(Systemd(home, {}, 501), TIMER)
