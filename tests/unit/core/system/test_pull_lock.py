# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs wait for a pull, and begin only with the project that they have read."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.core.system.pull_lock import ALONE, take_part

from tests.support.macos import answers

ROLES = Path(__file__).parents[4] / "roles"


@pytest.fixture
def project(home: Path) -> Path:
    (home / "project" / ".git").mkdir(parents=True)
    (home / "project" / ".git" / "index").write_text("one")
    return home / "project"


def script(role: str, name: str) -> ModuleType:
    """Return a program of a timer as a module."""
    place = ROLES / role / "files"
    spec = importlib.util.spec_from_file_location(f"{role}_{name}", place / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    sys.path.insert(0, str(place))
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(place))
    return module


def pulling(home: Path) -> int:
    """Hold the lock as a pull does; closing it ends the pull."""
    handle = os.open(home, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def test_runs_are_many_and_a_pull_sees_them(home: Path, project: Path) -> None:
    told: list[str] = []
    take_part(project, lambda: told.append("waits"), {})
    take_part(project, lambda: told.append("waits"), {})
    assert not told
    with pytest.raises(BlockingIOError):
        pulling(home)
    assert {path.name for path in home.iterdir()} == {"project"}


def test_a_run_waits_for_a_pull(home: Path, project: Path) -> None:
    handle = pulling(home)
    told: list[str] = []

    def ends() -> None:
        told.append("waits")
        os.close(handle)

    take_part(project, ends, {})
    assert told == ["waits"]


def test_a_run_whose_project_was_replaced_meanwhile_does_not_begin(home: Path, project: Path) -> None:
    handle = pulling(home)

    def pulled() -> None:
        index = project / ".git" / "index"
        os.utime(index, ns=(1, index.stat().st_mtime_ns + 1))
        os.close(handle)

    with pytest.raises(RefusedStep, match="a pull has brought a newer commit of this project meanwhile"):
        take_part(project, pulled, {})
    os.close(pulling(home))


def test_the_playbook_of_a_pull_does_not_wait_for_itself(home: Path, project: Path) -> None:
    handle = pulling(home)
    take_part(project, lambda: pytest.fail("it waits"), {ALONE: "1"})
    os.close(handle)


def test_where_a_home_can_not_be_locked_runs_go_on_and_no_pull_begins(
    home: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh, laptop = script("refresh_timer", "refresh"), script("pull_timer", "laptop")
    monkeypatch.setattr(fcntl, "flock", answers.flock_of_a_share)
    take_part(project, lambda: pytest.fail("it waits"), {})
    with refresh.turn(False):
        pass
    with pytest.raises(Exception, match=r"the home directory can't be locked \(.*\), so nothing would keep"):
        laptop.alone()


def test_on_a_mac_a_playbook_that_ended_at_its_limit_is_late(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh = script("refresh_timer", "refresh")
    monkeypatch.setattr(signal, "signal", lambda *_words: None)
    monkeypatch.setattr(os, "killpg", answers.killpg)
    code, said = refresh.run_writing(["/bin/sleep", "60"], (), 0.005, str(home / "results"))
    assert (code, said) == (124, "Could not finish the playbook: it ran longer than 0.005 minutes.")
