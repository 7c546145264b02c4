#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: reclaim
short_description: Free disk space in running colima profiles
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Removes what nothing uses from the engines of running profiles - images without a name and old build cache, and on demand
    unused images, containers that stopped long ago, and volumes by name. Then each VM tells the laptop which blocks of its disks
    it no longer uses, so that the laptop's own disk has room again.
  - Check mode is the plan, with the bytes of each item.
  - What is in use stays, and nothing is forced. Containers of Kubernetes and of builders stay, and so do all images that the
    cluster can name or uses; the kubelet looks after these.
  - While a build or a transfer of images runs in a profile, nothing is removed from it, and the result says so. A VM that
    does not run is left alone.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  names:
    description: Names of the profiles. Without it, every profile of colima.
    type: list
    elements: str
  images:
    description:
      - V(dangling) are images without any name, as they are left when a tag is built again. V(unused) are also all images that no
        container uses, running or stopped; not with Kubernetes, whose pods come and go.
    type: str
    choices: [dangling, unused, keep]
    default: dangling
  build_cache:
    description: V(older) is what nothing has used for O(build_cache_older_than). V(all) is all cache that no running build uses.
      - It is that of the engine, and with docker that of every builder whose container runs.
    type: str
    choices: [older, all, keep]
    default: older
  build_cache_older_than:
    description: A time such as V(7d) or V(12h).
    type: str
    default: 7d
  containers_older_than:
    description:
      - For how long a container must have been stopped to be removed, with everything in it. Empty keeps all.
      - Docker's own filter C(until) counts from when a container was made. This counts from when it stopped.
    type: str
    default: ""
  volumes:
    description: Names of volumes to be destroyed, with everything in them. One that a container uses stays.
    type: list
    elements: str
    default: []
  trim:
    description: Whether the VMs give unused blocks back to the laptop.
    type: bool
    default: true
  deleted:
    description:
      - Whether what was deleted and can still be brought back goes as well, of all profiles (V(all)), or only what was kept for
        its time (V(expired)).
    type: str
    choices: [expired, all]
    default: expired
seealso:
  - module: laptop.containers.colima_profile
"""

EXAMPLES = r"""
- name: Free what nothing uses
  laptop.containers.reclaim:
    names: [docker-buildx]

- name: Free much, and one volume
  laptop.containers.reclaim:
    images: unused
    build_cache: all
    containers_older_than: 30d
    volumes: [old-database]
"""

RETURN = r"""
profiles:
  description: What was found and removed in each profile; in check mode, what would be.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The profile.
      type: str
    state:
      description: Its state. Only V(running) ones are looked into.
      type: str
    runtime:
      description: The container runtime.
      type: str
    reclaimed:
      description:
        - What goes, each with C(kind) (V(container), V(image), V(cache) or V(volume)), C(name), C(bytes) and C(namespace).
        - Bytes are what the engine says. Docker counts only layers that no other image has; containerd does not tell which these
          are, so that of its images it is the most that can become free.
      type: list
      elements: dict
    used_bytes:
      description: How much of the data disk is used C(before) and C(after), as the VM sees it.
      type: dict
    on_laptop_bytes:
      description: What VM and data disk take of the laptop's own disk C(before) and C(after), in blocks that are really occupied.
      type: dict
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.reclaim.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
