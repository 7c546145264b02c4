# SPDX-License-Identifier: GPL-3.0-or-later
"""How both sides compare, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import Reading, Row, Standing, Status
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
    Read,
    Volume,
)

from tests.support.migration.two_engines import BYTES, FOUND, ROW, WEB, at_source, at_target, volume


def standings(found: MoveState) -> dict[str, Standing | None]:
    return {one.thing.name: one.standing for one in comparisons(found)}


def test_a_day_at_the_target_is_kept() -> None:
    used = volume(Read(BYTES, Reading("a day", "first")), ROW)
    assert standings(used)["db"] is Standing.TARGET_CHANGED
    assert list(differing(used, ())) == []
    assert "Used at the target since they were copied, and kept: volume 'db'" in compared(used, ())


@pytest.mark.parametrize(
    ("row", "identity", "empty", "expected"),
    [
        (ROW, "first", True, Standing.TARGET_CHANGED),
        (ROW, "second", True, Standing.LOST),
        (ROW, "second", False, Standing.CONFLICT),
        (replace(ROW, status=Status.FILLED), "first", True, Standing.NEW),
        (replace(ROW, status=Status.FILLED), "first", False, Standing.CONFLICT),
        (None, "second", True, Standing.CONFLICT),
    ],
)
def test_an_empty_volume_at_the_target(row: Row | None, identity: str, empty: bool, expected: Standing) -> None:
    assert standings(volume(Read(BYTES, Reading("nothing", identity), empty=empty), row))["db"] is expected


def test_an_arrival_that_a_kill_left_unnoted_is_one() -> None:
    row = replace(ROW, status=Status.FILLED, work="moving")
    used = volume(Read(BYTES, Reading("a day", "first"), passed_on=True), row)
    assert standings(used)["db"] is Standing.TARGET_CHANGED
    assert replace(row, status=Status.MOVED, work="") in noted(used)
    another = volume(Read(BYTES, Reading("a day", "second"), passed_on=True), row)
    assert standings(another)["db"] is Standing.CONFLICT


def test_one_that_can_not_be_read_is_never_there() -> None:
    unread = volume(Read(Reading("unread"), error=CommandFailed("compare volume 'db'", "it is broken")), ROW)
    assert standings(unread)["db"] is Standing.CONFLICT


def test_archives_that_differ_for_the_same_files_are_known_by_their_arrival() -> None:
    row = replace(ROW, source=Reading("with holes"), target=Reading("without", "first"))
    assert standings(volume(Read(Reading("with holes"), Reading("without", "first")), row))["db"] is Standing.ARRIVED
    assert standings(volume(Read(Reading("new"), Reading("without", "first")), row))["db"] is Standing.SOURCE_CHANGED


def test_what_is_equal_is_noted_once() -> None:
    rows = list(noted(FOUND))
    assert {(row.thing.name, row.status) for row in rows} == {(name, Status.MOVED) for name in ("web:1", "web:2", "db")}
    assert list(noted(replace(FOUND, rows={row.thing: row for row in rows}))) == []


def test_an_image_whose_tag_was_given_to_another_one_is_told_by_its_row() -> None:
    rows = {row.thing: row for row in noted(FOUND)}
    new = replace(WEB, id="sha256:2", config="new")
    assert standings(replace(at_source(images=(new,)), rows=rows))["web:1"] is Standing.SOURCE_CHANGED
    assert standings(replace(at_target(images=(new,)), rows=rows))["web:1"] is Standing.TARGET_CHANGED
    both = replace(at_target(images=(new,)), source=Inventory("old", images=(replace(new, id="sha256:3", config="newer"),)))
    assert standings(replace(both, rows=rows))["web:1"] is Standing.CONFLICT


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
