# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes from one engine to the other, what can't, and in which portions. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from ..core.errors import RefusedStep
from ..core.options import suggestion
from ..core.plan import Pending, Plan, Step, size_in_words
from .model import MOVING, Container, CopyImages, CopyVolume, Found, Image, Inventory, Sweep, Unpause, Volume, Wish, same
from .room import Room, packing, size_of_images

# A stream of images is what an engine keeps twice while it packs it, and what a killed run sends again.
_BATCH_BYTES = 2 << 30
_MOST_NAMES = 3


def plan_move(found: Found, wish: Wish) -> Plan:
    """Return the steps, images first: a volume is of use with the image that it belongs to."""
    begin = (
        *unpause(found.source.containers, found.paused),
        *sweep((found.source, found.target), MOVING, {one.temporary for one in found.moved.values()}),
    )
    found = replace(found, source=resumed(found.source, found.paused))
    images, kept_images = _images(found, wish)
    volumes, kept_volumes = _volumes(found, wish)
    batches = [_batch(some) for some in in_batches(images)]
    steps: tuple[Step, ...] = (*begin, *batches, *volumes)
    room, refusals = room_for(steps, found, wish.at_once), []
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
        (*unmatched(found.source, wish), *left_behind(found.source, wish)),
        tuple(refusals),
    )


def unpause(containers: Iterable[Container], paused: Collection[str]) -> Iterator[Unpause]:
    """Yield steps that let containers go on that a killed run has left paused. paused: their ids, as it noted them."""
    for one in containers:
        if one.id in paused and one.state == "paused":
            yield Unpause("unpause", f"container '{one.name}'", container=one.id)


def sweep(engines: Iterable[Inventory], work: str = "", complete: Collection[str] = ()) -> Iterator[Sweep]:
    """Yield the step that removes volumes that a killed run has begun to fill, and its helpers.

    work: what the volumes were filled for, none where that fills none. complete: the temporary names of those that are filled.
    """
    left = list[str]()
    for one in engines:
        left += [name for name in one.begun if work and name.startswith(work) and name not in complete]
        left += one.helpers
    if left:
        yield Sweep("remove", f"what an interrupted run has left in the engine ({', '.join(left)})", silent=True)


def resumed(source: Inventory, paused: Collection[str]) -> Inventory:
    """Return an engine as it is once the containers go on that a killed run has left paused."""
    containers = tuple(
        replace(one, state="running") if one.id in paused and one.state == "paused" else one for one in source.containers
    )
    return replace(source, containers=containers)


def _images(found: Found, wish: Wish) -> tuple[list[Image], list[Pending]]:
    """Return the images to copy, with the tags that they may have at the target, and those that are kept back."""
    there = {image.id: image for image in found.target.images}
    names = {tag: image for image in found.target.images for tag in image.tags}
    chosen, kept = list[Image](), list[Pending]()
    for image in found.source.images:
        if not (image.tags or wish.dangling) or not _wanted(image.tags or (image.name,), image, wish.images, wish, found.now):
            continue
        taken = {tag for tag in image.tags if tag in names and not same(names[tag], image)}
        for tag in sorted(taken - wish.replace):
            kept.append(_kept("image", tag))
        tags = tuple(tag for tag in image.tags if tag not in taken or tag in wish.replace)
        missing = tuple(tag for tag in tags if tag not in names or tag in taken)
        copy = there.get(image.id) or next((one for one in found.target.images if same(one, image)), None)
        if missing or (not image.tags and copy is None):
            chosen.append(Image(**{**vars(image), "tags": missing}))
    return chosen, kept


def _volumes(found: Found, wish: Wish) -> tuple[list[CopyVolume], list[Pending]]:
    there = {volume.name for volume in found.target.volumes}
    steps, kept = list[CopyVolume](), list[Pending]()
    for volume in found.source.volumes:
        if volume.outside or (volume.anonymous and not wish.anonymous):
            continue
        if not _wanted((volume.name,), volume, wish.volumes, wish, found.now):
            continue
        earlier = found.moved.get(volume.name)
        unfinished = earlier is not None and bool(earlier.temporary)
        if volume.name in there and not unfinished and volume.name not in wish.replace:
            if earlier is None:
                kept.append(_kept("volume", volume.name))
            continue
        writers = [one for one in found.source.containers if one.writing and volume.name in one.writes]
        if writers and not wish.pause and not unfinished:
            kept.append(_held(volume, writers))
            continue
        detail = "what an earlier run has copied" if unfinished else size_in_words(volume.size or 0)
        paused = f"; pauses {listed([one.name for one in writers])}" if writers and not unfinished else ""
        replace = volume.name in there and volume.name in wish.replace
        steps.append(
            CopyVolume(
                "replace" if replace else "copy",
                f"volume '{volume.name}'",
                detail + paused,
                volume=volume,
                pause=() if unfinished else tuple(one.id for one in writers),
                replace=replace,
            )
        )
    return steps, kept


def _kept(noun: str, name: str) -> Pending:
    reason = "the target has another one of that name, which is kept"
    return Pending(f"{noun} '{name}'", "its copy", reason, "Rename one of them, or name it in O(replace).", kind="conflict")


