#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_migration
short_description: Move what runs in another engine's Kubernetes into a colima profile
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Takes the workloads of a cluster that runs in an engine such as Docker Desktop, OrbStack or Rancher Desktop into a profile
    with runtime containerd and Kubernetes - the images that they use, the data of their volumes, and the objects. The old
    cluster is only read, and continues to run.
  - Images and data go from the engine into the profile's VM in one stream, without a file in between, and are compared
    afterwards. Data is filled in beside its directory, and only then gets its place.
  - What is in the new cluster already is left as it is. A run can be stopped at any moment, and the next one continues.
  - Objects go without what the old cluster made of them, such as pods of a Deployment, addresses and status. Volumes get the
    node, the storage class and the directory that the new cluster has for them.
  - Check mode is the plan. To tell how much data there is, it runs a helper in the engine, which is removed again.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  source:
    description: The engine in which the old cluster runs - the name of a docker context, or the address of a unix socket.
    type: str
    required: true
  context:
    description: The kube context of the old cluster, such as V(docker-desktop), V(orbstack) or V(rancher-desktop).
    type: str
    required: true
  target:
    description: The colima profile to move to, with runtime containerd and Kubernetes.
    type: str
    default: k8s
  phase:
    description:
      - With V(copy) images, data and objects are copied.
      - With V(ready) the workloads that were ready in the old cluster are waited for.
      - With V(verify) this is done, and the data of volumes that no pod writes to is read on both sides and compared.
    type: str
    choices: [copy, ready, verify]
    default: copy
  namespaces:
    description: Namespaces whose objects go along, as patterns. Those of Kubernetes itself never do.
    type: list
    elements: str
    default: ["*"]
  secrets:
    description: Whether secrets go along, too.
    type: bool
    default: false
  pause:
    description:
      - Whether to pause pods that could write to a volume while it is copied. Without it such volumes, and the workloads that use
        them, are not copied, and the result says so.
      - Their containers are paused by the engine; for the old cluster they go on, and a probe may fail meanwhile.
    type: bool
    default: false
  timeout:
    description: Seconds for which the engine may send nothing. While it packs images it gets 15 times as long.
    type: float
    default: 120
  ready_timeout:
    description: Seconds for which workloads are waited for.
    type: float
    default: 300
seealso:
  - module: laptop.containers.docker_migration
  - module: laptop.containers.move
"""

EXAMPLES = r"""
- name: Move in from Docker Desktop's Kubernetes
  laptop.containers.cluster_migration:
    source: desktop-linux
    context: docker-desktop
    pause: true

- name: Wait until all of it runs
  laptop.containers.cluster_migration:
    source: desktop-linux
    context: docker-desktop
    phase: ready
"""

RETURN = r"""
images:
  description: Names of the images that the new cluster got from the old engine, or gets.
  returned: always
  type: list
  elements: str
volumes:
  description: Volumes whose data goes along.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Namespace and name of the claim.
      type: str
    bytes:
      description: What its files take, holes included. V(0) where it was there already.
      type: int
objects:
  description: Objects that the new cluster got, or gets, in the order in which they are created.
  returned: always
  type: list
  elements: str
workloads:
  description: Workloads that are waited for.
  returned: always
  type: list
  elements: str
compared:
  description: Volumes whose data was found to be the same on both sides.
  returned: always
  type: list
  elements: str
room:
  description: The room that the move needs, or needed, in bytes.
  returned: always
  type: dict
  contains:
    needed:
      description: What images and data take in the profile.
      type: int
    packing:
      description:
        - What the source takes while it packs the largest portion of images.
        - V(0) where its images are in the store of containerd, which packs nothing.
      type: int
    free:
      description: What was free in the profile before. None where it does not tell.
      type: int
summary:
  description: The same in a line, in check mode. Empty where nothing is to be copied.
  returned: always
  type: list
  elements: str
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.migration.cluster.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
