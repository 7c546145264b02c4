# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes from one engine to the other, what can't, and in which portions. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from ..core.errors import RefusedStep
from ..core.options import suggestion
from ..core.plan import Pending, Plan, Step, size_in_words
from ..manifest.model import Fingerprint, Row, Status, SyncState
from .comparison import CHOOSE, SAFE, Comparison, comparisons, conflict, left, noted
from .model import (
    MOVING,
    Container,
    CopyImages,
    CopyVolume,
    GiveBack,
    Image,
    Inventory,
    MoveSpec,
    MoveState,
    Note,
    Sweep,
    Unpause,
    Volume,
    VolumePair,
)
from .room import Room, packing, size_of_images
from .wording import held, listed, names_of, torn

# A stream of images is what an engine keeps twice while it packs it, and what a killed run sends again.
_BATCH_BYTES = 2 << 30


def plan_move(found: MoveState, spec: MoveSpec) -> Plan:
    """Return the steps, images first: a volume is of use with the image that it belongs to."""
    rows = tuple(noted(found))
    complete = {row.work for row in {**found.rows, **{row.resource: row for row in rows}}.values() if row.status is Status.FILLED}
    begin = (
        *unpause(found.source.containers, found.paused),
        *give_back(found.aside),
        *sweep((found.source, found.target), [one for one in found.target.begun if one.startswith(found.work)], complete),
    )
    found = replace(found, source=resumed(found.source, found.paused))
    chosen = [one for one in comparisons(found) if _chosen(one, spec, found.now)]
    images, kept_images = _images(chosen, spec)
    volumes, kept_volumes = _volumes(chosen, found, spec)
    batches = [CopyImages("copy", *portion(some), images=some) for some in in_batches(images)]
    notes = [Note("note", "what is equal on both sides", rows=rows, silent=True)] if rows else []
    steps: tuple[Step, ...] = (*begin, *notes, *batches, *volumes)
    room, refusals = room_for(steps, found, spec.at_once), []
    if room.lacks:
        reason = f"it needs {size_in_words(room.needed)}, and {size_in_words(room.free or 0)} are free at the target"
        refusals.append(
            RefusedStep("move all of it", reason, "Enlarge the profile's disk, or choose less with O(images), O(volumes).")
        )
    return Plan(
        steps,
        _counts(found.target.images, found.target.volumes),
        _counts((*found.target.images, *images), (*found.target.volumes, *(step.volume for step in volumes))),
        (*kept_images, *kept_volumes),
        (*unmatched(found.source, spec), *abandoned(found), *left_behind(found.source, spec)),
        tuple(refusals),
    )


def _chosen(one: Comparison, spec: MoveSpec, now: float) -> bool:
    """Whether it is to be moved, if it can be."""
    if one.sync_state is None or left(one, spec.leave):
        return False
    if isinstance(one.what, Image):
        return bool(one.what.tags or spec.dangling) and _wanted(
            one.what.tags or (one.what.name,), one.what, spec.images, spec, now
        )
    return (spec.anonymous or not one.what.anonymous) and _wanted((one.what.name,), one.what, spec.volumes, spec, now)


def unpause(containers: Iterable[Container], paused: Collection[str]) -> Iterator[Unpause]:
    """Yield steps that let containers go on that a killed run has left paused. paused: their ids, as it noted them."""
    for one in containers:
        if one.id in paused and one.state == "paused":
            yield Unpause("unpause", f"container '{one.name}'", container=one.id)


def give_back(aside: Iterable[str]) -> Iterator[GiveBack]:
    """Yield steps that give volumes their data back that a killed run has taken aside."""
    for name in sorted(aside):
        yield GiveBack("give back", f"the data of volume '{name}'", "an interrupted run has taken it aside", volume=name)


def sweep(engines: Iterable[Inventory], begun: Iterable[str] = (), complete: Collection[str] = ()) -> Iterator[Sweep]:
    """Yield the step that removes volumes that a killed run has begun to fill, and its helpers.

    begun: temporary names of this run's kind. complete: the filled ones of them.
    """
    volumes = tuple(name for name in begun if name not in complete)
    left = [*volumes, *(name for one in engines for name in one.helpers)]
    if left:
        what = f"what an interrupted run has left in the engine ({', '.join(left)})"
        yield Sweep("remove", what, volumes=volumes, silent=True)


def resumed(source: Inventory, paused: Collection[str]) -> Inventory:
    """Return an engine as it is once the containers go on that a killed run has left paused."""
    containers = tuple(
        replace(one, state="running") if one.id in paused and one.state == "paused" else one for one in source.containers
    )
    return replace(source, containers=containers)


def _images(chosen: Iterable[Comparison], spec: MoveSpec) -> tuple[list[Image], list[Pending]]:
    """Return the images to copy, with the tags that they get at the target, and the pending ones."""
    going, kept = dict[str, tuple[Image, list[str]]](), list[Pending]()
    for one in chosen:
        if not isinstance(one.what, Image):
            continue
        if one.sync_state is SyncState.CONFLICT and one.resource.name not in spec.replace:
            kept.append(_kept(one))
        elif one.sync_state not in SAFE:
            going.setdefault(one.what.id, (one.what, []))[1].append(one.resource.name)
    return [replace(image, tags=tuple(names) if image.tags else ()) for image, names in going.values()], kept


