# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists that roles hand to modules: entries that are mappings, each in the state that the role is to have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import InputError


def entries_of(given: Any, variable: str) -> list[dict[str, Any]]:
    """Return a variable's entries. Raises InputError where it is no list of mappings."""
    if not isinstance(given, list | tuple):
        raise InputError(f"Could not use '{variable}': it is {kind_of(given)}, not a list. Begin each entry with '- '.")
    for number, entry in enumerate(given, 1):
        if not isinstance(entry, Mapping):
            shown = f" ('{entry}')" if isinstance(entry, str) else ""
            raise InputError(
                f"Could not use '{variable}': entry {number}{shown} is {kind_of(entry)}, not a mapping. "
                "Write its options as 'option: value', one a line."
            )
    return [dict(entry) for entry in given]


def with_state(given: Any, state: Any, variable: str) -> list[dict[str, Any]]:
    """Return the entries, all of them absent if the state of the whole is. Raises InputError for a state that is no such word."""
    entries = entries_of(given, variable)
    if state not in ("present", "absent"):
        # Whatever a user means by another word, it is not that everything goes.
        raise InputError(
            f"Could not use '{state}' as '{variable.rpartition('_')[0]}_state': it is neither present nor absent. Use one of "
            f"these; an entry of '{variable}' can have a state of its own."
        )
    return [entry | {"state": "absent"} for entry in entries] if state == "absent" else entries


def kind_of(value: Any) -> str:
    """Return in words what kind of value this is."""
    kinds = ((type(None), "empty"), (bool, "true or false"), (Mapping, "a mapping"), (list | tuple, "a list"), (str, "a text"))
    return next((words for kind, words in kinds if isinstance(value, kind)), "a number")
