#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_cli_config
short_description: Repair and complete the docker command's configuration
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Lets docker find its plugins where Homebrew installs them, repairs what Docker Desktop leaves behind, and writes an
    environment file for tools that know no docker contexts.
  - C(config.json) is edited key by key. Other keys, their order, the file's mode, and a link to the file stay; logins are never
    shown; a copy of the file is kept beside it before each change; a change that docker makes at the same time is not lost.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  repair:
    description:
      - Repair leftovers of a removed Docker Desktop. These are C(credsStore) and C(credHelpers) that name its missing credential
        helper (the system's helper is set where it is installed), plugin directories inside the removed app, plugin links to
        nothing, and a current context that is gone or is Docker Desktop's and has no engine any more.
      - Nothing of a Docker Desktop that is installed is touched, running or not, for all users or for one. Only a current context
        that is gone is removed there, too, as every docker command would fail on it.
    type: bool
    default: true
  plugins:
    description:
      - docker plugins that must be found. One that is installed in Homebrew's directory is made known by C(cliPluginsExtraDirs),
        a plugin on E(PATH) is linked into C(cli-plugins). For a missing one there is a warning.
    type: list
    elements: str
    default: [docker-buildx, docker-compose]
  profile:
    description: The colima profile whose engine RV(socket), O(env_file) and O(testcontainers) are about.
    type: str
    default: docker-buildx
  env_file:
    description:
      - Path of an environment file with E(DOCKER_HOST) and the settings of testcontainers for O(profile). Not written by default.
      - A file that this module has not written is never overwritten or removed.
    type: path
  testcontainers:
    description:
      - Whether C(~/.testcontainers.properties) names the engine of O(profile), as C(docker.host).
      - The line is added behind what the file holds, all of which stays. It goes without this option, and with V(absent) in
        O(state).
    type: bool
    default: false
  backup:
    description: Keep a copy of C(config.json) without its logins beside it, with date and time in its name, before it is changed.
    type: bool
    default: true
  state:
    description:
      - V(absent) undoes what earlier runs changed, except what was changed since, and removes the environment file.
      - A current context or credential helper that no longer exists is not set again, as docker would fail on it; a warning says
        so.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: laptop.containers.docker_context
  - module: laptop.containers.docker_socket_link
"""

EXAMPLES = r"""
- name: Make docker find its plugins, and repair what Docker Desktop left
  laptop.containers.docker_cli_config:

- name: Also write an environment file for testcontainers
  laptop.containers.docker_cli_config:
    env_file: ~/.config/docker.env

- name: Take it all back
  laptop.containers.docker_cli_config:
    env_file: ~/.config/docker.env
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in plain English.
  returned: always
  type: list
  elements: str
  sample: ["set 'credsStore' in docker's config.json (desktop -> osxkeychain)"]
left:
  description: What a second look still found to do, where docker reported success.
  returned: failure, when a change did not have its effect
  type: list
  elements: str
backup_file:
  description: Where C(config.json) was kept before its change.
  returned: when it was changed and there was one
  type: str
socket:
  description: Path of the docker socket of O(profile).
  returned: always
  type: str
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.docker.config.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
