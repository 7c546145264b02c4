# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes from one engine to the other, what is kept, and what is left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import Plan
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import Fingerprint, Kind, Resource, Row, Status
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import (
    MOVING,
    Container,
    CopyImages,
    CopyVolume,
    Image,
    Inventory,
    MoveSpec,
    MoveState,
    Sweep,
    Unpause,
    Volume,
    VolumePair,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.plan import in_batches, plan_move, room_for
from ansible_collections.laptop.containers.plugins.module_utils.migration.room import Room

GIB = 1 << 30
DAY = 86400.0
NOW = 1000 * DAY
EMPTY = Inventory("t")
DB = Resource(Kind.VOLUME, "db")
HERE, THERE = Fingerprint("bytes"), Fingerprint("bytes", "first")
OTHER = {"db": VolumePair(HERE, Fingerprint("other", "other"))}
FILLED = Row(DB, Status.FILLED, HERE, THERE, work=f"{MOVING}db")


def image(name: str, *layers: str, size: int = 10, **more: Any) -> Image:
    return Image(f"sha256:{name}", (f"{name}:1",), layers or (f"layer-{name}",), size, **more)


def container(name: str, *volumes: str, state: str = "running", **more: Any) -> Container:
    return Container(f"id-{name}", name, "i", "sha256:i", state, frozenset(volumes), frozenset(volumes), **more)


def found(*things: Image | Volume | Container, target: Sequence[Image | Volume] = (), **more: Any) -> MoveState:
    def inventory(name: str, some: Sequence[object]) -> Inventory:
        kinds = {Image: "images", Volume: "volumes", Container: "containers"}
        fields: dict[str, Any] = {key: tuple(one for one in some if isinstance(one, kind)) for kind, key in kinds.items()}
        return Inventory(name, **fields)

    return MoveState(inventory("s", things), inventory("t", target), NOW, **more)


def copied(plan: Plan) -> list[str]:
    images = [name for step in plan.steps if isinstance(step, CopyImages) for image in step.images for name in image.names]
    return [*images, *(step.volume.name for step in plan.steps if isinstance(step, CopyVolume))]


def test_what_the_target_lacks_is_copied_images_first() -> None:
    plan = plan_move(found(Volume("db", 5), image("a"), image("b"), target=[image("a")]), MoveSpec())
    assert copied(plan) == ["b:1", "db"]
    assert plan.actions == ["copy image 'b:1' (10 bytes)", "copy volume 'db' (5 bytes)"]
    assert (plan.diff["before"], plan.diff["after"]) == ({"images": 1, "volumes": 0}, {"images": 2, "volumes": 1})


def test_a_pattern_that_matches_nothing_at_the_source_is_told() -> None:
    here = found(Volume("db", 5), Volume("cache", 5), image("alpine"))
    spec = MoveSpec(images=("nope*", "alpine", "a*:1"), volumes=("*", "dbb", "*"), replace=frozenset(["db", "cahce"]))
    assert plan_move(here, spec).warnings == (
        "No image at the source matches 'nope*' of O(images).",
        "No image at the source matches 'alpine' of O(images). Did you mean 'alpine:1'?",
        "No volume at the source matches 'dbb' of O(volumes). Did you mean 'db'?",
        "Nothing at the source has the name 'cahce' of O(replace). Did you mean 'cache'?",
    )
    long = plan_move(found(image("registry.example.org/team/app")), MoveSpec(images=("app",)))
    assert long.warnings[0].endswith(" It must match the whole name, such as 'registry.example.org/team/app:1'.")
    assert plan_move(found(), MoveSpec()).warnings == ()


def test_an_image_that_another_store_gave_another_id_is_there() -> None:
    one = Image("sha256:1", ("a:1",), ("x", "y"), platform="linux/arm64", created=5.0, config="c", more="m")
    assert copied(plan_move(found(one, target=[replace(one, id="sha256:2")]), MoveSpec())) == []
    # nerdctl does not tell all of it.
    assert copied(plan_move(found(replace(one, more=None), target=[replace(one, id="sha256:2")]), MoveSpec())) == []
    assert copied(plan_move(found(one, target=[replace(one, id="sha256:2", tags=())]), MoveSpec())) == ["a:1"]


@pytest.mark.parametrize(
    "other",
    [
        image("b"),
        Image("sha256:2", ("b:1",), ("layer-a",), created=1.0),
        Image("sha256:2", ("b:1",), ("layer-a",), config="another ENV"),
        Image("sha256:2", ("b:1",), ("layer-a",), more="another HEALTHCHECK"),
    ],
)
def test_another_image_of_that_name_is_kept_unless_told(other: Image) -> None:
    one = Image("sha256:a", ("b:1", "also:1"), ("layer-a",), more="none")
    there = replace(other, tags=("b:1",), id="sha256:other")
    plan = plan_move(found(one, target=[there]), MoveSpec())
    assert copied(plan) == ["also:1"]
    assert [(item.target, item.kind) for item in plan.pending] == [("image 'b:1'", "conflict")]
    assert copied(plan_move(found(one, target=[there]), MoveSpec(replace=frozenset(["b:1"])))) == ["b:1", "also:1"]


def test_a_volume_is_kept_unless_it_is_ours_or_named() -> None:
    both: dict[str, Any] = {"target": [Volume("db")]}
    plan = plan_move(found(Volume("db"), **both, volumes=OTHER), MoveSpec())
    assert (copied(plan), [item.kind for item in plan.pending]) == ([], ["conflict"])
    assert str(plan.pending[0]).endswith(
        "To lose what the target has, name it in O(replace); to lose what the source has, in O(leave)."
    )
    again = plan_move(found(Volume("db"), **both, volumes={"db": VolumePair(HERE, THERE, same=True)}), MoveSpec())
    assert (copied(again), again.pending, again.actions) == ([], (), [])
    (step,) = plan_move(found(Volume("db", 5), **both, volumes=OTHER), MoveSpec(replace=frozenset(["db"]))).steps
    assert isinstance(step, CopyVolume) and step.replaces == OTHER["db"].target
    assert str(step) == "replace volume 'db' (5 bytes; what the target has of it is lost)"
    left = plan_move(found(Volume("db"), **both, volumes=OTHER), MoveSpec(leave=("d*",)))
    assert (copied(left), left.pending) == ([], ())


def test_a_volume_that_changed_at_the_source_alone_is_copied_again() -> None:
    rows = {DB: Row(DB, Status.MOVED, HERE, THERE)}
    read = VolumePair(Fingerprint("new"), THERE)
    (step,) = plan_move(found(Volume("db", 5), target=[Volume("db")], rows=rows, volumes={"db": read}), MoveSpec()).steps
    assert isinstance(step, CopyVolume) and step.replaces == THERE
    assert str(step) == "replace volume 'db' (5 bytes; changed since it was copied)"


def test_a_volume_that_a_container_at_the_target_holds_waits() -> None:
    there = found(Volume("db"), target=[Volume("db")], volumes=OTHER)
    there = replace(there, target=replace(there.target, containers=(container("web", "db", state="exited"),)))
    plan = plan_move(there, MoveSpec(replace=frozenset(["db"])))
    assert (copied(plan), [item.kind for item in plan.pending]) == ([], ["in_use"])


def test_a_volume_that_can_not_be_read_waits_with_the_reason() -> None:
    broken = VolumePair(Fingerprint("unread"), error=CommandFailed("compare volume 'db'", "it is broken", "Mend it."))
    plan = plan_move(found(Volume("db"), target=[Volume("db")], volumes={"db": broken}), MoveSpec())
    assert [str(item) for item in plan.pending] == ["volume 'db': its copy is pending because it is broken. Mend it."]


def test_a_volume_that_was_filled_and_not_named_is_continued_while_containers_write() -> None:
    for target, read in (([], None), ([Volume("db")], Fingerprint("nothing", "first"))):
        unfinished = {"rows": {DB: FILLED}, "volumes": {"db": VolumePair(HERE, read, work="bytes", empty=True)}}
        (step,) = plan_move(found(Volume("db"), container("web", "db"), target=target, **unfinished), MoveSpec()).steps
        assert isinstance(step, CopyVolume) and not step.pause and step.filled == FILLED and not step.replaces
        assert str(step) == "copy volume 'db' (what an earlier run has copied)"


@pytest.mark.parametrize(
    "read", [VolumePair(Fingerprint("changed"), work="bytes"), VolumePair(HERE, work="changed"), VolumePair(HERE)]
)
def test_a_complete_copy_that_is_not_what_the_source_has_is_made_again(read: VolumePair) -> None:
    (step,) = plan_move(found(Volume("db"), rows={DB: FILLED}, volumes={"db": read}), MoveSpec()).steps
    assert isinstance(step, CopyVolume) and step.filled is None


def test_what_was_begun_for_this_pair_goes_and_what_is_complete_stays() -> None:
    begun = (f"{MOVING}db", f"{MOVING}half", "laptop.containers.moving-other")
    there = found(rows={DB: FILLED}, work=MOVING)
    plan = plan_move(replace(there, target=replace(there.target, begun=begun), work=f"{MOVING}h"), MoveSpec())
    (step,) = plan.steps
    assert isinstance(step, Sweep) and step.volumes == (f"{MOVING}half",)
    assert any("laptop.containers.moving-other" in line for line in plan.warnings)


@pytest.mark.parametrize(("state", "held"), [("running", True), ("restarting", True), ("paused", False), ("exited", False)])
def test_a_volume_that_a_container_may_write_to_waits_or_is_paused(state: str, held: bool) -> None:
    things = (Volume("db"), container("web", "db", state=state))
    plan = plan_move(found(*things), MoveSpec())
    assert copied(plan) == ([] if held else ["db"])
    assert [item.kind for item in plan.pending] == (["in_use"] if held else [])
    (step,) = plan_move(found(*things), MoveSpec(pause=True)).steps
    assert isinstance(step, CopyVolume) and step.pause == (("id-web",) if held else ())


def test_data_that_an_interrupted_run_has_taken_aside_is_given_back_first() -> None:
    target = Fingerprint("before", "then")
    state = found(Volume("db"), target=[Volume("db")], volumes={"db": VolumePair(HERE, target)}, aside=frozenset({"db", "gone"}))
    plan = plan_move(state, MoveSpec(replace=frozenset({"db"})))
    assert plan.actions == [
        "give back the data of volume 'db' (an interrupted run has taken it aside)",
        "give back the data of volume 'gone' (an interrupted run has taken it aside)",
        "replace volume 'db' (0 bytes; what the target has of it is lost)",
    ]
    assert plan_move(replace(state, aside=frozenset()), MoveSpec()).actions == []


def test_a_container_that_a_killed_run_has_paused_goes_on_first() -> None:
    paused = frozenset(["id-web", "id-old"])
    plan = plan_move(found(image("a"), container("web", state="paused"), container("old"), paused=paused), MoveSpec())
    assert [type(step) for step in plan.steps] == [Unpause, CopyImages]


def test_what_goes_on_writes_again() -> None:
    left = found(Volume("db"), container("web", "db", state="paused"), paused=frozenset(["id-web"]))
    held = plan_move(left, MoveSpec())
    assert copied(held) == [] and [item.kind for item in held.pending] == ["in_use"]
    assert [step.pause for step in plan_move(left, MoveSpec(pause=True)).steps if isinstance(step, CopyVolume)] == [("id-web",)]


@pytest.mark.parametrize(
    ("spec", "kept"),
    [
        (MoveSpec(images=("we?:*",), volumes=()), ["web:1"]),
        (MoveSpec(images=(), volumes=("d*",)), ["db"]),
        (MoveSpec(labels=("team=a",)), ["web:1"]),
        (MoveSpec(labels=("team",)), ["web:1", "db"]),
        (MoveSpec(newer=DAY), ["db"]),
        (MoveSpec(largest=100), ["db"]),
    ],
)
def test_filters(spec: MoveSpec, kept: list[str]) -> None:
    web = image("web", size=1000, created=NOW - 2 * DAY, labels={"team": "a"})
    assert copied(plan_move(found(web, Volume("db", 5, NOW, {"team": "b"})), spec)) == kept


def test_what_has_no_name_or_lives_elsewhere_is_left_behind_and_told() -> None:
    nameless = Image("sha256:n", (), ("x",))
    things = (nameless, Volume("f" * 64, anonymous=True), Volume("nfs", outside="it is far"))
    plan = plan_move(found(*things), MoveSpec())
    assert copied(plan) == []
    assert len(plan.warnings) == 3 and "nfs" in plan.warnings[0]
    assert copied(plan_move(found(*things), MoveSpec(dangling=True, anonymous=True))) == ["sha256:n", "f" * 64]
    assert copied(plan_move(found(nameless, target=[nameless]), MoveSpec(dangling=True))) == []


def test_images_that_only_the_kubelet_has_are_told() -> None:
    there = found()
    plan = plan_move(replace(there, source=replace(there.source, cluster_images=7)), MoveSpec())
    assert plan.warnings[0].startswith("Images of its Kubernetes are not moved (7).")


def test_containers_are_told_with_what_brings_them_back() -> None:
    there = found(container("one", state="exited", binds=("/etc/shop",)), container("two", project="shop", directory="/s"))
    source = replace(there.source, swarm=True, networks=("backend",))
    plan = plan_move(MoveState(source, EMPTY, NOW), MoveSpec())
    words = ["swarm", "Networks are not moved: backend", "/etc/shop", "shop (/s)", "Containers are not moved: one"]
    assert [word for word in words if any(word in line for line in plan.warnings)] == words


def test_too_little_space_is_refused_with_both_numbers() -> None:
    things = (image("a", size=3 * GIB), Volume("db", 2 * GIB))
    # Docker's own store unpacks an image beside its place first.
    assert plan_move(found(*things, free=8 * GIB), MoveSpec()).refusals == ()
    (refusal,) = plan_move(found(*things, free=8 * GIB - 1), MoveSpec()).refusals
    assert "it needs 8.0 GiB, and 8.0 GiB are free" in refusal.message
    # Layers that images share are counted once.
    shared = found(image("a", size=3 * GIB), image("b", size=3 * GIB), free=7 * GIB)
    source = replace(shared.source, layers_size=4 * GIB)
    assert plan_move(replace(shared, source=source), MoveSpec()).refusals == ()


def test_the_room_is_told_with_what_the_source_packs_meanwhile() -> None:
    there = found(image("a", size=3 * GIB), image("b", size=GIB), Volume("db", 2 * GIB), Volume("old", 9), free=41 * GIB)
    old = Resource(Kind.VOLUME, "old")
    there = replace(there, rows={old: replace(FILLED, resource=old)}, volumes={"old": VolumePair(HERE, work="bytes")})
    room = room_for(plan_move(there, MoveSpec()).steps, there)
    assert (room.needed, room.packing, room.free) == (9 * GIB, 3 * GIB, 41 * GIB)
    needs = "The move needs 9.0 GiB at the target"
    packs = " While it packs images, the source needs up to 3.0 GiB more."
    assert room.line("at the target") == f"{needs}, where 41.0 GiB are free.{packs}"
    assert replace(room, free=None).line("at the target") == f"{needs}.{packs}"
    assert room_for(plan_move(there, MoveSpec()).steps, there, at_once=2).packing == 4 * GIB


def test_an_engine_whose_images_are_in_containerds_store_packs_and_unpacks_nothing_twice() -> None:
    there = found(image("a", size=3 * GIB))
    there = replace(there, source=replace(there.source, contents=True), target=replace(there.target, contents=True))
    assert room_for(plan_move(there, MoveSpec()).steps, there) == Room(needed=3 * GIB)


def test_the_room_says_nothing_of_packing_where_only_volumes_go() -> None:
    there = found(Volume("db", GIB), free=2 * GIB)
    room = room_for(plan_move(there, MoveSpec()).steps, there)
    assert room.line("at the target") == "The move needs 1.0 GiB at the target, where 2.0 GiB are free."


def test_no_line_tells_of_room_where_nothing_is_copied_or_all_is_done() -> None:
    there = found(image("a"), target=[image("a")], free=GIB)
    assert room_for(plan_move(there, MoveSpec()).steps, there).line("at the target") == ""
    assert Room(5, 5, GIB).public("at the target", check_mode=False)["summary"] == []
    assert Room(5, 5, GIB).public("at the target", check_mode=True)["summary"] != []


def test_images_with_a_common_base_go_together_in_portions() -> None:
    on_base = [image(f"a{number}", "base", f"l{number}", size=GIB) for number in range(3)]
    batches = list(in_batches([*on_base, image("z", "other", size=1)]))
    assert [[one.name for one in batch] for batch in batches] == [["a0:1", "a1:1"], ["a2:1"], ["z:1"]]
