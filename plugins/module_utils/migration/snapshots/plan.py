# SPDX-License-Identifier: GPL-3.0-or-later
"""What snapshots of volumes, or the way back to them, take. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from ...core.errors import InputError, RefusedStep, WorkstationError
from ...core.plan import Pending, Plan, Step, size_in_words
from ...snapshot.store import already_there, remove_left, remove_old, surplus, unknown
from ..model import RESTORING, Container, Volume
from ..plan import resumed, sweep, unpause
from ..wording import held, names_of, torn
from .model import Keep, Restore, VolumeSnapshot, VolumeSnapshotSpec, VolumeSnapshotState, directory_of


def plan_snapshots(found: VolumeSnapshotState, spec: VolumeSnapshotSpec) -> Plan:
    """Return the steps."""
    steps: list[Step] = [*unpause(found.engine.containers, found.paused)]
    if found.partial:
        steps.append(remove_left(found.partial))
    steps += sweep((found.engine,), [name for name in found.engine.begun if name.startswith(RESTORING)])
    found = dataclasses.replace(found, engine=resumed(found.engine, found.paused))
    rest = _plan_restore(found, spec) if spec.restore else _plan_keep(found, spec)
    return Plan((*steps, *rest.steps), rest.before, rest.after, rest.pending, rest.warnings, rest.refusals)


def _plan_keep(found: VolumeSnapshotState, spec: VolumeSnapshotSpec) -> Plan:
    chosen = [one for one in found.engine.volumes if _wanted(one.name, spec) and (spec.anonymous or not one.anonymous)]
    refusals: list[WorkstationError] = list(_unknown([one.name for one in found.engine.volumes], spec, "take a snapshot of"))
    steps, pending, outside, needed = list[Step](), list[Pending](), list[str](), 0
    before = {(one.volume, one.name) for one in found.kept}
    after = set(before)
    for volume in chosen:
        if volume.outside or volume.options:
            outside.append(volume.name)
            continue
        if (volume.name, spec.name) not in before:
            writers = _writers(found, volume.name)
            if writers and not spec.pause:
                pending.append(torn(f"volume '{volume.name}'", "its snapshot", names_of(writers)))
                continue
            steps.append(_keep(volume, writers, spec))
            needed += volume.size or 0
            after.add((volume.name, spec.name))
        old, removal = _remove_surplus(found, volume.name, spec)
        steps += removal
        after -= {(volume.name, name) for name in old}
    remedy = "Free some disk space, or choose less with O(volumes)."
    refusals += _without_room("take the snapshots", needed, found.room, f"in '{spec.place}'", remedy)
    warnings = _warnings(found, spec, {one.name for one in chosen}, outside)
    return Plan(tuple(steps), _shown(before), _shown(after), tuple(pending), tuple(warnings), tuple(refusals))


def _warnings(found: VolumeSnapshotState, spec: VolumeSnapshotSpec, names: Collection[str], outside: Sequence[str]) -> list[str]:
    """Return that some volumes are left out, and that others have a snapshot of the name."""
    warnings = [f"Volumes with data outside the engine are left out: {', '.join(outside)}."] if outside else []
    there = [one for one in found.kept if one.name == spec.name and one.volume in names]
    return [*warnings, *(already_there(one.name, one.made, one.volume) for one in there)]


def _remove_surplus(found: VolumeSnapshotState, volume: str, spec: VolumeSnapshotSpec) -> tuple[list[str], list[Step]]:
    """Return the snapshots of a volume that are too many, and what removes them."""
    paths = {one.name: one.place for one in found.kept if one.volume == volume}
    old = surplus(list(paths), spec.name, spec.keep)
    return old, [remove_old(f"volume '{volume}'", [paths[name] for name in old])] if old else []


def _without_room(what: str, needed: int, room: int | None, where: str, remedy: str) -> list[WorkstationError]:
    """Return the refusal where more than the bytes of room are needed; None: unknown. where: "in the engine"."""
    if room is None or needed <= room:
        return []
    return [RefusedStep(what, f"it needs {size_in_words(needed)}, and {size_in_words(room)} are free {where}", remedy)]


def _plan_restore(found: VolumeSnapshotState, spec: VolumeSnapshotSpec) -> Plan:
    known = [one for one in found.kept if one.name == spec.name]
    refusals: list[WorkstationError] = list(_unknown([one.volume for one in known], spec, "restore"))
    if not known:
        make = f"playbooks/snapshot.yml with -e snapshot_volumes={','.join(spec.volumes)}"
        refusals.append(unknown("restore volumes", spec.name, sorted({one.name for one in found.kept}), make))
    there = {one.name for one in found.engine.volumes}
    steps, pending, losing = list[Restore](), list[Pending](), list[str]()
    for one in known:
        if not _wanted(one.volume, spec) or one.volume in found.same:
            continue
        if users := _users(found, one.volume):
            pending.append(held(f"volume '{one.volume}'", "its restoring", names_of(users)))
            continue
        if one.volume in there and one.volume not in spec.confirm:
            losing.append(one.volume)
        steps.append(_restore(one, replace=one.volume in there))
    if losing:
        listed = ", ".join(f"volume '{name}'" for name in losing)
        remedy = f"Take a snapshot, then run with E(confirm={','.join(losing)})."
        refusals.append(RefusedStep(f"restore {listed}", "what is in there now would be lost", remedy))
    remedy = "Enlarge the profile's disk, or choose less with O(volumes)."
    needed = sum(step.kept.contents.size for step in steps)
    refusals += _without_room("restore all of it", needed, found.room, "in the engine", remedy)
    restored = [step.kept.volume for step in steps]
    return Plan(
        tuple(steps), {"volumes": sorted(there)}, {"volumes": sorted(there.union(restored))}, tuple(pending), (), tuple(refusals)
    )


def _keep(volume: Volume, writers: Sequence[Container], spec: VolumeSnapshotSpec) -> Keep:
    paused = f"; pauses {names_of(writers)}" if writers else ""
    return Keep(
        "copy",
        f"volume '{volume.name}' as '{spec.name}'",
        size_in_words(volume.size or 0) + paused,
        volume=volume,
        path=spec.place / directory_of(volume.name) / spec.name,
        pause=tuple(one.id for one in writers),
    )


def _restore(kept: VolumeSnapshot, *, replace: bool) -> Restore:
    detail = f"as of {kept.made}, {size_in_words(kept.contents.size)}"
    verb = "replace" if replace else "restore"
    return Restore(verb, f"volume '{kept.volume}' from '{kept.name}'", detail, kept=kept, replace=replace)


def _unknown(there: Iterable[str], spec: VolumeSnapshotSpec, verb: str) -> Iterable[WorkstationError]:
    """Yield a refusal for each name, not pattern, that nothing has."""
    known = sorted(set(there))
    for name in spec.volumes:
        if not set(name) & set("*?[") and name not in known:
            listed = ", ".join(known) or "none"
            yield InputError(f"{verb} volume '{name}'", "there is none of that name", f"Correct O(volumes). There are: {listed}.")


def _wanted(name: str, spec: VolumeSnapshotSpec) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in spec.volumes)


def _users(found: VolumeSnapshotState, volume: str) -> list[Container]:
    return [one for one in found.engine.containers if volume in one.volumes]


def _writers(found: VolumeSnapshotState, volume: str) -> list[Container]:
    return [one for one in _users(found, volume) if one.writing and volume in one.writes]


def _shown(snapshots: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    return {"snapshots": sorted(f"{volume}/{name}" for volume, name in snapshots)}
