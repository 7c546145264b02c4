# SPDX-License-Identifier: GPL-3.0-or-later
"""What may go of what an engine keeps, and what holds all of it back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.retained_vms import DAY_SECONDS, DELETED, RetainedVm
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import ABSENT, HALF, RUNNING, STOPPED
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Name, parse_name
from ansible_collections.laptop.containers.plugins.module_utils.reclaim.model import (
    ItemKind,
    ProfileUsage,
    ReclaimItem,
    ReclaimPolicy,
    TrimDisk,
)
from ansible_collections.laptop.containers.plugins.module_utils.reclaim.plan import choose, plan_all

NOW, HOUR, DAY = 1_800_000_000.0, 3600.0, 86400.0
MIB = 1 << 20
WEEK = ReclaimPolicy(cache_age=7 * DAY)


def image(name: str, size: int = 0, dangling: bool = False, users: str = "", namespace: str = "") -> ReclaimItem:
    return ReclaimItem(ItemKind.IMAGE, name, name, (name,), size, namespace, dangling=dangling, users=frozenset(users.split()))


def container(name: str, stopped: float | None = None) -> ReclaimItem:
    return ReclaimItem(ItemKind.CONTAINER, name, name, (name,), since=None if stopped is None else NOW - stopped)


def cache(name: str, unused: float | None, children: str = "", size: int = 0) -> ReclaimItem:
    since = None if unused is None else NOW - unused
    return ReclaimItem(ItemKind.CACHE, name, name, (), size, since=since, children=frozenset(children.split()))


def volume(name: str, users: str = "") -> ReclaimItem:
    return ReclaimItem(ItemKind.VOLUME, name, name, (name,), users=frozenset(users.split()))


CASES: dict[str, tuple[ReclaimPolicy, list[ReclaimItem], str]] = {
    "dangling images": (WEEK, [image("a", dangling=True), image("b")], "a"),
    "a dangling image that a stopped container needs stays": (
        WEEK,
        [image("a", dangling=True, users="c"), container("c", 0)],
        "",
    ),
    "unused images": (replace(WEEK, images="unused"), [image("a", dangling=True), image("b"), image("c", users="x")], "a b"),
    "no images": (replace(WEEK, images="keep"), [image("a", dangling=True)], ""),
    "old cache": (WEEK, [cache("a", 8 * DAY), cache("b", 6 * DAY), cache("c", None)], "a"),
    "old cache under young cache stays": (WEEK, [cache("a", 9 * DAY, "b"), cache("b", 8 * DAY, "c"), cache("c", HOUR)], ""),
    "old cache under old cache": (WEEK, [cache("a", 9 * DAY, "b"), cache("b", 8 * DAY)], "a b"),
    "all cache but what is in use": (replace(WEEK, cache="all"), [cache("a", 0, "b"), cache("b", None), cache("c", 0)], "c"),
    "no cache": (replace(WEEK, cache="keep"), [cache("a", 8 * DAY)], ""),
    "containers stay unless asked for": (WEEK, [container("a", 999 * DAY)], ""),
    "containers that stopped long ago": (
        replace(WEEK, containers_age=DAY),
        [container("a", 2 * DAY), container("b", HOUR), container("c")],
        "a",
    ),
    "volumes by name": (replace(WEEK, volumes=frozenset({"a", "none"})), [volume("a"), volume("b")], "a"),
    "a volume that a container needs stays": (replace(WEEK, volumes=frozenset({"a"})), [volume("a", "c"), container("c", 0)], ""),
    "a container with what only it needs": (
        ReclaimPolicy("unused", "keep", containers_age=DAY, volumes=frozenset({"v"})),
        [image("i", users="c"), container("c", 2 * DAY), volume("v", "c")],
        "c i v",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_goes(case: str) -> None:
    policy, items, gone = CASES[case]
    assert [item.name for item in choose(items, policy, NOW)] == gone.split()


DEV = ProfileUsage(Name("dev", "colima-dev"), RUNNING, "docker")


def test_the_plan_tells_how_much_of_what_and_trims_in_silence() -> None:
    images = tuple(image(f"i{number}", 300 * MIB, dangling=True) for number in range(5))
    found = replace(DEV, items=(*images, cache("c", 8 * DAY, size=MIB), image("kept", 5)))
    plan = plan_all([found], WEEK, NOW)
    assert plan.actions == [
        "remove 5 dangling images of profile 'dev' (1.5 GiB: i0, i1, i2, and 2 more)",
        "remove 1 piece of build cache of profile 'dev' (1 MiB)",
    ]
    assert plan.diff["before"]["dev"]["images"] == "6, 1.5 GiB"
    assert plan.diff["after"]["dev"]["images"] == "1, 5 bytes"
    assert isinstance(plan.steps[-1], TrimDisk)
    assert [*plan_all([DEV], replace(WEEK, trim=False), NOW).steps] == []
    # Whatever is there: containerd does not tell which layers other images have, too.
    assert "(up to 3 MiB: a)" in plan_all([replace(DEV, items=(image("a", 3 * MIB, True, "", "default"),))], WEEK, NOW).actions[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": STOPPED}, "it is stopped"),
        ({"state": HALF}, "it is half-started"),
        ({"problem": "its engine does not say what it keeps"}, "its engine does not say what it keeps"),
        ({"at_work": ("docker build", "docker pull")}, "a build or transfer is running in it (docker build, docker pull)"),
    ],
)
def test_a_profile_that_is_held_back_loses_nothing(change: dict[str, object], reason: str) -> None:
    found = replace(DEV, items=(image("a", dangling=True), cache("c", 8 * DAY)), **change)  # type: ignore[arg-type]
    plan = plan_all([found, replace(DEV, name=Name("x", "colima-x"), items=found.items)], WEEK, NOW)
    assert [item.reason for item in plan.pending] == [reason]
    assert all("'x'" in step.target for step in plan.steps) and len(plan.actions) == 2


def test_what_was_left_out_is_told() -> None:
    found = replace(DEV, notes=("Images of Kubernetes were left alone.",))
    assert plan_all([found], WEEK, NOW).warnings == ("Images of Kubernetes were left alone.",)


def test_a_profile_that_does_not_exist_is_not_waited_for() -> None:
    gone = replace(DEV, state=ABSENT)
    assert plan_all([gone], WEEK, NOW).pending == ()
    assert plan_all([gone, ProfileUsage(parse_name("k8s"), RUNNING)], WEEK, NOW, ["lab"]).refusals == ()


def test_names_of_which_no_profile_is_there_are_refused_with_those_that_are() -> None:
    (refusal,) = plan_all([replace(DEV, state=ABSENT)], WEEK, NOW, ["deb", "k8s"]).refusals
    said = "the profile does not exist. There are: deb, k8s. Did you mean 'deb'?"
    assert refusal.message == f"Could not free disk space in profile 'dev': {said}"


def test_a_named_volume_in_use_is_pending_with_its_users() -> None:
    found = replace(DEV, items=(volume("data", "c"), container("c", 0)))
    (item,) = plan_all([found], replace(WEEK, volumes=frozenset({"data"})), NOW).pending
    assert str(item) == (
        "volume 'data' of profile 'dev': its removal is pending because it is used by c. "
        "Remove what uses it, or leave it out of O(volumes)."
    )


def test_a_volume_that_no_profile_has_is_named_once_all_have_told_what_they_have() -> None:
    policy = replace(WEEK, volumes=frozenset({"data", "cachee"}))
    docker, k8s = (
        ProfileUsage(parse_name("dev"), RUNNING, items=(volume("data"), volume("cache"))),
        ProfileUsage(parse_name("k8s"), RUNNING),
    )
    said = "Volume 'cachee' does not exist in profile 'dev' or 'k8s'. Did you mean 'cache'?"
    assert plan_all([docker, k8s], policy, NOW).warnings == (said,)
    assert plan_all([docker, ProfileUsage(parse_name("k8s"), STOPPED)], policy, NOW).warnings == ()
    assert plan_all([docker, replace(k8s, problem="it hangs")], policy, NOW).warnings == ()


def test_what_was_deleted_goes_after_its_time_or_on_request() -> None:
    old, young = (RetainedVm(name, "old", "", DELETED, {}, until=NOW + more) for name, more in (("a", -1), ("b", DAY_SECONDS)))
    there = [(old, 5 * MIB), (young, 3 * MIB)]
    plan = plan_all([DEV], replace(WEEK, trim=False), NOW, deleted=there)
    assert plan.actions == [f"remove what was deleted as 'a' (it was kept until {old.lasts})"]
    assert plan.warnings == (f"What was deleted as 'b' takes 3 MiB until {young.lasts}. O(deleted=all) frees it now.",)
    assert len(plan_all([DEV], replace(WEEK, trim=False, deleted=True), NOW, deleted=there).actions) == 2
