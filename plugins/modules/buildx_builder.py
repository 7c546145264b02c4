#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: buildx_builder
short_description: Manage buildx builders
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Creates, recreates and removes builders of C(docker buildx), chooses the default one, and finds builders whose engine is dead.
  - A builder that differs from what is asked is removed and created again; its build cache (a volume on its engine) is kept
    unless O(builders[].keep_state=false). No image, container or context is touched.
  - Builders that are not named stay, unless O(prune_stale) says that dead ones go.
  - Engines are asked directly and in bounded time, so a dead one never makes the task hang. buildx's own records
    (C($DOCKER_CONFIG/buildx)) are only read; every change goes through the C(docker) command.
extends_documentation_fragment: [laptop.containers.attributes, laptop.containers.attributes.company_network]
options:
  builders:
    description: The builders to manage.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name of the builder. It must not be the name of a docker context, except with O(builders[].driver=docker).
        type: str
        required: true
      driver:
        description:
          - V(docker-container) runs buildkit in a container, V(remote) uses a buildkitd that runs already, V(kubernetes) runs
            buildkit in pods of a cluster.
          - V(docker) is the builder that each docker context is by itself; it can only be made the default.
          - Without it V(docker-container), or with O(builders[].profile) V(remote).
        type: str
        choices: [docker-container, docker, remote, kubernetes]
      endpoint:
        description:
          - Where the builder runs, for a builder with one node. For V(docker-container) the name of a docker context or a docker
            host; without it the current docker context. For V(remote) the address of buildkitd.
          - For V(kubernetes) the path of a kubeconfig file; buildx always uses the context that is current in it. Without it, a
            builder stays where it is, and a new one goes where E(KUBECONFIG) points, or to the context that kubectl would use.
            C(kubernetes:///NAME?kubeconfig=PATH), as buildx shows it, is understood as well.
        type: str
      profile:
        description:
          - A colima profile with runtime V(containerd), whose BuildKit the builder uses. With C(kubernetes.build) in that profile
            it builds straight into the images of its cluster. Instead of O(builders[].endpoint).
        type: str
      nodes:
        description: The builder's nodes, where there are several (for instance one native engine per architecture).
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the node; by default the builder's name and a number from 0 on.
            type: str
          endpoint:
            description: Where the node runs, as in O(builders[].endpoint).
            type: str
          platforms:
            description:
              - Platforms that are always built on this node, such as V(linux/arm64). buildx takes them at their word.
            type: list
            elements: str
          driver_opts:
            description: Driver options of this node, instead of O(builders[].driver_opts).
            type: dict
          buildkitd_flags:
            description: Flags for this node's buildkitd, instead of O(builders[].buildkitd_flags).
            type: list
            elements: str
      platforms:
        description:
          - Platforms that the builder has to offer. Checked when its nodes run, with a warning that says how to get emulation;
            the answer is in RV(builders[].missing_platforms).
        type: list
        elements: str
        default: []
      driver_opts:
        description: Options of the driver, such as V(network=host) or V(image=...). Left out, they stay as they are.
        type: dict
      buildkitd_flags:
        description: Flags for buildkitd. Left out, they stay as they are.
        type: list
        elements: str
      buildkitd_config:
        description:
          - The settings of C(buildkitd.toml), for instance mirrors, certificates and insecure registries. Certificate files are
            copied into the builder. Left out, they stay as they are.
        type: dict
      default:
        description:
          - Whether C(docker buildx build) uses this builder while the docker context of its first node is the current one.
          - V(false) leaves the choice alone.
        type: bool
        default: false
      bootstrap:
        description:
          - Start the builder, which pulls buildkit's image the first time. By default buildx does that at the first build.
        type: bool
        default: false
      keep_state:
        description: Keep the build cache when the builder is removed or created again.
        type: bool
        default: true
      state:
        description: Whether the builder exists.
        type: str
        choices: [present, absent]
        default: present
  state:
    description: V(absent) removes all builders of the list, whatever state they have themselves. V(present) leaves each its own.
    type: str
    choices: [present, absent]
    default: present
  company_network:
    description:
      - The network of a company, for builders with driver V(docker-container), whose containers have neither the authorities nor
        the proxy of their machine. What a builder's own options say goes before.
      - The authorities are those of the file that M(laptop.containers.network) writes. An empty mapping takes all of it away
        again; left out, it stays as it is.
    type: dict
  recreate:
    description:
      - When a builder that differs may be created again. V(if_idle) waits, with a note in RV(pending), while a build runs on it,
        or while a node runs that does not tell. Pods never do, and take the cache with them unless it is on a volume.
    type: str
    choices: [always, if_idle, never]
    default: if_idle
  prune_stale:
    description:
      - Remove the records of builders that are not in O(builders) and whose engines are all V(gone) (their docker context does
        not exist any more) or V(unreachable) (also silent contexts, such as that of a stopped VM). Their caches stay.
    type: str
    choices: [never, gone, unreachable]
    default: never
  timeout:
    description: Seconds to wait for an engine's answer. All are asked side by side. A slow line of C(ssh) may need more.
    type: float
    default: 3
seealso:
  - module: laptop.containers.docker_context
"""

EXAMPLES = r"""
- name: Have a builder for two platforms, and use it
  laptop.containers.buildx_builder:
    builders:
      - name: multi-platform
        endpoint: colima-buildx
        platforms: [linux/amd64, linux/arm64]
        default: true

- name: One native engine per platform, with a mirror and a company's certificate
  laptop.containers.buildx_builder:
    builders:
      - name: native
        nodes:
          - endpoint: colima-buildx
            platforms: [linux/arm64]
          - endpoint: build-farm
            platforms: [linux/amd64]
        buildkitd_config:
          registry:
            docker.io:
              mirrors: [mirror.example.org]
            registry.example.org:
              ca: [~/certs/company.pem]

- name: Report dead builders, and forget those whose docker context is gone
  laptop.containers.buildx_builder:
    prune_stale: gone

- name: Build straight into the cluster of colima profile k8s
  laptop.containers.buildx_builder:
    builders:
      - name: k8s
        profile: k8s

- name: Remove a builder and its cache
  laptop.containers.buildx_builder:
    builders:
      - name: multi-platform
        keep_state: false
        state: absent
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in plain English.
  returned: always
  type: list
  elements: str
  sample: ["create builder 'multi-platform' (colima-buildx)"]
left:
  description: What a second look still found to do, where docker reported success.
  returned: failure, when a change did not have its effect
  type: list
  elements: str
builders:
  description: The named builders that are there after the run (in check mode, would be).
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the builder.
      type: str
    driver:
      description: Its driver.
      type: str
    nodes:
      description:
        - Its nodes with V(name), V(endpoint), V(platforms) (the fixed ones), V(driver_opts), V(buildkitd_flags),
          V(buildkitd_config), V(status) (V(running), V(inactive), V(unreachable), V(gone) or V(unknown)), V(reason), and
          V(offers), the platforms that a running node told.
      type: list
      elements: dict
    missing_platforms:
      description: What of O(builders[].platforms) no running node offers. Empty where nothing runs.
      type: list
      elements: str
stale:
  description:
    - Builders with an engine that does not answer, with V(name), V(reason), and whether they were V(removed). One whose other
      engines answer is never pruned.
  returned: always
  type: list
  elements: dict
pending:
  description: Changes that O(recreate) held back.
  returned: always
  type: list
  elements: dict
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.buildx.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
