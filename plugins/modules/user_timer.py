#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: user_timer
short_description: Run a command of the user every so often
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Installs, updates and removes a timer of the user - a launchd agent on macOS, a systemd user timer elsewhere - that runs one
    command at log-in and then every so many minutes. What was slept through is made up for once, at wake.
  - It owns the files C(~/Library/LaunchAgents/laptop.containers.NAME.plist), or C(laptop-containers-NAME.service) and
    C(laptop-containers-NAME.timer) in C(~/.config/systemd/user), and nothing else.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  name:
    description: Name of the timer.
    type: str
    required: true
  command:
    description: Program, as an absolute path, and its arguments. Needed unless O(state=absent).
    type: list
    elements: str
    default: []
  every:
    description: Minutes from the start of one run to the next, from 1 to 1440.
    type: int
    default: 60
  environment:
    description: Variables for the command. Names of secrets are refused, as the file is readable.
    type: dict
    default: {}
  inherit:
    description: Names of variables that are taken over from the environment of this task, where they are set.
    type: list
    elements: str
    default: []
  directory:
    description: The directory in which the command runs.
    type: path
  manager:
    description: The service manager. V(auto) is launchd on macOS and systemd elsewhere.
    type: str
    choices: [auto, launchd, systemd]
    default: auto
  state:
    description: V(absent) stops the timer and removes its files.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Look every half hour whether pull secrets are due
  laptop.containers.user_timer:
    name: refresh
    command: [/usr/bin/python3, /opt/team/refresh.py]
    every: 30

- name: Never again
  laptop.containers.user_timer:
    name: refresh
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in plain English.
  returned: always
  type: list
  elements: str
files:
  description: The files of the timer.
  returned: always
  type: list
  elements: str
"""

import os
import sys

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import WorkstationError
from ..module_utils.timer_manager import Manager
from ..module_utils.timer_units import Timer, check_timer, plan_timer

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "command": {"type": "list", "elements": "str", "default": []},
    "every": {"type": "int", "default": 60},
    "environment": {"type": "dict", "default": {}},
    "inherit": {"type": "list", "elements": "str", "default": []},
    "directory": {"type": "path"},
    "manager": {"type": "str", "choices": ["auto", "launchd", "systemd"], "default": "auto"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    absent = params["state"] == "absent"
    kind = params["manager"] if params["manager"] != "auto" else "launchd" if sys.platform == "darwin" else "systemd"
    inherited = {name: os.environ[name] for name in params["inherit"] if os.environ.get(name)}
    try:
        timer = check_timer(
            Timer(
                name=params["name"],
                command=tuple(params["command"]),
                minutes=params["every"],
                environment={**inherited, **{key: str(value) for key, value in params["environment"].items()}},
                directory=params["directory"] or "",
            ),
            absent,
        )
        manager = Manager(kind, os.environ, os.getuid())
        current = manager.read(timer)
        plan = plan_timer(timer, manager.files(timer), current, absent)
        if not module.check_mode:
            manager.apply(timer, plan)
    except WorkstationError as error:
        module.fail_json(msg=error.message, **error.context)
    module.exit_json(changed=plan.changed, actions=plan.actions, diff=plan.diff, files=list(current.files))


if __name__ == "__main__":
    main()