def _volumes(chosen: Iterable[Comparison], found: MoveState, spec: MoveSpec) -> tuple[list[CopyVolume], list[Pending]]:
    steps, kept = list[CopyVolume](), list[Pending]()
    for one in chosen:
        if not isinstance(one.what, Volume) or one.sync_state in SAFE:
            continue
        read, filled = found.volumes.get(one.what.name), _filled(one.row, found)
        writers = [] if filled else [each for each in found.source.containers if each.writing and one.what.name in each.writes]
        if waits := _why_it_waits(one, found, spec, writers):
            kept.append(waits)
        else:
            replaces = read.target if read and not _to_fill(one, read) else None
            steps.append(_copy_volume(one, one.what, filled, writers, replaces))
    return steps, kept


def _why_it_waits(one: Comparison, found: MoveState, spec: MoveSpec, writers: Sequence[Container]) -> Pending | None:
    """Return why a volume is not copied now; None where it is."""
    read = found.volumes.get(one.what.name)
    holders = [each for each in found.target.containers if one.what.name in each.volumes]
    if read and read.error:
        return Pending(str(one), "its copy", read.error.reason, read.error.remedy, kind="unread")
    if one.sync_state is SyncState.CONFLICT and one.what.name not in spec.replace:
        return _kept(one)
    if read and read.target and holders:
        return held(str(one), "its copy", f"{names_of(holders)} at the target")
    return torn(str(one), "its copy", names_of(writers)) if writers and not spec.pause else None


def _filled(row: Row | None, found: MoveState) -> Row | None:
    """Return the row of a complete copy that is still what it was, of a volume that is, too; None where it is to be copied."""
    read = found.volumes.get(row.resource.name) if row and row.status is Status.FILLED else None
    good = row and read and row.source == read.source and row.target and row.target.digest == read.work
    return row if good else None


def _to_fill(one: Comparison, read: VolumePair) -> bool:
    """Whether the target's volume stays, as it holds nothing."""
    return read.empty and one.sync_state is not SyncState.CONFLICT


def _copy_volume(
    one: Comparison, volume: Volume, filled: Row | None, writers: Sequence[Container], replaces: Fingerprint | None
) -> CopyVolume:
    why = {SyncState.LOST: "; it has gone from the target", SyncState.SOURCE_CHANGED: "; changed since it was copied"}
    lost = "; what the target has of it is lost" if one.sync_state is SyncState.CONFLICT else ""
    detail = "what an earlier run has copied" if filled else size_in_words(volume.size or 0)
    paused = f"; pauses {names_of(writers)}" if writers else ""
    return CopyVolume(
        "replace" if replaces else "copy",
        str(one),
        detail + why.get(one.sync_state or SyncState.NEW, "") + lost + paused,
        volume=volume,
        pause=tuple(each.id for each in writers),
        replaces=replaces,
        filled=filled,
    )


def _kept(one: Comparison) -> Pending:
    return Pending(str(one), "its copy", conflict(one.row), CHOOSE, kind="conflict")


def _wanted(names: Iterable[str], item: Image | Volume, patterns: Sequence[str], spec: MoveSpec, now: float) -> bool:
    named = any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
    young = spec.newer is None or now - item.created <= spec.newer
    small = spec.largest is None or (item.size or 0) <= spec.largest
    return named and young and small and all(_has_label(item.labels, label) for label in spec.labels)


