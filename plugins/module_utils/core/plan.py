# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module is going to do, as a value: printable, comparable, the same in check mode and in a real run.

Plans are made by pure functions (current, spec, policy) -> Plan. Nothing here reads or changes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import WorkstationError

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class Step:
    """One change, in words for people: a verb, its target, and from what to what; never a secret.

    A subject's own steps are subclasses: programs act on the class and its fields. A silent step changes nothing that a user
    would call a change (a note is removed, say): it is carried out, and neither shown nor counted.
    """

    verb: str
    target: str
    detail: str = ""
    silent: bool = field(default=False, kw_only=True)

    def __str__(self) -> str:
        return f"{self.verb} {self.target}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True)
class Pending:
    """A change that policy held back: what it is, why it waits, and how to apply it. Programs act on its kind."""

    target: str
    change: str
    reason: str
    remedy: str
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.target}: {self.change} is pending because {self.reason}. {self.remedy}"

    def public(self) -> dict[str, str]:
        """Return the result form."""
        shown = {"target": self.target, "change": self.change, "reason": self.reason, "remedy": self.remedy}
        return shown | ({"kind": self.kind} if self.kind else {})


@dataclass(frozen=True)
class Plan:
    """Steps in the order in which they run, with the states before and after them (free of secrets), for people to see.

    With refusals, nothing is carried out.
    """

    steps: tuple[Step, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    pending: tuple[Pending, ...] = ()
    warnings: tuple[str, ...] = ()
    refusals: tuple[WorkstationError, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether a user would see a change; what is pending does not count."""
        return any(not step.silent for step in self.steps)

    @property
    def actions(self) -> list[str]:
        """The steps in plain English."""
        return [str(step) for step in self.steps if not step.silent]

    @property
    def diff(self) -> dict[str, Any]:
        """The form that Ansible's --diff prints; empty on both sides when there is nothing to do."""
        if not self.changed:
            return {"before": {}, "after": {}}
        return {"before": dict(self.before), "after": dict(self.after)}


def merge(plans: Iterable[Plan]) -> Plan:
    """Return one plan of several: steps in the given order, states side by side. Keys must not overlap."""
    parts = list(plans)
    return Plan(
        steps=tuple(step for part in parts for step in part.steps),
        before={key: value for part in parts for key, value in part.before.items()},
        after={key: value for part in parts for key, value in part.after.items()},
        pending=tuple(item for part in parts for item in part.pending),
        warnings=tuple(dict.fromkeys(item for part in parts for item in part.warnings)),
        refusals=tuple(item for part in parts for item in part.refusals),
    )


def in_number(count: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size_in_words(size: float) -> str:
    """Return a size, in bytes, as people read it in a step."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit < 3 else f"{size:.1f} {_UNITS[unit]}"
