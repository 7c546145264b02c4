#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_socket_link
short_description: Link the docker socket that tools expect to an engine's socket
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Makes V(/var/run/docker.sock) a link to the socket of another engine, for tools that know neither contexts nor E(DOCKER_HOST).
  - A real socket belongs to an engine of this machine, and is never replaced. A link that is already there is kept beside the new
    one as C(docker.sock.before-laptop.containers), and O(state=absent) restores it.
  - The directory usually belongs to root, so the task needs C(become). macOS empties C(/var/run) when it starts.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  path:
    description: The link.
    type: path
    default: /var/run/docker.sock
  target:
    description:
      - Path of the engine's socket, for instance RV(laptop.containers.docker_cli_config#module:socket). It need not exist yet.
    type: path
    required: true
  state:
    description:
      - V(absent) removes the link if it points to O(target) or was made by this module, and restores the one before.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Link the usual socket to a colima profile
  laptop.containers.docker_socket_link:
    target: "{{ ansible_facts.user_dir }}/.colima/docker-buildx/docker.sock"
  become: true

- name: Restore the socket of before
  laptop.containers.docker_socket_link:
    target: "{{ ansible_facts.user_dir }}/.colima/docker-buildx/docker.sock"
    state: absent
  become: true
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in plain English.
  returned: always
  type: list
  elements: str
  sample: ["link '/var/run/docker.sock' (to /Users/me/.colima/docker-buildx/docker.sock)"]
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.docker.socket_link import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
