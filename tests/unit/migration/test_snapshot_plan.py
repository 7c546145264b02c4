# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of snapshots of volumes: what is taken, kept, left alone and refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import Plan
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import Container, Inventory, Volume
from ansible_collections.laptop.containers.plugins.module_utils.migration.snapshots.model import (
    Keep,
    Restore,
    VolumeSnapshot,
    VolumeSnapshotSpec,
    VolumeSnapshotState,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.snapshots.plan import plan_snapshots
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.contents import Contents
from ansible_collections.laptop.containers.plugins.module_utils.snapshot.store import Remove

PLACE = Path("/kept/dev")
SPEC = VolumeSnapshotSpec(("*",), "now", PLACE)
BACK = replace(SPEC, restore=True)
WRITER = Container("id", "app", "web:1", "sha256:1", "running", frozenset({"db"}), frozenset({"db"}))


def found(*volumes: Volume, **more: Any) -> VolumeSnapshotState:
    return replace(VolumeSnapshotState(Inventory("engine", volumes=volumes)), **more)


def kept(volume: str, name: str, day: int = 1) -> VolumeSnapshot:
    made = f"2026-11-{day:02}T00:00:00Z"
    return VolumeSnapshot(volume, name, "digest", Contents("contents", 2, 500), 1024, made, place=PLACE / volume / name)


def shown(plan: Plan) -> list[str]:
    return [str(step) for step in plan.steps]


def test_each_volume_gets_a_snapshot_and_old_ones_go() -> None:
    there = (kept("db", "a", 1), kept("db", "b", 2), kept("web", "a", 1), kept("gone", "a", 1))
    plan = plan_snapshots(found(Volume("db", 10), Volume("web", 20), kept=there), replace(SPEC, keep=2))
    assert shown(plan) == [
        "copy volume 'db' as 'now' (10 bytes)",
        "remove old snapshots of volume 'db' ('a')",
        "copy volume 'web' as 'now' (20 bytes)",
    ]
    assert [step.paths for step in plan.steps if isinstance(step, Remove)] == [(PLACE / "db" / "a",)]
    # A volume that was removed keeps its snapshots.
    assert plan.after == {"snapshots": ["db/b", "db/now", "gone/a", "web/a", "web/now"]}


def test_volumes_whose_names_differ_in_case_alone_share_no_directory() -> None:
    steps = plan_snapshots(found(Volume("data"), Volume("Data"), Volume("DATA")), SPEC).steps
    places = [step.path.parent.name for step in steps if isinstance(step, Keep)]
    # As macOS compares names.
    assert len({name.lower() for name in places}) == 3 and places[0] == "data"


def test_one_of_that_name_stays_as_it_is() -> None:
    plan = plan_snapshots(found(Volume("db"), kept=(kept("db", "now"), kept("gone", "now"))), SPEC)
    assert plan.steps == ()
    assert [line.partition(",")[0] for line in plan.warnings] == ["Snapshot 'now' of volume 'db' was there"]


def test_volumes_without_a_name_or_with_data_elsewhere_are_left_out() -> None:
    plan = plan_snapshots(found(Volume("a" * 64, anonymous=True), Volume("nfs", outside="far")), SPEC)
    assert plan.steps == () and plan.warnings == ("Volumes with data outside the engine are left out: nfs.",)
    assert len(plan_snapshots(found(Volume("a" * 64, anonymous=True)), replace(SPEC, anonymous=True)).steps) == 1


def test_what_may_be_written_to_waits_unless_its_containers_are_paused() -> None:
    used = VolumeSnapshotState(Inventory("engine", volumes=(Volume("db"),), containers=(WRITER,)))
    assert [one.kind for one in plan_snapshots(used, SPEC).pending] == ["in_use"]
    (step,) = plan_snapshots(used, replace(SPEC, pause=True)).steps
    assert isinstance(step, Keep) and step.pause == ("id",)
    stopped = VolumeSnapshotState(Inventory("engine", volumes=(Volume("db"),), containers=(replace(WRITER, state="exited"),)))
    assert len(plan_snapshots(stopped, SPEC).steps) == 1


def test_a_container_that_a_killed_run_has_paused_goes_on() -> None:
    stuck = VolumeSnapshotState(Inventory("engine", containers=(replace(WRITER, state="paused"),)), paused=frozenset({"id"}))
    assert shown(plan_snapshots(stuck, SPEC)) == ["unpause container 'app'"]


def test_what_goes_on_writes_again() -> None:
    engine = Inventory("engine", volumes=(Volume("db"),), containers=(replace(WRITER, state="paused"),))
    left = VolumeSnapshotState(engine, paused=frozenset({"id"}))
    assert [one.kind for one in plan_snapshots(left, SPEC).pending] == ["in_use"]
    assert [one.pause for one in plan_snapshots(left, replace(SPEC, pause=True)).steps if isinstance(one, Keep)] == [("id",)]


@pytest.mark.parametrize(("spec", "noun"), [(SPEC, "take a snapshot of"), (BACK, "restore")])
def test_a_name_that_nothing_has_is_refused_and_a_pattern_is_not(spec: VolumeSnapshotSpec, noun: str) -> None:
    there = found(Volume("db"), kept=(kept("db", "now"),))
    (refusal,) = plan_snapshots(there, replace(spec, volumes=("bd", "d*", "x*"), confirm=frozenset({"db"}))).refusals
    assert str(refusal).startswith(f"Could not {noun} volume 'bd': there is none of that name.") and "There are: db" in str(
        refusal
    )


def test_only_what_differs_is_restored_and_only_what_is_named_is_overwritten() -> None:
    there = (kept("db", "now"), kept("web", "now"), kept("new", "now"), kept("db", "other"))
    current = found(Volume("db"), Volume("web"), kept=there, same=frozenset({"web"}))
    (refusal,) = plan_snapshots(current, BACK).refusals
    assert "restore volume 'db': what is in there now would be lost" in str(refusal) and "confirm=db" in str(refusal)
    plan = plan_snapshots(current, replace(BACK, confirm=frozenset({"db"})))
    assert [(step.kept.volume, step.replace) for step in plan.steps if isinstance(step, Restore)] == [
        ("db", True),
        ("new", False),
    ]
    assert plan.refusals == ()


def test_a_volume_that_any_container_holds_on_to_is_not_restored() -> None:
    held = Inventory("engine", volumes=(Volume("db"),), containers=(replace(WRITER, state="exited"),))
    plan = plan_snapshots(VolumeSnapshotState(held, (kept("db", "now"),)), replace(BACK, confirm=frozenset({"db"})))
    assert plan.steps == () and [one.kind for one in plan.pending] == ["in_use"]


def test_a_snapshot_that_is_not_there_is_refused_with_those_that_are() -> None:
    (refusal,) = plan_snapshots(found(kept=(kept("db", "b"), kept("db", "a"))), BACK).refusals
    assert "There are: a, b." in str(refusal)


@pytest.mark.parametrize("spec", [SPEC, BACK])
def test_too_little_room_is_refused_before_the_first_step(spec: VolumeSnapshotSpec) -> None:
    there = (kept("web", "now"),)
    (refusal,) = plan_snapshots(found(Volume("db", 600), kept=there, room=100), spec).refusals
    assert "and 100 bytes are free" in str(refusal)


def test_what_a_killed_run_has_begun_goes_in_silence() -> None:
    (step,) = plan_snapshots(found(partial=(PLACE / "db" / ".now.part",)), SPEC).steps
    assert step.silent
