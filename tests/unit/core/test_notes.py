# SPDX-License-Identifier: GPL-3.0-or-later
"""The notes: locked, atomic, versioned; no run loses what another one noted."""

from __future__ import annotations

import json
import multiprocessing
import stat
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.core.notes import Notes
from ansible_collections.laptop.containers.plugins.module_utils.core.system.home import state_directory

PROCESSES, EACH = 8, 25


def _note_many(number: int) -> None:
    for count in range(EACH):
        with Notes("test").edit() as notes:
            notes[f"{number}-{count}"] = count


def test_eight_processes_at_once_lose_no_note(home: Path) -> None:
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        pool.map(_note_many, range(PROCESSES))
    assert len(Notes("test").read()) == PROCESSES * EACH


def test_no_notes_leave_no_file(home: Path) -> None:
    with Notes("test").edit() as notes:
        notes["a"] = 1
    with Notes("test").edit() as notes:
        del notes["a"]
    assert not Notes("test").path.exists()


def test_the_notes_of_an_older_release_are_read_and_kept(home: Path) -> None:
    path = Notes("test").path
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"/a": "/a.moved"}))
    with Notes("test").edit() as notes:
        assert notes == {"/a": "/a.moved"}
        notes["/b"] = ""
    assert json.loads(path.read_text()) == {"version": 1, "notes": {"/a": "/a.moved", "/b": ""}}


def test_the_notes_of_a_newer_release_are_refused(home: Path) -> None:
    path = Notes("test").path
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"version": 2, "notes": {}}))
    with pytest.raises(InputError, match=r"version 2, of a newer release. Update laptop.containers.$"):
        Notes("test").read()


def test_damaged_notes_are_kept_beside_the_new_ones(home: Path) -> None:
    path = Notes("test").path
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with Notes("test").edit() as notes:
        notes["a"] = 1
    assert (path.with_name("test.json.damaged").read_text(), Notes("test").read()) == ("{", {"a": 1})


def test_other_users_do_not_read_the_state_directory(home: Path) -> None:
    with Notes("test").edit() as notes:
        notes["a"] = 1
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (state_directory(), Notes("test").path)]
    assert modes == [0o700, 0o600]
