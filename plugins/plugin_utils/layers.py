# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a setting comes from: the layers that Ansible lays over one another for a laptop, each with the files behind it.

Ansible hands out only the sum of them. What is asked for here is each part, by the same functions, in the same order.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.inventory.group import Group
from ansible.inventory.helpers import sort_groups
from ansible.inventory.host import Host
from ansible.vars.plugins import get_vars_from_inventory_sources, get_vars_from_path

from .plays import templar_of

_OF_ROLE = re.compile(r"/laptop/containers/roles/\w+/(tasks|vars)/")
# The layer of the user's own file.
OWN = "your own settings"
_LINE = re.compile(r":\d+$")


@dataclass(frozen=True)
class Place:
    """Where a value stands: its layer in words, and its file (below the project if it is there) with the line."""

    layer: str
    at: str = ""


def layers_of(play: Any, host: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the layers of settings of a laptop, the weakest first, each with its name in words. Facts are none."""
    manager = play.get_variable_manager()
    loader, inventory = play.get_loader(), manager._inventory
    every, own = inventory.groups["all"], sort_groups([group for group in host.get_groups() if group.name != "all"])
    found: list[tuple[str, Mapping[str, Any]]] = []
    for group in (every, *own):
        found.append((_name(group), group.get_vars()))
    for group in (every, *own):
        found += _files(group, loader, inventory)
    found += [(_name(host), _of_host(host)), *_files(host, loader, inventory), ("playbook", play.get_vars())]
    # Ansible chooses these files before it knows any task.
    found += [(OWN, values) for values in _vars_files(play, templar_of(play, host, None), loader)]
    return [*found, ("command line", manager.extra_vars)]


def _name(entity: Group | Host) -> str:
    if isinstance(entity, Host):
        return f"laptop {entity.name}"
    return "team" if entity.name == "all" else f"group {entity.name}"


def _of_host(host: Any) -> Mapping[str, Any]:
    # Without what Ansible adds to it.
    return {name: value for name, value in host.vars.items() if name not in ("inventory_file", "inventory_dir")}


def _files(entity: Group | Host, loader: Any, inventory: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what group_vars and host_vars say, first those beside the inventory, then those beside the playbook."""
    yield _name(entity), get_vars_from_inventory_sources(loader, inventory._sources, [entity], "task")
    yield _name(entity), get_vars_from_path(loader, loader.get_basedir(), [entity], "task")


def _vars_files(play: Any, templar: Any, loader: Any) -> Iterator[Mapping[str, Any]]:
    for alternatives in play.get_vars_files():
        for name in alternatives if isinstance(alternatives, list) else [alternatives]:
            file = Path(os.path.expanduser(str(templar.template(name))))  # noqa: PTH111 - raises for no unknown user
            found = next(
                (
                    directory
                    for directory in (Path(loader.get_basedir(), directory, file) for directory in ("", "vars"))
                    if directory.is_file()
                ),
                None,
            )
            if found is not None:
                yield loader.load_from_file(str(found), trusted_as_template=True) or {}
                break


def origin(value: Any, project: str) -> str:
    """Return "file:line" of a value, the file below the project as a relative path. Empty where Ansible does not know it."""
    try:
        # Of ansible-core's internals: where they change, messages lose their place and nothing else.
        from ansible._internal._datatag._tags import Origin

        found = Origin.get_tag(value)
    except Exception:
        return ""
    if found is None or not found.path:
        return str(found.description or "").strip("<>") if found else ""
    path = str(found.path)
    shown = os.path.relpath(path, project) if path.startswith(f"{project}{os.sep}") else path
    return f"{shown}:{found.line_num}" if found.line_num else shown


def written_at(value: Any, project: str) -> str:
    """Return the place of a value that a user has written. What a role says is none; who left it out is not known."""
    found = origin(value, project)
    return "" if "/defaults/main.yml:" in found or _OF_ROLE.search(found) else found


def places_of(name: str, layers: list[tuple[str, Mapping[str, Any]]], project: str) -> list[Place]:
    """Return where a setting stands, the place that counts first, then the overruled ones."""
    return [Place(layer, _at(name, values, project)) for layer, values in reversed(layers) if name in values]


def _at(name: str, values: Mapping[str, Any], project: str) -> str:
    key = next(key for key in values if key == name)
    # Of a number or a truth value, only the name has a place.
    of_value, of_name = origin(values[name], project), origin(key, project)
    same_file = of_value.rpartition(":")[0] == of_name.rpartition(":")[0]
    at = of_name if same_file or not of_value else of_value
    # What was typed has no line.
    return at if _LINE.search(at) else ""
