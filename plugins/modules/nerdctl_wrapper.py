#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nerdctl_wrapper
short_description: Put a nerdctl command for a colima profile on the host
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Writes small scripts that run C(nerdctl) inside the VM of a colima profile with runtime containerd, one per profile, under
    any names.
  - Each has exactly the content that C(colima nerdctl install) would write, so colima recognises it as its own. The profile
    does not have to exist yet.
  - A file that is not such a script is never overwritten, and never removed.
  - Warns when the script's directory is not on E(PATH), or another command of the same name comes first there.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  wrappers:
    description: The scripts to manage.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where the script is. Missing directories are made.
        type: path
        default: ~/.local/bin/nerdctl
      profile:
        description: The colima profile that the command talks to. Needed unless O(wrappers[].state=absent).
        type: str
      move_foreign:
        description: Move a file that is not such a script aside, to the same name with C(.moved) added, instead of refusing.
        type: bool
        default: false
      state:
        description: V(absent) removes the script; a file that is not such a script stays, with a warning.
        type: str
        choices: [present, absent]
        default: present
  colima:
    description:
      - Absolute path of the colima command that the scripts call. Without it, the one found on E(PATH) or in the usual
        directories of Homebrew and the system.
    type: path
seealso:
  - module: laptop.containers.colima_profile
"""

EXAMPLES = r"""
- name: Make nerdctl talk to the profile k8s
  laptop.containers.nerdctl_wrapper:
    wrappers:
      - profile: k8s

- name: Two profiles under two names
  laptop.containers.nerdctl_wrapper:
    wrappers:
      - profile: k8s
      - path: ~/.local/bin/nerdctl-lab
        profile: lab

- name: Remove the command
  laptop.containers.nerdctl_wrapper:
    wrappers:
      - state: absent
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in plain English.
  returned: always
  type: list
  elements: str
  sample: ["write nerdctl wrapper '/Users/me/.local/bin/nerdctl' (for profile 'k8s')"]
wrappers:
  description: The scripts that are there after the run (in check mode, would be).
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: Where the script is.
      type: str
    profile:
      description: The profile that it talks to.
      type: str
"""

import os
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.cli import Cli
from ..module_utils.colima_paths import parse_name
from ..module_utils.docker_files import read_file
from ..module_utils.errors import InputError, WorkstationError
from ..module_utils.nerdctl import Wrapper, apply_wrappers, check_wrappers, free_path, path_warnings, plan_wrappers

ARGUMENT_SPEC = {
    "wrappers": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "path": {"type": "path", "default": "~/.local/bin/nerdctl"},
            "profile": {"type": "str"},
            "move_foreign": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        "required_if": [("state", "present", ["profile"])],
    },
    "colima": {"type": "path"},
}


def wrapper_from(options):
    """Return what the user asks of one script."""
    present = options["state"] == "present"
    return Wrapper(
        path=Path(options["path"]),
        profile=parse_name(options["profile"]).name if present else "",
        present=present,
        move_foreign=options["move_foreign"],
    )


def colima_path(module, needed):
    """Return the colima command that the scripts call. Where it isn't installed yet, check mode assumes Homebrew's place."""
    given = module.params["colima"]
    if given is not None:
        if not Path(given).is_absolute() or not os.access(given, os.X_OK):
            raise InputError(f"Could not use colima command '{given}': there is no such program. Give its absolute path.")
        return given
    cli = Cli("colima", "Install it ('brew install colima'), or set the option colima to its path.")
    if needed and module.check_mode and not cli.installed:
        module.warn("colima is not installed here yet; the plan assumes that it will be in /opt/homebrew/bin.")
    return cli.path if cli.installed or (needed and not module.check_mode) else "/opt/homebrew/bin/colima"


def main():
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        wrappers = [wrapper_from(options) for options in module.params["wrappers"]]
        check_wrappers(wrappers)
        colima = colima_path(module, needed=any(item.present for item in wrappers))
        current = {item.path: read_file(item.path) for item in wrappers}
        plan = plan_wrappers(current, wrappers, colima, {item.path: free_path(item.path) for item in wrappers})
        if not module.check_mode:
            apply_wrappers(plan)
    except WorkstationError as error:
        module.fail_json(msg=error.message, **error.context)
    search = os.environ.get("PATH", "").split(os.pathsep)
    # In check mode a name may still run something else; only what is there can be looked up.
    first = {} if module.check_mode and plan.changed else {item.path.name: shutil.which(item.path.name) for item in wrappers}
    for text in (*plan.warnings, *path_warnings(wrappers, search, first)):
        module.warn(text)
    shown = [{"path": str(item.path), "profile": item.profile} for item in wrappers if item.present]
    module.exit_json(changed=plan.changed, actions=plan.actions, diff=plan.diff, wrappers=shown)


if __name__ == "__main__":
    main()
