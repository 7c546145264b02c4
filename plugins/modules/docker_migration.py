#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_migration
short_description: Move images and volumes from one docker engine to another
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Copies images and volumes from an engine such as Docker Desktop, OrbStack, Rancher Desktop or another colima profile into a
    profile of this collection. The source is only read, and keeps everything.
  - Images go from engine to engine in one stream, without the layers that the target is known to have. Each is compared with the
    original afterwards.
  - Volumes go with owners, modes, times, hard links, extended attributes, access lists and holes. A volume is filled under a
    temporary name, read back and compared with what left the source, and only then gets its own name.
  - A run can be stopped at any moment, and the next one continues. What is complete is not copied again.
  - A further run compares both sides as they are then. What was used at the source alone is copied again, what was used at the
    target alone is kept, and what was used at both waits until O(replace) or O(leave) names it.
  - Volumes that both sides have are read on both, also in check mode, in containers of an image that is removed afterwards.
  - One thing that can't be copied keeps no other one back. The task fails at the end, and names each.
  - Containers are not moved, as the engine that made them has the options of C(docker run) only in part. The result lists them.
  - Check mode is the plan.
extends_documentation_fragment: [laptop.containers.attributes]
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
  images:
    description: Names of images to move, as patterns with C(*) and C(?). An empty list moves none.
    type: list
    elements: str
    default: ["*"]
  volumes:
    description: Names of volumes to move, as patterns. An empty list moves none.
    type: list
    elements: str
    default: ["*"]
  labels:
    description: Only what has all of these labels, each as C(key) or C(key=value).
    type: list
    elements: str
    default: []
  newer_than:
    description: Only what was made within a time such as V(90d). Empty for any age.
    type: str
    default: ""
  largest_gib:
    description: Only what takes no more than so many GiB. V(0) for any size.
    type: float
    default: 0
  dangling:
    description: Whether to move images without a name, too.
    type: bool
    default: false
  anonymous:
    description: Whether to move volumes without a name, too, under their ids.
    type: bool
    default: false
  pause:
    description:
      - Whether to pause containers that could write to a volume while it is copied. Without it such volumes are not copied, and
        the result says so.
    type: bool
    default: false
  replace:
    description:
      - Names of images and volumes of which the source's replaces the target's, where both were used since the copy, or where the
        target has another one of that name. What the target's volume holds is lost; a replaced image loses its name.
    type: list
    elements: str
    default: []
  leave:
    description:
      - Names of images and volumes that stay behind at the source, as patterns with C(*) and C(?). They are not moved, and do not
        keep the source from being retired. Where both sides were used since a copy, this chooses what the target has.
    type: list
    elements: str
    default: []
  parallel:
    description: How many things are copied at a time.
    type: int
    default: 2
  timeout:
    description: Seconds for which an engine may send or take nothing. While it packs or unpacks images it gets 15 times as long.
    type: float
    default: 120
seealso:
  - module: laptop.containers.docker_migration_info
  - module: laptop.containers.docker_context
"""

EXAMPLES = r"""
- name: Move in from Docker Desktop
  laptop.containers.docker_migration:
    source: desktop-linux

- name: Move two volumes that a running database writes to
  laptop.containers.docker_migration:
    source: orbstack
    images: []
    volumes: [shop_db, shop_uploads]
    pause: true
"""

RETURN = r"""
source:
  description: What the source keeps - C(version), C(images), C(volumes), C(containers) and C(networks).
  returned: always
  type: dict
target:
  description: The same of the target, after the run.
  returned: always
  type: dict
room:
  description: The room that the move needs, or needed, in bytes.
  returned: always
  type: dict
  contains:
    needed:
      description:
        - What images and volumes take at the target, layers that images share only once. Docker's own store unpacks an image
          beside its place first, so the largest portions that go side by side count twice; containerd's does not.
      type: int
    packing:
      description:
        - What the source takes while it packs the largest portions of images that go side by side; nothing where its images are
          in containerd's store.
      type: int
    free:
      description: What was free at the target before. None where the target does not tell.
      type: int
summary:
  description: The same in a line, in check mode. Empty where nothing is to be copied.
  returned: always
  type: list
  elements: str
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.migration.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
