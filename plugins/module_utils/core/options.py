# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that no module could take, in one sentence that says which, where, and what to write instead. Pure.

Ansible refuses them as well, but names neither the entry of a list nor a next step, and of some it only shows what Python says.
What this passes over is left to Ansible.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from .entries import kind_of

Spec = Mapping[str, Any]


def refusal(spec: Mapping[str, Spec], options: Mapping[str, Any]) -> str:
    """Return why these options can't be meant; empty when nothing is wrong with them."""
    return next(_of_options(spec, options, ""), "")


def _of_options(spec: Mapping[str, Spec], options: Mapping[str, Any], where: str) -> Iterator[str]:
    for option, value in options.items():
        if option in spec and value is not None:
            yield from _of_value(spec[option], option, value, where)


def _of_value(spec: Spec, option: str, value: Any, where: str) -> Iterator[str]:
    kind = spec.get("type", "str")
    if kind == "dict":
        yield from _of_mapping(spec, option, value, where)
    elif kind == "list":
        yield from _of_list(spec, option, value, where)
    elif kind in ("int", "float") and not _is_number(value, whole=kind == "int"):
        remedy = "Give a whole number." if kind == "int" else "Give a number."
        yield f"Could not use '{value}' as '{option}'{where}: it is no {'whole ' if kind == 'int' else ''}number. {remedy}"
    elif spec.get("choices") and str(value) not in map(str, spec["choices"]):
        words = ", ".join(map(str, spec["choices"]))
        yield f"Could not use '{value}' as '{option}'{where}: there is no such choice. Use one of {words}."


def _of_mapping(spec: Spec, option: str, value: Any, where: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        inside = f" of '{option}'{where}"
        yield from _of_options(spec.get("options") or {}, value, inside)
    elif not isinstance(value, str):
        # A text may hold a mapping, for Ansible.
        yield f"Could not use '{option}'{where}: it is {kind_of(value)}, not a mapping. Write its options as 'option: value'."


def _of_list(spec: Spec, option: str, value: Any, where: str) -> Iterator[str]:
    elements = {**spec, "type": spec.get("elements", "str")}
    if isinstance(value, Mapping) or (elements["type"] == "dict" and not isinstance(value, list | tuple)):
        yield f"Could not use '{option}'{where}: it is {kind_of(value)}, not a list. Begin each entry with '- '."
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value, 1):
            if elements["type"] != "dict":
                yield from _of_value(elements, option, item, where)
            elif isinstance(item, Mapping):
                yield from _of_options(elements.get("options") or {}, item, f" of {_entry(item, number)} in '{option}'{where}")
            else:
                told = f"entry {number} is {kind_of(item)}, not a mapping"
                yield f"Could not use '{option}'{where}: {told}. Write its options as 'option: value', one a line."


def _entry(item: Mapping[str, Any], number: int) -> str:
    return f"'{item['name']}'" if isinstance(item.get("name"), str) and item["name"] else f"entry {number}"


def _is_number(value: Any, *, whole: bool) -> bool:
    if isinstance(value, bool):
        return False
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return math.isfinite(number) and (not whole or number == int(number))
