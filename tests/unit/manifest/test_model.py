# SPDX-License-Identifier: GPL-3.0-or-later
"""The three-way comparison: the row of the arrival, the source now, the target now."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import (
    Kind,
    Reading,
    Row,
    Standing,
    Status,
    Thing,
    standing,
)

VOLUME = Thing(Kind.VOLUME, "db")
MOVED = Row(VOLUME, Status.MOVED, Reading("old", "created at 1"), Reading("old", "created at 2"))
SOURCE, TARGET = "created at 1", "created at 2"


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("old", "old", Standing.ARRIVED),
        ("new", "old", Standing.SOURCE_CHANGED),
        ("old", "new", Standing.TARGET_CHANGED),
        ("new", "newer", Standing.CONFLICT),
        ("new", "new", Standing.ARRIVED),
        ("old", None, Standing.LOST),
        ("new", None, Standing.LOST),
    ],
)
def test_both_sides_are_compared_with_the_arrival(source: str, target: str | None, expected: Standing) -> None:
    there = Reading(target, TARGET) if target else None
    assert standing(MOVED, Reading(source, SOURCE), there) is expected


@pytest.mark.parametrize("status", [None, *(status for status in Status if status is not Status.MOVED)])
def test_without_an_arrival_another_content_is_a_conflict(status: Status | None) -> None:
    row = Row(VOLUME, status, MOVED.source, MOVED.target) if status else None
    assert standing(row, Reading("old"), Reading("new", TARGET)) is Standing.CONFLICT
    assert standing(row, Reading("old"), Reading("old")) is Standing.ARRIVED
    assert standing(row, Reading("old"), None) is Standing.NEW


def test_a_thing_that_was_removed_and_created_again_at_the_target_is_not_a_changed_copy() -> None:
    assert standing(MOVED, Reading("old", SOURCE), Reading("empty", "created at 3")) is Standing.CONFLICT


def test_digests_of_two_kinds_of_engines_are_compared_with_their_own_past() -> None:
    row = Row(VOLUME, Status.MOVED, Reading("by docker"), Reading("by containerd"))
    assert standing(row, Reading("by docker"), Reading("by containerd")) is Standing.ARRIVED
    assert standing(row, Reading("by docker"), Reading("another")) is Standing.TARGET_CHANGED
