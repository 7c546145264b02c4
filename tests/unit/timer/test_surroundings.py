# SPDX-License-Identifier: GPL-3.0-or-later
"""What a timer's command finds around it does not depend on the shell that installed it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.system.command import USUAL_DIRECTORIES
from ansible_collections.laptop.containers.plugins.module_utils.timer.model import Timer
from ansible_collections.laptop.containers.plugins.module_utils.timer.surroundings import (
    left_behind,
    looks_too_seldom,
    missing_on_this_machine,
    search_path,
    variables,
)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Two directories with programs, and one without."""
    for name in ("one/colima-x", "two/aws-x", "three/other"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return tmp_path


def test_two_shells_come_to_one_path(tools: Path) -> None:
    here = f"{tools}/three:{tools}/two:/usr/bin:{tools}/one"
    there = f"/somewhere/bin:{tools}/one:{tools}/two"
    programs = ["colima-x", "aws-x", "not-installed", "sh"]
    path = search_path(programs, here)
    assert path == search_path(programs, there)
    assert path.split(":") == [f"{tools}/one", f"{tools}/two", *USUAL_DIRECTORIES]


def test_what_was_given_wins_and_an_empty_one_removes() -> None:
    around = {"PATH": "/bin", "HTTPS_PROXY": "http://p:1", "KUBECONFIG": "/k", "AWS_PROFILE": "other"}
    found = variables(around, ["HTTPS_PROXY", "KUBECONFIG", "COLIMA_HOME"], [], {"HTTPS_PROXY": "", "AWS_PROFILE": "dev"})
    assert found == {"PATH": ":".join(USUAL_DIRECTORIES), "KUBECONFIG": "/k", "AWS_PROFILE": "dev"}


def test_a_variable_that_the_timer_runs_without_is_told_until_it_is_decided() -> None:
    around = {"AWS_PROFILE": "other"}
    (warning,) = left_behind("refresh", around, ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], {})
    assert "Timer 'refresh' runs without AWS_PROFILE, which is 'other' for this run" in warning
    assert left_behind("refresh", around, ["AWS_PROFILE"], {"AWS_PROFILE": "dev"}) == []
    assert left_behind("refresh", around, ["AWS_PROFILE"], {"AWS_PROFILE": ""}) == []


@pytest.mark.parametrize(
    ("minutes", "refresh_before", "most"),
    [(360, "half", 0), (361, "half", 360), (600, "50%", 360), (480, "8h", 0), (60, "30m", 30), (60, "5%", 36)],
)
def test_a_timer_that_lets_secrets_expire_is_told(minutes: int, refresh_before: str, most: int) -> None:
    warning = looks_too_seldom(Timer("refresh", minutes=minutes), refresh_before)
    if most:
        said = f"every {minutes} minutes, and a token that is valid for 720 is renewed only when less than {most} are left"
        assert said in str(warning)
    else:
        assert warning is None


def test_a_timer_that_would_find_nothing_on_this_machine_is_told(tmp_path: Path) -> None:
    timer = Timer("refresh", ("/bin/sh",), directory=str(tmp_path))
    (tmp_path / "there").touch()
    assert missing_on_this_machine(timer, ["there", str(tmp_path / "there")]) is None
    assert "needs '/not/there'" in str(missing_on_this_machine(timer, ["/not/there"]))
    assert "needs '/proc/nowhere'" in str(missing_on_this_machine(replace(timer, directory="/proc/nowhere"), []))
    assert "'/proc/nowhere/python3' is not a program" in str(
        missing_on_this_machine(replace(timer, command=("/proc/nowhere/python3",)), [])
    )
