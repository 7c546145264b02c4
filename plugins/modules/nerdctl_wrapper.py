#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nerdctl_wrapper
short_description: Put a nerdctl command for a colima profile on the host
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Writes small scripts that run C(nerdctl) inside the VM of a colima profile with runtime containerd, one per profile, under
    any names.
  - Each has exactly the content that C(colima nerdctl install) would write, so colima recognises it as its own. The profile
    does not have to exist yet. Only a path of colima that a shell would misread is put into quotes.
  - A file that is not such a script is never overwritten, and never removed.
  - Warns when the script's directory is not on E(PATH), or another command of the same name comes first there.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  wrappers:
    description: The scripts to manage.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where the script is. Missing directories are made.
        type: path
        default: ~/.local/bin/nerdctl
      profile:
        description: The colima profile that the command talks to. Needed unless O(wrappers[].state=absent).
        type: str
      move_foreign:
        description: Move a file that is not such a script aside, to the same name with C(.moved) added, instead of refusing.
        type: bool
        default: false
      state:
        description:
          - V(absent) removes the script, and restores the file that O(wrappers[].move_foreign) had moved aside for it.
          - A file that is not such a script stays, with a warning.
        type: str
        choices: [present, absent]
        default: present
  state:
    description: V(absent) removes all scripts of the list, whatever state they have themselves. V(present) leaves each its own.
    type: str
    choices: [present, absent]
    default: present
  completion:
    description:
      - Shells that complete the command named C(nerdctl), as nerdctl inside the VM defines it. The profile has to run when the
        file is written, that is once; until then this is noted in RV(pending).
      - Files are C(bash-completion/completions/nerdctl) in E(XDG_DATA_HOME) (needs the package bash-completion),
        C(~/.zfunc/_nerdctl) (with a warning while no start file of zsh names that directory), and
        C(fish/completions/nerdctl.fish) in E(XDG_CONFIG_HOME). Your own file is never overwritten.
      - Files of shells that are not listed, and all when the command is removed, are removed if this module has written them.
    type: list
    elements: str
    choices: [bash, zsh, fish]
    default: []
  colima:
    description:
      - Absolute path of the colima command that the scripts call. Without it, the one found on E(PATH) or in the usual
        directories of Homebrew and the system.
    type: path
seealso:
  - module: laptop.containers.colima_profile
"""

EXAMPLES = r"""
- name: Make nerdctl talk to the profile k8s
  laptop.containers.nerdctl_wrapper:
    wrappers:
      - profile: k8s

- name: Two profiles under two names
  laptop.containers.nerdctl_wrapper:
    wrappers:
      - profile: k8s
      - path: ~/.local/bin/nerdctl-lab
        profile: lab

- name: Also complete the command in zsh
  laptop.containers.nerdctl_wrapper:
    wrappers:
      - profile: k8s
    completion: [zsh]

- name: Remove the command
  laptop.containers.nerdctl_wrapper:
    wrappers:
      - state: absent
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in plain English.
  returned: always
  type: list
  elements: str
  sample: ["write nerdctl wrapper '/Users/me/.local/bin/nerdctl' (for profile 'k8s')"]
wrappers:
  description: The scripts that are there after the run (in check mode, would be).
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: Where the script is.
      type: str
    profile:
      description: The profile that it talks to.
      type: str
guess:
  description: Whether a plan of check mode rests on a colima that is not installed yet; always false in a real run.
  returned: success
  type: bool
pending:
  description: Completions that wait for their profile to run.
  returned: always
  type: list
  elements: dict
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.nerdctl.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
