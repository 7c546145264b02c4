#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: support
short_description: Write what helps to find a fault into one file
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Writes a C(tar.gz) with the records of the last runs, the state of the timers, the settings of all profiles, the logs of
    colima and Lima, and what the doctor found. Of each log only the last 256 KiB.
  - Secrets are left out by their form (keys, tokens, logins in addresses, long runs of letters and digits) and by their names;
    the home directory is C(~), the name of the user C(user), that of the laptop C(laptop). Look through it all the same before
    you give it away.
  - Reads a fixed list of files, follows no links, sends nothing anywhere, and never writes over a file.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  path:
    description:
      - The file, absolute. By default C(~/laptop.containers-support-TIME.tar.gz). A bundle that is there stays.
    type: path
  report:
    description: The result of M(laptop.containers.doctor), which goes into it as C(doctor.json).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Write what helps to find a fault into one file
  laptop.containers.support:
    path: ~/support.tar.gz
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in plain English.
  returned: always
  type: list
  elements: str
path:
  description: The file.
  returned: always
  type: str
files:
  description: What is in it.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: Its name in the file., type: str}
    bytes: {description: Its size., type: int}
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.support.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
