# SPDX-License-Identifier: GPL-3.0-or-later
"""An interval as times of day: never longer than asked for, and systemd reads it as it is meant."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.timer.launchd import launchd_calendar
from ansible_collections.laptop.containers.plugins.module_utils.timer.model import Timer
from ansible_collections.laptop.containers.plugins.module_utils.timer.systemd import systemd_calendars, systemd_files

DAY = 24 * 60


def starts(minutes: int) -> list[int]:
    """The minutes of a day at which launchd starts the agent."""
    return sorted(
        hour * 60 + entry["Minute"]
        for entry in launchd_calendar(minutes)
        for hour in ([entry["Hour"]] if "Hour" in entry else range(24))
    )


def understood(calendars: list[str]) -> list[int]:
    """The minutes of a day that the calendars of systemd stand for."""
    found = []
    for calendar in calendars:
        hours, minutes = calendar.split(":")
        found += [
            int(hour) * 60 + int(minute)
            for hour in (range(24) if hours == "*" else hours.split(","))
            for minute in minutes.split(",")
        ]
    return sorted(found)


def test_every_interval_is_kept_all_day_and_only_the_step_over_midnight_is_shorter() -> None:
    for minutes in range(1, DAY + 1):
        times = starts(minutes)
        assert times[0] == 0
        assert {later - earlier for earlier, later in pairwise(times)} <= {minutes}
        assert 0 < DAY - times[-1] <= minutes
        assert understood(systemd_calendars(minutes)) == times


@pytest.mark.parametrize(
    ("minutes", "calendars"),
    [
        (60, ["*:00"]),
        (20, ["*:00,20,40"]),
        (240, ["00,04,08,12,16,20:00"]),
        (90, ["00,03,06,09,12,15,18,21:00", "01,04,07,10,13,16,19,22:30"]),
        (1440, ["00:00"]),
    ],
)
def test_an_interval_takes_as_few_lines_as_it_can(minutes: int, calendars: list[str]) -> None:
    assert systemd_calendars(minutes) == calendars
    assert max(len(systemd_calendars(minutes)) for minutes in range(1, DAY + 1)) == 24


@pytest.fixture
def systemd_analyze() -> str:
    """systemd's own word on unit files."""
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed (package systemd): units are not read by systemd itself")
    return found


@pytest.mark.parametrize("minutes", [7, 45, 60, 100, 240])
def test_systemd_starts_when_it_is_meant_to(systemd_analyze: str, minutes: int) -> None:
    calendars = systemd_calendars(minutes)
    command = [systemd_analyze, "calendar", "--iterations=60", "--base-time=2026-03-01 23:59:30 UTC", *calendars]
    said = subprocess.run(command, env={**os.environ, "TZ": "UTC"}, capture_output=True, text=True, check=True).stdout
    moments = {
        datetime.strptime(found, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) for found in re.findall(r"\w{3} (\S+ \S+) UTC", said)
    }
    first_day = sorted(moment.hour * 60 + moment.minute for moment in moments if moment.day == 2)
    assert first_day == [start for start in starts(minutes) if start <= first_day[-1]]
    assert len(first_day) >= min(24, len(starts(minutes)))


@pytest.mark.parametrize("minutes", [1, 7, 60, 1440])
def test_systemd_finds_nothing_to_complain_of(systemd_analyze: str, tmp_path: Path, minutes: int) -> None:
    command = ("/bin/sh", "a b", "50%", "$HOME", 'say "x"')
    timer = Timer("refresh", command, minutes, {"PATH": "/bin", "X": "a b%"}, "/tmp/my project")
    files = systemd_files(timer, tmp_path)
    for path, content in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    verify = [systemd_analyze, "verify", "--user", "--man=no", *files]
    done = subprocess.run(verify, env=environment, capture_output=True, text=True, check=False)
    assert [line for line in (done.stdout + done.stderr).splitlines() if "laptop-containers-refresh" in line] == []
    assert done.returncode == 0, done.stdout + done.stderr
