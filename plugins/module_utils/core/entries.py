# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists that roles pass to modules, and the state that a role has as a whole. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# The option of a task for the state of its whole list.
STATE: dict[str, Any] = {"type": "str", "choices": ["present", "absent"], "default": "present"}


def in_state(entries: Sequence[Mapping[str, Any]], state: str) -> list[Mapping[str, Any]]:
    """Return the entries of a task: all of them absent where the task is, else each in its own state."""
    return [{**entry, "state": "absent"} if state == "absent" else entry for entry in entries]


def kind_of(value: Any) -> str:
    """Return in words what kind of value this is."""
    kinds = ((type(None), "empty"), (bool, "true or false"), (Mapping, "a mapping"), (list | tuple, "a list"), (str, "a text"))
    return next((words for kind, words in kinds if isinstance(value, kind)), "a number")
