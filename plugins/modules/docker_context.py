#!/usr/bin/python
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
  - When a context is made current, the one that was current before is noted in
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
            description: File with the CA certificates to trust. An empty string takes the stored one away.
            type: path
          cert:
            description: File with the client's certificate. An empty string takes the stored one away.
            type: path
          key:
            description:
              - File with the client's private key. An empty string takes the stored one away.
              - docker copies the file into its store. Its content is never shown, only compared.
            type: path
          skip_tls_verify:
            description: Whether the engine's certificate is accepted unchecked.
            type: bool
      description: &description
        description:
          - Text shown by C(docker context ls). An empty one keeps what is there, as docker can't empty it.
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
          - V(absent) removes the context. If it is the current one, docker goes back to the context that was current before
            this module switched, or to V(default).
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
          the V(reason) why it did not. V(reachable) is null for endpoints that are no unix socket; see
          M(laptop.containers.docker_context_info) for those.
      type: dict
"""

import os
import platform
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.colima_paths import parse_name, resolve
from ..module_utils.docker_cli import docker_cli, docker_directory
from ..module_utils.docker_context import TLS_KINDS, Wanted, plan_contexts
from ..module_utils.docker_context_store import DockerContexts, state_file, tls_file
from ..module_utils.docker_engine import Engine, ask_all_unix
from ..module_utils.docker_overrides import find_settings, override_warnings, start_files, user_environment
from ..module_utils.errors import CommandFailed, NotVerified, WorkstationError

DOCKER_OPTIONS = {
    "host": {"type": "str"},
    "profile": {"type": "str"},
    "ca": {"type": "path"},
    "cert": {"type": "path"},
    "key": {"type": "path", "no_log": False},
    "skip_tls_verify": {"type": "bool"},
}
ENDPOINT = {"type": "dict", "options": DOCKER_OPTIONS, "mutually_exclusive": [("host", "profile")]}
CONTEXT_OPTIONS = {
    "docker": ENDPOINT,
    "description": {"type": "str"},
    "current": {"type": "str", "choices": ["always", "if_unset", "never"], "default": "never"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
ARGUMENT_SPEC = {
    "contexts": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str", "required": True}, **CONTEXT_OPTIONS},
    },
    "name": {"type": "str"},
    "current_context": {"type": "str"},
    "probe_timeout": {"type": "float", "default": 2.0},
    **CONTEXT_OPTIONS,
}


def wanted_from(options, home):
    """Return what the user asks of one context."""
    docker = options.get("docker") or {}
    host, profile = docker.get("host"), docker.get("profile")
    if profile is not None:
        name = parse_name(profile)
        profile, host = name.name, resolve(os.environ, platform.system()).socket(name, "docker")
    elif host is not None and host.startswith("unix://~/"):
        host = f"unix://{home}{host.removeprefix('unix://~')}"
    present = options["state"] == "present"
    files = {
        kind: tls_file(docker[kind], f"{kind} for docker context '{options['name']}'") if docker[kind] else None
        for kind in TLS_KINDS
        if present and docker.get(kind) is not None
    }
    return Wanted(
        name=options["name"],
        present=present,
        current=options["current"],
        host=host,
        description=options["description"],
        skip_tls_verify=docker.get("skip_tls_verify"),
        tls=files,
        profile=profile,
    )


def warn_of_engine(module, item, engine):
    """Warn of a profile's socket that is there while nothing healthy answers: the profile needs a restart."""
    if item.profile is not None and engine.reachable is False and engine.reason != "there is no socket":
        module.warn(
            f"The engine of colima profile '{item.profile}' does not answer for docker context '{item.name}': "
            f"{engine.reason}. Look at 'colima status {item.profile}'; stopping and starting the profile heals it."
        )


def shown_contexts(module, wanted, plan):
    """Return the named contexts as they are after the run, with their engines."""
    after = plan.after["contexts"]
    seconds = module.params["probe_timeout"]
    sockets = {name: item["host"].removeprefix("unix://") for name, item in after.items() if item["host"].startswith("unix://")}
    engines = ask_all_unix(sockets.values(), seconds) if seconds > 0 else {}
    shown = []
    for item in (item for item in wanted if item.name in after):
        engine = engines.get(sockets.get(item.name, ""), Engine(None))
        warn_of_engine(module, item, engine)
        current = plan.after["current"] == item.name
        shown.append({**after[item.name], "current": current, "engine": engine.public()})
    return shown


def warn_of_overrides(module, wanted, store, plan, home):
    """Warn of variables that defeat the current context, if the user asked for one."""
    current = plan.after["current"]
    if module.params["current_context"] or any(item.present and item.current != "never" for item in wanted):
        known = plan.after["contexts"].get(current) or (store.contexts[current].public() if current in store.contexts else {})
        findings = find_settings(start_files(home), home)
        for text in override_warnings(user_environment(), findings, current, known.get("host", "")):
            module.warn(text)


def settle(client, plan, plan_again):
    """Carry out the plan and look again."""
    try:
        client.apply(plan)
    except CommandFailed:
        # A docker command that outlived a killed run may have been faster. Then what is left is another plan.
        left = plan_again()
        if left.actions == plan.actions:
            raise
        client.apply(left)
    left = plan_again()
    if left.steps:
        raise NotVerified(
            f"Could not settle the docker contexts: docker reported success, yet this is left: {left.actions[0]}. "
            "Look at 'docker context ls'.",
            actions=left.actions,
        )


def main():
    module = AnsibleModule(
        ARGUMENT_SPEC,
        supports_check_mode=True,
        mutually_exclusive=[("contexts", "name")],
        required_one_of=[("contexts", "name", "current_context")],
    )
    home = str(Path.home())
    try:
        listed = module.params["contexts"] or ([module.params] if module.params["name"] else [])
        wanted = tuple(wanted_from(options, home) for options in listed)
        chosen = module.params["current_context"]
        names = [item.name for item in wanted] + ([chosen] if chosen else [])
        docker = docker_cli()
        client = DockerContexts(docker, docker_directory(os.environ, home), state_file(os.environ, home))
        store = client.read(names)
        plan = plan_contexts(store, wanted, chosen)
        if plan.steps and not docker.installed and module.check_mode:
            module.warn("The docker command is not installed here yet; the plan assumes that it will be.")
        if plan.steps and not module.check_mode:
            settle(client, plan, lambda: plan_contexts(client.read(names), wanted, chosen))
    except WorkstationError as error:
        module.fail_json(msg=error.message, **error.context)
    warn_of_overrides(module, wanted, store, plan, home)
    shown = shown_contexts(module, wanted, plan)
    module.exit_json(changed=plan.changed, actions=plan.actions, diff=plan.diff, current=plan.after["current"], contexts=shown)


if __name__ == "__main__":
    main()
