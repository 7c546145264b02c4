# SPDX-License-Identifier: GPL-3.0-or-later
"""How both sides compare, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import Fingerprint, Row, Status, SyncState
from ansible_collections.laptop.containers.plugins.module_utils.migration.comparison import (
    compared,
    comparisons,
    differing,
    interrupted,
    noted,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import (
    ARRIVAL,
    Inventory,
    MoveState,
    Volume,
    VolumePair,
)

from tests.support.migration.two_engines import BYTES, FOUND, ROW, WEB, at_source, at_target, volume


def states(found: MoveState) -> dict[str, SyncState | None]:
    return {one.resource.name: one.sync_state for one in comparisons(found)}


def test_a_day_at_the_target_is_kept() -> None:
    used = volume(VolumePair(BYTES, Fingerprint("a day", "first")), ROW)
    assert states(used)["db"] is SyncState.TARGET_CHANGED
    assert list(differing(used, ())) == []
    assert "Used at the target since they were copied, and kept: volume 'db'" in compared(used, ())


@pytest.mark.parametrize(
    ("row", "identity", "empty", "expected"),
    [
        (ROW, "first", True, SyncState.TARGET_CHANGED),
        (ROW, "second", True, SyncState.LOST),
        (ROW, "second", False, SyncState.CONFLICT),
        (replace(ROW, status=Status.FILLED), "first", True, SyncState.NEW),
        (replace(ROW, status=Status.FILLED), "first", False, SyncState.CONFLICT),
        (None, "second", True, SyncState.CONFLICT),
    ],
)
def test_an_empty_volume_at_the_target(row: Row | None, identity: str, empty: bool, expected: SyncState) -> None:
    assert states(volume(VolumePair(BYTES, Fingerprint("nothing", identity), empty=empty), row))["db"] is expected


def test_an_arrival_that_a_kill_left_unnoted_is_one() -> None:
    row = replace(ROW, status=Status.FILLED, work="moving")
    used = volume(VolumePair(BYTES, Fingerprint("a day", "first"), renamed=True), row)
    assert states(used)["db"] is SyncState.TARGET_CHANGED
    assert replace(row, status=Status.MOVED, work="") in noted(used)
    another = volume(VolumePair(BYTES, Fingerprint("a day", "second"), renamed=True), row)
    assert states(another)["db"] is SyncState.CONFLICT


def test_one_that_can_not_be_read_is_never_there() -> None:
    unread = volume(VolumePair(Fingerprint("unread"), error=CommandFailed("compare volume 'db'", "it is broken")), ROW)
    assert states(unread)["db"] is SyncState.CONFLICT


def test_archives_that_differ_for_the_same_files_are_known_by_their_arrival() -> None:
    there = Fingerprint("without", "first")
    row = replace(ROW, source=Fingerprint("with holes"), target=there)
    assert states(volume(VolumePair(Fingerprint("with holes"), there), row))["db"] is SyncState.ARRIVED
    assert states(volume(VolumePair(Fingerprint("new"), there), row))["db"] is SyncState.SOURCE_CHANGED


def test_what_is_equal_is_noted_once() -> None:
    rows = list(noted(FOUND))
    assert {(row.resource.name, row.status) for row in rows} == {(name, Status.MOVED) for name in ("web:1", "web:2", "db")}
    assert list(noted(replace(FOUND, rows={row.resource: row for row in rows}))) == []


def test_an_image_whose_tag_was_given_to_another_one_is_told_by_its_row() -> None:
    rows = {row.resource: row for row in noted(FOUND)}
    new = replace(WEB, id="sha256:2", config="new")
    assert states(replace(at_source(images=(new,)), rows=rows))["web:1"] is SyncState.SOURCE_CHANGED
    assert states(replace(at_target(images=(new,)), rows=rows))["web:1"] is SyncState.TARGET_CHANGED
    both = replace(at_target(images=(new,)), source=Inventory("old", images=(replace(new, id="sha256:3", config="newer"),)))
    assert states(replace(both, rows=rows))["web:1"] is SyncState.CONFLICT


def test_the_identity_of_a_volume_is_the_one_it_arrived_with() -> None:
    assert Volume("db", created=5.0, labels={ARRIVAL: "first"}).identity == "first"
    assert Volume("db", created=5.0).identity == "5"


def test_data_that_an_interrupted_run_has_taken_aside_is_named() -> None:
    assert list(interrupted(FOUND)) == []
    (aside,) = interrupted(replace(FOUND, aside=frozenset({"db", "a"})))
    assert str(aside) == (
        "Could not compare both engines: an interrupted run has taken data aside at the target: a, db. "
        "Run playbooks/migrate.yml: it is given back."
    )
