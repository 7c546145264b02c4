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


def is_wanted(task: Any, play: Any, host: Any) -> bool:
    """Whether the conditions of a task hold on a host, as far as that is known without running what comes before it."""
    from ansible.template import Templar

    with contextlib.suppress(Exception):
        variables = play.get_variable_manager().get_vars(play=play, host=host, task=task)
        templar = Templar(loader=play.get_loader(), variables=variables)
        return all(templar.evaluate_conditional(condition) for condition in task.when)
    return True


def _inside(block: Any) -> Iterator[Any]:
    for one in (*block.block, *block.rescue, *block.always):
        if hasattr(one, "block"):
            yield from _inside(one)
        else:
            yield one
