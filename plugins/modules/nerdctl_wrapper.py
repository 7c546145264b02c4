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
  completion:
    description:
      - Shells that complete the command named C(nerdctl), as nerdctl inside the VM defines it. The profile has to run when the
        file is written, that is once; until then this is noted in RV(pending).
      - Files are C(bash-completion/completions/nerdctl) in E(XDG_DATA_HOME) (needs the package bash-completion),
        C(~/.zfunc/_nerdctl) (with a warning while no start file of zsh speaks of that directory), and
        C(fish/completions/nerdctl.fish) in E(XDG_CONFIG_HOME). A file of somebody else is never overwritten.
      - Files of shells that are not listed, and all when the command is removed, are removed if this module has written them.
    type: list
    elements: str
    choices: [bash, zsh, fish]
    default: []
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

- name: Also complete the command in zsh
  laptop.containers.nerdctl_wrapper:
    wrappers:
      - profile: k8s
    completion: [zsh]

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
pending:
  description: Completions that wait for their profile to run.
  returned: always
  type: list
  elements: dict
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
from ..module_utils.nerdctl_completion import (
    SHELLS,
    apply_completions,
    ask_nerdctl,
    completion_file,
    plan_completions,
    zsh_warning,
)
from ..module_utils.plan import merge

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
    "completion": {"type": "list", "elements": "str", "choices": list(SHELLS), "default": []},
    "colima": {"type": "path"},
}
HOW_TO_INSTALL = "Install it ('brew install colima'), or set the option colima to its path."


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
    cli = Cli("colima", HOW_TO_INSTALL)
    if needed and module.check_mode and not cli.installed:
        module.warn("colima is not installed here yet; the plan assumes that it will be in /opt/homebrew/bin.")
    return cli.path if cli.installed or (needed and not module.check_mode) else "/opt/homebrew/bin/colima"


def completion_plan(wanted, wrappers):
    """Return the plan for the shells, and the profile whose nerdctl defines completion."""
    profile = next((item.profile for item in wrappers if item.present and item.path.name == "nerdctl"), None)
    if wanted and profile is None and any(item.present for item in wrappers):
        raise InputError(
            "Could not plan completion of 'nerdctl': no wrapper has that name, and nerdctl completes no other. "
            "Name one wrapper nerdctl, or leave completion out."
        )
    files = {shell: completion_file(shell, Path.home(), os.environ) for shell in SHELLS}
    found = {shell: (path, read_file(path)) for shell, path in files.items()}
    return plan_completions(found, wanted if profile is not None else ()), profile


def main():
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        wrappers = [wrapper_from(options) for options in module.params["wrappers"]]
        check_wrappers(wrappers)
        colima = colima_path(module, needed=any(item.present for item in wrappers))
        current = {item.path: read_file(item.path) for item in wrappers}
        plan = plan_wrappers(current, wrappers, colima, {item.path: free_path(item.path) for item in wrappers})
        completions, profile = completion_plan(module.params["completion"], wrappers)
        if not module.check_mode:
            completions, texts = ask_nerdctl(completions, Cli(colima, HOW_TO_INSTALL), profile)
            apply_wrappers(plan)
            apply_completions(completions, texts)
    except WorkstationError as error:
        module.fail_json(msg=error.message, **error.context)
    search = os.environ.get("PATH", "").split(os.pathsep)
    # In check mode a name may still run something else; only what is there can be looked up.
    first = {} if module.check_mode and plan.changed else {item.path.name: shutil.which(item.path.name) for item in wrappers}
    lacks = zsh_warning(Path.home(), os.environ) if profile is not None and "zsh" in module.params["completion"] else ""
    for text in (*plan.warnings, *path_warnings(wrappers, search, first), *map(str, completions.pending), *filter(None, [lacks])):
        module.warn(text)
    both = merge([plan, completions])
    shown = [{"path": str(item.path), "profile": item.profile} for item in wrappers if item.present]
    pending = [item.public() for item in both.pending]
    module.exit_json(changed=both.changed, actions=both.actions, diff=both.diff, wrappers=shown, pending=pending)


if __name__ == "__main__":
    main()
