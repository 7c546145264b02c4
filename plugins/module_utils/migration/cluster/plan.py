# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes from one cluster to another, what waits, and what has to stay. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...core.errors import NotVerified, RefusedStep, WorkstationError
from ...core.plan import Pending, Plan, Step, in_number, size_in_words
from ...manifest.model import SyncState
from ..model import Image, Note
from ..move.model import Claim
from ..move.objects import WEBHOOKS, WORKLOADS, called, familiar, images_of, is_below, key_of
from ..plan import in_batches, portion, resumed, sweep, unpause
from ..room import Room, packing, size_of_images
from ..wording import listed
from . import held
from .fitting import Fitting, place_of, unknown
from .model import ClusterMoveSpec, ClusterMoveState, CreateObjects, SendClaim, SendImages
from .problems import problems
from .usage import containers_of, directories_of, secrets_of, waits_for

_MOST = 5
_AGAIN = "Run the move again."


@dataclass(frozen=True)
class Going:
    """What is moved now. items: for the new cluster. claims: with the data that is sent, or was."""

    items: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    claims: tuple[Claim, ...] = ()
    pending: tuple[Pending, ...] = ()
    warnings: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()


def going(found: ClusterMoveState, spec: ClusterMoveSpec) -> Going:
    """Return what is moved, and what waits or stays."""
    found = replace(found, engine=resumed(found.engine, found.paused))
    objects = found.source.objects
    strange = unknown(objects.items, found.target)
    back = held.claims(found, spec)
    items = [one for one in objects.items if one not in strange and not _is_back(one, back)]
    others = [one for one in items if _is_anothers(one, found)]
    items = [one for one in items if one not in others]
    waiting = [(one, claim) for one in items if (claim := waits_for(one, back))]
    items = [one for one in items if all(one is not late for late, _claim in waiting)]
    claims = tuple(one for one in objects.claims if one.claim not in back)
    fitting = Fitting(found.target, items, claims)
    pending = [*back.values(), *held.workloads(waiting), *held.others(others)]
    needy = dict(_needy(items, found))
    warnings = [*_left(found, items, strange), *fitting.notes(items), *(f"{name} {why}" for name, why in needy.items())]
    names = {called(one) for one in items} - needy.keys()
    ready = tuple(one for one in objects.ready if one in names)
    return Going(tuple(map(fitting.fitted, items)), claims, tuple(pending), tuple(warnings), ready)


def _is_back(item: Mapping[str, Any], back: Mapping[str, Pending]) -> bool:
    if item["kind"] == "PersistentVolume":
        claim = item["spec"].get("claimRef") or {}
        return f"{claim.get('namespace')}/{claim.get('name')}" in back
    return item["kind"] == "PersistentVolumeClaim" and called(item).partition(" ")[2] in back


def _is_anothers(item: Mapping[str, Any], found: ClusterMoveState) -> bool:
    """Whether the new cluster has an object of that name that it did not get from here."""
    # A namespace or an account is the same thing, no matter what made it.
    there = found.target.keys - found.target.ours
    return item["kind"] not in ("Namespace", "ServiceAccount") and key_of(item) in there


def _needy(items: Iterable[Mapping[str, Any]], found: ClusterMoveState) -> Iterator[tuple[str, str]]:
    """Yield workloads that can't become ready yet, and why."""
    keys = {key_of(one) for one in found.source.objects.items} | found.target.keys
    for one in items:
        lacks = sorted(name for name in secrets_of(one) if f" Secret {name}" not in keys)
        if lacks and one["kind"] in WORKLOADS:
            yield called(one), f"needs Secret {lacks[0]}, which is not in the new cluster, so it is not waited for."


