#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_volume_snapshot
short_description: Take and restore snapshots of an engine's volumes
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Keeps volumes of a running docker engine as archives in a directory, and makes volumes out of them again, with owners, modes,
    times, hard links, extended attributes, access lists and holes.
  - An archive is read back and compared with the volume before it counts. A restored volume is filled under a temporary name,
    compared with the snapshot, and only then gets its own name.
  - A volume that is still what it was in the snapshot needs nothing. To know that, check mode of a restore, too, reads it with a
    helper in the engine, which is removed again.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  engine:
    description: Name of a colima profile whose runtime is docker, or the address of a unix socket.
    type: str
    default: docker-buildx
  volumes:
    description: Names of volumes, with V(*) and V(?) as in file names.
    type: list
    elements: str
    default: ["*"]
  name:
    description: Name of the snapshots. Where a volume has one of that name already, it stays as it is.
    type: str
    required: true
  directory:
    description: Where the snapshots are, each engine's in a directory of its own.
    type: path
    default: ~/.local/share/laptop.containers/volumes
  keep:
    description: How many snapshots of each volume stay, counting O(name); the oldest ones are removed. V(0) keeps all.
    type: int
    default: 0
  state:
    description: With V(present) there are such snapshots; with V(restored) the volumes are what they were in them.
    type: str
    choices: [present, restored]
    default: present
  confirm:
    description: The volumes that V(restored) may overwrite, each by its name.
    type: list
    elements: str
    default: []
  pause:
    description: Whether to pause containers that could write to a volume while it is read. Else it is left out.
    type: bool
    default: false
  anonymous:
    description: Whether to take snapshots of volumes without a name as well, under their ids.
    type: bool
    default: false
  timeout:
    description: Seconds for which the engine may send or take nothing.
    type: float
    default: 120
notes:
  - The engine keeps a volume that a container uses, a stopped one too, so such a volume is not overwritten.
    C(docker compose down) removes containers and keeps volumes.
seealso:
  - module: laptop.containers.colima_disk_snapshot
  - module: laptop.containers.docker_migration
"""

EXAMPLES = r"""
- name: Keep the last three of each volume
  laptop.containers.docker_volume_snapshot:
    name: before-upgrade
    keep: 3

- name: Go back with one of them
  laptop.containers.docker_volume_snapshot:
    name: before-upgrade
    volumes: [shop_db]
    state: restored
    confirm: [shop_db]
"""

RETURN = r"""
directory:
  description: Where the engine's snapshots are.
  returned: always
  type: str
snapshots:
  description: The complete snapshots after the run, the oldest first.
  returned: always
  type: list
  elements: dict
  contains:
    volume:
      description: The volume.
      type: str
    name:
      description: The snapshot's name.
      type: str
    made:
      description: When it was made, in UTC.
      type: str
    files:
      description: How many files, directories and links it has.
      type: int
    bytes:
      description: The size of all files, holes included.
      type: int
    archive_bytes:
      description: The size of the archive.
      type: int
    digest:
      description: A BLAKE2b digest of the archive.
      type: str
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.migration.snapshots.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
