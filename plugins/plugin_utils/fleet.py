# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the settings of fleet.yml itself, told before the first laptop is asked for anything."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..module_utils.core.options import problems, suggestion
from .settings import OF_PLAYBOOKS

CANARY = "workstation_canary"
_LAPTOPS = "laptops"
_PREFIX = "fleet_"
_NAMES = tuple(name for name in OF_PLAYBOOKS if name.startswith(_PREFIX))
# They are of a play and not of a laptop: Ansible does not look into the inventory for them.
_OF_THE_RUN = ("fleet_max_fail_percentage", "fleet_serial")
_BATCH = re.compile(r"[1-9]\d*%?")


def fleet_mistakes(play: Any, *, limited: bool) -> Iterator[str]:
    """Yield a sentence for each mistake. limited: whether a --limit was given, which may leave canaries out."""
    manager = play.get_variable_manager()
    yield from _canaries(manager._inventory, play, limited=limited)
    given = dict(manager.extra_vars)
    # Laptops in the same groups share what files of groups say.
    hosts = {tuple(str(group) for group in host.get_groups()): host for host in manager._inventory.get_hosts(play.hosts)}
    stated: dict[str, Any] = {}
    for host in hosts.values():
        stated |= manager.get_vars(play=play, host=host, include_hostvars=False)
    for name in sorted(name for name in {*stated, *given} if str(name).startswith(_PREFIX)):
        yield from _wrong(name, {**stated, **given}[name], given)


def _wrong(name: str, value: Any, given: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for what is wrong with a variable of the fleet. given: those of -e."""
    if name not in _NAMES:
        help_ = suggestion(name, _NAMES) or f" Known: {', '.join(_NAMES)}."
        yield f"Could not use variable '{name}': it is unknown.{help_}"
    elif "{{" in str(value):
        return
    elif name in _OF_THE_RUN and name not in given:
        yield f"Could not use '{name}' of the inventory: only -e sets it. Remove it there, and write -e {name}={value}."
    elif name == "fleet_serial":
        yield from _wrong_batches(value if isinstance(value, list) else [value])
    elif name == "fleet_max_fail_percentage" and not 0 <= _number(value) <= 100:
        yield f"Could not use {name} '{value}': it is not a number from 0 to 100. Write 30."
    else:
        yield from (problem.sentence for problem in problems(OF_PLAYBOOKS, {name: value}))


def _wrong_batches(batches: list[Any]) -> Iterator[str]:
    for batch in batches:
        if not _BATCH.fullmatch(str(batch)):
            yield f"Could not use fleet_serial '{batch}': it is neither a number of laptops nor a percentage. Write 5 or 20%."


def _number(value: Any) -> float:
    """Return a number; -1 for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return -1


def _canaries(inventory: Any, play: Any, *, limited: bool) -> Iterator[str]:
    """Yield a sentence for a group that is nearly called right, and for each canary that the run would not reach."""
    groups = inventory.groups
    if CANARY not in groups:
        near = difflib.get_close_matches(CANARY, groups, n=1, cutoff=0.8)
        if near:
            yield f"Could not use group '{near[0]}': canaries are the laptops of the group '{CANARY}'. Rename it."
        return
    if limited or [*play.hosts] != [_LAPTOPS] or _LAPTOPS not in groups:
        return
    laptops = {host.name for host in groups[_LAPTOPS].get_hosts()}
    for host in groups[CANARY].get_hosts():
        if host.name not in laptops:
            yield f"Could not use canary '{host.name}': it is not in the group '{_LAPTOPS}', so no play reaches it. Add it there."
