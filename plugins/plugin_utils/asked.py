# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a run beside its settings: tags, laptops and groups. An unknown one is refused with the known ones.

So is what Ansible passes over without a word: a -e without a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ansible.constants import LOCALHOST
from ansible.parsing.splitter import parse_kv

from ..module_utils.core.options import suggestion

# Ansible's own.
_TAGS = frozenset(("all", "tagged", "untagged", "always", "never"))
_GROUPS = frozenset(("all", "ungrouped"))
# A laptop or a group; anything else is a pattern.
_NAME = re.compile(r"[\w.-]+")
# As in a file of YAML.
_COLON = re.compile(r"(\w+): ?(\S+)")


def unknown_tags(tasks: Iterable[Any], asked: Iterable[str], skipped: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each tag that no task has; of those to be skipped, only for what looks like a known one."""
    known = sorted({tag for task in tasks for tag in task.tags} - _TAGS)
    for tag in asked:
        if tag not in known and tag not in _TAGS:
            yield _unknown("use tag", tag, "no task has it", known)
    for tag in skipped:
        # Tools pass tags to be skipped wherever they are.
        if tag not in known and tag not in _TAGS and suggestion(tag, known):
            yield _unknown("use tag", tag, "no task has it", known)


def valueless(given: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each -e in which a word has no value. given: what stands behind each."""
    for text in given:
        pairs = {} if text.startswith(("@", "[", "{")) else parse_kv(text)
        left = pairs.pop("_raw_params", "")
        mapping = next((name for name, value in pairs.items() if str(value).startswith(("{", "["))), "")
        if mapping and left:
            yield f"""Could not use -e '{mapping}': its value is cut at a blank. Write it as JSON: -e '{{"{mapping}": ...}}'."""
        elif pairs and left:
            # A word may be the rest of a value, and so of a secret.
            names, reason = "', '".join(pairs), "a word without '=' stands beside the value"
            yield f"Could not use -e '{names}': {reason}. Put quotes around a value with blanks, and write NAME=VALUE."
        elif left and (colon := _COLON.fullmatch(left)):
            yield f"Could not use -e '{colon[1]}': its value stands behind ':', not '='. Write -e {colon[1]}=VALUE."
        elif left:
            # What stands behind the first word may be its value, and so a secret.
            name = left.split()[0]
            yield f"Could not use -e '{name}': it has no value. Write -e {name}=VALUE."


def unknown_laptops(play: Any, *, limited: bool) -> Iterator[str]:
    """Yield a sentence for each laptop or group that a play names and the inventory does not have, and for an empty group.

    A pattern may find nothing. limited: whether a --limit was given, which may leave nothing of a group.
    """
    inventory = play.get_variable_manager()._inventory
    known = sorted({*inventory.groups, *inventory.hosts} - _GROUPS)
    for name in map(str, play.hosts):
        if not known:
            sources = " or ".join(f"'{source}'" for source in inventory._sources)
            reason, remedy = f"no laptop was found in the inventory {sources}", "List one there, or name another one with -i"
            yield f"Could not run on '{name}': {reason}. {remedy}."
        elif _NAME.fullmatch(name) and name not in (*known, *_GROUPS, *LOCALHOST):
            yield _unknown("run on", name, "the inventory has neither a laptop nor a group of that name", known)
        elif name in inventory.groups and name not in _GROUPS and not inventory.groups[name].get_hosts() and not limited:
            yield f"Could not run on '{name}': the group has no laptop. Write each below 'hosts:', indented, as 'NAME:'."


def _unknown(verb: str, name: str, reason: str, known: list[str]) -> str:
    return f"Could not {verb} '{name}': {reason}.{suggestion(name, known)} Known: {', '.join(known) or 'none'}."
