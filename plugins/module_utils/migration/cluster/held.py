# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not moved now: data that would be torn or can't be read, what waits for it, and existing objects. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...core.plan import Pending, in_number
from ...manifest.model import SyncState
from ..move.objects import called, key_of
from ..wording import listed, torn
from .belonging import REACHABLE
from .fitting import place_of
from .model import ClusterMoveSpec, ClusterMoveState, Pod
from .usage import containers_of

_MOST = 5


def claims(found: ClusterMoveState, spec: ClusterMoveSpec) -> dict[str, Pending]:
    """Return the claims that are not moved, with the reason."""
    items = [one for one in found.source.objects.items if one["kind"] == "PersistentVolumeClaim"]
    back = ((called(one).partition(" ")[2], next(_why(one, found, spec), None)) for one in items)
    return {name: why for name, why in back if why}


def _why(item: Mapping[str, Any], found: ClusterMoveState, spec: ClusterMoveSpec) -> Iterator[Pending]:
    """Yield what is in the way of a claim."""
    name = called(item).partition(" ")[2]
    target, copy = f"volume '{name}'", "its copy"
    disk = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": item["spec"].get("volumeName", "")}}
    if {key_of(item), key_of(disk)} & (found.target.keys - found.target.ours):
        reason = "the new cluster has another one of that name, which is kept"
        yield Pending(target, copy, reason, "Delete that one, or rename one of them.", kind="conflict")
    keeper = found.source.outside.get(name, "")
    if keeper and keeper not in REACHABLE:
        reason = f"its data is not in a directory: {keeper} keeps it"
        yield Pending(target, copy, reason, "Make it in the new cluster, and copy its data with a pod.", kind="outside")
    claim = next((one for one in found.source.objects.claims if one.claim == name), None)
    if claim is None or claim.volume in found.filled:
        return
    if found.states.get(name) is SyncState.CONFLICT:
        reason = f"'{place_of(claim, found.target)}' in the new cluster has other content, and both are kept"
        yield Pending(target, copy, reason, "Empty that directory to have it copied, and run again.", kind="conflict")
    if name in found.lost:
        reason = f"the engine's machine does not have its directory '{claim.path}'"
        yield Pending(target, copy, reason, "Name the engine that the old cluster runs in as O(source).", kind="lost")
    yield from _in_use(name, found, spec)


def _in_use(name: str, found: ClusterMoveState, spec: ClusterMoveSpec) -> Iterator[Pending]:
    """Yield that pods may write to a claim, and are not paused or can't be."""
    target, copy = f"volume '{name}'", "its copy"
    writers = [one for one in found.source.pods if name in one.writes]
    unseen = [one for one in writers if not containers_of(one, found.engine.containers)]
    if writers and not spec.pause:
        yield torn(target, copy, _pods(writers), "Scale down what runs it in the old cluster, or set E(pause=true).")
    elif unseen:
        reason = f"the engine does not show the containers of {_pods(unseen)}, so they can't be paused"
        remedy = "Scale down what runs it in the old cluster, or let the engine show containers of the system."
        yield Pending(target, copy, reason, remedy, kind="in_use")


def _pods(pods: Sequence[Pod]) -> str:
    return f"{'pod' if len(pods) == 1 else 'pods'} {listed([one.name for one in pods])}"


def workloads(waiting: Iterable[tuple[Mapping[str, Any], str]]) -> Iterator[Pending]:
    """Yield what waits for a volume."""
    for item, claim in waiting:
        reason = f"volume '{claim}' is not in the new cluster yet"
        yield Pending(called(item), "its creation", reason, "Run again once the volume can be copied.", kind="waits")


def others(items: Sequence[Mapping[str, Any]]) -> Iterator[Pending]:
    """Yield what the new cluster has already, and this move did not make."""
    if items:
        reason = f"the new cluster has its own, which are kept: {listed([called(one) for one in items], _MOST)}"
        remedy = "Delete the objects that are to come from the old cluster, and run again."
        yield Pending(in_number(len(items), "object"), "the copy", reason, remedy, kind="conflict")


def reached(found: ClusterMoveState, names: Collection[str]) -> Iterator[str]:
    """Yield the volumes that both clusters then use. names: of what is moved."""
    for claim, keeper in sorted(found.source.outside.items()):
        if keeper in REACHABLE and f"PersistentVolumeClaim {claim}" in names:
            yield f"Volume '{claim}' stays where it is ({keeper}): both clusters use the same data."
