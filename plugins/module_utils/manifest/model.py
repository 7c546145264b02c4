# SPDX-License-Identifier: GPL-3.0-or-later
"""One row for each resource of a source, and the three-way comparison of a row with both sides as they are now. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a resource is. FILE: a file that a move has made on the laptop, and may remove; its name is its path."""

    IMAGE = "image"
    VOLUME = "volume"
    CLAIM = "claim"
    OBJECT = "object"
    CONTAINER = "container"
    DISK = "disk"
    FILE = "file"


class Status(Enum):
    """What has become of a resource.

    BEGUN: a copy may exist under its working name, and may be incomplete. FILLED: the copy is complete under its working name.
    MOVED: it arrived, and both digests were read. LEFT: the user named it to stay behind. IMMOVABLE: it can't be moved.
    """

    BEGUN = "begun"
    FILLED = "filled"
    MOVED = "moved"
    LEFT = "left"
    IMMOVABLE = "immovable"


@dataclass(frozen=True, order=True)
class Resource:
    """Something that a source has. name: what its engine calls it, complete ("registry/name:tag", "namespace/claim")."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class Fingerprint:
    """A resource as one side has it. digest: of all of its content. identity: of this one alone, such as when it was created.

    Two resources of equal name have different identities where one was removed and the other was created; "" where the engine has
    none, as for images, whose digest says everything.
    """

    digest: str
    identity: str = ""


@dataclass(frozen=True)
class Row:
    """What has become of one resource. source: when it left. target: when it arrived; None before that.

    work: the temporary name at the target while the copy is unfinished. target is then what will be there, and replaces
    what it takes the place of, None for nothing. reason: why it was left, or can't be moved; for people.
    """

    resource: Resource
    status: Status
    source: Fingerprint | None = None
    target: Fingerprint | None = None
    work: str = ""
    reason: str = ""
    replaces: Fingerprint | None = None


class SyncState(Enum):
    """How both sides stand to each other.

    NEW: the target has no such resource, and never had. LOST: it arrived, and is gone from the target. ARRIVED: both sides are
    equal. SOURCE_CHANGED, TARGET_CHANGED: only that side was used after the arrival. CONFLICT: both were, or the target's
    did not come from this source.
    """

    NEW = "new"
    LOST = "lost"
    ARRIVED = "arrived"
    SOURCE_CHANGED = "source changed"
    TARGET_CHANGED = "target changed"
    CONFLICT = "conflict"


def sync_state(row: Row | None, source: Fingerprint, target: Fingerprint | None) -> SyncState:
    """Compare both sides as they are now with what the row says of the arrival. row: None where nothing was noted.

    A copy that is complete, but has not taken the place of the old target yet, counts as SOURCE_CHANGED: it takes it now.
    """
    arrival = row if row and _has_arrived(row, target) else None
    if target is None:
        return SyncState.LOST if arrival else SyncState.NEW
    if source.digest == target.digest:
        return SyncState.ARRIVED
    if row and row.status is Status.FILLED and row.replaces == target:
        return SyncState.SOURCE_CHANGED
    return _since(arrival, source, target) if arrival else SyncState.CONFLICT


def _has_arrived(row: Row, target: Fingerprint | None) -> bool:
    """Whether a copy has taken its place, though a killed run may not have lived to note it."""
    return row.status is Status.MOVED or (row.status is Status.FILLED and target is not None and row.target == target)


def _since(arrival: Row, source: Fingerprint, target: Fingerprint) -> SyncState:
    """Compare two sides that differ with what they were at the arrival."""
    if arrival.source is None or arrival.target is None or arrival.target.identity != target.identity:
        return SyncState.CONFLICT
    return {
        (False, False): SyncState.ARRIVED,
        (True, False): SyncState.SOURCE_CHANGED,
        (False, True): SyncState.TARGET_CHANGED,
        (True, True): SyncState.CONFLICT,
    }[source.digest != arrival.source.digest, target.digest != arrival.target.digest]
