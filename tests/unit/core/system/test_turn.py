# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs wait for a pull, and begin only with the project that they have read."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.core.system.turn import ALONE, take_part


@pytest.fixture
def project(home: Path) -> Path:
    (home / "project" / ".git").mkdir(parents=True)
    (home / "project" / ".git" / "index").write_text("one")
    return home / "project"


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
