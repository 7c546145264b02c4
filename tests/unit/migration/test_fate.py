# SPDX-License-Identifier: GPL-3.0-or-later
"""How things stand to each other, when an engine may go from which all was moved, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import Fate, Kind, Reading, Row, Standing, Thing
from ansible_collections.laptop.containers.plugins.module_utils.migration.fate import (
    Retirement,
    compared,
    differing,
    in_words,
    interrupted,
    judged,
    lost_with,
    noted,
    reasons_against,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import (
    ARRIVAL,
    Container,
    Image,
    Inventory,
    MoveState,
    Read,
    Volume,
)

SPEC = Retirement("colima", "default", "colima", ("k8s", "docker-buildx"))
WEB, DB = Image("sha256:1", ("web:1", "web:2"), ("layer",), config="c"), Volume("db")
BYTES = Reading("bytes")
ARRIVED = Read(BYTES, Reading("bytes", "first"), same=True)
NAMELESS, MINE = Volume("f00", anonymous=True), Container("1", "mine", "web:1", "", "exited", own=2048)
FOUND = MoveState(
    Inventory("old", images=(WEB, Image("sha256:9")), volumes=(DB, NAMELESS)),
    Inventory("new", images=(WEB,), volumes=(DB,)),
    0.0,
    volumes={"db": ARRIVED},
)
ROW = Row(Thing(Kind.VOLUME, "db"), Fate.MOVED, BYTES, Reading("bytes", "first"))


def at_source(**more: Any) -> MoveState:
    return replace(FOUND, source=replace(FOUND.source, **more))


def at_target(**more: Any) -> MoveState:
    return replace(FOUND, target=replace(FOUND.target, **more))


def volume(read: Read | None, row: Row | None = None) -> MoveState:
    return replace(FOUND, volumes={"db": read} if read else {}, rows={ROW.thing: row} if row else {})


def standings(found: MoveState) -> dict[str, Standing | None]:
    return {one.thing.name: one.standing for one in judged(found)}


def test_an_engine_of_which_all_has_moved_may_go() -> None:
    assert list(reasons_against(SPEC, FOUND, ())) == []


@pytest.mark.parametrize(
    ("spec", "found", "why"),
    [
        (replace(SPEC, profile="k8s"), FOUND, "the settings have profile 'k8s'"),
        (SPEC, at_source(containers=(replace(MINE, state="running"),)), "containers run in it, or are paused: mine (running)"),
        (SPEC, at_source(containers=(replace(MINE, state="paused"),)), "containers run in it, or are paused: mine (paused)"),
        (SPEC, at_target(images=()), "not at the target: image 'web:1', image 'web:2'"),
        (SPEC, at_target(images=(replace(WEB, id="sha256:2", config="other"),)), "different on both sides: image 'web:1'"),
        (SPEC, volume(None), "not at the target: volume 'db'"),
        (SPEC, volume(None, ROW), "no longer at the target: volume 'db'"),
        (SPEC, volume(Read(Reading("new"), ROW.target), ROW), "changed at the source since it was copied: volume 'db'"),
        (SPEC, volume(Read(BYTES, Reading("other", "other"))), "different on both sides: volume 'db'"),
        (SPEC, at_source(volumes=(Volume("nfs", outside="it is far"),)), "not movable: volume 'nfs' (it is far)"),
        (SPEC, at_source(images=(Image("sha256:3", digests=("a@sha256:3",)),)), "not at the target: image 'a@sha256:3'"),
        (replace(SPEC, confirm=""), FOUND, "its whole content would be lost"),
        (replace(SPEC, confirm="coli"), FOUND, "its whole content would be lost"),
    ],
)
def test_an_engine_stays_while_something_of_it_is_needed(spec: Retirement, found: MoveState, why: str) -> None:
    first = next(reasons_against(spec, found, ()))
    assert first.message.startswith(f"Could not retire 'colima': {why}")


def test_what_the_user_left_behind_by_name_keeps_no_engine() -> None:
    lacking = replace(at_source(images=(WEB,), volumes=(DB, Volume("nfs", outside="far"))), volumes={}, target=Inventory("new"))
    assert len(list(reasons_against(SPEC, lacking, ("nfs",)))) == 1
    assert list(reasons_against(SPEC, lacking, ("nfs", "d?", "web:*"))) == []


def test_a_day_at_the_target_is_kept_and_keeps_no_engine() -> None:
    used = volume(Read(BYTES, Reading("a day", "first")), ROW)
    assert standings(used)["db"] is Standing.TARGET_CHANGED
    assert list(reasons_against(SPEC, used, ())) == [] == list(differing(used, ()))
    assert "Used at the target since they were copied, and kept: volume 'db'" in compared(used, ())


@pytest.mark.parametrize(
    ("row", "identity", "empty", "expected"),
    [
        (ROW, "first", True, Standing.TARGET_CHANGED),
        (ROW, "second", True, Standing.LOST),
        (ROW, "second", False, Standing.CONFLICT),
        (replace(ROW, fate=Fate.FILLED), "first", True, Standing.NEW),
        (replace(ROW, fate=Fate.FILLED), "first", False, Standing.CONFLICT),
        (None, "second", True, Standing.CONFLICT),
    ],
)
def test_an_empty_volume_at_the_target(row: Row | None, identity: str, empty: bool, expected: Standing) -> None:
    assert standings(volume(Read(BYTES, Reading("nothing", identity), empty=empty), row))["db"] is expected


def test_an_arrival_that_a_kill_left_unnoted_is_one() -> None:
    row = replace(ROW, fate=Fate.FILLED, work="moving")
    used = volume(Read(BYTES, Reading("a day", "first"), passed_on=True), row)
    assert standings(used)["db"] is Standing.TARGET_CHANGED
    assert replace(row, fate=Fate.MOVED, work="") in noted(used)
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
    assert {(row.thing.name, row.fate) for row in rows} == {(name, Fate.MOVED) for name in ("web:1", "web:2", "db")}
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


def test_what_goes_with_it_is_named() -> None:
    lost = lost_with(SPEC, at_source(containers=(MINE,)), ())
    assert lost[:2] == [
        "what has no name: image 9, volume f00",
        "containers, with what they hold outside of volumes: mine (2 KiB)",
    ]
    assert in_words(SPEC, lost)[1] == "Lost with it: what has no name: image 9, volume f00"
    assert "brew uninstall" in in_words(replace(SPEC, profile=""), lost)[-1]
