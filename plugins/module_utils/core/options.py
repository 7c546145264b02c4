# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that no module could take, each in one sentence that says which, where, and what to write instead. Pure.

Ansible refuses them as well, but names neither the entry of a list nor a next step, and stops at the first. What this passes
over is left to Ansible.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from .entries import kind_of

Spec = Mapping[str, Any]
# What Ansible takes for true or false.
_TRUTHS = frozenset(("y", "yes", "on", "1", "true", "t", "1.0", "n", "no", "off", "0", "false", "f", "0.0"))
# Why a value is not a number of the type.
_NO_NUMBER = {
    "int": "it is not a whole number. Use one such as 4.",
    "float": "it is not a number. Use one such as 1.5.",
}
# In what options count that people like to write with a unit; and such a value.
_UNITS = {
    "disk": "GiB",
    "memory": "GiB",
    "memory_mib": "MiB",
    "reserve_memory_mib": "MiB",
    "root_disk": "GiB",
    "stall_timeout": "seconds",
    "timeout": "seconds",
}
_WITH_UNIT = re.compile(r"(\d+(?:\.\d+)?) ?[A-Za-z]+")


class Problem(NamedTuple):
    """What is wrong with an option, and the key or value that is."""

    sentence: str
    at: Any


def problems(
    spec: Mapping[str, Spec],
    options: Mapping[str, Any],
    hidden: Collection[str] = (),
    names: Mapping[str, str] | None = None,
    *,
    verb: str = "use",
) -> list[Problem]:
    """Return what is wrong with the options, in their order. Values of hidden options are not repeated.

    names: how the user calls an option, where that is not its own name: by the variable of a role, say; of one inside of a
    mapping by "the mapping's name.option". verb: what could not be done with the options.
    """
    return list(_Check(hidden, names or {}, verb).options(spec, options, ""))


