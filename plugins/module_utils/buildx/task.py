# SPDX-License-Identifier: GPL-3.0-or-later
"""buildx builders as a subject: reading the input of a plan, carrying out each step, and what a result shows."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..company.network import company_from
from ..core.entries import in_state
from ..core.errors import CommandFailed
from ..core.plan import Plan, Step
from ..core.subject import Result, Subject
from ..core.system.home import authorities_file, home, lock_directory
from ..core.system.lock import Lock
from ..docker.client import docker_cli, docker_directory
from ..docker.context.model import BUILT_IN
from ..docker.context.store import DockerContexts
from .company import network_of
from .emulation import emulation_remedy
from .health import OWN_HOST, all_health
from .kubernetes import check_kubeconfigs, settled
from .model import (
    Builder,
    BuilderNetwork,
    BuilderSpec,
    BuildersState,
    BuildxStep,
    CreateBuilder,
    NodeHealth,
    RecreateBuilder,
    RemoveBuilder,
    StartBuilder,
    check_wanted,
)
from .options import SPEC, wanted_from
from .plan import BuilderPolicy, converged, plan_builders
from .running_builds import node_is_building
from .store import Buildx, buildx_directory

# Another run may start a builder, which pulls an image first.
_SECONDS_TO_WAIT = 660.0


@dataclass(frozen=True)
class BuildersSpec:
    """What the options ask for.

    current: the current docker context; kubeconfig: what new nodes in pods use; seconds: how long an engine is waited for.
    lacks: a file of authorities that builders need, and that is not there; else empty.
    """

    wanted: tuple[BuilderSpec, ...]
    policy: BuilderPolicy
    seconds: float
    current: str
    kubeconfig: str
    lacks: str = ""

    def context_of(self, item: BuilderSpec) -> str:
        """Return the docker context that a builder belongs to."""
        endpoint = item.builder.nodes[0].endpoint
        if item.builder.driver not in ("docker", "docker-container") or "://" in endpoint:
            return BUILT_IN if endpoint == OWN_HOST else self.current
        return endpoint

    def settled(self, builders: Mapping[str, Builder]) -> list[BuilderSpec]:
        """Return what is wanted with the endpoints of nodes in pods as buildx notes them."""
        return [
            replace(item, builder=settled(item.builder, builders.get(item.name), self.kubeconfig))
            if item.builder.driver == "kubernetes"
            else item
            for item in self.wanted
        ]


class Builders(Subject[BuildersSpec, BuildersState]):
    """The builders of docker buildx."""

    argument_spec = SPEC
    work = "converge the builders"
    look = "Look at 'docker buildx inspect', and run again."

    asked: BuildersSpec
    found: BuildersState

    def __init__(self) -> None:
        docker, directory = docker_cli(), docker_directory(os.environ, home())
        self.contexts = DockerContexts(docker, directory)
        self.buildx = Buildx(docker, directory, buildx_directory(os.environ, directory))

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> BuildersSpec:
        """Return the builders. Raises InputError."""
        del check_mode
        current = self.contexts.current() or BUILT_IN
        network, lacks = _network(params["company_network"])
        wanted = tuple(wanted_from(options, current, network) for options in in_state(params["builders"], params["state"]))
        check_wanted(wanted)
        policy = BuilderPolicy(params["recreate"], params["prune_stale"])
        self.asked = BuildersSpec(wanted, policy, params["timeout"], current, os.environ.get("KUBECONFIG", ""), lacks)
        return self.asked

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep other runs away from buildx's records."""
        return Lock(lock_directory(), self.work, _SECONDS_TO_WAIT, name="buildx.lock")

    def read(self, spec: BuildersSpec) -> BuildersState:
        """Return all builders. Whether a build runs is asked only where the plan would interrupt it."""
        self.buildx.check_current()
        builders = self.buildx.read()
        wanted = spec.settled(builders)
        nodes = [node for item in (*builders.values(), *(item.builder for item in wanted)) for node in item.nodes]
        names = {node.endpoint for node in nodes if node.endpoint and "://" not in node.endpoint}
        known = self.contexts.read(sorted(names)).contexts
        hosts = {name: known[name].host if name in known and not known[name].broken else None for name in names}
        contexts = {item.name: spec.context_of(item) for item in wanted}
        selected = {
            name: self.buildx.selected(OWN_HOST if context == BUILT_IN else context, context)
            for name, context in contexts.items()
        }
        health = all_health(builders, hosts, spec.seconds)
        for item in wanted:
            health |= self._far_health(item, builders.get(item.name), health)
        state = BuildersState(builders, health, selected, contexts, hosts)
        torn = [step.builder for step in converged(state, wanted, spec.policy)[1] if isinstance(step, RecreateBuilder)]
        self.found = replace(state, busy={name: why for name in torn if (why := self._busy(state, builders[name]))})
        return self.found

    def plan(self, spec: BuildersSpec, current: BuildersState) -> Plan:
        """Return the steps."""
        return plan_builders(current, spec.settled(current.builders), spec.policy)

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Carry out the plan, if docker has buildx and the engines of new nodes answer."""
        only_to_remove = not any(isinstance(step, CreateBuilder | StartBuilder | RecreateBuilder) for step in plan.steps)
        self.buildx.check_installed(only_to_remove=only_to_remove)
        creating = {step.builder for step in plan.steps if isinstance(step, CreateBuilder)}
        new = {item.name: item.builder for item in self.asked.settled(self.found.builders) if item.name in creating}
        for builder in new.values():
            if builder.driver == "kubernetes":
                check_kubeconfigs(builder)
        for (name, node), health in all_health(new, self.found.hosts, self.asked.seconds).items():
            # Asked before anything is removed: buildx would wait 20 s for a dead engine, then leave the builder half made.
            if health.dead:
                remedy = "Start the engine (for a colima profile: colima start PROFILE), then run again."
                raise CommandFailed(f"create node '{node}' of builder '{name}'", health.reason, remedy)
        super().carry_out(plan, report)

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if isinstance(step, BuildxStep):
            self.buildx.apply(step)

    def public(self, outcome: Result[BuildersSpec, BuildersState]) -> dict[str, Any]:
        """Return the named builders after the run, what their running nodes offer, and the stale ones of before."""
        spec, before, after = outcome.spec, outcome.before, outcome.after
        removed = {step.builder for step in outcome.plan.steps if isinstance(step, RemoveBuilder)}
        # In check mode what will be; after a run, what is.
        builders = converged(after, spec.settled(after.builders), spec.policy)[0]
        shown = [self._shown(item, builders[item.name], after) for item in spec.wanted if item.name in builders]
        return {
            "builders": shown,
            "stale": [
                {"name": name, "reason": before.reasons(name), "removed": name in removed}
                for name in before.builders
                if before.dead_nodes(name)
            ],
            # In check mode the module network has not made it either.
            "warnings": [*_missing(shown), *([] if outcome.check_mode else _lacking(spec.lacks))],
        }

    def _shown(self, item: BuilderSpec, builder: Builder, state: BuildersState) -> dict[str, Any]:
        found = {node.name: state.health.get((item.name, node.name), NodeHealth("unknown")) for node in builder.nodes}
        runs = any(each.status == "running" for each in found.values())
        offers = self.buildx.offered(item.name, self.asked.seconds) if item.offers and runs else {}
        offered = {platform for platforms in offers.values() for platform in platforms}
        nodes = [
            {**node.public(), "status": found[node.name].status, "reason": found[node.name].reason}
            | {"offers": list(offers.get(node.name, ()))}
            for node in builder.nodes
        ]
        missing = [platform for platform in item.offers if offers and platform not in offered]
        return {**builder.public(), "nodes": nodes, "missing_platforms": missing}

    def _far_health(
        self, item: BuilderSpec, builder: Builder | None, health: Mapping[tuple[str, str], NodeHealth]
    ) -> dict[tuple[str, str], NodeHealth]:
        """Return how nodes are that only buildx can ask (through ssh, say). It takes its time, so only where it matters."""
        if builder is None or not (item.present and (item.bootstrap or item.offers)):
            return {}
        known = {node.name: health[builder.name, node.name] for node in builder.nodes}
        if any(each.dead for each in known.values()) or all(each.status != "unknown" for each in known.values()):
            return {}
        reported = self.buildx.statuses(builder.name, self.asked.seconds)
        return {
            (builder.name, name): NodeHealth("running" if reported[name] == "running" else "inactive")
            for name, each in known.items()
            if each.status == "unknown" and name in reported
        }

    def _busy(self, state: BuildersState, builder: Builder) -> str:
        """Return why a builder must not be torn down now; empty when no build runs on it."""
        for node in builder.nodes:
            building = node_is_building(builder, node, state.hosts, self.asked.seconds)
            status = state.status(builder.name, node)
            if building is None and builder.driver == "docker-container" and status != "unreachable":
                building = self.buildx.is_building(node, self.asked.seconds)
            if building:
                return "a build is running"
            if building is None and status in ("running", "unknown"):
                return f"node '{node.name}' does not tell whether a build is running"
        return ""


SUBJECT = Builders


def _missing(builders: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a warning for each builder whose nodes lack platforms."""
    for item in builders:
        if missing := item["missing_platforms"]:
            yield f"Builder '{item['name']}' does not offer {', '.join(missing)}. {emulation_remedy(missing)}"


def _lacking(bundle: str) -> Iterator[str]:
    if bundle:
        yield f"The builders don't know the company's authorities: '{bundle}' is not there. Run with --tags network,buildx."


def _network(given: Mapping[str, Any] | None) -> tuple[BuilderNetwork | None, str]:
    """Return what a company's network adds to builders, and its file of authorities where the module network has not made it."""
    if given is None:
        return None, ""
    company, bundle = company_from(given, platform.system()), authorities_file()
    is_there, wanted = bundle.is_file(), str(bundle) if company.authorities else ""
    return network_of(company, wanted if is_there else ""), "" if is_there else wanted
