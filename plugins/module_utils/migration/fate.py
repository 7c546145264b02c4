# SPDX-License-Identifier: GPL-3.0-or-later
"""How each thing of a source stands to the target now, and whether the source may go. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ..core.errors import NotVerified, RefusedStep, WorkstationError
from ..core.plan import in_number, size_in_words
from ..manifest.model import Fate, Kind, Reading, Row, Standing, Thing, standing
from .model import Container, Image, MoveState, Read, Volume, same
from .words import listed

PLAYBOOK = "playbooks/migrate.yml"
# What has to be copied, and what the target has of the source, or has made of it.
TO_COPY = frozenset((Standing.NEW, Standing.LOST, Standing.SOURCE_CHANGED))
SAFE = frozenset((Standing.ARRIVED, Standing.TARGET_CHANGED))
CHOOSE = "To lose what the target has, name it in O(replace); to lose what the source has, in O(leave)."
_WHY = {
    Standing.NEW: "not at the target",
    Standing.LOST: "no longer at the target",
    Standing.SOURCE_CHANGED: "changed at the source since it was copied",
    Standing.CONFLICT: "different on both sides",
    None: "not movable",
}
_AGAIN = f"Move it with {PLAYBOOK}, name it in O(leave), or remove it there."
_MOST_LEFT_OUT = 10
_IN_ITS_VM = "the rest of its VM, such as the data of a cluster's volumes"
# How a person removes what colima did not make.
_BY_HAND = "colima did not make it. Remove it by its own means, such as: brew uninstall --cask docker-desktop"


@dataclass(frozen=True)
class Judged:
    """A thing of the source under one of its names. standing: None for what can't be moved."""

    thing: Thing
    what: Image | Volume
    standing: Standing | None
    row: Row | None = None

    def __str__(self) -> str:
        return f"{self.thing.kind.value} '{self.thing.name}'"

    @property
    def safe(self) -> bool:
        """Whether the target has it."""
        return self.standing in SAFE


def conflict(row: Row | None) -> str:
    """Return why both sides have something of their own."""
    if row and row.fate is Fate.MOVED:
        return "both the source and the target were used since it was copied"
    return "the target has another one of that name, which is kept"


def judged(found: MoveState) -> Iterator[Judged]:
    """Yield everything at the source that can be named: images under each of their names, and volumes."""
    names = {tag: image for image in found.target.images for tag in image.tags}
    for image in found.source.images:
        for name in image.called:
            thing = Thing(Kind.IMAGE, name)
            there = names.get(name) if image.tags else next((one for one in found.target.images if same(one, image)), None)
            yield Judged(thing, image, _of_image(found.rows.get(thing), image, there), found.rows.get(thing))
    for volume in found.source.volumes:
        thing = Thing(Kind.VOLUME, volume.name)
        row, read = found.rows.get(thing), found.volumes.get(volume.name)
        row = _arrived(row, read) if row and read else row
        yield Judged(thing, volume, None if volume.outside else _of_volume(row, read), row)


def _of_image(row: Row | None, here: Image, there: Image | None) -> Standing:
    if there and same(here, there):
        return Standing.ARRIVED
    return standing(row, Reading(here.content), Reading(there.content) if there else None)


def _of_volume(row: Row | None, read: Read | None) -> Standing:
    if read is None:
        return standing(row, Reading(""), None)
    if read.same:
        return Standing.ARRIVED
    if read.error:
        return Standing.CONFLICT
    found = standing(row, read.source, read.target)
    # An empty volume that is not the arrived one: the user made it, or a run that was killed before it filled it.
    if found is Standing.CONFLICT and row and read.empty and not _arrived_as(row, read):
        return Standing.LOST if row.fate is Fate.MOVED else Standing.NEW
    return found


def _arrived(row: Row, read: Read) -> Row:
    """Return the row as it would be, had its run not been killed between a copy's arrival under its name and the note of that."""
    named = row.fate is Fate.FILLED and row.target and read.target and row.target.identity == read.target.identity
    return replace(row, fate=Fate.MOVED, work="", replaces=None) if named and read.passed_on else row


def _arrived_as(row: Row, read: Read) -> bool:
    return row.fate is Fate.MOVED and bool(row.target and read.target and row.target.identity == read.target.identity)


def left(judged: Judged, patterns: Sequence[str]) -> bool:
    """Whether the user named it to stay behind. patterns: of its name, or of any other name of the image."""
    return any(fnmatchcase(name, pattern) for name in _called(judged) for pattern in patterns)


def _called(one: Judged) -> tuple[str, ...]:
    return (one.thing.name, *((one.what.name, *one.what.digests) if isinstance(one.what, Image) and not one.what.tags else ()))


@dataclass(frozen=True)
class Retirement:
    """An engine that is to go. profile: of colima, empty for another engine. confirm: the name that was repeated.

    kept: the profiles that the settings have.
    """

    source: str
    profile: str
    confirm: str
    kept: tuple[str, ...]

    @property
    def what(self) -> str:
        """What it is, for messages."""
        return f"retire '{self.source}'"


def interrupted(found: MoveState) -> Iterator[WorkstationError]:
    """Yield what an interrupted run has left that keeps volumes of the target from being used."""
    if found.aside:
        reason = f"an interrupted run has taken data aside at the target: {', '.join(sorted(found.aside))}"
        yield RefusedStep("compare both engines", reason, f"Run {PLAYBOOK}: it is given back.")


