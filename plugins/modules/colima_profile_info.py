#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: colima_profile_info
short_description: Read everything that is known about colima profiles
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Returns for each profile what is configured, what its VM really runs with, how they differ, its health, sockets and true
    sizes.
  - Never fails because something is absent, colima itself included.
extends_documentation_fragment: [laptop.containers.attributes.info]
options:
  names:
    description: Names of the profiles. All that there is any trace of (settings, VM or data disk) when left out.
    type: list
    elements: str
  host:
    description: What is known of the laptop. Keys left out are read from the machine that the module runs on.
    type: dict
    suboptions:
      system:
        description: Operating system.
        type: str
        choices: [Darwin, Linux]
      arch:
        description: Machine type.
        type: str
seealso:
  - module: laptop.containers.colima_profile
"""

EXAMPLES = r"""
- name: Read all profiles
  laptop.containers.colima_profile_info:
  register: colima

- name: Show which profiles need attention
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.problems | join(', ') }}"
  loop: "{{ colima.profiles | selectattr('problems') }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
installed:
  description: Whether colima is there.
  returned: always
  type: bool
base:
  description: colima's directory of settings and sockets.
  returned: always
  type: str
lima:
  description: Lima's directory of VMs and disks.
  returned: always
  type: str
problems:
  description: What could not be read, in a sentence each.
  returned: always
  type: list
  elements: str
profiles:
  description: The profiles in the order of their names, or as asked for.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: Name of the profile., type: str, returned: always}
    instance: {description: Id of the Lima instance., type: str, returned: always}
    status:
      description:
        - V(running), V(stopped), V(defined) (settings but no VM), V(absent), V(broken) or V(damaged);
        - V(half-started), when its set-up never finished or its engine is dead;
        - V(unreachable), when it runs and gives no answer, so that what runs in it is unknown.
      type: str
      returned: always
    problems: {description: What is wrong with it., type: list, elements: str, returned: always}
    configured:
      description: The settings for the next start (C(colima.yaml)), with the keys of a newer colima under C(unknown).
      type: dict
      returned: always
    configured_problem: {description: What is wrong with the file of these settings., type: str, returned: always}
    applied: {description: The settings that the VM was last started with., type: dict, returned: always}
    drift: {description: Where the two differ in a way that needs a restart., type: list, elements: dict, returned: always}
    data_disk: {description: True C(size) in bytes and what colima knows of the data disk., type: dict, returned: always}
    kubernetes_running: {description: Whether k3s answers in the VM., type: bool, returned: always}
    disk: {description: True size of the data disk in GiB., type: int, returned: always}
    runtime: {description: Container runtime., type: str, returned: unless absent}
    kubernetes: {description: Whether Kubernetes is on., type: bool, returned: unless absent}
    cpu: {description: CPUs., type: int, returned: unless absent}
    memory: {description: Memory in GiB., type: float, returned: unless absent}
    docker_socket: {description: Address of docker on the laptop., type: str, returned: unless absent}
    containerd_socket: {description: Address of containerd on the laptop., type: str, returned: unless absent}
"""

from ..module_utils.core.module import run_module


def subject() -> type:
    from ..module_utils.colima.info import SUBJECT

    return SUBJECT


def main() -> None:
    run_module(subject)


if __name__ == "__main__":
    main()