def suggestion(word: str, known: Collection[str], like: float = 0.6) -> str:
    """Return " Did you mean 'x'?" for the known word that is most like this one; empty when none is. like: how much, 0 to 1."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=like)
    return f" Did you mean '{near[0]}'?" if near else ""


class _Check:
    def __init__(self, hidden: Collection[str], names: Mapping[str, str], verb: str) -> None:
        self.hidden, self.names, self.verb = hidden, names, verb

    def options(self, spec: Mapping[str, Spec], options: Mapping[str, Any], where: str, parent: str = "") -> Iterator[Problem]:
        known = {name: option_spec for option, option_spec in spec.items() for name in (option, *option_spec.get("aliases", ()))}
        for option, value in options.items():
            # Inside of another option, one may be a variable of its own.
            name = self.names.get(f"{parent}.{option}" if where else option, option)
            place = "" if name != option else where
            if option not in known:
                help_ = suggestion(str(option), spec) or f" Use one of {', '.join(sorted(spec))}."
                yield Problem(f"Could not {self.verb} option '{name}'{place}: it is unknown.{help_}", option)
            elif value is not None:
                hide = option in self.hidden
                for sentence, at in self.value({**known[option], "unit": _UNITS.get(option)}, name, value, place, hide=hide):
                    # Of a number, a truth value or nothing, only its name has a place.
                    has_place = isinstance(at, str) or (at is not value and isinstance(at, Mapping | list | tuple))
                    yield Problem(sentence, at if has_place else option)

    def value(self, spec: Spec, option: str, value: Any, where: str, *, hide: bool) -> Iterator[tuple[str, Any]]:
        if spec.get("type") == "dict":
            yield from self.mapping(spec, option, value, where)
        elif spec.get("type") == "list":
            yield from self.list(spec, option, value, where, hide=hide)
        elif why := _why_unfit(spec, value):
            shown = f"'{option}'{where}" if hide else f"'{value}' as '{option}'{where}"
            yield f"Could not {self.verb} {shown}: {why}", value

    def mapping(self, spec: Spec, option: str, value: Any, where: str) -> Iterator[tuple[str, Any]]:
        if isinstance(value, Mapping):
            if "options" in spec:
                yield from self.options(spec["options"], value, f" of '{option}'{where}", option)
        elif not isinstance(value, str):
            # A text may hold a mapping, for Ansible.
            switch = isinstance(value, bool) and "enabled" in spec.get("options", {})
            remedy = f"{{enabled: {str(value).lower()}}}" if switch else "its options as 'option: value'"
            yield f"Could not {self.verb} '{option}'{where}: it is {kind_of(value)}, not a mapping. Write {remedy}.", value

    def list(self, spec: Spec, option: str, value: Any, where: str, *, hide: bool) -> Iterator[tuple[str, Any]]:
        elements = {**spec, "type": spec.get("elements", "str")}
        if isinstance(value, Mapping) or (elements["type"] == "dict" and not isinstance(value, list | tuple)):
            remedy = _how_to_list(option, value)
            yield f"Could not {self.verb} '{option}'{where}: it is {kind_of(value)}, not a list. {remedy}", value
        elif isinstance(value, str) and elements["type"] == "str" and re.search(r",\s|\s,", value):
            entries = ", ".join(entry.strip() for entry in value.split(","))
            yield (
                f"Could not {self.verb} '{value}' as '{option}'{where}: it is a text, not a list. Write it as [{entries}].",
                value,
            )
        elif isinstance(value, list | tuple | str):
            # A text is a list with commas, for Ansible.
            for number, item in enumerate(value.split(",") if isinstance(value, str) else value, 1):
                yield from self.entry(elements, option, item, where, number, hide=hide)

    def entry(self, spec: Spec, option: str, item: Any, where: str, number: int, *, hide: bool) -> Iterator[tuple[str, Any]]:
        if spec["type"] != "dict" and item is None:
            yield f"Could not {self.verb} '{option}'{where}: entry {number} is empty. Give it a value, or remove it.", item
        elif spec["type"] != "dict":
            yield from self.value(spec, option, item, where, hide=hide)
        elif isinstance(item, Mapping):
            # Of mappings in a role's specification, the module behind it knows the options.
            if "options" in spec:
                yield from self.options(spec["options"], item, f" of {_entry(item, number)} in '{option}'{where}")
        else:
            reason = f"entry {number} is {kind_of(item)}, not a mapping"
            yield f"Could not {self.verb} '{option}'{where}: {reason}. Write its options as 'option: value', one a line.", item


def _why_unfit(spec: Spec, value: Any) -> str:
    """Return why a single value is not one of its type, and what is; empty where it is."""
    kind = spec.get("type", "str")
    choices = f" Use one of {', '.join(map(str, spec['choices']))}." if spec.get("choices") else ""
    if kind in _NO_NUMBER and not _is_number(value, whole=kind == "int"):
        return _why_no_number(spec, value)
    if kind == "str" and isinstance(value, bool):
        remedy = f"Put the word in quotes.{choices}" if choices else "Write another value, or put the word in quotes."
        return f"YAML reads on, off, yes and no without quotes as true or false. {remedy}"
    if kind == "bool" and str(value).lower() not in _TRUTHS:
        return "it is neither true nor false. Use one of these."
    return f"it is not a choice.{choices}" if choices and str(value) not in map(str, spec["choices"]) else ""


def _why_no_number(spec: Spec, value: Any) -> str:
    if spec.get("unit") and isinstance(value, str) and _WITH_UNIT.fullmatch(value):
        return f"it has a unit. Write a number of {spec['unit']} alone."
    return _NO_NUMBER[spec["type"]]


def _how_to_list(option: str, value: Any) -> str:
    """Return how to write a value as the list that the option takes."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        # -e name=value takes any value for a text.
        return f"""Write it as '- ' entries, or behind -e as '{{"{option}": [...]}}'."""
    return "Begin each entry with '- '."


def _entry(item: Mapping[str, Any], number: int) -> str:
    return f"'{item['name']}'" if isinstance(item.get("name"), str) and item["name"] else f"entry {number}"


def _is_number(value: Any, *, whole: bool) -> bool:
    if isinstance(value, bool):
        return False
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return math.isfinite(number) and (not whole or number == int(number))