def _held(volume: Volume, writers: Sequence[Container]) -> Pending:
    reason = f"{listed([one.name for one in writers])} may write to it, and a copy would be torn"
    return Pending(f"volume '{volume.name}'", "its copy", reason, "Stop that, or set E(pause=true).", kind="in_use")


def _wanted(names: Iterable[str], item: Image | Volume, patterns: Sequence[str], wish: Wish, now: float) -> bool:
    named = any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
    young = wish.newer is None or now - item.created <= wish.newer
    small = wish.largest is None or (item.size or 0) <= wish.largest
    return named and young and small and all(_has_label(item.labels, label) for label in wish.labels)


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


def _batch(images: tuple[Image, ...]) -> CopyImages:
    size = sum(one.size for one in images)
    names = [image.name for image in images]
    target = f"image '{names[0]}'" if len(names) == 1 else f"{len(names)} images"
    detail = size_in_words(size) if len(names) == 1 else f"up to {size_in_words(size)}: {listed(names)}"
    return CopyImages("copy", target, detail, images=images)


def room_for(steps: Iterable[Step], found: Found, at_once: int = 1) -> Room:
    """Return the room that steps need. found: with sizes. at_once: so many steps run side by side."""
    steps = tuple(steps)
    portions = [step.images for step in steps if isinstance(step, CopyImages)]
    new = {step.volume.name for step in steps if isinstance(step, CopyVolume)} - found.moved.keys()
    images = size_of_images((image for portion in portions for image in portion), found.source.layers_size)
    volumes = sum(one.size or 0 for one in found.source.volumes if one.name in new)
    twice = packing(portions, at_once)
    # containerd's store takes and gives archives as they pass; docker's own has all of one on its disk meanwhile.
    unpacked, packed = (0 if one.contents else twice for one in (found.target, found.source))
    return Room(images + volumes + unpacked, packed, found.free)


def unmatched(source: Inventory, wish: Wish) -> Iterator[str]:
    """Yield a sentence for each pattern and name of the user's that nothing at the source has."""
    images = [name for one in source.images for name in one.tags or (one.name,)]
    volumes = [one.name for one in source.volumes]
    for option, noun, patterns, names in (("images", "image", wish.images, images), ("volumes", "volume", wish.volumes, volumes)):
        for pattern in patterns:
            if pattern != "*" and not any(fnmatchcase(name, pattern) for name in names):
                near = suggestion(pattern, names) or _whole(pattern, names)
                yield f"No {noun} at the source matches '{pattern}' of O({option}).{near}"
    for name in sorted(wish.replace - {*images, *volumes}):
        yield f"Nothing at the source has the name '{name}' of O(replace).{suggestion(name, [*images, *volumes])}"


def _whole(pattern: str, names: Iterable[str]) -> str:
    """Return how to write a pattern that matches only a part of a name; empty where it matches none."""
    found = next((name for name in names if fnmatchcase(name, f"*{pattern}*")), "")
    return f" It must match the whole name, such as '{found}'." if found else ""


def left_behind(source: Inventory, wish: Wish) -> Iterator[str]:
    """Yield what can't be moved, and what the user has to do about it."""
    outside = [one.name for one in source.volumes if one.outside]
    if outside:
        yield f"Volumes with data outside the engine are not moved: {listed(outside)}. Create them again, with their options."
    anonymous = [one for one in source.volumes if one.anonymous]
    if anonymous and not wish.anonymous:
        yield f"Volumes without a name are not moved ({len(anonymous)}). Set O(anonymous=true) to move them under their ids."
    if source.cluster_images:
        yield (
            f"Images of its Kubernetes are not moved ({source.cluster_images}). A cluster pulls its own; of one that was "
            "built there, 'nerdctl --namespace k8s.io save NAME | nerdctl load' makes a copy that is moved."
        )
    nameless = [one for one in source.images if not one.tags]
    if nameless and not wish.dangling:
        yield f"Images without a name are not moved ({len(nameless)}). Set O(dangling=true) to move them."
    if source.swarm:
        yield "The source is a swarm, whose services, secrets and configs are not moved. Deploy the stacks again."
    if source.plugins:
        yield f"Plugins are not moved: {listed(source.plugins)}. Install them again."
    if source.networks:
        yield f"Networks are not moved: {listed(source.networks)}. Compose makes its own, 'docker network create' the others."
    mounted = sorted({path for one in source.containers for path in one.binds})
    if mounted:
        yield (
            f"Directories and files that containers mount are not moved: {listed(mounted)}. Those of the laptop stay where they "
            "are; outside of your home, name them in the profile's 'mounts'."
        )
    projects = sorted({f"{one.project} ({one.directory})" for one in source.containers if one.project})
    if projects:
        yield f"Compose projects come back with 'docker compose up' in their directories: {', '.join(projects)}."
    single = [one.name for one in source.containers if not one.project]
    if single:
        yield f"Containers are not moved: {listed(single)}. Run them again; 'docker commit' keeps what is not in their volumes."


def listed(names: Sequence[str], most: int = _MOST_NAMES) -> str:
    """Return the first few names, and how many more there are."""
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])


def _counts(images: Sequence[Image], volumes: Sequence[Volume]) -> dict[str, int]:
    return {"images": len({one.id for one in images}), "volumes": len({one.name for one in volumes})}
