#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_migration_info
short_description: Compare two docker engines before or after a move
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Returns what two docker engines keep. On request compares what both have, and fails where the source was changed since
    M(laptop.containers.docker_migration) has copied it, or both sides were.
extends_documentation_fragment: [laptop.containers.attributes.info]
options:
  source:
    description:
      - The engine to move from, on this laptop - the name of a docker context, of a colima profile, or the address of a unix
        socket.
      - Of a profile whose runtime is containerd it is what C(nerdctl) keeps in its own namespace, C(default).
    type: str
    required: true
  target:
    description: The engine to move to - the name of a colima profile whose runtime is docker, or the address of a unix socket.
    type: str
    default: docker-buildx
  compare:
    description:
      - Whether to compare images by their configuration and layers, and volumes by names, owners, modes, times, attributes and
        contents of all files. Volumes are read in containers of an image that is removed afterwards.
    type: bool
    default: false
  retire:
    description:
      - Whether the source is to go afterwards. Compares, and fails unless each image and volume with a name is at the target as
        it is at the source, or was used at the target alone since, or O(leave) names it. Fails as well where a container runs or
        is paused at the source, and unless O(confirm) repeats its name. Shows what goes with the source. Removes nothing itself.
    type: bool
    default: false
  confirm:
    description: The name of the source once more, with O(retire=true).
    type: str
    default: ""
  leave:
    description:
      - Names of images and volumes that stay behind at the source, as patterns with C(*) and C(?). They are not moved, and do not
        keep the source from being retired. Where both sides were used since a copy, this chooses what the target has.
    type: list
    elements: str
    default: []
  kept:
    description: The profiles that the settings have. None of them is to go.
    type: list
    elements: str
    default: []
  parallel:
    description: How many volumes are read at a time.
    type: int
    default: 2
  timeout:
    description: Seconds for which an engine may send or take nothing. While it packs or unpacks images it gets 15 times as long.
    type: float
    default: 120
seealso:
  - module: laptop.containers.docker_migration
"""

EXAMPLES = r"""
- name: See whether everything is still the same on both sides
  laptop.containers.docker_migration_info:
    source: desktop-linux
    compare: true
"""

RETURN = r"""
source:
  description: What the source keeps - C(version), C(images), C(volumes), C(containers) and C(networks).
  returned: always
  type: dict
target:
  description: The same of the target.
  returned: always
  type: dict
docker:
  description:
    - What else of docker's is on the laptop, by name only - C(contexts), the C(current) one, C(builders), the C(helper) that
      keeps all logins, C(helpers) of single registries, and registries with C(logins) in config.json.
  returned: always
  type: dict
commands:
  description:
    - The C(docker run) that makes each container of the source again, by its name, as far as the engine tells. Of its environment
      only the names. Those of compose are left out, which has a file for them. Empty with O(compare=true), and for a source on
      containerd, as C(nerdctl) does not tell it.
  returned: always
  type: dict
summary:
  description:
    - The source's inventory in sentences, with what a move leaves behind; with O(retire=true) what goes with the source. With
      O(compare=true) alone how much is the same, what was used at the target since, and what was not moved.
  returned: always
  type: list
  elements: str
equal:
  description: What was compared and is the same on both sides, each with C(kind) and C(name).
  returned: always
  type: list
  elements: dict
profile:
  description: The colima profile of the source, with O(retire=true); empty for an engine that colima did not make.
  returned: always
  type: str
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.migration.info import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
