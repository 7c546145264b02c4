#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
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
  - Minutes are counted from midnight, as only calendars make up for sleep. Where the day is no multiple of O(every), the step
    over midnight is shorter.
  - What the command prints goes to the journal of the user under systemd. Under launchd its error output goes to
    C(~/Library/Logs/laptop.containers.NAME.log), and the rest nowhere.
  - It owns the files C(~/Library/LaunchAgents/laptop.containers.NAME.plist), or C(laptop-containers-NAME.service) and
    C(laptop-containers-NAME.timer) in C(~/.config/systemd/user), that log, and nothing else.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  name:
    description: Name of the timer.
    type: str
    required: true
  command:
    description:
      - Program, as an absolute path, and its arguments. Needed unless O(state=absent).
      - A C(~) at the beginning of a word is the home directory on the machine, as no shell is there to read it.
    type: list
    elements: str
    default: []
  every:
    description: Minutes from the start of one run to the next, from 1 to 1440.
    type: int
    default: 60
  refresh_before:
    description:
      - Of a command that renews pull secrets, how much of a token's life must be left, as in
        M(laptop.containers.ecr_pull_secret). Where O(every) is longer than that, a token can expire between two runs, and a
        warning tells so.
    type: str
  environment:
    description:
      - Variables for the command. An empty one takes an inherited variable away. Names of secrets are refused, as the file is no
        place for them.
    type: dict
    default: {}
  programs:
    description:
      - Programs that the command must find. Its E(PATH) holds the directories in which this task finds them, and after them the
        usual ones of Homebrew and the system. Nothing else of this task's E(PATH) is taken over.
    type: list
    elements: str
    default: []
  inherit:
    description: Names of variables that are taken over from the environment of this task, where they are set.
    type: list
    elements: str
    default: []
  leave:
    description:
      - Names of variables that the command may need but that are not taken over, as they belong to one shell only. Where one is
        set in the environment of this task and not given in O(environment), a warning tells so.
    type: list
    elements: str
    default: []
  needs:
    description:
      - Files that the command can't do without. When one of them, the program itself or O(directory) does not exist on the
        machine, nothing is written; check mode warns. They are read as the words of O(command) are.
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
    description: V(absent) stops the timer, ends a run that is under way, and removes the files.
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
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.core.errors import InputError, WorkstationError
from ..module_utils.timer.launchd import Launchd
from ..module_utils.timer.manager import Manager
from ..module_utils.timer.surroundings import at_home, left_behind, looks_too_seldom, missing_on_this_machine, variables
from ..module_utils.timer.systemd import Systemd
from ..module_utils.timer.units import Timer, check_timer, plan_timer, secrets_in

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "command": {"type": "list", "elements": "str", "default": []},
    "every": {"type": "int", "default": 60},
    "refresh_before": {"type": "str"},
    "environment": {"type": "dict", "default": {}},
    "programs": {"type": "list", "elements": "str", "default": []},
    "inherit": {"type": "list", "elements": "str", "default": []},
    "leave": {"type": "list", "elements": "str", "default": []},
    "needs": {"type": "list", "elements": "str", "default": []},
    "directory": {"type": "path"},
    "manager": {"type": "str", "choices": ["auto", "launchd", "systemd"], "default": "auto"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


class Module(AnsibleModule):
    """A module that never tells the login of a proxy among its options, nor a secret that it refuses."""

    def _load_params(self) -> None:
        super()._load_params()
        self.no_log_values.update(secrets_in(self.params.get("command"), self.params.get("environment")))


def main() -> None:
    """Run the module."""
    module = Module(ARGUMENT_SPEC, supports_check_mode=True)
    absent = module.params["state"] == "absent"
    try:
        timer = check_timer(_timer(module.params), absent)
        manager = _manager(module.params["manager"])
        if not absent:
            manager.check(timer)
            _look_around(module, timer)
        current = manager.read(timer)
        plan = plan_timer(timer, manager.files(timer), current, absent)
        if not module.check_mode:
            manager.apply(timer, plan)
    except WorkstationError as error:
        module.fail_json(msg=error.message, **error.context)
    module.exit_json(changed=plan.changed, actions=plan.actions, diff=plan.diff, files=list(current.files))


def _timer(params: dict[str, Any]) -> Timer:
    return Timer(
        name=params["name"],
        command=at_home(params["command"]),
        minutes=params["every"],
        environment=variables(os.environ, params["inherit"], params["programs"], params["environment"]),
        directory=params["directory"] or "",
    )


def _look_around(module: AnsibleModule, timer: Timer) -> None:
    for warning in left_behind(timer.name, os.environ, module.params["leave"], module.params["environment"]):
        module.warn(warning)
    seldom = looks_too_seldom(timer, module.params["refresh_before"]) if module.params["refresh_before"] else None
    if seldom:
        module.warn(seldom)
    missing = missing_on_this_machine(timer, at_home(module.params["needs"]))
    if missing and not module.check_mode:
        raise InputError(missing)
    if missing:
        module.warn(missing)


def _manager(kind: str) -> Manager:
    home = Path.home()
    if kind == "launchd" or (kind == "auto" and sys.platform == "darwin"):
        return Launchd(home, os.getuid())
    return Systemd(home, os.environ, os.getuid())


if __name__ == "__main__":
    main()
