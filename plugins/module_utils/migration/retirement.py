# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an engine that was moved from may be removed, and what is lost with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..core.errors import RefusedStep, WorkstationError
from ..core.plan import size_in_words
from ..manifest.model import SyncState
from .comparison import CHOOSE, PLAYBOOK, WHY, comparisons, incomplete, left, named
from .model import Container, MoveState, Volume

_AGAIN = f"Move it with {PLAYBOOK}, name it in O(leave), or remove it there."
_IN_ITS_VM = "the rest of its VM, such as the data of a cluster's volumes"
# How a person removes what colima did not make.
_BY_HAND = "colima did not make it. Remove it by its own means, such as: brew uninstall --cask docker-desktop"


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
    for state_, names in _lacking(found, leave).items():
        remedy = {SyncState.CONFLICT: CHOOSE, None: "Copy it yourself, and name it in O(leave)."}.get(state_, _AGAIN)
        yield RefusedStep(retirement.what, f"{WHY[state_]}: {', '.join(names)}", remedy)
    if retirement.confirm != retirement.source:
        yield RefusedStep(retirement.what, "its whole content would be lost", f"Repeat its name: E(confirm={retirement.source}).")


def _lacking(found: MoveState, leave: Sequence[str]) -> dict[SyncState | None, list[str]]:
    """Return what the target does not have, and no one gives up, by how it stands."""
    lacking: dict[SyncState | None, list[str]] = {}
    for one in comparisons(found):
        if named(one) and not one.safe and not left(one, leave):
            why = f" ({one.what.outside})" if isinstance(one.what, Volume) and one.what.outside else ""
            lacking.setdefault(one.sync_state, []).append(f"{one}{why}")
    return lacking


def lost_with(retirement: Retirement, found: MoveState, leave: Sequence[str]) -> list[str]:
    """Return what goes with the engine, each by its name."""
    resources = list(comparisons(found))
    lost = {
        "what migrate_leave names": [str(one) for one in resources if not one.safe and left(one, leave)],
        "what no copy carries": incomplete(found),
        "what has no name": [f"{one.resource.kind.value} {one.what.name}" for one in resources if not (named(one) or one.safe)],
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
