#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: toolchain_info
short_description: Read which versions the programs of the workstation have, and what is known of these
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Asks C(colima), C(limactl), C(docker) and buildx for their versions, and looks each up in the list of this collection of what
    was tested, what works, and what is known to break, with its source.
  - A program that is not installed, or a build without a number, is left out.
extends_documentation_fragment: [laptop.containers.attributes.info]
options:
  known_to_break:
    description:
      - What is done about a version that is known to break.
      - V(warn) warns of it, V(refuse) fails with it, V(ignore) only returns it.
      - An untried version is never refused.
    type: str
    choices: [warn, refuse, ignore]
    default: warn
seealso:
  - module: laptop.containers.brew_bundle
  - module: laptop.containers.doctor
"""

EXAMPLES = r"""
- name: Stop here where a program is known not to work
  laptop.containers.toolchain_info:
    known_to_break: refuse
"""

RETURN = r"""
programs:
  description: The programs that are there.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str, returned: always, sample: limactl}
    version: {description: Its version., type: str, returned: always, sample: 2.1.4}
    state:
      description: V(tested), V(works) (it lies between tested ones), V(unknown) or V(breaks).
      type: str
      returned: always
      sample: tested
    sentence: {description: What is known of it., type: str, returned: always, sample: "limactl 2.1.4: tested."}
    remedy: {description: What to do about a broken version; empty for the others., type: str, returned: always, sample: ""}
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.toolchain.info import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
