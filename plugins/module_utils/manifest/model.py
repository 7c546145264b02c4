# SPDX-License-Identifier: GPL-3.0-or-later
"""One row for each thing of a source, and the three-way comparison of a row with both sides as they are now. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a thing is. FILE: a file that a move has made on the laptop, and may remove; its name is its path."""

    IMAGE = "image"
    VOLUME = "volume"
    CLAIM = "claim"
    OBJECT = "object"
    CONTAINER = "container"
    DISK = "disk"
    FILE = "file"


class Status(Enum):
    """What has become of a thing.

    BEGUN: a copy may exist under its working name, and may be incomplete. FILLED: the copy is complete under its working name.
    MOVED: it arrived, and both digests were read. LEFT: the user named it to stay behind. IMMOVABLE: it can't be moved.
    """

    BEGUN = "begun"
    FILLED = "filled"
    MOVED = "moved"
    LEFT = "left"
    IMMOVABLE = "immovable"


@dataclass(frozen=True, order=True)
class Thing:
    """A thing of the source. name: what its engine calls it, complete ("registry/name:tag", "namespace/claim")."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class Reading:
    """A thing as one side has it. digest: of all of its content. identity: of this one thing, such as the time of its creation.

    Two things of equal name have different identities where one was removed and the other was created; "" where the engine has
    none, as for images, whose digest says everything.
    """

    digest: str
    identity: str = ""


@dataclass(frozen=True)
class Row:
    """What has become of one thing. source: when it left. target: when it arrived; None before that.

    work: the temporary name at the target while the copy is unfinished. target is then the thing that will be there, and replaces
    the thing whose place it takes, None for nothing. reason: why it was left, or can't be moved; for people.
    """

    thing: Thing
    status: Status
    source: Reading | None = None
    target: Reading | None = None
    work: str = ""
    reason: str = ""
    replaces: Reading | None = None


class Standing(Enum):
    """How both sides stand to each other.

    NEW: the target has no such thing, and never had. LOST: it had arrived, and is gone from the target. ARRIVED: both sides are
    equal. SOURCE_CHANGED, TARGET_CHANGED: only that side was used after the arrival. CONFLICT: both were, or the target's thing
    did not come from this source.
    """

    NEW = "new"
    LOST = "lost"
    ARRIVED = "arrived"
    SOURCE_CHANGED = "source changed"
    TARGET_CHANGED = "target changed"
    CONFLICT = "conflict"


def standing(row: Row | None, source: Reading, target: Reading | None) -> Standing:
    """Compare both sides as they are now with what the row says of the arrival. row: None where nothing was noted.

    A copy that is complete, but has not taken the place of the old target yet, counts as SOURCE_CHANGED: it takes it now.
    """
    arrival = row if row and _has_arrived(row, target) else None
    if target is None:
        return Standing.LOST if arrival else Standing.NEW
    if source.digest == target.digest:
        return Standing.ARRIVED
    if row and row.status is Status.FILLED and row.replaces == target:
        return Standing.SOURCE_CHANGED
    return _since(arrival, source, target) if arrival else Standing.CONFLICT


def _has_arrived(row: Row, target: Reading | None) -> bool:
    """Whether a copy has taken its place, though a killed run may not have lived to note it."""
    return row.status is Status.MOVED or (row.status is Status.FILLED and target is not None and row.target == target)


def _since(arrival: Row, source: Reading, target: Reading) -> Standing:
    """Compare two sides that differ with what they were at the arrival."""
    if arrival.source is None or arrival.target is None or arrival.target.identity != target.identity:
        return Standing.CONFLICT
    return {
        (False, False): Standing.ARRIVED,
        (True, False): Standing.SOURCE_CHANGED,
        (False, True): Standing.TARGET_CHANGED,
        (True, True): Standing.CONFLICT,
    }[source.digest != arrival.source.digest, target.digest != arrival.target.digest]