def reasons_against(retirement: Retirement, found: MoveState, leave: Sequence[str]) -> Iterator[WorkstationError]:
    """Yield why the engine has to stay."""
    if retirement.profile in retirement.kept:
        yield RefusedStep(
            retirement.what, f"the settings have profile '{retirement.profile}'", "Take it out of colima_profiles first."
        )
    if at_work := [f"{one.name} ({one.state})" for one in found.source.containers if one.at_work]:
        yield RefusedStep(
            retirement.what, f"containers run in it, or are paused: {', '.join(at_work)}", "Stop them, and run again."
        )
    lacking: dict[Standing | None, list[str]] = {}
    for one in judged(found):
        if named(one) and not one.safe and not left(one, leave):
            why = f" ({one.what.outside})" if isinstance(one.what, Volume) and one.what.outside else ""
            lacking.setdefault(one.standing, []).append(f"{one}{why}")
    for standing_, names in lacking.items():
        remedy = {Standing.CONFLICT: CHOOSE, None: "Copy it yourself, and name it in O(leave)."}.get(standing_, _AGAIN)
        yield RefusedStep(retirement.what, f"{_WHY[standing_]}: {', '.join(names)}", remedy)
    if retirement.confirm != retirement.source:
        yield RefusedStep(retirement.what, "its whole content would be lost", f"Repeat its name: E(confirm={retirement.source}).")


def named(one: Judged) -> bool:
    """Whether a person or a program gave it its name; others go with the engine, and are shown before."""
    return bool(one.what.tags or one.what.digests) if isinstance(one.what, Image) else not one.what.anonymous


def differing(found: MoveState, leave: Sequence[str]) -> Iterator[WorkstationError]:
    """Yield what is on both sides and is not the same, unless only the target was used."""
    for one in judged(found):
        if one.standing in (Standing.SOURCE_CHANGED, Standing.CONFLICT) and not left(one, leave):
            reason, remedy = conflict(one.row), CHOOSE
            if one.standing is Standing.SOURCE_CHANGED:
                reason, remedy = _WHY[one.standing], f"Run {PLAYBOOK}: it is copied again."
            yield NotVerified(f"verify the copy of {one}", reason, remedy)


def compared(found: MoveState, leave: Sequence[str]) -> Iterator[str]:
    """Yield how much is the same on both sides, what the target has made of it, and what was not moved."""
    things = list(judged(found))
    equal = [one for one in things if one.standing is Standing.ARRIVED]
    images = sum(one.thing.kind is Kind.IMAGE for one in equal)
    yield f"{in_number(images, 'image')} and {in_number(len(equal) - images, 'volume')} are the same on both sides"
    if used := [str(one) for one in things if one.standing is Standing.TARGET_CHANGED]:
        yield f"Used at the target since they were copied, and kept: {', '.join(used)}"
    if absent := [str(one) for one in things if named(one) and one.standing in TO_COPY and not left(one, leave)]:
        yield f"Not moved: {', '.join(absent)}"
    if incomplete := _incomplete(found):
        yield f"Not carried by any copy: {', '.join(incomplete)}"


def _incomplete(found: MoveState) -> list[str]:
    """Return the volumes that arrived without what no archive carries, with what that is."""
    things = ((one, found.volumes.get(one.what.name)) for one in judged(found) if one.safe and isinstance(one.what, Volume))
    return [f"{one} ({listed(read.left, _MOST_LEFT_OUT)})" for one, read in things if read and read.left]


def lost_with(retirement: Retirement, found: MoveState, leave: Sequence[str]) -> list[str]:
    """Return what goes with the engine, each by its name."""
    things = list(judged(found))
    lost = {
        "what migrate_leave names": [str(one) for one in things if not one.safe and left(one, leave)],
        "what no copy carries": _incomplete(found),
        "what has no name": [f"{one.thing.kind.value} {one.what.name}" for one in things if not (named(one) or one.safe)],
        "containers, with what they hold outside of volumes": [_held(one) for one in found.source.containers],
    }
    return [
        *(f"{what}: {', '.join(names)}" for what, names in lost.items() if names),
        *([_IN_ITS_VM] if retirement.profile else ()),
    ]


def in_words(retirement: Retirement, lost: Sequence[str]) -> list[str]:
    """Return what goes with the engine, and how it goes."""
    lines = [f"'{retirement.source}': everything else with a name is at the target", *(f"Lost with it: {what}" for what in lost)]
    return lines if retirement.profile else [*lines, _BY_HAND]


def _held(one: Container) -> str:
    return one.name + (f" ({size_in_words(one.own)})" if one.own else "")


def noted(found: MoveState) -> Iterator[Row]:
    """Yield a row for each thing that is equal on both sides, or has arrived unnoted, unless its row says so already."""
    there = {tag: image for image in found.target.images for tag in image.tags}
    for one in judged(found):
        row = one.row
        if one.standing is Standing.ARRIVED and isinstance(one.what, Image):
            other = there.get(one.thing.name, one.what)
            row = Row(one.thing, Fate.MOVED, Reading(one.what.content), Reading(other.content))
        elif one.standing is Standing.ARRIVED:
            read = found.volumes[one.thing.name]
            row = Row(one.thing, Fate.MOVED, read.source, read.target)
        if row and row != found.rows.get(one.thing):
            yield row