def _has_label(labels: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def in_batches(images: Sequence[Image]) -> Iterator[tuple[Image, ...]]:
    """Yield portions of images, those with a common base together: an engine packs a layer once for each portion."""
    batch, size = list[Image](), 0
    for image in sorted(images, key=lambda one: (one.layers, one.id)):
        alone = bool(batch) and batch[-1].layers[:1] != image.layers[:1]
        if batch and (alone or size + image.size > _BATCH_BYTES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(image)
        size += image.size
    if batch:
        yield tuple(batch)


def portion(images: Sequence[Image]) -> tuple[str, str]:
    """Return images that go in one stream in words, and how large they are at most."""
    size, names = size_in_words(sum(one.size for one in images)), [image.name for image in images]
    return (f"image '{names[0]}'", size) if len(names) == 1 else (f"{len(names)} images", f"up to {size}: {listed(names)}")


def room_for(steps: Iterable[Step], found: MoveState, at_once: int = 1) -> Room:
    """Return the room that steps need. found: with sizes. at_once: so many steps run side by side."""
    steps = tuple(steps)
    portions = [step.images for step in steps if isinstance(step, CopyImages)]
    new = {step.volume.name for step in steps if isinstance(step, CopyVolume) and not step.filled}
    images = size_of_images((image for portion in portions for image in portion), found.source.layers_size)
    volumes = sum(one.size or 0 for one in found.source.volumes if one.name in new)
    twice = packing(portions, at_once)
    # containerd's store takes and gives archives as they pass; docker's own has all of one on its disk meanwhile.
    unpacked, packed = (0 if one.contents else twice for one in (found.target, found.source))
    return Room(images + volumes + unpacked, packed, found.free)


def unmatched(source: Inventory, spec: MoveSpec) -> Iterator[str]:
    """Yield a sentence for each pattern and name of the user's that nothing at the source has."""
    images = [name for one in source.images for name in one.tags or (one.name,)]
    volumes = [one.name for one in source.volumes]
    for option, noun, patterns, names in (("images", "image", spec.images, images), ("volumes", "volume", spec.volumes, volumes)):
        for pattern in patterns:
            if pattern != "*" and not any(fnmatchcase(name, pattern) for name in names):
                near = suggestion(pattern, names) or _whole(pattern, names)
                yield f"No {noun} at the source matches '{pattern}' of O({option}).{near}"
    every = [*images, *volumes]
    for name in sorted(spec.replace - {*every}):
        yield f"Nothing at the source has the name '{name}' of O(replace).{suggestion(name, every)}"
    for pattern in spec.leave:
        if not any(fnmatchcase(name, pattern) for name in every):
            yield f"Nothing at the source matches '{pattern}' of O(leave).{suggestion(pattern, every) or _whole(pattern, every)}"


def _whole(pattern: str, names: Iterable[str]) -> str:
    """Return how to write a pattern that matches only a part of a name; empty where it matches none."""
    found = next((name for name in names if fnmatchcase(name, f"*{pattern}*")), "")
    return f" It must match the whole name, such as '{found}'." if found else ""


def abandoned(found: MoveState) -> Iterator[str]:
    """Yield what is at the target for a move that does not go on."""
    if others := [one for one in found.target.begun if one.startswith(MOVING) and not one.startswith(found.work)]:
        yield f"The target has half copies of moves from other engines: {', '.join(others)}. 'docker volume rm' removes them."
    here = {one.name for one in found.source.volumes}
    for row in found.rows.values():
        if row.resource.name not in here and (work := found.waiting(row)):
            yield f"The source has no volume '{row.resource.name}' any more; its complete copy at the target is volume '{work}'."


def left_behind(source: Inventory, spec: MoveSpec) -> Iterator[str]:
    """Yield what can't be moved, and what the user has to do about it."""
    yield from _volumes_behind(source, spec)
    if source.cluster_images:
        yield (
            f"Images of its Kubernetes are not moved ({source.cluster_images}). A cluster pulls its own; of one that was "
            "built there, 'nerdctl --namespace k8s.io save NAME | nerdctl load' makes a copy that is moved."
        )
    nameless = [one for one in source.images if not one.tags]
    if nameless and not spec.dangling:
        yield f"Images without a name are not moved ({len(nameless)}). Set O(dangling=true) to move them."
    yield from (sentence for about, sentence in _not_moved(source) if about)


def _volumes_behind(source: Inventory, spec: MoveSpec) -> Iterator[str]:
    kept = [one for one in source.volumes if not any(fnmatchcase(one.name, pattern) for pattern in spec.leave)]
    for one in kept:
        if one.outside:
            yield f"Volume '{one.name}' is not moved: {one.outside}. Create it at the target, and name it in O(leave)."
    anonymous = [one for one in kept if one.anonymous]
    if anonymous and not spec.anonymous:
        yield f"Volumes without a name are not moved ({len(anonymous)}). Set O(anonymous=true) to move them under their ids."


def _not_moved(source: Inventory) -> Iterator[tuple[object, str]]:
    """Yield a sentence for each kind of thing that no option moves, behind what the source has of it."""
    yield (
        source.swarm,
        "The source is a swarm, whose services, secrets and configs are not moved. Deploy the stacks again.",
    )
    yield source.plugins, f"Plugins are not moved: {listed(source.plugins)}. Install them again."
    networks = "Compose makes its own, 'docker network create' the others."
    yield source.networks, f"Networks are not moved: {listed(source.networks)}. {networks}"
    mounted = sorted({path for one in source.containers for path in one.binds})
    yield (
        mounted,
        f"Directories and files that containers mount are not moved: {listed(mounted)}. Those of the laptop stay where they "
        "are; outside of your home, name them in the profile's 'mounts'.",
    )
    projects = sorted({f"{one.project} ({one.directory})" for one in source.containers if one.project})
    yield projects, f"Compose projects come back with 'docker compose up' in their directories: {', '.join(projects)}."
    single = [one.name for one in source.containers if not one.project]
    again = "Run them again; 'docker commit' keeps what is not in their volumes."
    yield single, f"Containers are not moved: {listed(single)}. {again}"


def _counts(images: Sequence[Image], volumes: Sequence[Volume]) -> dict[str, int]:
    return {"images": len({one.id for one in images}), "volumes": len({one.name for one in volumes})}
