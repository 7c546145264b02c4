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
    command at log-in and then every so many minutes. Runs that were slept through are made up for once, at wake.
  - Minutes are counted from midnight, as only calendars make up for sleep. Where O(every) does not divide the day, the
    step over midnight is shorter.
  - What the command prints goes to the journal of the user under systemd. Under launchd its error output goes to
    C(~/Library/Logs/laptop.containers.NAME.log), and the rest nowhere.
  - It owns the files C(~/Library/LaunchAgents/laptop.containers.NAME.plist), or C(laptop-containers-NAME.service) and
    C(laptop-containers-NAME.timer) in C(~/.config/systemd/user), that log, and nothing else.
  - launchd runs a user's agents only while the user is logged in to the desktop. Until then, over SSH for example, the agent's
    file is written, and its start is pending.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  name:
    description: Name of the timer.
    type: str
    required: true
  command:
    description:
      - Program, as an absolute path, and its arguments. Needed unless O(state=absent).
      - A C(~) at the beginning of a word is the home directory on the machine; no shell reads the words.
    type: list
    elements: str
    default: []
  every:
    description: Minutes from the start of one run to the next, from 1 to 1440. By default the command runs at log-in only.
    type: int
  refresh_before:
    description:
      - Of a command that renews pull secrets, how much of a token's life must be left, as in
        M(laptop.containers.ecr_pull_secret). Where O(every) is longer than that, a token can expire between two runs, and a
        warning tells so.
    type: str
  idle_for:
    description:
      - Of a command that stops VMs in which nothing has run for so long, that time, as in M(laptop.containers.colima_profile).
        A text that is not a time is refused here, and not by each run.
    type: str
  limit:
    description:
      - Of a command that ends what takes longer, the minutes that it was given for that. A number that is not above 0 is refused
        here, and not by each run.
    type: float
  jitter:
    description:
      - Of a command that begins at a moment of so many minutes, these. A number below 0 is refused here, and not by each run.
    type: float
  environment:
    description:
      - Variables for the command. An empty one removes an inherited variable. Names of secrets are refused, as the file is not
        a place for them.
    type: dict
    default: {}
  programs:
    description:
      - Programs that the command must find, beside the ones that runs of this collection start (C(colima), C(docker), C(kubectl),
        C(aws), credential helpers). Its E(PATH) holds the directories in which this task finds them, and after them the usual
        ones of Homebrew and the system. Nothing else of this task's E(PATH) is inherited.
    type: list
    elements: str
    default: []
  inherit:
    description:
      - Names of variables that are inherited from the environment of this task, where they are set, beside those for where
        things are (E(COLIMA_HOME), E(DOCKER_CONFIG), E(KUBECONFIG) and so on) and how the network is reached (proxies and
        certificates).
    type: list
    elements: str
    default: []
  leave:
    description:
      - Names of variables that the command may need but that are not inherited, as they belong to one shell only. A warning names
        a variable that is set in the environment of this task and not in O(environment).
    type: list
    elements: str
    default: []
  needs:
    description:
      - Files that the command needs. When one of them, the program itself or O(directory) does not exist on the
        machine, nothing is written; check mode warns. They are read as the words of O(command) are.
    type: list
    elements: str
    default: []
  directory:
    description: The directory in which the command runs.
    type: path
  starts_vms:
    description:
      - Whether the command starts VMs. launchd holds back what runs in the background, and a VM would inherit that for its life.
        With V(true) it gets as much of the laptop as a command that was started by hand. systemd holds nothing back.
    type: bool
    default: false
  here:
    description:
      - Whether the paths of O(command) are those of the machine that the timer is for. With V(false) it is refused, as a run over
        SSH knows only the paths of its own machine.
    type: bool
    default: true
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

- name: Remove the timer
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
pending:
  description: The start of an agent, where the user is not logged in to the desktop of the Mac (C(kind=no_desktop)).
  returned: always
  type: list
  elements: dict
files:
  description: The files of the timer.
  returned: always
  type: list
  elements: str
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.timer.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
