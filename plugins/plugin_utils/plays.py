# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play consists of: its tasks, whatever blocks they stand in, and the roles that they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# What the names of this collection's modules begin with.
OURS = "laptop.containers."


def tasks_of(play: Any) -> list[Any]:
    """Return all tasks of a play, in their order."""
    return [task for block in play.compile() for task in _inside(block)]


def role_of(task: Any) -> str:
    """Return the short name of a task's role; empty outside of roles."""
    return str(task._role.get_name(include_role_fqcn=False)) if task._role else ""


def _inside(block: Any) -> Iterator[Any]:
    for one in (*block.block, *block.rescue, *block.always):
        if hasattr(one, "block"):
            yield from _inside(one)
        else:
            yield one
