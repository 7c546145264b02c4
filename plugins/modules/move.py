#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: move
short_description: Move what is in a colima profile to another runtime
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - colima can't change the runtime of a profile. This takes images, the objects of its cluster and the data of persistent volumes
    out of one with runtime docker, keeps its VM aside, and puts them into one of the same name with runtime containerd, which
    M(laptop.containers.colima_profile) makes in between.
  - Everything is first written to an archive on the laptop and read again from there. The old VM is kept as it is, with its disk
    and settings, until O(phase=retire) names it; O(phase=return) brings it back.
  - A run can be stopped at any moment, and the next one continues. What is complete is not copied again.
  - Check mode is the plan.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  profile:
    description: Name of the profile.
    type: str
    required: true
  runtime:
    description: The runtime that the profile is to have. With V(docker) nothing can be moved.
    type: str
    choices: [containerd, docker]
    default: containerd
  phase:
    description:
      - With V(leave) everything is saved, the profile is stopped, and its VM is kept aside.
      - With V(arrive) the new VM gets what was saved.
      - With V(ready) the workloads that were ready in the old cluster are waited for.
      - With V(return) the old VM becomes the profile again, and the new one is kept aside.
      - With V(retire) a VM that is kept, and the files of its archive, are removed. The old VM has to stay while only it has
        something, at what was read when it left, that O(leave) does not name.
    type: str
    choices: [leave, arrive, ready, return, retire]
    default: leave
  directory:
    description:
      - Where the archives are, each profile's in its own directory. Files there that no move has made stay, and a file that has
        a name which the move needs is refused.
      - What was begun is found where it was written, whatever this says later.
    type: path
    default: ~/.local/share/laptop.containers/moves
  images:
    description:
      - Images to take along that no workload of the cluster uses, as patterns with C(*) and C(?). nerdctl finds them in its own
        namespace.
      - Images that the cluster uses are always taken along, into the namespace of the kubelet.
    type: list
    elements: str
    default: ["*"]
  namespaces:
    description: Namespaces of the cluster whose objects go along, as patterns. Those of Kubernetes itself never do.
    type: list
    elements: str
    default: ["*"]
  secrets:
    description: Whether secrets go along, too. They are then in the archive, which only the user can read.
    type: bool
    default: false
  stop:
    description: With V(if_idle) a profile in which containers run that are not the cluster's is left alone.
    type: str
    choices: [if_idle, always]
    default: if_idle
  confirm:
    description: The name under which a VM is kept, to remove it, or to say which one is to come back.
    type: str
    default: ""
  timeout:
    description: Seconds for which docker in the old VM may be silent. While it packs images it gets 15 times as long.
    type: float
    default: 120
  ready_timeout:
    description: Seconds for which V(ready) waits for the workloads.
    type: float
    default: 300
  leave:
    description:
      - Names of things, as patterns with C(*) and C(?), that the user gives up, such as C(db) for a volume of docker's own, or
        C(shop/data) for a claim.
      - With V(retire), they are lost with the old VM. Everything else that only it has keeps it.
      - With V(arrive), a claim whose directory in the new VM has other content stays as it is there; it is refused otherwise.
    type: list
    elements: str
    default: []
  keep_deleted:
    description:
      - For how many days a VM that O(phase=retire) removes is set aside, as it is. C(playbooks/restore.yml) brings
        it back until then, and it takes its room until then.
      - With V(0) it is deleted at once, as it is where it is not on the disk of the VMs.
    type: float
    default: 7
  unattended:
    description:
      - Whether no one sees the plan first. Then a move that would leave something behind in the old VM is refused, and for a
        profile that is not there nothing is to be moved.
    type: bool
    default: false
seealso:
  - module: laptop.containers.colima_profile
  - module: laptop.containers.docker_migration
"""

EXAMPLES = r"""
- name: Get everything out of the old VM
  laptop.containers.move:
    profile: k8s

- name: Make the new VM
  laptop.containers.colima_profile:
    name: k8s
    runtime: containerd
    kubernetes:
      enabled: true

- name: Put everything in
  laptop.containers.move:
    profile: k8s
    phase: arrive

- name: Wait until the workloads are ready
  laptop.containers.move:
    profile: k8s
    phase: ready

- name: Give up the old VM
  laptop.containers.move:
    profile: k8s
    phase: retire
    confirm: k8s-docker
"""

RETURN = r"""
archive:
  description: What is in the archive.
  returned: always
  type: dict
  contains:
    directory:
      description: Where it is.
      type: str
    complete:
      description: Whether all of it was written and read again.
      type: bool
    images:
      description: Names of images.
      type: list
      elements: str
    volumes:
      description: Persistent volumes, by namespace and name of their claims.
      type: list
      elements: str
    objects:
      description: Objects of the cluster, in the order in which they are created.
      type: list
      elements: str
kept:
  description: VMs of the profile that are kept aside.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name to confirm.
      type: str
    runtime:
      description: The runtime of the VM.
      type: str
verified:
  description: Whether the new VM was found to have everything, with the workloads ready.
  returned: always
  type: bool
room:
  description: The room that the move needs, in bytes. V(0) unless O(phase=leave) saves something.
  returned: always
  type: dict
  contains:
    needed:
      description: What images and data take on the laptop's disk, once in the archive and once in the new VM.
      type: int
    packing:
      description:
        - What the old VM takes while it packs the largest portion of images.
        - V(0) where its images are in the store of containerd, which packs nothing.
      type: int
    free:
      description: What was free on the disk of the archive before.
      type: int
summary:
  description: The same in a line, in check mode. Empty where nothing is to be copied.
  returned: always
  type: list
  elements: str
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.migration.move.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
