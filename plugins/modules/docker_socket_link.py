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
  - A real socket, which belongs to an engine of this machine, is never replaced. A link that was there before is kept beside the
    new one, and comes back with O(state=absent).
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
    description: V(absent) removes the link if it points to O(target), and brings back the one before.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Link the usual socket to a colima profile
  laptop.containers.docker_socket_link:
    target: "{{ ansible_facts.user_dir }}/.colima/docker-buildx/docker.sock"
  become: true

- name: Take it back
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
"""

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.core.errors import WorkstationError
from ..module_utils.docker.socket_link import apply_link, plan_link

ARGUMENT_SPEC = {
    "path": {"type": "path", "default": "/var/run/docker.sock"},
    "target": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def read_link(path):
    """Return what a path is: None, the target of a link, or an empty text for anything else."""
    if path.is_symlink():
        return os.readlink(path)  # noqa: PTH115 - compared as text
    return "" if path.exists() else None


def main():
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    path, target = Path(module.params["path"]), module.params["target"]
    kept = path.with_name(f"{path.name}.before-laptop.containers")
    try:
        present = module.params["state"] == "present"
        plan = plan_link(path, kept, (read_link(path), read_link(kept)), target, present)
        if not module.check_mode:
            apply_link(plan, path, kept, target)
    except WorkstationError as error:
        module.fail_json(msg=error.message, **error.context)
    module.exit_json(changed=plan.changed, actions=plan.actions, diff=plan.diff)


if __name__ == "__main__":
    main()
