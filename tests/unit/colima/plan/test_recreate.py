# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM that never came up holds nothing; a disk that lies beside it, and that it does not use, may."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.answers import DiskNote
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Host, defaults
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.spec import ChangePolicy, ProfileSpec
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import (
    GIB,
    HALF,
    RUNNING,
    DataDisk,
    ProfileState,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima.plan.profile import plan_profile
from ansible_collections.laptop.containers.plugins.module_utils.colima.plan.recreate import how_to_recreate
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name

HOST = Host("Darwin", "aarch64", "/Users/me", 12, 36864)
UNUSED = "cpus: 2"


OF_DOCKER = ProfileState(
    parse_name("dev"),
    RUNNING,
    configured=defaults(HOST),
    applied=defaults(HOST),
    store=DiskNote(True, "docker"),
    disk=DataDisk(100 * GIB, "colima-dev", written=True),
    definition=UNUSED,
)


@pytest.mark.parametrize(("wanted", "moves"), [("containerd", True), ("incus", False)])
def test_a_refused_change_to_containerd_names_the_move_that_loses_nothing(wanted: str, moves: bool) -> None:
    (refusal,) = how_to_recreate(OF_DOCKER, ("runtime",), {**defaults(HOST), "runtime": wanted}, ChangePolicy(), None).refusals
    assert ("playbooks/move.yml" in refusal.remedy) == moves


def test_recreation_waits_until_what_is_in_the_vm_has_moved() -> None:
    asked = ProfileSpec(parse_name("dev"), "started", {"runtime": "containerd", "cpu": 8})
    plan = plan_profile(OF_DOCKER, asked, ChangePolicy(on_fixed_change="recreate"), HOST)
    (pending,) = plan.pending
    assert (plan.actions, plan.refusals, pending.kind) == ((), (), "move")
    assert str(pending).startswith(
        "profile 'dev': runtime docker -> containerd is pending because what is in the VM has to move first. playbooks/move.yml "
    )
    refused = plan_profile(OF_DOCKER, replace(asked, stated={"runtime": "incus"}), ChangePolicy(on_fixed_change="recreate"), HOST)
    assert refused.refusals and not refused.pending


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize(
    ("fixed", "asked", "recreate"),
    [
        ("mount_type", {"mount_type": "sshfs"}, (True, True)),
        # colima refuses the disk to another runtime.
        ("runtime", {"runtime": "containerd"}, (False, False)),
        # A smaller one could only take its place.
        ("disk", {"disk": 10}, (True, False)),
    ],
)
def test_a_vm_that_never_came_up_is_made_anew_without_a_loss(
    fixed: str, asked: dict[str, object], recreate: tuple[bool, bool], written: bool
) -> None:
    disk, store = DataDisk(100 * GIB, written=written), DiskNote(True, "docker")
    current = ProfileState(parse_name("dev"), HALF, fresh=True, store=store, disk=disk, definition=UNUSED)
    verdict = how_to_recreate(current, (fixed,), {**defaults(HOST), **asked}, ChangePolicy(), None)
    assert verdict.recreate == recreate[written]
    assert bool(verdict.refusals) != verdict.recreate
    assert not (verdict.with_data and written)


POLICIES = [ChangePolicy(on_fixed_change=one, confirm_data_loss=frozenset({"dev"})) for one in
            ("refuse", "warn", "recreate", "recreate_with_data_loss")]  # fmt: skip


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.on_fixed_change)
@pytest.mark.parametrize("asked", [{"mount_type": "sshfs"}, {"runtime": "containerd"}, {"disk": 10}])
def test_a_stop_stops_a_vm_whatever_it_can_never_have(asked: dict[str, object], policy: ChangePolicy) -> None:
    config, store = defaults(HOST), DiskNote(True, "docker")
    disk = DataDisk(100 * GIB, "colima-dev", written=True)
    current = ProfileState(
        parse_name("dev"), RUNNING, configured=config, applied=config, store=store, disk=disk, definition=UNUSED
    )
    plan = plan_profile(current, ProfileSpec(parse_name("dev"), "stopped", asked), policy, HOST)
    assert [str(action) for action in plan.actions] == ["stop profile 'dev'"]
    assert (plan.refusals, plan.warnings) == ((), ())


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.on_fixed_change)
def test_a_stop_leaves_a_kept_disk_alone(policy: ChangePolicy) -> None:
    disk, store = DataDisk(100 * GIB, written=True), DiskNote(True, "docker")
    current = ProfileState(parse_name("dev"), "absent", store=store, disk=disk)
    plan = plan_profile(current, ProfileSpec(parse_name("dev"), "stopped", {"runtime": "containerd"}), policy, HOST)
    # Not even settings are written for what was never made.
    assert (plan.refusals, plan.actions) == ((), ())
