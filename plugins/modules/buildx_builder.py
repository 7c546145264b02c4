#!/usr/bin/python
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
extends_documentation_fragment: [laptop.containers.attributes]
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
        type: str
        choices: [docker-container, docker, remote, kubernetes]
        default: docker-container
      endpoint:
        description:
          - Where the builder runs, for a builder with one node. For V(docker-container) the name of a docker context or a docker
            host; without it the current docker context. For V(remote) the address of buildkitd.
          - For V(kubernetes) the path of a kubeconfig file; buildx always uses the context that is current in it. Without it, a
            builder stays where it is, and a new one goes where E(KUBECONFIG) points, or to the one that kubectl would use.
            C(kubernetes:///NAME?kubeconfig=PATH), as buildx shows it, is understood as well.
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
        description: Keep the build cache when the builder is removed or created anew.
        type: bool
        default: true
      state:
        description: Whether the builder exists.
        type: str
        choices: [present, absent]
        default: present
  recreate:
    description:
      - When a builder that differs may be created anew. V(if_idle) waits, with a note in RV(pending), while a build runs on it,
        or while a node runs that does not tell. Pods never do, and take the cache with them unless it is on a volume.
    type: str
    choices: [always, if_idle, never]
    default: if_idle
  prune_stale:
    description:
      - Remove the records of builders that are not in O(builders) and whose engines are all V(gone) (their docker context does
        not exist any more) or V(unreachable) (also those that do not answer now, as those of a stopped VM). Their caches stay.
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

import os
from dataclasses import replace
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.buildx import Builder, BuildxStep, Health, Node, State, Wanted, normal_platform, plan_builders, reasons
from ..module_utils.buildx_config import config_from
from ..module_utils.buildx_kubernetes import check_kubeconfigs, settled
from ..module_utils.buildx_nodes import OWN_HOST, all_health, emulation_remedy, node_is_building
from ..module_utils.buildx_store import Buildx, buildx_directory
from ..module_utils.docker_cli import docker_cli, docker_directory
from ..module_utils.docker_context import BUILT_IN
from ..module_utils.docker_context_store import DockerContexts, state_file
from ..module_utils.errors import CommandFailed, NotVerified, WorkstationError

NODE_OPTIONS = {
    "endpoint": {"type": "str"},
    "driver_opts": {"type": "dict"},
    "buildkitd_flags": {"type": "list", "elements": "str"},
}
PLATFORMS = {"type": "list", "elements": "str"}
BUILDER_OPTIONS = {
    "name": {"type": "str", "required": True},
    "driver": {"type": "str", "choices": ["docker-container", "docker", "remote", "kubernetes"], "default": "docker-container"},
    "nodes": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str"}, "platforms": PLATFORMS, **NODE_OPTIONS},
    },
    "platforms": {**PLATFORMS, "default": []},
    "buildkitd_config": {"type": "dict"},
    "default": {"type": "bool", "default": False},
    "bootstrap": {"type": "bool", "default": False},
    "keep_state": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **NODE_OPTIONS,
}
ARGUMENT_SPEC = {
    "builders": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": BUILDER_OPTIONS,
        "mutually_exclusive": [("endpoint", "nodes")],
    },
    "recreate": {"type": "str", "choices": ["always", "if_idle", "never"], "default": "if_idle"},
    "prune_stale": {"type": "str", "choices": ["never", "gone", "unreachable"], "default": "never"},
    "timeout": {"type": "float", "default": 3.0},
}


