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

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.core.errors import CommandFailed, TimedOut, ToolMissing, WorkstationError
from ..module_utils.docker.client import docker_cli, docker_directory
from ..module_utils.docker.context.model import BUILT_IN, Context
from ..module_utils.docker.context.overrides import find_settings, override_warnings, start_files, user_environment
from ..module_utils.docker.context.store import DockerContexts, state_file
from ..module_utils.docker.engine import Engine, ask_unix, engine_from_version

ARGUMENT_SPEC = {
    "names": {"type": "list", "elements": "str"},
    "reachability": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 3.0},
}
OWN = Context(BUILT_IN, "unix:///var/run/docker.sock", "Current DOCKER_HOST based configuration")


def ask(docker, context, seconds):
    """Return the engine of a context."""
    if context.broken:
        return Engine(False, "docker can't read this context")
    if context.host.startswith("unix://"):
        return ask_unix(context.host.removeprefix("unix://"), seconds)
    try:
        version = docker.json("--context", context.name, "version", "--format", "{{json .Server}}", timeout=seconds)
        return engine_from_version(version)
    except TimedOut:
        return Engine(False, f"nothing answered within {seconds:g} s")
    except (CommandFailed, ToolMissing) as error:
        return Engine(False, error.message)


def engines(docker, contexts, seconds):
    """Return the engines of all contexts, asked side by side."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(lambda context: ask(docker, context, seconds), contexts))


def main():
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    home = str(Path.home())
    docker = docker_cli()
    try:
        client = DockerContexts(docker, docker_directory(os.environ, home), state_file(os.environ, home))
        names = module.params["names"]
        store = client.read(client.names() if names is None else names)
        known = {BUILT_IN: OWN, **{name: store.contexts[name] for name in sorted(store.contexts)}}
        contexts = [context for name, context in known.items() if names is None or name in names]
        asked = module.params["reachability"] and contexts
        found = engines(docker, contexts, module.params["timeout"]) if asked else [Engine(None)] * len(contexts)
    except WorkstationError as error:
        module.fail_json(msg=error.message, **error.context)
    current = store.current or BUILT_IN
    shown = [
        {**context.public(), "current": context.name == current, "engine": engine.public()}
        for context, engine in zip(contexts, found, strict=True)
    ]
    host = known[current].host if current in known else ""
    overrides = override_warnings(user_environment(), find_settings(start_files(home), home), current, host)
    module.exit_json(changed=False, current=current, contexts=shown, overrides=overrides)


if __name__ == "__main__":
    main()
