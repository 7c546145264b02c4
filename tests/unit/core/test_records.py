# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs leave about themselves."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.progress import VARIABLE
from ansible_collections.laptop.containers.plugins.module_utils.core.records import KEPT, directory, keep, records

BEGAN = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
DONE = {"changed": True, "actions": ["stop profile 'k8s'"]}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv(VARIABLE, "/tmp/laptop-containers-7-abc.progress")
    return directory()


def test_the_tasks_of_one_run_share_a_file_that_only_its_owner_reads(place: Path) -> None:
    assert keep("colima_profile", BEGAN, DONE) == []
    failure = {
        "changed": False,
        "actions": [],
        "failed": True,
        "msg": "Could not do it: no.",
        "stderr": "x" * 20_000,
        "profiles": [1],
    }
    keep("ecr_pull_secret", BEGAN + timedelta(seconds=5), failure, ["renew it"])

    (file,) = place.iterdir()
    assert file.name == "20261126T080000Z-7-abc.jsonl"
    assert (file.stat().st_mode & 0o777, place.stat().st_mode & 0o777) == (0o600, 0o700)
    first, second = records(place)
    assert (first["task"], first["time"], first["actions"]) == ("colima_profile", "2026-11-26T08:00:00Z", DONE["actions"])
    assert (second["failed"], second["msg"], second["plan"]) == (True, "Could not do it: no.", ["renew it"])
    # The end of a long output, and nothing that is shown anyway.
    assert len(second["stderr"]) < 17_000 and "profiles" not in second


@pytest.mark.parametrize("result", [{"changed": False, "pending": [{"target": "x"}]}, {"failed": True, "msg": "Could not."}, {}])
def test_a_run_that_did_not_set_out_to_change_anything_leaves_nothing(place: Path, result: dict[str, Any]) -> None:
    assert keep("colima_profile", BEGAN, result) == []
    assert not place.exists()


def test_the_newest_runs_stay(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(KEPT + 5):
        monkeypatch.setenv(VARIABLE, f"/tmp/laptop-containers-{number}-x.progress")
        keep("colima_profile", BEGAN + timedelta(minutes=number), DONE)
    assert len(list(place.iterdir())) == KEPT
    assert records(place)[0]["time"] == "2026-11-26T08:05:00Z"


def test_a_half_written_line_hides_no_other(place: Path) -> None:
    keep("colima_profile", BEGAN, DONE)
    (file,) = place.iterdir()
    file.write_text(file.read_text() + '{"time": "2026')
    assert len(records(place)) == 1


def test_a_place_that_cannot_be_written_is_a_warning(place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.write_text("in the way")
    (warning,) = keep("colima_profile", BEGAN, DONE)
    assert warning == f"Could not write a record of this run: '{place}/20261126T080000Z-7-abc.jsonl': not a directory."


def test_a_link_in_the_files_place_is_not_followed(place: Path, tmp_path: Path) -> None:
    place.mkdir(parents=True)
    target = tmp_path / "mine"
    target.write_text("mine")
    os.symlink(target, place / "20261126T080000Z-7-abc.jsonl")  # noqa: PTH211
    assert keep("colima_profile", BEGAN, DONE)
    assert target.read_text() == "mine"


def test_a_run_that_finds_nothing_to_do_after_a_failure_says_so_once(place: Path) -> None:
    keep("docker_context", BEGAN, {"changed": False, "failed": True, "msg": "Could not."}, ["use it"])
    for task in ("colima_profile", "docker_context", "docker_context"):
        keep(task, BEGAN + timedelta(hours=1), {"changed": False})
    assert [(row["task"], row["failed"]) for row in records(place)] == [("docker_context", True), ("docker_context", False)]
