#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: settings_report
short_description: Say what each setting is on a laptop, and which line of which file it comes from
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Runs on the machine that runs the playbook, for each laptop of it. Reads no laptop and changes nothing.
  - Lists the variables of all roles of this collection and those of its playbooks, and first what looks like one of them and
    is unknown.
  - What could be a secret is not shown - what a vault holds, environments, scripts, logins in addresses, and values whose name
    says so.
options:
  show:
    description:
      - What the callback plugin P(laptop.containers.progress#callback) prints. V(set) prints what is set somewhere, V(all) the
        defaults as well.
    type: str
    choices: [set, all]
    default: set
attributes:
  action_group:
    description: Use C(group/laptop.containers.workstation) in C(module_defaults) to set defaults for all modules.
    support: full
    membership:
      - laptop.containers.workstation
  check_mode:
    description: Changes nothing anyway.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Say what is set, and where
  laptop.containers.settings_report:
"""

RETURN = r"""
show:
  description: What is printed, O(show).
  returned: always
  type: str
settings:
  description: The settings, role by role.
  returned: always
  type: list
  elements: dict
  contains:
    role:
      description: The role that has the variable, or C(workstation) for a variable of the playbooks; empty for an unknown one.
      type: str
    name:
      description: The variable.
      type: str
    value:
      description: Its value, without what could be a secret; null where it can't be read.
      type: raw
    problem:
      description: Why it can't be read, or that it is unknown; else empty.
      type: str
    layer:
      description: Where it is set - C(default), C(team), C(group NAME), C(laptop NAME), C(playbook), C(your own settings), or
        C(command line).
      type: str
    at:
      description: The file and line; empty for a default and for the command line.
      type: str
    instead_of:
      description: The places that this one overrules, the strongest first.
      type: list
      elements: str
    policy:
      description: The rules of the team's policy about it.
      type: list
      elements: dict
      contains:
        of:
          description: What in the setting the rule is about.
          type: str
        demand:
          description: What it asks, in words.
          type: str
        reason:
          description: Why it is there.
          type: str
        contact:
          description: Whom to ask.
          type: str
        at:
          description: The file and line of the rule.
          type: str
        broken:
          description: What breaks it; empty where nothing does.
          type: list
          elements: str
  sample:
    - role: docker_context
      name: docker_context_current
      value: default
      problem: ""
      layer: team
      at: inventory/group_vars/all.yml:14
      instead_of: []
      policy: []
"""
