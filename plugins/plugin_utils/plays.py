# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play consists of: its tasks, whatever blocks they stand in, and the roles that they belong to."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
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


def leave_out(play: Any, tasks: Iterable[Any], hosts: Collection[Any], settings: Collection[str]) -> None:
    """Take the tasks out of a play whose conditions fail on settings alone: a skipped task costs Ansible a worker.

    tasks: those of the play that tags let run; hosts: its laptops; settings: variables of playbooks. A play with tasks of others
    stays as it is: they may set what a condition asks for. Blocks are copied, as the next part of a fleet has other laptops.
    """
    tasks = list(tasks)
    if not hosts or not all(map(_is_ours, tasks)):
        return
    later = registered_in(tasks)
    conditional = [task for task in tasks if any(condition is not True for condition in task.when)]
    off = {
        task._uuid for task in conditional if all(_is_off(task, templar_of(play, host, task), settings, later) for host in hosts)
    }
    # A run whose tasks all are off still says so in its summary.
    if any(task._uuid not in off and not str(task.action).endswith("meta") for task in tasks):
        play.tasks = [part for part in (_without(block, off) for block in play.tasks) if part.has_tasks()]


def _is_ours(task: Any) -> bool:
    """Whether this collection says what a task does, and so which results there are."""
    name = task._role.get_name() if task._role else str(task.args.get("name", ""))
    return str(task.action).endswith("meta") or str(name).startswith(OURS)


def registered_in(tasks: Iterable[Any]) -> set[str]:
    """Return the names of results; from ansible-core 2.21 on, a task has a mapping of them."""
    return {name for task in tasks for name in ([task.register] if isinstance(task.register, str) else task.register or ())}


def _is_off(task: Any, templar: Any, settings: Collection[str], later: Collection[str]) -> bool:
    """Whether one of a task's conditions fails whatever comes before the task. later: what is not known yet."""
    from jinja2 import Environment, nodes

    known = {*templar.available_variables, *settings} - {*later}
    for condition in task.when:
        # One that can't be evaluated yet is left to Ansible.
        with contextlib.suppress(Exception):
            parsed = Environment().parse(f"{{{{ {condition} }}}}")  # noqa: S701 - nothing is rendered
            names = {name.name for name in parsed.find_all(nodes.Name)}
            if names <= known and not templar.evaluate_conditional(condition):
                return True
    return False


def _without(block: Any, off: Collection[str]) -> Any:
    """Return a copy of a block without some tasks, as Ansible makes one without the tasks that tags leave out."""
    left = block.copy(exclude_parent=True, exclude_tasks=True)
    left._parent = block._parent
    for part in ("block", "rescue", "always"):
        kept = (_without(item, off) if hasattr(item, "block") else item for item in getattr(block, part))
        setattr(left, part, [item for item in kept if (item.has_tasks() if hasattr(item, "block") else item._uuid not in off)])
    return left


def templar_of(play: Any, host: Any, task: Any) -> Any:
    """Return what reads templates as a task on a host does."""
    from ansible.template import Templar

    variables = play.get_variable_manager().get_vars(play=play, host=host, task=task)
    return Templar(loader=play.get_loader(), variables=variables)


def _inside(block: Any) -> Iterator[Any]:
    for part in (*block.block, *block.rescue, *block.always):
        if hasattr(part, "block"):
            yield from _inside(part)
        else:
            yield part
