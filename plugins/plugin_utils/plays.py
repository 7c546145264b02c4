# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play consists of: its tasks, whatever blocks they stand in, and the roles that they belong to."""

from __future__ import annotations

import contextlib
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


def is_wanted(task: Any, templar: Any) -> bool:
    """Whether a task's conditions hold, as far as that is known without running what comes before it."""
    with contextlib.suppress(Exception):
        return all(templar.evaluate_conditional(condition) for condition in task.when)
    return True


def templar_of(play: Any, host: Any, task: Any) -> Any:
    """Return what reads templates as a task on a host does."""
    from ansible.template import Templar

    variables = play.get_variable_manager().get_vars(play=play, host=host, task=task)
    return Templar(loader=play.get_loader(), variables=variables)


def _inside(block: Any) -> Iterator[Any]:
    for one in (*block.block, *block.rescue, *block.always):
        if hasattr(one, "block"):
            yield from _inside(one)
        else:
            yield one
