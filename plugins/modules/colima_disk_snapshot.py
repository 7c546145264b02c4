#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: colima_disk_snapshot
short_description: Take and restore snapshots of a profile's data disk
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Keeps the data disk of a stopped colima profile, with all images, volumes and containers (and of a cluster its data), in a
    directory, and lets the disk become again what it was.
  - Where the file system can clone (APFS, Btrfs, XFS), a snapshot takes a moment and no space until the disk changes. Else it is
    copied, and only what is not zero is written.
  - A snapshot is read back and compared with the disk before it counts, and a restored disk before it takes the other one's
    place.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  profile:
    description: Name of the profile. It must be stopped.
    type: str
    required: true
  name:
    description:
      - Name of the snapshot. One that is there already stays as it is.
      - With O(state=restored), also what RV(deleted) lists, which is brought back. What has its place then makes room for it.
    type: str
    required: true
  directory:
    description: Where the snapshots are, each profile's in a directory of its own.
    type: path
    default: ~/.local/share/laptop.containers/snapshots
  keep:
    description: How many snapshots of the profile stay, counting O(name); the oldest ones are removed. V(0) keeps all.
    type: int
    default: 0
  state:
    description: With V(present) there is such a snapshot; with V(restored) the disk is what it was in it.
    type: str
    choices: [present, restored]
    default: present
  confirm:
    description: The profile's name once more, to let V(restored) overwrite a disk that is something else now.
    type: str
    default: ""
  keep_deleted:
    description:
      - For how many days what O(state=restored) overwrites is set aside, as it is. C(playbooks/restore.yml) brings
        it back until then, and it takes its room until then.
      - With V(0) it is deleted at once, as it is where it is not on the disk of the VMs.
    type: float
    default: 7
seealso:
  - module: laptop.containers.colima_profile
"""

EXAMPLES = r"""
- name: Keep the last three
  laptop.containers.colima_disk_snapshot:
    profile: docker-buildx
    name: before-upgrade
    keep: 3

- name: Go back
  laptop.containers.colima_disk_snapshot:
    profile: docker-buildx
    name: before-upgrade
    state: restored
    confirm: docker-buildx
"""

RETURN = r"""
directory:
  description: Where the profile's snapshots are.
  returned: always
  type: str
snapshots:
  description: The complete snapshots after the run, the oldest first.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    made:
      description: When it was made, in UTC.
      type: str
    bytes:
      description: The size of the disk.
      type: int
    occupied_bytes:
      description: What the disk really took.
      type: int
    digest:
      description: A digest of size and content.
      type: str
deleted:
  description: What was deleted of the profile, and can be brought back.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name to give as O(name).
      type: str
    until:
      description: The day on which it is removed for good.
      type: str
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.snapshot.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
