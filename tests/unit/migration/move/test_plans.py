# SPDX-License-Identifier: GPL-3.0-or-later
"""What each phase of a move to another runtime does, and what it refuses, as a plan."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.retained_vms import (
    KEPT,
    LEAVING,
    RETURNING,
    RetainedVm,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import (
    ABSENT,
    HALF,
    RUNNING,
    STOPPED,
    ProfileState,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Name
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import Plan
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import Fingerprint, Kind, Resource, Row, Status
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import Container, Image, Inventory, Note, Volume
from ansible_collections.laptop.containers.plugins.module_utils.migration.move import archive
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.arriving import (
    plan_arriving,
    plan_ready,
    plan_retire,
    plan_return,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.evidence import (
    arrived,
    filled,
    own_file,
    rows_of,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.leaving import plan_leaving, room_for
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.model import (
    CLUSTER,
    OWN,
    Archive,
    Arrived,
    Claim,
    Fill,
    Held,
    Objects,
    Remove,
    Return,
    RuntimeMoveSpec,
    RuntimeMoveState,
    SavedClaim,
    SavedImages,
    SaveImages,
    SetAside,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.room import Room

MIB, BOOT = 1 << 20, 7
NAME = Name("k8s", "colima-k8s")
SPEC = RuntimeMoveSpec("leave", NAME, "containerd", Path("/moves/k8s"))
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
    there=True,
)
FILES = frozenset((*(one.file for one in SAVED.images), *(one.file for one in SAVED.claims)))
SEALED = replace(SAVED, sealed=BOOT, stopped=True)
ROWS = {row.resource: row for row in rows_of(SEALED, replace(ENGINE, images=(USED,)), FILES, SPEC)}
FILE = own_file(SPEC.place / "sealed.json", Status.FILLED)
ROWS[FILE.resource] = FILE
MOVED = {
    resource: arrived(row, "new") if row.status is Status.FILLED and row is not FILE else row for resource, row in ROWS.items()
}
KEEP = RetainedVm("k8s-docker", "k8s", "docker", KEPT, {}, id="old")
KEPT_NEW = replace(KEEP, name="k8s-containerd", runtime="containerd", id="new")


def profile(health: str = RUNNING, runtime: str = "docker", cluster: bool = True) -> ProfileState:
    settings: Any = {"runtime": runtime, "kubernetes.enabled": True, "disk": 100}
    live = {"runtime": runtime, "kubernetes": cluster} if health == RUNNING else {}
    return ProfileState(NAME, health, applied=settings if health != ABSENT else None, live=live)


FOUND = RuntimeMoveState(profile(), BOOT, Archive(), engine=ENGINE, objects=OBJECTS, free=1 << 40)
NEW = RuntimeMoveState(profile(runtime="containerd"), BOOT + 1, SEALED, (KEEP,), vm="new", rows=ROWS, place=SPEC.place)
GOOD = replace(NEW, rows=MOVED)
REST = replace(FOUND, current=profile(cluster=False), objects=None)


def test_images_come_first_then_the_cluster_rests_and_nothing_leaves_before_all_was_read_again() -> None:
    assert plan_leaving(FOUND, SPEC).actions == [
        "save image 'web:1' (the cluster's, 5 MiB)",
        "save image 'tool:1' (for nerdctl, 5 MiB)",
        "save 1 object of the cluster",
        "stop Kubernetes in profile 'k8s' (so that nothing writes to its volumes)",
        "save volume 'shop/data' (3 MiB)",
        "verify the archive (/moves/k8s)",
        "stop profile 'k8s'",
        "keep the VM of profile 'k8s' (aside, as 'k8s-docker')",
    ]


def test_images_go_where_they_are_used() -> None:
    plan = plan_leaving(FOUND, replace(SPEC, images=()))
    (step,) = (one for one in plan.steps if isinstance(one, SaveImages))
    assert (step.images, step.namespace) == ((USED,), CLUSTER)
    other = plan_leaving(replace(FOUND, objects=Objects(boot=BOOT)), SPEC).steps[0]
    assert isinstance(other, SaveImages) and other.namespace == OWN


def test_a_killed_run_goes_on_and_saves_nothing_twice() -> None:
    plan = plan_leaving(replace(REST, archive=SAVED), replace(SPEC, images=()))
    assert [action.split()[0] for action in plan.actions] == ["verify", "stop", "keep"]
    stopped = replace(REST, current=profile(STOPPED), archive=SEALED, engine=None)
    assert [action.split()[0] for action in plan_leaving(stopped, SPEC).actions] == ["keep"]
    half = replace(KEEP, state=LEAVING)
    gone = replace(stopped, current=profile(ABSENT), kept=(half,))
    assert plan_leaving(gone, SPEC).actions == ["keep the VM of profile 'k8s' (aside, as 'k8s-docker')"]
    assert plan_leaving(replace(gone, kept=(KEEP,)), SPEC).steps == ()


def test_what_was_saved_of_a_cluster_that_has_run_since_counts_no_more() -> None:
    plan = plan_leaving(replace(FOUND, archive=SEALED), replace(SPEC, images=()))
    assert "save volume 'shop/data' (3 MiB)" in plan.actions and "save 1 object of the cluster" in plan.actions


def test_a_profile_that_has_the_runtime_needs_nothing() -> None:
    assert plan_leaving(replace(FOUND, current=profile(runtime="containerd")), SPEC).steps == ()


BUSY = replace(ENGINE, containers=(Container("1", "mine", "web:1", "", "running"), Container("2", "k8s_web", "", "", "running")))


@pytest.mark.parametrize(
    ("found", "spec", "reason"),
    [
        (
            replace(FOUND, current=profile(ABSENT)),
            SPEC,
            "there is no such profile. Correct its name. There are none on this laptop.",
        ),
        (
            replace(FOUND, current=profile(ABSENT), others=("k8s", "docker-buildx")),
            replace(SPEC, runtime="docker"),
            "to another runtime: there is no such profile. Correct its name. There are: k8s, docker-buildx. Did you mean",
        ),
        (replace(FOUND, current=profile(runtime="incus")), SPEC, "it has runtime incus"),
        (FOUND, replace(SPEC, runtime="docker"), "its settings do not say runtime: containerd"),
        (replace(FOUND, current=profile(STOPPED), archive=SAVED), SPEC, "it is stopped, and not all of it is in the archive"),
        (replace(FOUND, current=profile(STOPPED), archive=SEALED, boot=8), SPEC, "it is stopped, and not all of it"),
        # It may have run on after the archive was complete.
        (
            replace(FOUND, current=profile(STOPPED), archive=replace(SEALED, stopped=False)),
            SPEC,
            "it is stopped, and not all of it",
        ),
        (replace(FOUND, current=profile(HALF)), SPEC, "it is half-started"),
        (REST, SPEC, "its Kubernetes does not run"),
        (replace(FOUND, kept=(KEEP,)), SPEC, "still kept as 'k8s-docker'"),
        (replace(FOUND, kept=(replace(KEEP, state=RETURNING),)), SPEC, "its old VM is on the way back"),
        (replace(FOUND, one_disk=False), SPEC, "on different disks"),
        (replace(FOUND, engine=BUSY), SPEC, r"containers run in it \(mine\)"),
        (replace(FOUND, free=25 * MIB), SPEC, "it needs 26 MiB of the laptop's disk, and 25 MiB are free"),
    ],
)
def test_what_can_not_be_done_is_one_sentence_before_anything_is_changed(
    found: RuntimeMoveState, spec: RuntimeMoveSpec, reason: str
) -> None:
    plan = plan_leaving(found, spec)
    assert plan.steps == ()
    (refusal,) = plan.refusals
    assert re.search(reason, refusal.message), refusal.message


def test_containers_may_be_ended_and_what_stays_is_named() -> None:
    engine = replace(BUSY, volumes=(Volume("db"),))
    plan = plan_leaving(replace(FOUND, engine=engine), replace(SPEC, stop=True))
    assert plan.steps and not plan.refusals
    volumes, containers = plan.warnings
    assert "db" in volumes and "mine" in containers and "k8s_web" not in containers


def test_an_unattended_move_takes_all_or_is_refused() -> None:
    unattended = replace(SPEC, unattended=True)
    assert plan_leaving(FOUND, unattended).steps == plan_leaving(FOUND, SPEC).steps
    plan = plan_leaving(replace(FOUND, engine=replace(ENGINE, volumes=(Volume("db"),))), unattended)
    assert plan.steps == ()
    assert plan.refusals[0].message == (
        "Could not move profile 'k8s' to containerd: not all of it would go along. Volumes of docker stay in 'k8s-docker': db. "
        "playbooks/migrate.yml moves them, before this. playbooks/move.yml moves all else, and keeps the old VM."
    )


def test_an_unattended_move_needs_no_profile() -> None:
    nothing, unattended = RuntimeMoveState(profile(ABSENT), 0, Archive()), replace(SPEC, unattended=True)
    assert plan_leaving(nothing, unattended) == Plan()
    assert plan_leaving(nothing, SPEC).refusals
    assert plan_leaving(replace(nothing, kept=(replace(KEEP, state=RETURNING),)), unattended).refusals


def test_shared_layers_need_their_room_once() -> None:
    found = replace(FOUND, engine=replace(ENGINE, layers_size=6 * MIB), free=18 * MIB)
    assert plan_leaving(found, SPEC).steps
    assert room_for(plan_leaving(found, SPEC).steps, found, SPEC) == Room(18 * MIB, 5 * MIB, 18 * MIB)


def test_an_engine_that_sends_images_as_it_keeps_them_needs_no_room_for_it() -> None:
    found = replace(FOUND, engine=replace(ENGINE, contents=True), free=18 * MIB)
    assert room_for(plan_leaving(found, SPEC).steps, found, SPEC).packing == 0


def test_what_is_saved_needs_its_room_only_in_the_new_vm() -> None:
    found = replace(REST, archive=SAVED, free=20 * MIB)
    spec = replace(SPEC, images=())
    assert room_for(plan_leaving(found, spec).steps, found, spec) == Room(8 * MIB, 0, 20 * MIB)
    stopped = replace(REST, current=profile(STOPPED), archive=SEALED, engine=None)
    assert room_for(plan_leaving(stopped, SPEC).steps, stopped, SPEC).line("of the laptop's disk") == ""


def test_the_new_vm_gets_images_then_data_then_objects() -> None:
    assert [action.split(" (")[0] for action in plan_arriving(NEW, SPEC).actions] == [
        "load 1 image",
        "fill volume 'shop/data'",
        "create 1 object in the cluster",
    ]


DATA_THERE = {DATA.claim: Held(Fingerprint("c", "7.1"))}
ALL = Arrived(frozenset(one.file for one in SEALED.images), DATA_THERE, frozenset(["apps Deployment shop/web"]))


def test_what_is_there_is_left_alone() -> None:
    assert plan_arriving(replace(NEW, arrived=ALL), SPEC).actions == []
    # What the user has removed since does not come back.
    assert plan_arriving(GOOD, SPEC).steps == ()


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (replace(NEW, archive=SAVED), "there is no complete archive at '/moves/k8s'. Attach the disk that it is on"),
        (replace(NEW, archive=SAVED, rows={}), "nothing is noted of what the old VM held"),
        (replace(NEW, current=profile(STOPPED, "containerd")), "it does not run with containerd"),
        (replace(NEW, current=profile()), "it does not run with containerd"),
        (replace(NEW, current=profile(runtime="containerd", cluster=False)), "its Kubernetes does not run"),
    ],
)
def test_a_vm_that_can_not_take_it_is_refused(found: RuntimeMoveState, reason: str) -> None:
    (refusal,) = plan_arriving(found, SPEC).refusals
    assert reason in refusal.message


def test_it_is_ready_when_all_is_there_and_the_workloads_are() -> None:
    assert "it is left to load 1 image" in plan_ready(NEW, SPEC).refusals[0].message
    waiting = replace(NEW, arrived=replace(ALL, waiting=("Deployment shop/web",)))
    assert "Deployment shop/web is not ready" in plan_ready(waiting, SPEC).refusals[0].message
    good = plan_ready(replace(NEW, arrived=ALL), SPEC)
    assert not good.refusals and not good.changed and noted(good) == {row.resource for row in MOVED.values() if row is not FILE}


def noted(plan: Plan) -> set[Resource]:
    return {row.resource for step in plan.steps if isinstance(step, Note) for row in step.rows}


STOPPED_NEW = replace(NEW, current=profile(STOPPED, "containerd"))


def test_without_a_kept_vm_there_is_no_way_back() -> None:
    (refusal,) = plan_return(replace(NEW, kept=()), SPEC).refusals
    assert "none is kept. There is one only after playbooks/move.yml has moved the profile." in refusal.message


def test_the_way_back_keeps_the_new_vm_and_needs_it_stopped() -> None:
    assert plan_return(STOPPED_NEW, SPEC).actions == [
        "keep the VM of profile 'k8s' (aside, as 'k8s-containerd')",
        "bring back the VM of profile 'k8s' (kept as 'k8s-docker')",
    ]
    assert "the new one is running" in plan_return(NEW, SPEC).refusals[0].message
    back = replace(NEW, current=profile(STOPPED), kept=(KEPT_NEW,))
    assert plan_return(back, SPEC).steps == ()


@pytest.mark.parametrize(
    "found",
    [
        # The VM itself has gone aside, its disk has not.
        replace(STOPPED_NEW, current=profile(ABSENT), kept=(replace(KEPT_NEW, state=LEAVING), KEEP)),
        # The user has deleted the new VM; colima keeps its disk.
        replace(STOPPED_NEW, current=profile(ABSENT)),
    ],
)
def test_the_way_back_is_free_before_the_old_vm_comes(found: RuntimeMoveState) -> None:
    assert [type(step) for step in plan_return(found, SPEC).steps] == [SetAside, Return]
    free = replace(found, parts=False, kept=(KEEP,))
    assert [type(step) for step in plan_return(free, SPEC).steps] == [Return]


def test_a_way_back_that_was_begun_goes_on_and_another_vm_stays_in_its_place() -> None:
    half = replace(STOPPED_NEW, current=profile(ABSENT), kept=(replace(KEEP, state=RETURNING), KEPT_NEW))
    assert [type(step) for step in plan_return(half, SPEC).steps] == [Return]
    assert plan_return(replace(half, current=profile(STOPPED)), SPEC).refusals == ()
    other = replace(STOPPED_NEW, current=profile(STOPPED, "docker"))
    assert "another VM with runtime docker has its place" in plan_return(other, SPEC).refusals[0].message


def test_a_vm_is_removed_only_by_its_name_and_once_the_new_one_is_good() -> None:
    assert "Name it as E(confirm): k8s-docker" in plan_retire(GOOD, SPEC).refusals[0].message
    named = replace(SPEC, confirm="k8s-docker")
    missing = "not in the profile's VM: image 'web:1', volume 'shop/data', Deployment shop/web. Run playbooks/move.yml to its end"
    assert missing in plan_retire(NEW, named).refusals[0].message
    assert plan_retire(GOOD, named).actions == ["remove the VM of profile 'k8s' that is kept as 'k8s-docker' (and the archive)"]
    none = plan_retire(replace(GOOD, kept=()), named)
    assert (none.steps, none.refusals) == ((), ())
    assert none.warnings == ("No old VM of profile 'k8s' is kept as 'k8s-docker', so none was removed.",)
    assert plan_retire(replace(GOOD, kept=()), SPEC).warnings == ()
    assert plan_retire(replace(GOOD, kept=(), left=True), named).steps[0].silent


RETIRE = replace(SPEC, confirm="k8s-docker")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        # move_directory was left out the second time, or the disk is not attached.
        (replace(NEW, archive=Archive()), "not in the profile's VM: image 'web:1', volume 'shop/data'"),
        # The VM that got everything was deleted, and another one made.
        (replace(GOOD, vm="another"), "not in the profile's VM"),
        (replace(GOOD, vm=""), "not in the profile's VM"),
        (replace(GOOD, rows={}), "nothing is noted of what it holds"),
    ],
)
def test_that_an_archive_is_not_there_lets_no_old_vm_go(found: RuntimeMoveState, reason: str) -> None:
    plan = plan_retire(found, RETIRE)
    assert plan.steps == () and reason in plan.refusals[0].message


def test_an_archive_on_a_disk_that_is_away_stays_and_is_named() -> None:
    plan = plan_retire(replace(GOOD, archive=Archive()), RETIRE)
    assert plan.warnings == ("The VM is removed. Its archive at '/moves/k8s' can't be reached, and is left there.",)
    assert plan.actions == ["remove the VM of profile 'k8s' that is kept as 'k8s-docker'"]


ENGINES_OWN = replace(
    ENGINE,
    images=(USED, OTHER, SYSTEM, Image("sha256:9", (), digests=("web@sha256:9",)), Image("sha256:8")),
    volumes=(Volume("db"), Volume("f" * 64, anonymous=True)),
    containers=(Container("1", "mine", "web:1", "", "paused"), Container("2", "k8s_web", "", "", "running")),
)
SECRET, JOB, ORPHAN = (
    Row(Resource(kind, name), Status.IMMOVABLE, reason=reason)
    for kind, name, reason in (
        (Kind.OBJECT, " Secret shop/login", "O(secrets) leaves it out"),
        (Kind.OBJECT, "batch Job shop/once", "again"),
        (Kind.CLAIM, "pvc-9", "no claim uses it"),
    )
)
ELSEWHERE = Row(Resource(Kind.CLAIM, "pvc-8"), Status.LEFT, reason="O(namespaces)")


def with_all_that_stays() -> RuntimeMoveState:
    saved = replace(SEALED, objects=replace(OBJECTS, stays=(SECRET, JOB, ORPHAN, ELSEWHERE)))
    rows = {row.resource: row for row in rows_of(saved, ENGINES_OWN, FILES, SPEC)}
    return replace(GOOD, archive=saved, rows={resource: MOVED.get(resource, row) for resource, row in rows.items()})


def test_what_only_the_old_vm_has_needs_a_word_before_it_goes() -> None:
    found = with_all_that_stays()
    (refusal,) = plan_retire(found, RETIRE).refusals
    assert refusal.message == (
        "Could not remove the old VM of profile 'k8s': only it has Secret shop/login, volume 'pvc-9', image 'web@sha256:9', "
        "volume 'db'. Take that out with playbooks/move.yml, --tags back, or name what you give up: O(leave=[shop/login])."
    )
    some = replace(RETIRE, leave=("shop/*", "pvc-9", "web@*"))
    assert "only it has volume 'db'" in plan_retire(found, some).refusals[0].message
    (step,) = plan_retire(found, replace(RETIRE, leave=(*some.leave, "db"))).steps
    for name in ("db", "f" * 64, "mine", "web@sha256:9", "sha256:8", "Secret shop/login", "Job shop/once", "pvc-9", "pvc-8"):
        assert name in str(step)
    assert "k8s_web" not in str(step) and "rancher" not in str(step)


def test_a_secret_that_was_made_again_in_the_new_cluster_needs_no_word() -> None:
    found = with_all_that_stays()
    there = replace(ALL, objects=ALL.objects | {SECRET.resource.name})
    unready = {resource: row if row.status is not Status.MOVED else ROWS[resource] for resource, row in found.rows.items()}
    assert Resource(Kind.OBJECT, SECRET.resource.name) in noted(plan_ready(replace(found, rows=unready, arrived=there), SPEC))


@pytest.mark.parametrize("name", ["objects.json", "sealed.json", *sorted(FILES), f"{min(FILES)}.part"])
def test_a_file_of_the_users_in_the_way_is_refused_before_the_first_step(name: str) -> None:
    plan = plan_leaving(replace(FOUND, archive=Archive(foreign=frozenset([name, "notes.txt"]))), replace(SPEC, images=()))
    assert plan.steps == ()
    assert plan.refusals[0].message == (
        f"Could not move profile 'k8s' to containerd: '/moves/k8s' has a file '{name}' that is not of this move. Move it away, "
        "or choose another O(directory), and run again."
    )
    other = replace(FOUND, archive=Archive(foreign=frozenset(["notes.txt", "mydata.tar", "mydata.json"])))
    assert plan_leaving(other, SPEC).refusals == ()


OTHERS = {DATA.claim: Held(Fingerprint("other", "7.1"))}


def test_a_directory_that_is_there_already_is_no_arrival() -> None:
    found = replace(NEW, arrived=replace(ALL, volumes=OTHERS))
    assert plan_arriving(found, SPEC).refusals[0].message == (
        "Could not fill profile 'k8s': '/var/lib/rancher/k3s/storage/pvc-1' in the new VM has other content than volume "
        "'shop/data' of the old one. Empty it to get the old one's, or keep the new one's with O(leave=[shop/data]), and run "
        "again."
    )
    kept = plan_arriving(found, replace(SPEC, leave=("shop/*",)))
    assert kept.actions == [] and Resource(Kind.CLAIM, DATA.claim) in noted(kept)
    assert "has other content" in plan_ready(found, SPEC).refusals[0].message
    # What pods have written since it arrived in this very directory of this VM is the new VM's own.
    mine = {**ROWS, Resource(Kind.CLAIM, DATA.claim): arrived(ROWS[Resource(Kind.CLAIM, DATA.claim)], "new", "c", "7.1")}
    assert plan_arriving(replace(found, rows=mine), SPEC).refusals == ()
    for strange in (replace(found, rows=mine, vm="another"), replace(found, rows=mine, arrived=replace(ALL, volumes=MADE_ANEW))):
        assert plan_arriving(strange, SPEC).refusals


MADE_ANEW = {DATA.claim: Held(Fingerprint("other", "8.2"))}


def test_an_empty_directory_is_filled_unless_its_user_emptied_it() -> None:
    emptied = replace(NEW, arrived=replace(ALL, volumes={DATA.claim: Held(Fingerprint("root", "7.1"), empty=True)}))
    assert plan_arriving(emptied, SPEC).actions == ["fill volume 'shop/data' (3 MiB)"]
    mine = {**ROWS, Resource(Kind.CLAIM, DATA.claim): arrived(ROWS[Resource(Kind.CLAIM, DATA.claim)], "new", "c", "7.1")}
    assert plan_arriving(replace(emptied, rows=mine), SPEC).actions == []
    # A volume that was empty in the old VM has arrived where it is empty in the new one.
    same = replace(NEW, arrived=replace(ALL, volumes={DATA.claim: Held(Fingerprint("c", "7.1"), empty=True)}))
    assert plan_arriving(same, SPEC).actions == []


def test_a_volume_below_another_one_comes_after_it() -> None:
    inner, outer = Claim("a", "shop/a", "/data/b"), Claim("b", "shop/b", "/data")
    saved = replace(SEALED, claims=tuple(SavedClaim(archive.volume_file(one), one, "c", 1, "d") for one in (inner, outer)))
    steps = [str(one) for one in plan_arriving(replace(NEW, archive=saved), SPEC).steps if isinstance(one, Fill)]
    assert steps == ["fill volume 'shop/b' (1 bytes)", "fill volume 'shop/a' (1 bytes)"]


def test_the_archive_of_one_kept_vm_does_not_go_with_another() -> None:
    both = replace(NEW, kept=(KEPT_NEW, KEEP))
    (step,) = plan_retire(both, replace(SPEC, confirm=KEPT_NEW.name)).steps
    assert isinstance(step, Remove) and not step.files and "archive" not in str(step)


@pytest.mark.parametrize(
    ("kept", "remedy"),
    [
        (replace(KEEP, state=LEAVING), "Run playbooks/move.yml to its end"),
        (replace(KEEP, state=RETURNING), "Run playbooks/move.yml with --tags back to its end"),
        (replace(KEPT_NEW, state=LEAVING), "Run playbooks/move.yml with --tags back to its end"),
    ],
)
def test_a_vm_whose_parts_are_in_two_places_is_not_removed(kept: RetainedVm, remedy: str) -> None:
    found = replace(GOOD, kept=(kept,))
    assert remedy in plan_retire(found, replace(SPEC, confirm=kept.name)).refusals[0].message


def test_what_no_archive_carries_is_named_before_the_move_and_before_its_vm_goes() -> None:
    data = replace(DATA, left=("socket db.sock", "flags of key"))
    warned = plan_leaving(replace(FOUND, objects=replace(OBJECTS, claims=(data,))), replace(SPEC, unattended=True))
    assert "No copy of volume 'shop/data' carries socket db.sock, flags of key." in warned.warnings and not warned.refusals
    row = filled(replace(SEALED.claims[0], claim=data), SPEC.place)
    rows = {**MOVED, row.resource: arrived(row, "new", "c", "1.2")}
    (action,) = plan_retire(replace(GOOD, rows=rows), replace(SPEC, confirm="k8s-docker")).actions
    assert "; with it go socket db.sock, flags of key of volume 'shop/data'" in action
