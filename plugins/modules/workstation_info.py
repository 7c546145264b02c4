#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workstation_info
short_description: Examine the whole workstation
version_added: 0.2.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Looks at everything that the roles of this collection keep, and returns checks, each with what was found and what helps.
  - Reads only. It starts no VM, writes no file, and never fails because something is broken.
  - Each option named after a module takes the options of that module, as its role gives them. What has none is not examined.
  - The groups run side by side. What hangs is C(unknown) and holds nothing else up.
  - The role C(doctor) calls it with the settings of all other roles.
extends_documentation_fragment: [laptop.containers.attributes.info]
options:
  colima_profile:
    description: The options of M(laptop.containers.colima_profile).
    type: dict
    default: {}
  nerdctl_wrapper:
    description: The options of M(laptop.containers.nerdctl_wrapper).
    type: dict
    default: {}
  docker_cli_config:
    description: The options of M(laptop.containers.docker_cli_config).
    type: dict
    default: {}
  docker_context:
    description: The options of M(laptop.containers.docker_context).
    type: dict
    default: {}
  buildx_builder:
    description: The options of M(laptop.containers.buildx_builder).
    type: dict
    default: {}
  ecr_pull_secret:
    description: The options of M(laptop.containers.ecr_pull_secret).
    type: dict
    default: {}
  user_timer:
    description: The options of M(laptop.containers.user_timer).
    type: dict
    default: {}
  groups:
    description: The groups of checks to make.
    type: list
    elements: str
    choices: [tools, profiles, docker, builders, kubernetes, registries, timers, network, leftovers]
    default: [tools, profiles, docker, builders, kubernetes, registries, timers, network, leftovers]
  play:
    description: How the workstation is converged, for remedies, which add C(--tags).
    type: str
    default: ansible-playbook playbooks/workstation.yml
  timer_directory:
    description: Where the timer notes how its last run ended. Without it, the state directory of this collection.
    type: path
  timeout:
    description: Seconds after which what has not answered is given up.
    type: float
    default: 20
seealso:
  - module: laptop.containers.doctor_report
"""

EXAMPLES = r"""
- name: Examine the profile and its docker context
  laptop.containers.workstation_info:
    groups: [profiles, docker]
    colima_profile:
      profiles:
        - {name: docker-buildx, runtime: docker}
    docker_context:
      contexts:
        - {name: colima-buildx, docker: {profile: docker-buildx}}
  register: workstation

- name: Fail if anything is broken
  ansible.builtin.assert:
    that: workstation.verdict != 'broken'
"""

RETURN = r"""
verdict:
  description: The worst status of all checks, one of V(ok), V(note), V(unknown), V(warning) and V(broken).
  returned: always
  type: str
counts:
  description: How many checks ended in each status.
  returned: always
  type: dict
profiles:
  description:
    - The profiles of the settings, each with C(name), C(state), C(runtime), C(kubernetes), C(cpus), C(memory_gib), C(disk_gib),
      C(disk_used_gib), C(disk_on_laptop_gib), C(uptime_seconds) and C(address).
  returned: always
  type: list
  elements: dict
system:
  description: The laptop's system (C(name), C(machine)) and the user's C(home).
  returned: always
  type: dict
seconds:
  description: How long the examination took.
  returned: always
  type: float
checks:
  description: The checks, in the order of their groups.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description:
        - The kind of check.
    group:
      description: The group, with which the id begins.
      type: str
    status:
      description: V(ok), V(note) (worth knowing), V(unknown) (it could not be told), V(warning) or V(broken).
      type: str
    found:
      description: What was found, or why it could not be told.
      type: str
    remedy:
      description: What helps, as a command that can be pasted. Empty where there is nothing to do.
      type: str
    about:
      description: The profile, context, registry or file that it is about.
      type: str
    seconds:
      description: How long it took to find out.
      type: float
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.doctor.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
