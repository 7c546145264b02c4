# SPDX-License-Identifier: GPL-3.0-or-later
"""How each image and volume of a source compares with the target now. Pure. transfer/ verifies each copy when it arrives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ..core.errors import NotVerified, RefusedStep, WorkstationError
from ..core.plan import in_number
from ..manifest.model import Fingerprint, Kind, Resource, Row, Status, SyncState, sync_state
from .model import Image, MoveState, Volume, VolumePair, same
from .wording import listed

PLAYBOOK = "playbooks/migrate.yml"
# What has to be copied, and what the target has of the source, or has made of it.
TO_COPY = frozenset((SyncState.NEW, SyncState.LOST, SyncState.SOURCE_CHANGED))
SAFE = frozenset((SyncState.ARRIVED, SyncState.TARGET_CHANGED))
CHOOSE = "To lose what the target has, name it in O(replace); to lose what the source has, in O(leave)."
WHY = {
    SyncState.NEW: "not at the target",
    SyncState.LOST: "no longer at the target",
    SyncState.SOURCE_CHANGED: "changed at the source since it was copied",
    SyncState.CONFLICT: "different on both sides",
    None: "not movable",
}
_MOST_LEFT_OUT = 10


@dataclass(frozen=True)
class Comparison:
    """A resource of the source under one of its names. sync_state: None for what can't be moved."""

    resource: Resource
    what: Image | Volume
    sync_state: SyncState | None
    row: Row | None = None

    def __str__(self) -> str:
        return f"{self.resource.kind.value} '{self.resource.name}'"

    @property
    def safe(self) -> bool:
        """Whether the target has it."""
        return self.sync_state in SAFE


def conflict(row: Row | None) -> str:
    """Return why both sides have something of their own."""
    if row and row.status is Status.MOVED:
        return "both the source and the target were used since it was copied"
    return "the target has another one of that name, which is kept"


def comparisons(found: MoveState) -> Iterator[Comparison]:
    """Yield everything at the source that can be named: images under each of their names, and volumes."""
    names = {tag: image for image in found.target.images for tag in image.tags}
    for image in found.source.images:
        for name in image.called:
            resource = Resource(Kind.IMAGE, name)
            there = names.get(name) if image.tags else next((one for one in found.target.images if same(one, image)), None)
            yield Comparison(resource, image, _of_image(found.rows.get(resource), image, there), found.rows.get(resource))
    for volume in found.source.volumes:
        resource = Resource(Kind.VOLUME, volume.name)
        row, read = found.rows.get(resource), found.volumes.get(volume.name)
        row = _arrived(row, read) if row and read else row
        yield Comparison(resource, volume, None if volume.outside else _of_volume(row, read), row)


def _of_image(row: Row | None, here: Image, there: Image | None) -> SyncState:
    if there and same(here, there):
        return SyncState.ARRIVED
    return sync_state(row, Fingerprint(here.content), Fingerprint(there.content) if there else None)


def _of_volume(row: Row | None, read: VolumePair | None) -> SyncState:
    if read is None:
        return sync_state(row, Fingerprint(""), None)
    if read.same:
        return SyncState.ARRIVED
    if read.error:
        return SyncState.CONFLICT
    found = sync_state(row, read.source, read.target)
    # An empty volume that is not the arrived one: the user made it, or a run that was killed before it filled it.
    if found is SyncState.CONFLICT and row and read.empty and not _arrived_as(row, read):
        return SyncState.LOST if row.status is Status.MOVED else SyncState.NEW
    return found


def _arrived(row: Row, read: VolumePair) -> Row:
    """Return the row; MOVED where a killed run has given the copy its name, and has not noted it."""
    named = row.status is Status.FILLED and row.target and read.target and row.target.identity == read.target.identity
    return replace(row, status=Status.MOVED, work="", replaces=None) if named and read.renamed else row


def _arrived_as(row: Row, read: VolumePair) -> bool:
    return row.status is Status.MOVED and bool(row.target and read.target and row.target.identity == read.target.identity)


def left(judged: Comparison, patterns: Sequence[str]) -> bool:
    """Whether the user named it to stay behind. patterns: of its name, or of any other name of the image."""
    return any(fnmatchcase(name, pattern) for name in _called(judged) for pattern in patterns)


def _called(one: Comparison) -> tuple[str, ...]:
    return (one.resource.name, *((one.what.name, *one.what.digests) if isinstance(one.what, Image) and not one.what.tags else ()))


def interrupted(found: MoveState) -> Iterator[WorkstationError]:
    """Yield what an interrupted run has left that keeps volumes of the target from being used."""
    if found.aside:
        reason = f"an interrupted run has taken data aside at the target: {', '.join(sorted(found.aside))}"
        yield RefusedStep("compare both engines", reason, f"Run {PLAYBOOK}: it is given back.")


def named(one: Comparison) -> bool:
    """Whether a person or a program gave it its name; others go with the engine, and are shown before."""
    return bool(one.what.tags or one.what.digests) if isinstance(one.what, Image) else not one.what.anonymous


def differing(found: MoveState, leave: Sequence[str]) -> Iterator[WorkstationError]:
    """Yield what is on both sides and is not the same, unless only the target was used."""
    for one in comparisons(found):
        if one.sync_state in (SyncState.SOURCE_CHANGED, SyncState.CONFLICT) and not left(one, leave):
            reason, remedy = conflict(one.row), CHOOSE
            if one.sync_state is SyncState.SOURCE_CHANGED:
                reason, remedy = WHY[one.sync_state], f"Run {PLAYBOOK}: it is copied again."
            yield NotVerified(f"verify the copy of {one}", reason, remedy)


def compared(found: MoveState, leave: Sequence[str]) -> Iterator[str]:
    """Yield how much is the same on both sides, what the target has made of it, and what was not moved."""
    resources = list(comparisons(found))
    equal = [one for one in resources if one.sync_state is SyncState.ARRIVED]
    images = sum(one.resource.kind is Kind.IMAGE for one in equal)
    yield f"{in_number(images, 'image')} and {in_number(len(equal) - images, 'volume')} are the same on both sides"
    if used := [str(one) for one in resources if one.sync_state is SyncState.TARGET_CHANGED]:
        yield f"Used at the target since they were copied, and kept: {', '.join(used)}"
    if absent := [str(one) for one in resources if named(one) and one.sync_state in TO_COPY and not left(one, leave)]:
        yield f"Not moved: {', '.join(absent)}"
    if partly := incomplete(found):
        yield f"Not carried by any copy: {', '.join(partly)}"


def incomplete(found: MoveState) -> list[str]:
    """Return the volumes that arrived without what no archive carries, with what that is."""
    resources = (
        (one, found.volumes.get(one.what.name)) for one in comparisons(found) if one.safe and isinstance(one.what, Volume)
    )
    return [f"{one} ({listed(read.left, _MOST_LEFT_OUT)})" for one, read in resources if read and read.left]


def noted(found: MoveState) -> Iterator[Row]:
    """Yield a row for each resource that is equal on both sides, or has arrived unnoted, unless its row says so already."""
    there = {tag: image for image in found.target.images for tag in image.tags}
    for one in comparisons(found):
        row = one.row
        if one.sync_state is SyncState.ARRIVED and isinstance(one.what, Image):
            other = there.get(one.resource.name, one.what)
            row = Row(one.resource, Status.MOVED, Fingerprint(one.what.content), Fingerprint(other.content))
        elif one.sync_state is SyncState.ARRIVED:
            read = found.volumes[one.resource.name]
            row = Row(one.resource, Status.MOVED, read.source, read.target)
        if row and row != found.rows.get(one.resource):
            yield row
