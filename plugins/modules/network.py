#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network
short_description: Ask whether everything reaches what is outside a company's network
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Asks each consumer for addresses outside with a request of its own, namely the laptop, the system of each running VM, docker,
    the kubelet's containerd and BuildKit, and says which of them fails at the name, the proxy, the authority or the other side.
  - Names address ranges of docker, of the clusters and of the VMs that collide with routes of a VPN or an office.
  - Keeps the file of authorities with which this collection asks AWS, C(~/.local/state/laptop.containers/authorities.pem).
  - The settings themselves get into the VMs with O(laptop.containers.colima_profile#module:company_network).
  - Asking pulls no image and restarts nothing.
extends_documentation_fragment: [laptop.containers.attributes, laptop.containers.company]
options:
  profiles:
    description: The profiles whose running VMs are asked, with the options of M(laptop.containers.colima_profile).
    type: list
    elements: dict
    default: []
  probes:
    description: Addresses that each consumer has to reach; nothing is asked where no other option is set.
    type: list
    elements: str
    default: []
  state:
    description: V(absent) removes the file of authorities, and asks nothing.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Ask who reaches Docker Hub behind a proxy that intercepts TLS
  laptop.containers.network:
    authorities: [~/company/root.pem]
    https_proxy: http://proxy.example.com:3128
    profiles:
      - name: k8s
      - name: docker-buildx
    probes: ["https://registry-1.docker.io/v2/"]
"""

RETURN = r"""
matrix:
  description: A row for each consumer and address.
  returned: success
  type: list
  elements: dict
  contains:
    consumer:
      description: Who asked.
      type: str
      choices: [laptop, VM, docker, kubelet, BuildKit]
    profile:
      description: The profile; empty for the laptop.
      type: str
    url:
      description: What was asked for.
      type: str
    reach:
      description: How far the request came. V(reached) whatever the other side answered.
      type: str
      choices: [reached, name, proxy, authority, certificate, silent, unknown]
    meaning:
      description: The same in words.
      type: str
    detail:
      description: What the tool said of a failure.
      type: str
collisions:
  description: Address ranges that collide with routes of the laptop, each in a sentence.
  returned: success
  type: list
  elements: str
bundle:
  description: The file of authorities; empty where the company has none.
  returned: success
  type: str
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.network.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
