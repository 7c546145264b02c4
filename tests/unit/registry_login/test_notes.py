# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of logins, in a file of this test's HOME."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.ecr.renewal import Lease
from ansible_collections.laptop.containers.plugins.module_utils.registry_login.model import Note, Place
from ansible_collections.laptop.containers.plugins.module_utils.registry_login.notes import Notes

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LEASE = Lease(NOW, NOW + timedelta(hours=12), "me")
DOCKER, NERDCTL = Place("docker", "/home/me/.docker"), Place("nerdctl", "k8s")


def test_what_is_written_reads_back_and_is_for_its_owner_only(home: Path) -> None:
    notes = Notes({}, "ecr-creds")
    notes.write(DOCKER, "a", Note(LEASE))
    notes.write(NERDCTL, "a", Note(LEASE, "machine"))
    notes.write(DOCKER, "b", Note())
    assert notes.read() == {DOCKER: {"a": Note(LEASE), "b": Note()}, NERDCTL: {"a": Note(LEASE, "machine")}}
    assert notes.store.path == home / ".local/state/laptop.containers/registry_logins.json"
    assert notes.store.path.stat().st_mode & 0o777 == 0o600


def test_secrets_of_different_names_keep_their_own_notes(home: Path) -> None:
    one, two = (Notes({"XDG_STATE_HOME": str(home)}, name) for name in ("one", "two"))
    one.write(DOCKER, "a", Note(LEASE))
    two.write(DOCKER, "b", Note(LEASE))
    two.write(DOCKER, "b", None)
    assert (one.read(), two.read()) == ({DOCKER: {"a": Note(LEASE)}}, {})
    one.write(DOCKER, "a", None)
    assert not one.store.path.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"ecr-creds": []}',
        '{"ecr-creds": {"docker:/d": 7, "x:y": {"h": {}}}}',
        '{"ecr-creds": {"docker:/d": {}}}',
    ],
)
def test_a_damaged_file_counts_as_empty_and_is_written_again(home: Path, text: str) -> None:
    notes = Notes({}, "ecr-creds")
    notes.store.path.parent.mkdir(parents=True)
    notes.store.path.write_text(text)
    assert notes.read() == {}
    notes.write(DOCKER, "a", Note(LEASE))
    assert notes.read()[DOCKER] == {"a": Note(LEASE)}


def test_a_damaged_note_is_a_login_of_unknown_age(home: Path) -> None:
    notes = Notes({}, "ecr-creds")
    notes.store.path.parent.mkdir(parents=True)
    notes.store.path.write_text('{"ecr-creds": {"docker:/d": {"h": {"issued": "yesterday"}}}}')
    assert notes.read() == {Place("docker", "/d"): {"h": Note()}}
