#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bootstrap
short_description: Keep a Python of the workstation's own, with locked libraries, on a laptop
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Makes a Python environment in the user's own data directory and installs a hashed lock into it with pip. The system's Python
    gets nothing, and nothing needs root.
  - Needs only a shell on the laptop, so it also runs where no Python is that runs a module.
  - An environment is built beside the one in use, which is then replaced at once. The one before stays, for what still runs by
    it, until the next one is built. Each takes about 260 MB with the libraries of this collection.
  - An environment whose Python is gone, or whose libraries are not complete, is built again.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  requirements:
    description: The text of the lock, with hashes, as C(pip install --require-hashes) takes it.
    type: str
    required: true
  directory:
    description:
      - Where on the laptop. C(python) in it is the environment. Removed with the last environment if it was made here.
    type: str
    default: ~/.local/share/laptop.containers
  python:
    description:
      - The path on the laptop of the Python to build on, 3.11 to 3.14. Empty means the newest of them that is found on E(PATH) or
        where Homebrew and the system put it. An environment that works stays when a newer Python appears.
    type: str
    default: ""
  fetch:
    description:
      - Whether to fetch Python 3.13 with uv where the laptop has none that suits. C(uv) is the laptop's own, or one from an older
        Python of the laptop installs for that moment. E(UV_PYTHON_INSTALL_MIRROR) says where a company keeps it.
    type: bool
    default: true
  uv:
    description: The text of a lock with C(uv). Without it, nothing is fetched.
    type: str
    default: ""
  state:
    description: V(absent) removes what this module has made and fetched.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Give laptops that are reached over SSH a Python of their own
  laptop.containers.bootstrap:
    requirements: "{{ lookup('ansible.builtin.file', 'requirements/runtime.lock') }}"
  register: made

- name: Run modules by it
  ansible.builtin.set_fact:
    ansible_python_interpreter: "{{ made.python }}"
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in plain English.
  returned: always
  type: list
  elements: str
  sample: ["make Python environment '/home/me/.local/share/laptop.containers/python' (Python 3.13.5)"]
python:
  description: The path of the environment's Python; empty with O(state=absent).
  returned: success
  type: str
interpreter:
  description:
    - The path of a Python that can run modules now. In check mode this may be the one to build on; empty where that would have to
      be fetched first.
  returned: success
  type: str
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.bootstrap.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
