# SPDX-License-Identifier: GPL-3.0-or-later
"""What may go of what was found, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from ..colima.client.retained_vms import RetainedVm
from ..colima.model.state import ABSENT, EXISTS, RUNNING
from ..colima.survey import expire
from ..core.errors import InputError
from ..core.options import suggestion
from ..core.plan import Pending, Plan, Step, merge, size_in_words
from .model import ItemKind, ProfileUsage, ReclaimItem, ReclaimPolicy, RemoveItems, TrimDisk

_NOUNS = {
    ItemKind.CONTAINER: ("stopped container", "stopped containers"),
    ItemKind.IMAGE: ("image", "images"),
    ItemKind.CACHE: ("piece of build cache", "pieces of build cache"),
    ItemKind.VOLUME: ("volume", "volumes"),
}
_MOST_NAMES = 3


def plan_all(
    profiles: Iterable[ProfileUsage],
    policy: ReclaimPolicy,
    now: float,
    others: Collection[str] = (),
    deleted: Sequence[tuple[RetainedVm, int]] = (),
) -> Plan:
    """Return the plan for all profiles.

    now: seconds since the epoch; others: further profiles of the laptop; deleted: what can be brought back, and what it takes.
    """
    seen = list(profiles)
    if seen and others and all(found.state == ABSENT for found in seen):
        # One of several may not have been made yet. Where none is there, but others are, the names are wrong.
        name = str(seen[0].name)
        known = f"There are: {', '.join(others)}.{suggestion(name, others)}"
        return Plan(refusals=(InputError(f"free disk space in profile '{name}'", "the profile does not exist", known),))
    plan = merge(plan_profile(found, policy, now) for found in seen)
    gone = tuple(expire(vm) for vm, _size in deleted if policy.deleted or vm.until <= now)
    stays = (
        f"What was deleted as '{vm.name}' takes {size_in_words(size)} until {vm.lasts}. O(deleted=all) frees it now."
        for vm, size in deleted
        if not policy.deleted and vm.until > now
    )
    unknown = _unknown_volumes([found for found in seen if found.state in EXISTS], policy)
    return replace(plan, steps=(*gone, *plan.steps), warnings=(*plan.warnings, *stays, *unknown))


def _unknown_volumes(profiles: Sequence[ProfileUsage], policy: ReclaimPolicy) -> Iterator[str]:
    """Yield a sentence for each volume that is named and is in no profile, once all have listed theirs."""
    if profiles and all(found.state == RUNNING and not found.problem for found in profiles):
        there = {item.name for found in profiles for item in found.items if item.kind is ItemKind.VOLUME}
        places = " or ".join(f"'{found.name}'" for found in profiles)
        for name in sorted(policy.volumes - there):
            yield f"Volume '{name}' does not exist in profile {places}.{suggestion(name, there)}"


def plan_profile(found: ProfileUsage, policy: ReclaimPolicy, now: float) -> Plan:
    """Return what goes from one profile: all of it, or nothing while its engine is silent or works for the user."""
    if found.state not in EXISTS:
        return Plan()
    if found.state != RUNNING:
        return Plan(pending=(_waits(found, f"it is {found.state}", "Start it with playbooks/start.yml, and run again."),))
    if found.problem:
        return Plan(pending=(_waits(found, found.problem, "Examine it with playbooks/doctor.yml."),))
    chosen = choose(found.items, policy, now)
    steps = _removals(found, chosen)
    if found.at_work and (steps or policy.trim):
        reason = f"a build or transfer is running in it ({', '.join(found.at_work)})"
        return Plan(pending=(_waits(found, reason, "Run again when it has ended."),), warnings=found.notes)
    trim: list[Step] = (
        [TrimDisk("trim", f"the disks of profile '{found.name}'", silent=True, name=found.name)] if policy.trim else []
    )
    key = str(found.name)
    return Plan(
        (*steps, *trim),
        {key: _shown(found.items)},
        {key: _shown(item for item in found.items if item not in chosen)},
        _in_use(found, policy, chosen),
        found.notes,
    )


def _waits(found: ProfileUsage, reason: str, remedy: str) -> Pending:
    return Pending(f"profile '{found.name}'", "freeing disk space", reason, remedy, kind="reclaim")


def choose(items: Sequence[ReclaimItem], policy: ReclaimPolicy, now: float) -> list[ReclaimItem]:
    """Return what may go, in the order of its removal."""
    containers = [item for item in items if item.kind is ItemKind.CONTAINER and _stopped_long(item, policy, now)]
    gone = {item.id for item in containers}
    images = [item for item in items if item.kind is ItemKind.IMAGE and _image_goes(item, policy) and item.users <= gone]
    cache = _cache([item for item in items if item.kind is ItemKind.CACHE], policy, now)
    volumes = [item for item in items if item.kind is ItemKind.VOLUME and item.name in policy.volumes and item.users <= gone]
    return [*containers, *images, *cache, *volumes]


def _stopped_long(item: ReclaimItem, policy: ReclaimPolicy, now: float) -> bool:
    return bool(policy.containers_age) and item.since is not None and now - item.since >= policy.containers_age


def _image_goes(item: ReclaimItem, policy: ReclaimPolicy) -> bool:
    return policy.images == "unused" or (policy.images == "dangling" and item.dangling)


def _cache(items: Sequence[ReclaimItem], policy: ReclaimPolicy, now: float) -> list[ReclaimItem]:
    """Return the cache that goes: what is old, unless something younger rests on it."""
    age = {"keep": None, "all": 0.0, "older": policy.cache_age}[policy.cache]
    if age is None:
        return []
    old = {item.id: item for item in items if item.since is not None and now - item.since >= age}
    known = {item.id for item in items}
    while kept := [key for key, item in old.items() if not (item.children & known) <= set(old)]:
        for key in kept:
            del old[key]
    return list(old.values())


def _removals(found: ProfileUsage, chosen: Sequence[ReclaimItem]) -> list[Step]:
    steps: list[Step] = []
    for kind in ItemKind:
        items = tuple(item for item in chosen if item.kind is kind)
        if items:
            target = f"{_counted(kind, items)} of profile '{found.name}'"
            steps.append(RemoveItems("remove", target, _detail(kind, items), kind=kind, name=found.name, items=items))
    return steps


def _counted(kind: ItemKind, items: Sequence[ReclaimItem]) -> str:
    dangling = "dangling " if kind is ItemKind.IMAGE and all(item.dangling for item in items) else ""
    return f"{len(items)} {dangling}{_NOUNS[kind][len(items) != 1]}"


def _detail(kind: ItemKind, items: Sequence[ReclaimItem]) -> str:
    """Return how much it is, and the names that a person knows. Of containerd's images it counts the layers, shared or not."""
    size = sum(item.size for item in items)
    shared = kind is ItemKind.IMAGE and any(item.namespace for item in items)
    amount = f"{'up to ' if shared and size else ''}{size_in_words(size)}" if size or kind is not ItemKind.CONTAINER else ""
    names = [] if kind is ItemKind.CACHE else [item.name for item in items]
    more = [f"and {len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    listed = ", ".join([*names[:_MOST_NAMES], *more])
    return ": ".join(filter(None, (amount, listed)))


def _in_use(found: ProfileUsage, policy: ReclaimPolicy, chosen: Sequence[ReclaimItem]) -> tuple[Pending, ...]:
    names = {item.id: item.name for item in found.items if item.kind is ItemKind.CONTAINER}
    held = [item for item in found.items if item.kind is ItemKind.VOLUME and item.name in policy.volumes and item not in chosen]
    return tuple(
        Pending(
            f"volume '{item.name}' of profile '{found.name}'",
            "its removal",
            f"it is used by {', '.join(sorted(names.get(user, user[:12]) for user in item.users))}",
            "Remove what uses it, or leave it out of O(volumes).",
            kind="reclaim",
        )
        for item in held
    )


def _shown(items: Iterable[ReclaimItem]) -> dict[str, object]:
    """Return how much there is of each kind, for a diff."""
    listed = list(items)
    counts = {kind: [item for item in listed if item.kind is kind] for kind in ItemKind}
    return {
        f"{_NOUNS[kind][1]}": f"{len(some)}, {size_in_words(sum(item.size for item in some))}" for kind, some in counts.items()
    }
