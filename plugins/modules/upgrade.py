#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade
short_description: Upgrade the programs under the workstation
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Finds out which of the programs have a newer version at hand, asks Homebrew to upgrade its own programs, and leaves the
    version before where it is, as the way back. With O(become=true), has apt upgrade what it brought.
  - A running VM rests on C(colima) and C(limactl). With a VM running these two wait, unless O(stop=true) allows to stop the VMs
    for it; they are started again afterwards, also after an upgrade that failed.
  - A version that is known to break is left alone. So is what C(brew pin) or C(apt-mark hold) holds back, and without
    O(become=true) what apt brought, because apt asks for a password. For each, the result names the command.
  - Other runs ask C(brew update) and C(apt-get update) first; check mode takes what they know already.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  programs:
    description: The programs to look after. One that is not installed stays so.
    type: list
    elements: str
    choices: [limactl, colima, docker, docker-buildx, docker-compose, kubectl]
    default: [limactl, colima, docker, docker-buildx, docker-compose, kubectl]
  stop:
    description: Whether VMs may be stopped, with what runs in them, to upgrade what they rest on.
    type: bool
    default: false
  become:
    description:
      - Whether apt upgrades what it brought, as root or by a C(sudo) that asks for no password. It upgrades these packages alone
        to the version that was shown, removes none, and keeps settings that were edited.
    type: bool
    default: false
  policy:
    description:
      - The rules of the team about versions. Where the team has a policy, its file is read, whatever is given here.
      - A version that would break it waits.
    type: dict
    default: {}
seealso:
  - module: laptop.containers.toolchain_info
"""

EXAMPLES = r"""
- name: Upgrade everything, with a restart of the VMs where that is needed
  laptop.containers.upgrade:
    stop: true
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in plain English.
  returned: always
  type: list
  elements: str
  sample: ["stop profile 'k8s' (everything in it stays)", "upgrade 'colima' (0.9.1 to 0.10.3)", "start profile 'k8s'"]
pending:
  description:
    - Upgrades that wait, with the reason and what applies them.
    - C(kind) is V(running), V(held), V(password), V(policy) or V(breaks).
  returned: success
  type: list
  elements: dict
upgraded:
  description: What was upgraded, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: The program., type: str, returned: always, sample: colima}
    from: {description: The version before., type: str, returned: always, sample: 0.9.1}
    to: {description: The version now., type: str, returned: always, sample: 0.10.3}
    back:
      description: The command that returns to the version before; empty where apt has no copy of that.
      type: str
      returned: always
by_hand:
  description: Programs that neither Homebrew nor apt installed, and where they are. Upgrade them the way they were installed.
  returned: success
  type: dict
  sample: {"limactl": "/usr/local/bin/limactl"}
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.upgrade.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
