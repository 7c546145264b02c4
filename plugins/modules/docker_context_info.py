#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_context_info
short_description: Read docker contexts, and whether their engines answer
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Returns docker's contexts, the current one, and what overrides it. On request asks every engine for its version.
  - Never fails because a context, an engine or the docker command is missing.
extends_documentation_fragment: [laptop.containers.attributes.info]
options:
  names:
    description: Names of the contexts to return. Without it, all of them.
    type: list
    elements: str
  reachability:
    description:
      - Whether to ask the engines. Those behind unix sockets are asked directly, others through C(docker version).
    type: bool
    default: false
  timeout:
    description: Seconds to wait for an engine. All are asked side by side.
    type: float
    default: 3
seealso:
  - module: laptop.containers.docker_context
"""

EXAMPLES = r"""
- name: Read all contexts
  laptop.containers.docker_context_info:
  register: contexts

- name: Ask the engine of one context
  laptop.containers.docker_context_info:
    names: [colima-buildx]
    reachability: true
"""

RETURN = r"""
current:
  description: Name of the current context, as docker's configuration says.
  returned: always
  type: str
  sample: colima-buildx
overrides:
  description: What makes docker use something else than the current context, one sentence each.
  returned: always
  type: list
  elements: str
contexts:
  description:
    - The contexts with V(name), V(description), V(host), V(skip_tls_verify), V(tls), V(current), and V(engine) as
      M(laptop.containers.docker_context) returns it. docker's own context V(default) comes first.
  returned: always
  type: list
  elements: dict
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.docker.context.info import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
