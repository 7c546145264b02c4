# SPDX-License-Identifier: GPL-3.0-or-later
"""What each phase of a move to another runtime does, and what it refuses, as a plan."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import (
    ABSENT,
    HALF,
    RUNNING,
    STOPPED,
    Current,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Name
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import Plan
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import Container, Image, Inventory, Volume
from ansible_collections.laptop.containers.plugins.module_utils.migration.room import Room
from ansible_collections.laptop.containers.plugins.module_utils.migration.runtime import archive
from ansible_collections.laptop.containers.plugins.module_utils.migration.runtime.arriving import (
    plan_arriving,
    plan_ready,
    plan_retire,
    plan_return,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.runtime.leaving import plan_leaving, room_for
from ansible_collections.laptop.containers.plugins.module_utils.migration.runtime.model import (
    CLUSTER,
    KEPT,
    LEAVING,
    OWN,
    RETURNING,
    Archive,
    Arrived,
    Claim,
    Found,
    Kept,
    Objects,
    Remove,
    Return,
    SavedClaim,
    SavedImages,
    SaveImages,
    SetAside,
    Wish,
)

MIB, BOOT = 1 << 20, 7
NAME = Name("k8s", "colima-k8s")
WISH = Wish("leave", NAME, "containerd", Path("/moves/k8s"))
USED, OTHER, SYSTEM = (Image(f"sha256:{tag}", (tag,), size=5 * MIB) for tag in ("web:1", "tool:1", "rancher/mirrored-pause:3.6"))
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"template": {"spec": {"containers": [{"image": "web:1"}]}}},
}
DATA = Claim("pvc-1", "shop/data", "/var/lib/rancher/k3s/storage/pvc-1", 3 * MIB)
OBJECTS = Objects((WEB,), (DATA,), ("Deployment shop/web",), boot=BOOT)
ENGINE = Inventory("e", images=(USED, OTHER, SYSTEM))
SAVED = Archive(
    (SavedImages(archive.images_file([USED], CLUSTER), CLUSTER, (USED,), 5 * MIB, "d"),),
    (SavedClaim(archive.volume_file(DATA), DATA, "c", 3 * MIB, "d"),),
    OBJECTS,
    files=True,
)
SEALED = replace(SAVED, sealed=BOOT)
KEEP = Kept("k8s-docker", "k8s", "docker", KEPT, {}, {})
KEPT_NEW = replace(KEEP, name="k8s-containerd", runtime="containerd")


def profile(health: str = RUNNING, runtime: str = "docker", cluster: bool = True) -> Current:
    settings: Any = {"runtime": runtime, "kubernetes.enabled": True, "disk": 100}
    live = {"runtime": runtime, "kubernetes": cluster} if health == RUNNING else {}
    return Current(NAME, health, applied=settings if health != ABSENT else None, live=live)


FOUND = Found(profile(), BOOT, Archive(), engine=ENGINE, objects=OBJECTS, free=1 << 40)
NEW = Found(profile(runtime="containerd"), BOOT + 1, SEALED, (KEEP,))
REST = replace(FOUND, current=profile(cluster=False), objects=None)


def test_images_come_first_then_the_cluster_rests_and_nothing_leaves_before_all_was_read_again() -> None:
    assert plan_leaving(FOUND, WISH).actions == [
        "save image 'web:1' (the cluster's, up to 5 MiB)",
        "save image 'tool:1' (for nerdctl, up to 5 MiB)",
        "save 1 object of the cluster",
        "stop Kubernetes in profile 'k8s' (so that nothing writes to its volumes)",
        "save volume 'shop/data' (3 MiB)",
        "verify the archive (/moves/k8s)",
        "stop profile 'k8s'",
        "keep the VM of profile 'k8s' (aside, as 'k8s-docker')",
    ]


def test_images_go_where_they_are_used() -> None:
    plan = plan_leaving(FOUND, replace(WISH, images=()))
    (step,) = (one for one in plan.steps if isinstance(one, SaveImages))
    assert (step.images, step.namespace) == ((USED,), CLUSTER)
    other = plan_leaving(replace(FOUND, objects=Objects(boot=BOOT)), WISH).steps[0]
    assert isinstance(other, SaveImages) and other.namespace == OWN


def test_a_killed_run_goes_on_and_saves_nothing_twice() -> None:
    plan = plan_leaving(replace(REST, archive=SAVED), replace(WISH, images=()))
    assert [action.split()[0] for action in plan.actions] == ["verify", "stop", "keep"]
    stopped = replace(REST, current=profile(STOPPED), archive=SEALED, engine=None)
    assert [action.split()[0] for action in plan_leaving(stopped, WISH).actions] == ["keep"]
    half = replace(KEEP, state=LEAVING)
    gone = replace(stopped, current=profile(ABSENT), kept=(half,))
    assert plan_leaving(gone, WISH).actions == ["keep the VM of profile 'k8s' (aside, as 'k8s-docker')"]
    assert plan_leaving(replace(gone, kept=(KEEP,)), WISH).steps == ()


def test_what_was_saved_of_a_cluster_that_has_run_since_counts_no_more() -> None:
    plan = plan_leaving(replace(FOUND, archive=SEALED), replace(WISH, images=()))
    assert "save volume 'shop/data' (3 MiB)" in plan.actions and "save 1 object of the cluster" in plan.actions


def test_a_profile_that_has_the_runtime_needs_nothing() -> None:
    assert plan_leaving(replace(FOUND, current=profile(runtime="containerd")), WISH).steps == ()


BUSY = replace(ENGINE, containers=(Container("1", "mine", "web:1", "", "running"), Container("2", "k8s_web", "", "", "running")))


@pytest.mark.parametrize(
    ("found", "wish", "reason"),
    [
        (
            replace(FOUND, current=profile(ABSENT)),
            WISH,
            "there is no such profile. Correct its name. There are none on this laptop.",
        ),
        (
            replace(FOUND, current=profile(ABSENT), others=("k8s", "docker-buildx")),
            replace(WISH, runtime="docker"),
            "to another runtime: there is no such profile. Correct its name. There are: k8s, docker-buildx. Did you mean",
        ),
        (replace(FOUND, current=profile(runtime="incus")), WISH, "it has runtime incus"),
        (FOUND, replace(WISH, runtime="docker"), "its settings do not say runtime: containerd"),
        (replace(FOUND, current=profile(STOPPED), archive=SAVED), WISH, "it is stopped, and not all of it is in the archive"),
        (replace(FOUND, current=profile(STOPPED), archive=SEALED, boot=8), WISH, "it is stopped, and not all of it"),
        (replace(FOUND, current=profile(HALF)), WISH, "it is half-started"),
        (REST, WISH, "its Kubernetes does not run"),
        (replace(FOUND, kept=(KEEP,)), WISH, "still kept as 'k8s-docker'"),
        (replace(FOUND, kept=(replace(KEEP, state=RETURNING),)), WISH, "its old VM is on the way back"),
        (replace(FOUND, one_disk=False), WISH, "on different disks"),
        (replace(FOUND, engine=BUSY), WISH, r"containers run in it \(mine\)"),
        (replace(FOUND, free=25 * MIB), WISH, "it needs 26 MiB of the laptop's disk, and 25 MiB are free"),
    ],
)
def test_what_can_not_be_done_is_one_sentence_before_anything_is_changed(found: Found, wish: Wish, reason: str) -> None:
    plan = plan_leaving(found, wish)
    assert plan.steps == ()
    (refusal,) = plan.refusals
    assert re.search(reason, refusal.message), refusal.message


def test_containers_may_be_ended_and_what_stays_is_named() -> None:
    engine = replace(BUSY, volumes=(Volume("db"),))
    plan = plan_leaving(replace(FOUND, engine=engine), replace(WISH, stop=True))
    assert plan.steps and not plan.refusals
    volumes, containers = plan.warnings
    assert "db" in volumes and "mine" in containers and "k8s_web" not in containers


def test_an_unattended_move_takes_all_or_is_refused() -> None:
    unattended = replace(WISH, unattended=True)
    assert plan_leaving(FOUND, unattended).steps == plan_leaving(FOUND, WISH).steps
    plan = plan_leaving(replace(FOUND, engine=replace(ENGINE, volumes=(Volume("db"),))), unattended)
    assert plan.steps == ()
    assert plan.refusals[0].message == (
        "Could not move profile 'k8s' to containerd: not all of it would go along. Volumes of docker stay in 'k8s-docker': db. "
        "playbooks/migrate.yml moves them, before this. playbooks/move.yml moves all else, and keeps the old VM."
    )


def test_an_unattended_move_needs_no_profile() -> None:
    nothing, unattended = Found(profile(ABSENT), 0, Archive()), replace(WISH, unattended=True)
    assert plan_leaving(nothing, unattended) == Plan()
    assert plan_leaving(nothing, WISH).refusals
    assert plan_leaving(replace(nothing, kept=(replace(KEEP, state=RETURNING),)), unattended).refusals


def test_shared_layers_need_their_room_once() -> None:
    found = replace(FOUND, engine=replace(ENGINE, layers_size=6 * MIB), free=18 * MIB)
    assert plan_leaving(found, WISH).steps
    assert room_for(plan_leaving(found, WISH).steps, found, WISH) == Room(18 * MIB, 5 * MIB, 18 * MIB)


def test_an_engine_that_sends_images_as_it_keeps_them_needs_no_room_for_it() -> None:
    found = replace(FOUND, engine=replace(ENGINE, contents=True), free=18 * MIB)
    assert room_for(plan_leaving(found, WISH).steps, found, WISH).packing == 0


def test_what_is_saved_needs_its_room_only_in_the_new_vm() -> None:
    found = replace(REST, archive=SAVED, free=20 * MIB)
    wish = replace(WISH, images=())
    assert room_for(plan_leaving(found, wish).steps, found, wish) == Room(8 * MIB, 0, 20 * MIB)
    stopped = replace(REST, current=profile(STOPPED), archive=SEALED, engine=None)
    assert room_for(plan_leaving(stopped, WISH).steps, stopped, WISH).line("of the laptop's disk") == ""


def test_the_new_vm_gets_images_then_data_then_objects() -> None:
    assert [action.split(" (")[0] for action in plan_arriving(NEW, WISH).actions] == [
        "load 1 image",
        "fill volume 'shop/data'",
        "create 1 object in the cluster",
    ]


ALL = Arrived(frozenset(one.file for one in SEALED.images), frozenset(["pvc-1"]), frozenset(["apps Deployment shop/web"]))


def test_what_is_there_is_left_alone() -> None:
    assert plan_arriving(replace(NEW, arrived=ALL), WISH).steps == ()
    # What the user has removed since does not come back.
    assert plan_arriving(replace(NEW, verified=True), WISH).steps == ()


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (replace(NEW, archive=SAVED), "there is no complete archive at '/moves/k8s'. Correct O(directory)"),
        (replace(NEW, current=profile(STOPPED, "containerd")), "it does not run with containerd"),
        (replace(NEW, current=profile()), "it does not run with containerd"),
        (replace(NEW, current=profile(runtime="containerd", cluster=False)), "its Kubernetes does not run"),
    ],
)
def test_a_vm_that_can_not_take_it_is_refused(found: Found, reason: str) -> None:
    (refusal,) = plan_arriving(found, WISH).refusals
    assert reason in refusal.message


def test_it_is_ready_when_all_is_there_and_the_workloads_are() -> None:
    assert "it is left to load 1 image" in plan_ready(NEW, WISH).refusals[0].message
    waiting = replace(NEW, arrived=replace(ALL, waiting=("Deployment shop/web",)))
    assert "Deployment shop/web is not ready" in plan_ready(waiting, WISH).refusals[0].message
    good = plan_ready(replace(NEW, arrived=ALL), WISH)
    assert not good.refusals and not good.changed and good.steps


STOPPED_NEW = replace(NEW, current=profile(STOPPED, "containerd"))


def test_without_a_kept_vm_there_is_no_way_back() -> None:
    (refusal,) = plan_return(replace(NEW, kept=()), WISH).refusals
    assert "none is kept. There is one only after playbooks/move.yml has moved the profile." in refusal.message


def test_the_way_back_keeps_the_new_vm_and_needs_it_stopped() -> None:
    assert plan_return(STOPPED_NEW, WISH).actions == [
        "keep the VM of profile 'k8s' (aside, as 'k8s-containerd')",
        "bring back the VM of profile 'k8s' (kept as 'k8s-docker')",
    ]
    assert "the new one is running" in plan_return(NEW, WISH).refusals[0].message
    back = replace(NEW, current=profile(STOPPED), kept=(KEPT_NEW,))
    assert plan_return(back, WISH).steps == ()


@pytest.mark.parametrize(
    "found",
    [
        # The VM itself has gone aside, its disk has not.
        replace(STOPPED_NEW, current=profile(ABSENT), kept=(replace(KEPT_NEW, state=LEAVING), KEEP)),
        # The user has deleted the new VM; colima keeps its disk.
        replace(STOPPED_NEW, current=profile(ABSENT)),
    ],
)
def test_the_way_back_is_free_before_the_old_vm_comes(found: Found) -> None:
    assert [type(step) for step in plan_return(found, WISH).steps] == [SetAside, Return]
    free = replace(found, parts=False, kept=(KEEP,))
    assert [type(step) for step in plan_return(free, WISH).steps] == [Return]


def test_a_way_back_that_was_begun_goes_on_and_another_vm_stays_in_its_place() -> None:
    half = replace(STOPPED_NEW, current=profile(ABSENT), kept=(replace(KEEP, state=RETURNING), KEPT_NEW))
    assert [type(step) for step in plan_return(half, WISH).steps] == [Return]
    assert plan_return(replace(half, current=profile(STOPPED)), WISH).refusals == ()
    other = replace(STOPPED_NEW, current=profile(STOPPED, "docker"))
    assert "another VM with runtime docker has its place" in plan_return(other, WISH).refusals[0].message


def test_a_vm_is_removed_only_by_its_name_and_once_the_new_one_is_good() -> None:
    good = replace(NEW, verified=True)
    assert "Name it as E(confirm): k8s-docker" in plan_retire(good, WISH).refusals[0].message
    named = replace(WISH, confirm="k8s-docker")
    assert "was not found to have all of it" in plan_retire(NEW, named).refusals[0].message
    assert plan_retire(good, named).actions == ["remove the VM of profile 'k8s' that is kept as 'k8s-docker' (and the archive)"]
    none = plan_retire(replace(good, kept=()), named)
    assert (none.steps, none.refusals) == ((), ())
    assert none.warnings == ("No old VM of profile 'k8s' is kept as 'k8s-docker', so none was removed.",)
    assert plan_retire(replace(good, kept=()), WISH).warnings == ()
    assert plan_retire(replace(good, kept=(), left=True), named).steps[0].silent


def test_the_archive_of_one_kept_vm_does_not_go_with_another() -> None:
    both = replace(NEW, kept=(KEPT_NEW, KEEP))
    (step,) = plan_retire(both, replace(WISH, confirm=KEPT_NEW.name)).steps
    assert isinstance(step, Remove) and not step.archive and "archive" not in str(step)


@pytest.mark.parametrize(
    ("kept", "remedy"),
    [
        (replace(KEEP, state=LEAVING), "Run playbooks/move.yml to its end"),
        (replace(KEEP, state=RETURNING), "Run playbooks/move.yml with --tags back to its end"),
        (replace(KEPT_NEW, state=LEAVING), "Run playbooks/move.yml with --tags back to its end"),
    ],
)
def test_a_vm_whose_parts_are_in_two_places_is_not_removed(kept: Kept, remedy: str) -> None:
    found = replace(NEW, verified=True, kept=(kept,))
    assert remedy in plan_retire(found, replace(WISH, confirm=kept.name)).refusals[0].message
