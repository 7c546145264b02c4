# SPDX-License-Identifier: GPL-3.0-or-later
"""What a snapshot and the way back take, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.retained_vms import (
    DELETED,
    LEAVING,
    RETURNING,
    RetainedVm,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import ABSENT, HALF, RUNNING, STOPPED
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Name
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import Plan
from ansible_collections.laptop.containers.plugins.module_utils.snapshot.model import (
    BringBack,
    Disk,
    DiskSnapshotSpec,
    DiskSnapshotState,
    Make,
    Restore,
    Snapshot,
)
from ansible_collections.laptop.containers.plugins.module_utils.snapshot.plan import plan_snapshot
from ansible_collections.laptop.containers.plugins.module_utils.snapshot.store import Remove

PLACE = Path("/kept/dev")
SPEC = DiskSnapshotSpec(Name("dev", "colima-dev"), "new", PLACE)
BACK = replace(SPEC, name="b", restore=True)
DISK = Disk(Path("/disk"), STOPPED, True, 5 << 20, "now")


def found(*names: str, disk: Disk = DISK, partial: tuple[Path, ...] = ()) -> DiskSnapshotState:
    return DiskSnapshotState(disk, tuple(Snapshot(name, f"digest-{name}", 9, 5, f"2026-{name}") for name in names), partial)


def test_a_snapshot_that_is_there_stays_as_it_is_also_while_the_profile_runs() -> None:
    plan = plan_snapshot(found("new", disk=replace(DISK, health=RUNNING)), SPEC)
    assert plan.steps == ()
    # A user who asks for it twice a day must learn that what came since is not in it.
    assert plan.warnings == (
        "Snapshot 'new' was there, as of 2026-new, and stays as it is. For one of this moment, give another O(name).",
    )


def test_one_that_is_missing_is_made() -> None:
    plan = plan_snapshot(found("a"), SPEC)
    assert plan.actions == ["copy the data disk of profile 'dev' as 'new' (5 MiB)"]
    assert [type(step) for step in plan.steps] == [Make]
    assert plan.diff == {"before": {"snapshots": ["a"]}, "after": {"snapshots": ["a", "new"]}}


@pytest.mark.parametrize(("keep", "gone"), [(0, ""), (1, "abc"), (2, "ab"), (3, "a"), (4, ""), (9, "")])
@pytest.mark.parametrize("there", [True, False])
def test_the_oldest_go(keep: int, gone: str, there: bool) -> None:
    names = ["a", "b", "c", *(["new"] if there else [])]
    plan = plan_snapshot(found(*names), replace(SPEC, keep=keep))
    assert [path.name for step in plan.steps if isinstance(step, Remove) for path in step.paths] == list(gone)


def test_what_a_killed_run_has_left_goes_first_and_unseen() -> None:
    plan = plan_snapshot(found(partial=(PLACE / ".old.part",)), SPEC)
    assert [type(step) for step in plan.steps] == [Remove, Make] and len(plan.actions) == 1


@pytest.mark.parametrize("health", [RUNNING, HALF, ABSENT])
@pytest.mark.parametrize("spec", [SPEC, replace(BACK, confirm="dev")])
def test_only_the_disk_of_a_stopped_profile_is_touched(health: str, spec: DiskSnapshotSpec) -> None:
    plan = plan_snapshot(found("b", disk=replace(DISK, health=health)), spec)
    assert plan.steps == () and f"the profile is {health}" in plan.refusals[0].message
    missing = plan_snapshot(found("b", disk=Disk(Path("/disk"), health)), spec)
    assert "there is no '/disk'" in missing.refusals[0].message


def test_the_way_back_needs_the_profiles_name() -> None:
    for confirm in ("", "k8s", "colima-dev"):
        (refusal,) = plan_snapshot(found("b"), replace(BACK, confirm=confirm)).refusals
        assert "E(confirm=dev)" in refusal.remedy
    (step,) = plan_snapshot(found("a", "b"), replace(BACK, confirm="dev")).steps
    assert isinstance(step, Restore) and step.snapshot.name == "b"


def test_a_disk_that_is_the_same_needs_nothing_and_no_name() -> None:
    plan = plan_snapshot(found("b", disk=replace(DISK, digest="digest-b")), BACK)
    assert (plan.steps, plan.refusals) == ((), ())


def test_an_unknown_snapshot_is_refused_with_those_that_there_are() -> None:
    (refusal,) = plan_snapshot(found("a", "c"), BACK).refusals
    assert "there is no snapshot 'b'" in refusal.message and "There are: a, c." in refusal.remedy


def test_of_an_unknown_profile_the_known_ones_are_named_and_of_a_known_one_the_way_to_a_snapshot() -> None:
    nowhere = found(disk=replace(DISK, health=ABSENT, exists=False))
    (refusal,) = plan_snapshot(replace(nowhere, taken=False, others=("deb", "k8s")), BACK).refusals
    assert "there is no such profile" in refusal.message and "There are: deb, k8s. Did you mean 'deb'?" in refusal.remedy
    (refusal,) = plan_snapshot(found(), BACK).refusals
    assert refusal.remedy == "Make one with playbooks/snapshot.yml with -e snapshot_profile=dev while its VM is stopped."


GONE = RetainedVm("dev-deleted-1", "dev", "docker", DELETED, {"instance": "/vm", "disk": "/disk"}, until=1.8e9)
OLD_DISK = replace(GONE, name="dev-deleted-2", parts={"datadisk": "/disk/datadisk"})
OF_MOVE = replace(GONE, name="dev-deleted-3", was="dev-docker")
FREE = replace(found(disk=Disk(Path("/disk"), ABSENT)), deleted=(GONE, OLD_DISK, OF_MOVE), taken=False)
THERE = replace(found(), deleted=FREE.deleted)


def back(found: DiskSnapshotState, name: str, **more: Any) -> Plan:
    return plan_snapshot(found, replace(BACK, name=name, days=7, **more))


@pytest.mark.parametrize("kept", FREE.deleted, ids=lambda one: one.name)
def test_what_was_deleted_comes_back_where_its_place_is_free(kept: RetainedVm) -> None:
    assert back(FREE, kept.name).actions == [f"bring back '{kept.name}' of profile 'dev' (it was kept until 2027-01-15)"]


def test_what_has_its_place_makes_room_only_with_a_word_and_can_come_back_itself() -> None:
    assert "profile 'dev' would make room for it. If it may" in back(THERE, GONE.name).refusals[0].message
    running = replace(THERE, disk=replace(DISK, health=RUNNING))
    assert "profile 'dev' is running" in back(running, GONE.name, confirm="dev").refusals[0].message
    assert back(THERE, GONE.name, confirm="dev").actions == [
        "delete what profile 'dev' has now (of the present content, playbooks/restore.yml brings it back for 7 days)",
        "bring back 'dev-deleted-1' of profile 'dev' (it was kept until 2027-01-15)",
    ]
    assert len(back(THERE, OLD_DISK.name, confirm="dev").steps) == 1
    # It isn't a part of the profile.
    assert back(running, OF_MOVE.name).steps
    assert "another VM is kept as 'dev-docker'" in back(replace(running, kept=("dev-docker",)), OF_MOVE.name).refusals[0].message


@pytest.mark.parametrize("state", [LEAVING, RETURNING])
def test_of_one_that_is_half_on_its_way_what_is_there_is_its_own(state: str) -> None:
    half = replace(THERE, deleted=(replace(GONE, state=state),))
    assert [type(step) for step in back(half, GONE.name).steps] == [BringBack]


def test_a_restore_says_what_becomes_of_what_is_there_now() -> None:
    def detail(disk: Disk, days: float) -> str:
        return plan_snapshot(found("b", disk=disk), replace(BACK, confirm="dev", days=days)).steps[0].detail

    assert "playbooks/restore.yml brings it back for 7 days" in detail(DISK, 7)
    short = detail(replace(DISK, free=5 << 30), 7)
    assert "and its room is free only then: 5.0 GiB are left; O(keep_deleted=0) frees it now" in short
    assert detail(replace(DISK, one_disk=False), 7).endswith("deleted, as it is not on the disk of the VMs")
    assert detail(DISK, 0).endswith("the present content is deleted")


def test_what_can_come_back_is_listed() -> None:
    assert (
        "There are: b, dev-deleted-1, dev-deleted-2, dev-deleted-3."
        in back(replace(found("b"), deleted=FREE.deleted), "x").refusals[0].message
    )
