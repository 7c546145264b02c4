#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_context
short_description: Manage docker contexts
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Creates, updates, removes and selects contexts of the docker command, any number of them in one task.
  - A context whose endpoint differs is updated in place with C(docker context update); it is never removed and created again.
  - Only the contexts that are named are touched. docker's own context V(default) can be made current, nothing else.
  - The context store is only changed through the C(docker) command. The directory is E(DOCKER_CONFIG), or C(~/.docker).
  - When a context is made current, the previous one is noted in
    C($XDG_STATE_HOME/laptop.containers/docker_context.json), so that O(state=absent) can go back to it.
  - Warns when E(DOCKER_HOST) or E(DOCKER_CONTEXT) overrides the current context, and names the file and line that set it.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  contexts:
    description:
      - The contexts to manage. The same options at the top level describe a single context.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the context.
        type: str
        required: true
      docker: &docker
        description: The docker endpoint. Needed to create a context; without it an existing endpoint is kept.
        type: dict
        suboptions:
          host:
            description:
              - Where the engine listens, for instance V(unix:///path/docker.sock), V(ssh://user@host) or V(tcp://host:2376).
            type: str
          profile:
            description:
              - A colima profile with runtime docker; the endpoint is the profile's socket, found by colima's own rules
                (E(COLIMA_HOME), an existing C(~/.colima), E(XDG_CONFIG_HOME), the system's default).
              - The profile does not have to exist yet. If its engine answers, its version is returned.
            type: str
          ca:
            description: File with the CA certificates to trust. An empty string removes the stored one.
            type: path
          cert:
            description: File with the client's certificate. An empty string removes the stored one.
            type: path
          key:
            description:
              - File with the client's private key. An empty string removes the stored one.
              - docker copies the file into its store. Its content is never shown, only compared.
            type: path
          skip_tls_verify:
            description: Whether the engine's certificate is accepted unchecked.
            type: bool
      description: &description
        description:
          - Text shown by C(docker context ls). An empty one keeps the present text, as docker can't empty it.
        type: str
      current: &current
        description:
          - Whether docker uses this context when nothing else is said.
          - V(if_unset) makes it current when no context was chosen, or the chosen one is gone.
        type: str
        choices: [always, if_unset, never]
        default: never
      state: &state
        description:
          - V(absent) removes the context; beside O(contexts) it removes all contexts of the list.
          - If the current context is removed, docker goes back to the previous one this module switched, or to
            V(default).
        type: str
        choices: [present, absent]
        default: present
  name:
    description: Name of the single context, whose other options are O(docker), O(description), O(current) and O(state).
    type: str
  docker: *docker
  description: *description
  current: *current
  current_context:
    description:
      - Name of the context to make current, whatever O(contexts[].current) says. V(default) is docker's own.
    type: str
  probe_timeout:
    description:
      - Seconds to wait for the engines behind unix sockets to tell their version. All are asked side by side. V(0) asks none.
    type: float
    default: 2
  state: *state
seealso:
  - module: laptop.containers.docker_context_info
  - module: laptop.containers.buildx_builder
"""

EXAMPLES = r"""
- name: Use the engine of a colima profile
  laptop.containers.docker_context:
    name: colima-buildx
    docker:
      profile: docker-buildx
    current: always

- name: Keep three contexts
  laptop.containers.docker_context:
    contexts:
      - name: colima-buildx
        docker: {profile: docker-buildx}
      - name: build-farm
        description: The big machine
        docker: {host: ssh://me@farm.example.org}
      - name: staging
        docker:
          host: tcp://staging.example.org:2376
          ca: ~/certs/ca.pem
          cert: ~/certs/cert.pem
          key: ~/certs/key.pem
    current_context: colima-buildx

- name: Go back to docker's own context
  laptop.containers.docker_context:
    current_context: default

- name: Remove a context
  laptop.containers.docker_context:
    name: build-farm
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in plain English.
  returned: always
  type: list
  elements: str
  sample: ["update docker context 'colima-buildx' (endpoint unix:///old.sock -> unix:///new.sock)"]
left:
  description: What a second look still found to do, where docker reported success.
  returned: failure, when a change did not have its effect
  type: list
  elements: str
current:
  description: Name of the current context after the run.
  returned: always
  type: str
  sample: colima-buildx
contexts:
  description: The contexts that were named and are there after the run (in check mode, would be).
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the context.
      type: str
    description:
      description: Its description.
      type: str
    host:
      description: Its endpoint.
      type: str
    skip_tls_verify:
      description: Whether the engine's certificate is accepted unchecked.
      type: bool
    tls:
      description: The TLS files that docker holds for it, each as the start of its SHA-256 digest.
      type: dict
    current:
      description: Whether it is the current context.
      type: bool
    engine:
      description:
        - Whether the engine answered (V(reachable)), its V(version), V(api_version), V(os) and V(arch), or
          the V(reason) why it did not. V(reachable) is null for endpoints other than unix sockets; see
          M(laptop.containers.docker_context_info) for those.
      type: dict
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.docker.context.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