def wanted_from(options, current_context):
    """Return what the user asks of one builder."""
    name, driver = options["name"].lower(), options["driver"]
    fallback = {"docker-container": current_context, "docker": options["name"]}.get(driver, "")
    listed = options["nodes"] or [{"name": None, "platforms": None, **{key: options[key] for key in NODE_OPTIONS}}]
    config = None if options["buildkitd_config"] is None else config_from(options["buildkitd_config"])
    nodes = []
    for number, item in enumerate(listed):
        endpoint = item["endpoint"] or fallback
        opts = options["driver_opts"] if item["driver_opts"] is None else item["driver_opts"]
        flags = options["buildkitd_flags"] if item["buildkitd_flags"] is None else item["buildkitd_flags"]
        nodes.append(
            Node(
                name=(item["name"] or f"{name}{number}").lower(),
                # buildx records its address instead of the name of docker's own context.
                endpoint=OWN_HOST if endpoint == BUILT_IN and driver == "docker-container" else endpoint,
                platforms=None if item["platforms"] is None else tuple(map(normal_platform, item["platforms"])),
                driver_opts=None if opts is None else {key: option_text(value) for key, value in opts.items()},
                flags=None if flags is None else tuple(flags),
                config=config,
            )
        )
    return Wanted(
        Builder(name, driver, tuple(nodes)),
        present=options["state"] == "present",
        offers=tuple(map(normal_platform, options["platforms"])),
        default=options["default"],
        bootstrap=options["bootstrap"],
        keep_state=options["keep_state"],
    )