def _left(found: ClusterMoveState, items: Sequence[Mapping[str, Any]], strange: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what stays in the old cluster, and what the new one has to get elsewhere."""
    yield from found.source.objects.left_out
    if strange:
        kinds = sorted({f"{one['kind']} ({one['apiVersion']})" for one in strange})
        yield f"The new cluster does not know these kinds, so their objects are not moved: {listed(kinds, _MOST)}."
    away = sorted(images_of(items) - {familiar(tag) for one in found.engine.images for tag in one.tags})
    if away:
        yield f"The old engine does not have these images, so the new cluster pulls them: {listed(away, _MOST)}."
    yield from held.reached(found, {called(one) for one in items})
    for one in items:
        paths = sorted(path for path in directories_of(one) if not is_below(path, found.mounted))
        if paths:
            yield f"{called(one)} uses {listed(paths)} of its machine, which is not moved."


def plan_copy(found: ClusterMoveState, spec: ClusterMoveSpec) -> Plan:
    """Return the steps: images, then the data of volumes, then the objects that use both."""
    if problem := next(problems(found, spec), None):
        return Plan(refusals=(problem,))
    chosen = going(found, spec)
    images = list(_images(found, chosen))
    claims = [one for one in chosen.claims if one.volume not in found.filled]
    steps: list[Step] = [*unpause(found.engine.containers, found.paused), *sweep((found.engine,))]
    if found.unnoted:
        steps.append(Note("note", "what has arrived", silent=True, rows=found.unnoted))
    found = replace(found, engine=resumed(found.engine, found.paused))
    steps += [_send_images(batch) for batch in in_batches(images)]
    steps += [_send_claim(one, found) for one in claims]
    steps += _create(chosen.items, found)
    if problem := _no_room(room_for(steps, found), spec):
        return Plan(refusals=(problem,))
    before, after = _shown(found, steps, spec)
    return Plan(tuple(steps), before, after, chosen.pending, chosen.warnings)


def plan_ready(found: ClusterMoveState, spec: ClusterMoveSpec) -> Plan:
    """Return nothing to do, or what is missing, or not as ready as it was in the old cluster."""
    plan, what = plan_copy(found, spec), f"verify the cluster of profile '{spec.profile}'"
    if plan.refusals:
        return plan
    if left := plan.actions:
        return Plan(refusals=(NotVerified(what, f"it is left to {left[0]}", _AGAIN),))
    if found.waiting:
        reason = f"{listed(found.waiting, _MOST)} {'is' if len(found.waiting) == 1 else 'are'} not ready"
        remedy = f"See 'kubectl --context {spec.profile.id} get pods --all-namespaces', and run again."
        return Plan(refusals=(NotVerified(what, reason, remedy),))
    return Plan(pending=plan.pending)


def plan_verify(found: ClusterMoveState, spec: ClusterMoveSpec) -> Plan:
    """Return nothing to do, or what is not as it is in the old cluster."""
    plan = plan_ready(found, spec)
    stale = [name for name, one in found.states.items() if one in (SyncState.SOURCE_CHANGED, SyncState.CONFLICT)]
    reason = "the old cluster has changed it since it was copied, or it did not come from there"
    remedy = "Look at both. To copy it once more, delete its claim in the new cluster, and run the move again."
    refusals = (*plan.refusals, *(NotVerified(f"verify volume '{one}'", reason, remedy) for one in stale))
    used = [name for name, one in found.states.items() if one is SyncState.TARGET_CHANGED]
    notes = [f"Changed in the new cluster since they arrived, and kept: {listed(used, _MOST)}."] if used else []
    if not found.states:
        notes.append("No volume was compared: the new cluster has none of the old one's.")
    return replace(plan, refusals=refusals, warnings=(*plan.warnings, *notes))


def _images(found: ClusterMoveState, chosen: Going) -> Iterator[Image]:
    """Yield the images that the new cluster needs and lacks, under the names that its workloads say."""
    used = images_of(chosen.items)
    for image in found.engine.images:
        tags = tuple(tag for tag in image.tags if familiar(tag) in used and tag in found.missing)
        if tags:
            yield replace(image, tags=tags)


def wanted_images(found: ClusterMoveState, spec: ClusterMoveSpec) -> tuple[Image, ...]:
    """Return the images that the new cluster needs, whether or not it has them."""
    used = images_of(going(found, spec).items)
    tags = [(one, tuple(tag for tag in one.tags if familiar(tag) in used)) for one in found.engine.images]
    return tuple(replace(one, tags=names) for one, names in tags if names)


def _send_images(batch: tuple[Image, ...]) -> SendImages:
    target, detail = portion(batch)
    return SendImages("copy", target, f"into the cluster, {detail}", images=batch)


def _send_claim(claim: Claim, found: ClusterMoveState) -> SendClaim:
    pods = [one for one in found.source.pods if claim.claim in one.writes]
    containers = [each for one in pods for each in containers_of(one, found.engine.containers)]
    paused = f"; pauses {listed([one.name for one in pods])}" if containers else ""
    detail = size_in_words(claim.size) + paused
    pause = tuple(one.id for one in containers)
    return SendClaim("copy", f"volume '{claim.claim}'", detail, claim=claim, path=place_of(claim, found.target), pause=pause)


def _create(items: Sequence[Mapping[str, Any]], found: ClusterMoveState) -> Iterator[CreateObjects]:
    """Yield a step for what is the whole cluster's, one for each namespace, and one for what answers all requests."""
    left = [one for one in items if key_of(one) not in found.target.keys - found.incomplete]
    last = [one for one in left if one["kind"] in WEBHOOKS]
    first = [one for one in left if one not in last and not one["metadata"].get("namespace")]
    spaces = sorted({str(one["metadata"]["namespace"]) for one in left if one["metadata"].get("namespace")})
    some = [(f"in namespace '{name}'", [one for one in left if one["metadata"].get("namespace") == name]) for name in spaces]
    for where, chosen in (("of the whole cluster", first), *some, ("of the whole cluster, at the end", last)):
        if chosen:
            kinds = list(dict.fromkeys(str(one["kind"]) for one in chosen))
            counts = ", ".join(f"{sum(one['kind'] == kind for one in chosen)} {kind}" for kind in kinds)
            yield CreateObjects("create", f"{in_number(len(chosen), 'object')} {where}", counts, items=tuple(chosen))


def room_for(steps: Sequence[Step], found: ClusterMoveState) -> Room:
    """Return the room that steps need in the profile, and in the old engine meanwhile."""
    portions = [step.images for step in steps if isinstance(step, SendImages)]
    images = size_of_images((image for portion in portions for image in portion), found.engine.layers_size)
    claims = sum(step.claim.size for step in steps if isinstance(step, SendClaim))
    return Room(images + claims, 0 if found.engine.contents else packing(portions), found.free)


def _no_room(room: Room, spec: ClusterMoveSpec) -> WorkstationError | None:
    if not room.lacks:
        return None
    reason = f"it needs {size_in_words(room.needed)}, and {size_in_words(room.free or 0)} are free in profile '{spec.profile}'"
    return RefusedStep("move the cluster", reason, "Enlarge the profile's disk, or choose less with O(namespaces).")


def _shown(found: ClusterMoveState, steps: Sequence[Step], spec: ClusterMoveSpec) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the new cluster has of the old one, before and after."""
    created = [called(one) for step in steps if isinstance(step, CreateObjects) for one in step.items]
    sent = [step.claim.claim for step in steps if isinstance(step, SendClaim)]
    mine = [called(one) for one in found.source.objects.items if key_of(one) in found.target.ours]
    full = [one.claim for one in found.source.objects.claims if one.volume in found.filled]
    before = {"cluster": str(spec.profile), "objects": sorted(mine), "volumes": sorted(full)}
    return before, {**before, "objects": sorted({*mine, *created}), "volumes": sorted({*full, *sent})}
