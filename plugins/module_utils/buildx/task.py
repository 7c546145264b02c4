# SPDX-License-Identifier: GPL-3.0-or-later
"""The task of buildx_builder as a whole: options in, one result out. It decides nothing itself; it connects the parts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import CommandFailed, NotVerified
from ..core.plan import Plan
from ..docker.client import docker_cli, docker_directory
from ..docker.context.model import BUILT_IN
from ..docker.context.store import DockerContexts, state_file
from .kubernetes import check_kubeconfigs, settled
from .model import Builder, BuildxStep, Health, State, Wanted
from .nodes import OWN_HOST, all_health, emulation_remedy, node_is_building
from .options import ARGUMENT_SPEC, wanted_from
from .plan import plan_builders, reasons
from .store import Buildx, buildx_directory

__all__ = ["ARGUMENT_SPEC", "run"]

# Keys are the names of a builder and its node.
NodesHealth = Mapping[tuple[str, str], Health]


class _Run:
    """One run: the clients, what was asked, and reading the state as often as needed."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        home = str(Path.home())
        docker, directory = docker_cli(), docker_directory(os.environ, home)
        self.params, self.seconds = params, params["timeout"]
        self.contexts = DockerContexts(docker, directory, state_file(os.environ, home))
        self.buildx = Buildx(docker, directory, buildx_directory(os.environ, directory))
        self.current = self.contexts.current() or BUILT_IN
        self.wanted = tuple(wanted_from(options, self.current) for options in params["builders"])
        self.hosts: dict[str, str | None] = {}
        self.kubeconfig = os.environ.get("KUBECONFIG", "")

    def context_of(self, item: Wanted) -> str:
        """Return the docker context that a builder belongs to."""
        endpoint = item.builder.nodes[0].endpoint
        if item.builder.driver not in ("docker", "docker-container") or "://" in endpoint:
            return BUILT_IN if endpoint == OWN_HOST else self.current
        return endpoint

    def read(self) -> State:
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

    def far_health(self, item: Wanted, builder: Builder | None, health: NodesHealth) -> NodesHealth:
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

    def plan(self) -> tuple[State, Plan]:
        """Return state and plan. Whether a build runs is asked only where it would be interrupted."""
        state = self.read()
        made = self.plan_for(state)
        torn = [step.recreates for step in made.steps if isinstance(step, BuildxStep) and step.recreates]
        busy = {name: reason for name in torn if (reason := self.busy(state, state.builders[name]))}
        if busy:
            state = State(state.builders, state.health, state.selected, busy)
            made = self.plan_for(state)
        return state, made

    def busy(self, state: State, builder: Builder) -> str:
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

    def plan_for(self, state: State) -> Plan:
        """Return the plan for a state."""
        contexts = {item.name: self.context_of(item) for item in self.wanted}
        return plan_builders(state, self.wanted, contexts, self.params["recreate"], self.params["prune_stale"])

    def apply(self, made: Plan) -> None:
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
                left=left.actions,
                actions=made.actions,
                changed=True,
            )


def _shown(run: _Run, made: Plan, health: NodesHealth) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the named builders after the run, with what their running nodes offer, and warnings."""
    shown, warnings = [], []
    for item in (item for item in run.wanted if item.name in made.after):
        found = {node.name: health.get((item.name, node.name), Health("unknown")) for node in item.builder.nodes}
        runs = any(each.status == "running" for each in found.values())
        offers = run.buildx.offered(item.name, run.seconds) if item.offers and runs else {}
        offered = {platform for platforms in offers.values() for platform in platforms}
        missing = [platform for platform in item.offers if offers and platform not in offered]
        if missing:
            warnings.append(f"Builder '{item.name}' does not offer {', '.join(missing)}. {emulation_remedy(missing)}")
        nodes = [
            {**node, "status": found[node["name"]].status, "reason": found[node["name"]].reason}
            | {"offers": list(offers.get(node["name"], ()))}
            for node in made.after[item.name]["nodes"]
            if node["name"] in found
        ]
        shown.append({**made.after[item.name], "nodes": nodes, "missing_platforms": missing})
    return shown, warnings


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Converge the builders and return the result, with its warnings."""
    work = _Run(params)
    state, made = work.plan()
    health = state.health
    if made.steps and not check_mode:
        work.apply(made)
        health = work.read().health
    removed = {step.argv[-1] for step in made.steps if isinstance(step, BuildxStep) and step.argv[0] == "rm"}
    shown, warnings = _shown(work, made, health)
    return {
        "changed": made.changed,
        "actions": made.actions,
        "diff": made.diff,
        "builders": shown,
        "stale": [
            {"name": name, "reason": reasons(state, name), "removed": name in removed}
            for name in state.builders
            if state.dead_nodes(name)
        ],
        "pending": [item.public() for item in made.pending],
        "warnings": [*map(str, made.pending), *warnings],
    }