def option_text(value):
    """Return a driver option as buildx writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Run:
    """One run: the clients, what was asked, and reading the state as often as needed."""

    def __init__(self, params):
        home = str(Path.home())
        docker, directory = docker_cli(), docker_directory(os.environ, home)
        self.params, self.seconds = params, params["timeout"]
        self.contexts = DockerContexts(docker, directory, state_file(os.environ, home))
        self.buildx = Buildx(docker, directory, buildx_directory(os.environ, directory))
        self.current = self.contexts.current() or BUILT_IN
        self.wanted = tuple(wanted_from(options, self.current) for options in params["builders"])
        self.hosts = {}
        self.kubeconfig = os.environ.get("KUBECONFIG", "")

    def context_of(self, item):
        """Return the docker context that a builder belongs to."""
        endpoint = item.builder.nodes[0].endpoint
        if item.builder.driver not in ("docker", "docker-container") or "://" in endpoint:
            return BUILT_IN if endpoint == OWN_HOST else self.current
        return endpoint

    def read(self):
        """Return the state."""
        builders = self.buildx.read()
        self.wanted = tuple(
            replace(item, builder=settled(item.builder, builders.get(item.name), self.kubeconfig))
            if item.builder.driver == "kubernetes"
            else item
            for item in self.wanted
        )
        nodes = [node for item in (*builders.values(), *(item.builder for item in self.wanted)) for node in item.nodes]
        names = {node.endpoint for node in nodes if node.endpoint and "://" not in node.endpoint}
        known = self.contexts.read(sorted(names)).contexts
        self.hosts = {name: known[name].host if name in known and not known[name].broken else None for name in names}
        selected = {}
        for item in self.wanted:
            context = self.context_of(item)
            selected[item.name] = self.buildx.selected(OWN_HOST if context == BUILT_IN else context, context)
        health = all_health(builders, self.hosts, self.seconds)
        for item in self.wanted:
            health |= self.far_health(item, builders.get(item.name), health)
        return State(builders, health, selected)

    def far_health(self, item, builder, health):
        """Return how nodes are that only buildx can ask (through ssh, say). It takes its time, so only where it matters."""
        if builder is None or not (item.present and (item.bootstrap or item.offers)):
            return {}
        known = {node.name: health[builder.name, node.name] for node in builder.nodes}
        if any(each.dead for each in known.values()) or all(each.status != "unknown" for each in known.values()):
            return {}
        told = self.buildx.statuses(builder.name, self.seconds)
        return {
            (builder.name, name): Health("running" if told[name] == "running" else "inactive")
            for name, each in known.items()
            if each.status == "unknown" and name in told
        }

    def plan(self):
        """Return state and plan. Whether a build runs is asked only where it would be interrupted."""
        state = self.read()
        made = self.plan_for(state)
        torn = [step.recreates for step in made.steps if isinstance(step, BuildxStep) and step.recreates]
        busy = {name: reason for name in torn if (reason := self.busy(state, state.builders[name]))}
        if busy:
            state = State(state.builders, state.health, state.selected, busy)
            made = self.plan_for(state)
        return state, made

    def busy(self, state, builder):
        """Return why a builder must not be torn down now; empty when no build runs on it."""
        for node in builder.nodes:
            building = node_is_building(builder, node, self.hosts, self.seconds)
            status = state.health[builder.name, node.name].status
            if building is None and builder.driver == "docker-container" and status != "unreachable":
                building = self.buildx.is_building(node, self.seconds)
            if building:
                return "a build is running"
            if building is None and status in ("running", "unknown"):
                return f"node '{node.name}' does not tell whether a build is running"
        return ""

    def plan_for(self, state):
        """Return the plan for a state."""
        contexts = {item.name: self.context_of(item) for item in self.wanted}
        return plan_builders(state, self.wanted, contexts, self.params["recreate"], self.params["prune_stale"])

    def apply(self, made):
        """Carry out the plan and look again."""
        creating = {step.argv[2] for step in made.steps if isinstance(step, BuildxStep) and "--driver" in step.argv}
        new = {item.name: item.builder for item in self.wanted if item.name in creating}
        for builder in new.values():
            if builder.driver == "kubernetes":
                check_kubeconfigs(builder)
        for (name, node), health in all_health(new, self.hosts, self.seconds).items():
            # Asked before anything is removed: buildx would wait 20 s for a dead engine, then leave the builder half made.
            if health.dead:
                raise CommandFailed(
                    f"Could not create node '{node}' of builder '{name}': {health.reason}. Start the engine "
                    "(for a colima profile: colima start PROFILE), then run again."
                )
        self.buildx.apply(made)
        left = self.plan()[1]
        if left.steps:
            raise NotVerified(
                f"Could not settle the builders: docker reported success, yet this is left: {left.actions[0]}. "
                "Look at 'docker buildx inspect'.",
                actions=left.actions,
            )


def shown_builders(module, run, made, health):
    """Return the named builders after the run, with what their running nodes offer."""
    shown = []
    for item in (item for item in run.wanted if item.name in made.after):
        found = {node.name: health.get((item.name, node.name), Health("unknown")) for node in item.builder.nodes}
        runs = any(each.status == "running" for each in found.values())
        offers = run.buildx.offered(item.name, run.seconds) if item.offers and runs else {}
        offered = {platform for platforms in offers.values() for platform in platforms}
        missing = [platform for platform in item.offers if offers and platform not in offered]
        if missing:
            module.warn(f"Builder '{item.name}' does not offer {', '.join(missing)}. {emulation_remedy(missing)}")
        nodes = [
            {**node, "status": found[node["name"]].status, "reason": found[node["name"]].reason}
            | {"offers": list(offers.get(node["name"], ()))}
            for node in made.after[item.name]["nodes"]
            if node["name"] in found
        ]
        shown.append({**made.after[item.name], "nodes": nodes, "missing_platforms": missing})
    return shown


def main():
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        run = Run(module.params)
        state, made = run.plan()
        if made.steps and not module.check_mode:
            run.apply(made)
            health = run.read().health
        else:
            health = state.health
    except WorkstationError as error:
        module.fail_json(msg=error.message, **error.context)
    removed = {step.argv[-1] for step in made.steps if isinstance(step, BuildxStep) and step.argv[0] == "rm"}
    stale = [
        {"name": name, "reason": reasons(state, name), "removed": name in removed}
        for name in state.builders
        if state.dead_nodes(name)
    ]
    for item in made.pending:
        module.warn(str(item))
    module.exit_json(
        changed=made.changed,
        actions=made.actions,
        diff=made.diff,
        builders=shown_builders(module, run, made, health),
        stale=stale,
        pending=[item.public() for item in made.pending],
    )


if __name__ == "__main__":
    main()
