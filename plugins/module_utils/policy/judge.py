# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether values keep a rule, and the sentence where they do not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..colima.model.shown import CLOSED
from ..core.secrecy.patterns import hidden
from ..toolchain.programs import version_of
from .compare import contains, holds_anywhere, number_of, same
from .path import LEFT_OUT, PathMatch, find
from .rules import EACH, Rule

# Longer ones make a sentence unreadable.
_LONGEST = 60


@dataclass(frozen=True)
class Violation:
    """A value that breaks a rule. way: from the setting to the value, as in PathMatch; demand: what the rule asks, in words."""

    rule: Rule
    name: str
    value: Any
    way: tuple[str | int, ...]
    demand: str

    @property
    def found(self) -> str:
        """What is wrong, without what helps."""
        is_ = "is left out" if self.value is LEFT_OUT else f"is {self._shown}"
        return f"{self.name} {is_}; the policy {self.demand} ({self.rule.at})"

    @property
    def remedy(self) -> str:
        """Why the rule is there, and whom to ask."""
        return f"Reason: {self.rule.reason.rstrip('.')}. Contact: {self.rule.contact.rstrip('.')}."

    @property
    def sentence(self) -> str:
        """The whole as a message."""
        if self.rule.tool:
            what = f"work with {self.name} {self.value}"
        elif self.value is LEFT_OUT:
            what = f"leave out '{self.name}'"
        else:
            what = f"use {self._shown} as '{self.name}'"
        return f"Could not {what}: the policy {self.demand} ({self.rule.at}). {self.remedy}"

    @property
    def _shown(self) -> str:
        if self.rule.tool or isinstance(self.value, bool | int | float):
            return self.value if self.rule.tool else _value(self.value)
        key = next((str(one) for one in reversed(self.way) if isinstance(one, str)), "")
        text = _value(hidden({key: self.value})[key])
        return "this value" if len(text) > _LONGEST or any(one in CLOSED for one in self.way) else text


def violations(rule: Rule, value: Any) -> Iterator[Violation]:
    """Yield what breaks a rule in the value of its setting, as a module reads it; LEFT_OUT where it is not given."""
    for found in find(rule.path, value) if rule.path else ():
        for demand in broken(rule, found):
            yield Violation(rule, found.words, found.value, found.way, demand)


def wrong_version(rule: Rule, output: str) -> Iterator[Violation]:
    """Yield what breaks a rule about a tool, by what the tool says of its version."""
    version = version_of(output)
    shown = ".".join(map(str, version)) if version else "a version that can't be told"
    for condition, asked in rule.conditions.items():
        wanted = [version_of(str(one)) for one in (asked if isinstance(asked, list) else [asked])]
        kept = version is not None and _in_bounds(condition, version, wanted)
        if not kept:
            yield Violation(rule, rule.tool, shown, (), _demand(condition, asked))


def _in_bounds(condition: str, version: tuple[int, ...], wanted: Sequence[tuple[int, ...] | None]) -> bool:
    first = wanted[0] or ()
    return version >= first if condition == "minimum" else version <= first if condition == "maximum" else version in wanted


def broken(rule: Rule, found: PathMatch) -> Iterator[str]:
    """Yield the demands of a rule that a value does not meet, in words."""
    return (_demand(condition, asked) for condition, asked in _asked(rule) if not _is_met(condition, asked, found.value))


def _asked(rule: Rule) -> Iterator[tuple[str, Any]]:
    """Yield each demand of a rule: its condition, and what that asks."""
    for condition, asked in rule.conditions.items():
        for one in asked if condition in EACH else [asked]:
            yield condition, one


def _is_met(condition: str, asked: Any, value: Any) -> bool:
    """Whether a value meets a demand. What is left out holds nothing that is forbidden."""
    if condition == "forbidden":
        return value is LEFT_OUT or not holds_anywhere(value, asked)
    if condition == "must_contain":
        return contains(value, asked)
    if condition == "allowed":
        # Of a list, each entry.
        entries = value if isinstance(value, list | tuple) else [value]
        return all(any(same(entry, one) for one in asked) for entry in entries)
    if condition == "value":
        return same(value, asked)
    number = number_of(value)
    return number is not None and bool(number >= asked if condition == "minimum" else number <= asked)


def _demand(condition: str, asked: Any) -> str:
    listed = ", ".join(map(_value, asked)) if isinstance(asked, list) else ""
    return {
        "value": f"fixes it to {_value(asked)}",
        "minimum": f"asks for at least {asked}",
        "maximum": f"allows at most {asked}",
        "allowed": f"allows only {listed}",
        "must_contain": f"asks for {_value(asked)} in it",
        "forbidden": f"forbids {_value(asked)} in it",
    }[condition]


def demands(rule: Rule) -> str:
    """Return what a rule asks, in words."""
    return ", ".join(_demand(condition, asked) for condition, asked in _asked(rule))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else f"'{value}'" if isinstance(value, str) else str(value)
