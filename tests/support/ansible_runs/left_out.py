# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that reads plays, leaves out their tasks that can't run, and prints the modules of the others.

In a process of its own: Ansible's loader of collections takes over Python's imports.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


def modules_left(plays: Mapping[str, Any], settings: Sequence[str]) -> dict[str, list[str]]:
    """Return the modules of the tasks that stay, by the play's name. plays: tasks, and hosts with their variables."""
    given = json.dumps({"plays": plays, "settings": settings})
    done = subprocess.run([sys.executable, __file__], input=given, capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def _main() -> None:
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.playbook.play import Play
    from ansible.plugins.loader import init_plugin_loader
    from ansible.template import trust_as_template
    from ansible.vars.manager import VariableManager

    init_plugin_loader([str(ROOT / "collections")])
    from ansible_collections.laptop.containers.plugins.plugin_utils.plays import leave_out, tasks_of

    given, found = json.load(sys.stdin), {}
    for name, play in given["plays"].items():
        loader = DataLoader()
        inventory = InventoryManager(loader, sources=[f"{','.join(play['hosts'])},"])
        for host, variables in play["hosts"].items():
            for key, value in variables.items():
                inventory.get_host(host).set_variable(key, value)
        manager = VariableManager(loader, inventory)
        tasks = loader.load(trust_as_template(json.dumps(play["tasks"])))
        whole = Play.load({"hosts": "all", "tasks": tasks}, variable_manager=manager, loader=loader)
        mine = whole.copy()
        before = _modules(tasks_of(whole))
        leave_out(mine, tasks_of(mine), inventory.get_hosts(), given["settings"])
        # The next part of a fleet gets another copy.
        assert _modules(tasks_of(whole)) == before
        found[name] = _modules(tasks_of(mine))
    print(json.dumps(found))


def _modules(tasks: Sequence[Any]) -> list[str]:
    return [str(task.action).rpartition(".")[2] for task in tasks if not str(task.action).endswith("meta")]


if __name__ == "__main__":
    _main()
