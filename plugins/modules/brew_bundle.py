#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: brew_bundle
short_description: Install what a Brewfile lists
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Asks Homebrew which entries of a Brewfile are missing, and has them installed (C(brew bundle)).
  - Nothing that is installed is upgraded or removed.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  brewfile:
    description: The text of the Brewfile. It need not be on the laptop.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Install what the workstation needs
  laptop.containers.brew_bundle:
    brewfile: |
      brew "colima"
      brew "docker"
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in plain English.
  returned: always
  type: list
  elements: str
  sample: ["install formula 'colima'"]
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.brew import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
