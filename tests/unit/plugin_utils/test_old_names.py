# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's old name is refused by Ansible, with the new one in the sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
RUNTIME = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
OLD = {
    "colima_runtime_move": "move",
    "disk_reclaim": "reclaim",
    "python_environment": "bootstrap",
    "support_bundle": "support",
    "toolchain_upgrade": "upgrade",
    "workstation_info": "doctor",
}
# As Ansible looks for the module of a task.
PROGRAM = """
import json, sys
from ansible.errors import AnsiblePluginRemovedError
from ansible.plugins.loader import action_loader, init_plugin_loader, module_loader
init_plugin_loader([sys.argv[1]])
said = {}
for name in sys.argv[2:]:
    # Else Ansible would run that, and not look for the module.
    assert not action_loader.has_plugin(f"laptop.containers.{name}")
    try:
        module_loader.find_plugin_with_context(f"laptop.containers.{name}")
    except AnsiblePluginRemovedError as error:
        said[name] = error.message
print(json.dumps(said))
"""


def test_an_old_name_is_refused_with_the_new_one() -> None:
    assert set(RUNTIME["plugin_routing"]["modules"]) == set(OLD)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT / "collections"), *OLD], capture_output=True, text=True, timeout=120, check=True
    )
    said = json.loads(done.stdout)
    for old, new in OLD.items():
        assert f"Use laptop.containers.{new}, which is the same module." in said[old]
        assert new in RUNTIME["action_groups"]["workstation"]
