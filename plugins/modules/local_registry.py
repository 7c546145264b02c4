#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: local_registry
short_description: Tell developers' tools of a registry on the laptop
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Writes the ConfigMap C(local-registry-hosting) in the namespace C(kube-public), by which Tilt and Skaffold find a registry on
    the laptop (KEP-1755 of Kubernetes).
  - It runs no registry, and does not let the cluster pull from one.
  - A ConfigMap of that name that another tool has written is neither changed nor removed.
extends_documentation_fragment: [laptop.containers.attributes]
requirements:
  - kubernetes 37 or newer
options:
  host:
    description:
      - The registry's address on the laptop, as host and port, such as V(localhost:5000).
      - Empty means that there is none to tell of, as with O(state=absent).
    type: str
    default: ""
  host_from_cluster:
    description: Its address for programs in pods, where that is another one.
    type: str
    default: ""
  host_from_containers:
    description: Its address for the container runtime of the cluster's nodes, where that is another one.
    type: str
    default: ""
  help:
    description: The address of a page that tells how to set up the registry.
    type: str
    default: ""
  context:
    description:
      - The kube context of the cluster. Where an earlier run has written the ConfigMap in another one, it is removed there.
      - A cluster that does not answer is pending.
    type: str
    default: colima-k8s
  expected_contexts:
    description: Contexts of clusters that this run has made or started. In check mode they need not answer.
    type: list
    elements: str
    default: []
  kubeconfig:
    description: Path of the kubeconfig. By default E(KUBECONFIG), else C(~/.kube/config).
    type: path
  state:
    description: V(absent) removes the ConfigMap wherever a run of this module has written it.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Tell of the registry on port 5000
  laptop.containers.local_registry:
    host: localhost:5000
    host_from_containers: host.lima.internal:5000
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in plain English.
  returned: always
  type: list
  elements: str
  sample: ["write configmap kube-public/local-registry-hosting of colima-k8s"]
pending:
  description: What waits for a cluster that does not answer.
  returned: always
  type: list
  elements: dict
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.local_registry import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
