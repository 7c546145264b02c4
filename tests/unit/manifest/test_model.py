# SPDX-License-Identifier: GPL-3.0-or-later
"""The three-way comparison: the row of the arrival, the source now, the target now."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import (
    Fingerprint,
    Kind,
    Resource,
    Row,
    Status,
    SyncState,
    sync_state,
)

VOLUME = Resource(Kind.VOLUME, "db")
MOVED = Row(VOLUME, Status.MOVED, Fingerprint("old", "created at 1"), Fingerprint("old", "created at 2"))
SOURCE, TARGET = "created at 1", "created at 2"


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("old", "old", SyncState.ARRIVED),
        ("new", "old", SyncState.SOURCE_CHANGED),
        ("old", "new", SyncState.TARGET_CHANGED),
        ("new", "newer", SyncState.CONFLICT),
        ("new", "new", SyncState.ARRIVED),
        ("old", None, SyncState.LOST),
        ("new", None, SyncState.LOST),
    ],
)
def test_both_sides_are_compared_with_the_arrival(source: str, target: str | None, expected: SyncState) -> None:
    there = Fingerprint(target, TARGET) if target else None
    assert sync_state(MOVED, Fingerprint(source, SOURCE), there) is expected


@pytest.mark.parametrize("status", [None, *(status for status in Status if status is not Status.MOVED)])
def test_without_an_arrival_another_content_is_a_conflict(status: Status | None) -> None:
    row = Row(VOLUME, status, MOVED.source, MOVED.target) if status else None
    assert sync_state(row, Fingerprint("old"), Fingerprint("new", TARGET)) is SyncState.CONFLICT
    assert sync_state(row, Fingerprint("old"), Fingerprint("old")) is SyncState.ARRIVED
    assert sync_state(row, Fingerprint("old"), None) is SyncState.NEW


def test_a_thing_that_was_removed_and_created_again_at_the_target_is_not_a_changed_copy() -> None:
    assert sync_state(MOVED, Fingerprint("old", SOURCE), Fingerprint("empty", "created at 3")) is SyncState.CONFLICT


def test_digests_of_two_kinds_of_engines_are_compared_with_their_own_past() -> None:
    row = Row(VOLUME, Status.MOVED, Fingerprint("by docker"), Fingerprint("by containerd"))
    assert sync_state(row, Fingerprint("by docker"), Fingerprint("by containerd")) is SyncState.ARRIVED
    assert sync_state(row, Fingerprint("by docker"), Fingerprint("another")) is SyncState.TARGET_CHANGED
