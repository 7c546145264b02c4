# SPDX-License-Identifier: GPL-3.0-or-later
"""What buildx builders are, what is wanted of them, and the plan between the two. Pure: no file, no process."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .buildx_config import BuildkitConfig
from .errors import InputError
from .plan import Pending, Plan, Step

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9._-]*")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(/v[0-9]+(\.[0-9]+)?)?")
_SAME_PLATFORM = {"arm64/v8": "arm64", "amd64/v1": "amd64", "aarch64": "arm64", "x86_64": "amd64", "arm": "arm/v7"}
# buildx adds it by itself unless the flags or the configuration speak of entitlements.
_ADDED_FLAG = "--allow-insecure-entitlement=network.host"


@dataclass(frozen=True)
class Node:
    """One machine of a builder. None: not stated (wanted) or none (as it is)."""

    name: str
    endpoint: str
    platforms: tuple[str, ...] | None = None
    driver_opts: Mapping[str, str] | None = None
    flags: tuple[str, ...] | None = None
    config: BuildkitConfig | None = None

    def public(self) -> dict[str, Any]:
        """Return the result form."""
        return {
            "name": self.name,
            "endpoint": self.endpoint,
            "platforms": list(self.platforms or ()),
            "driver_opts": dict(self.driver_opts or {}),
            "buildkitd_flags": list(self.flags or ()),
            "buildkitd_config": self.config.public() if self.config else {},
        }


@dataclass(frozen=True)
class Builder:
    """A builder as it is in buildx's store. broken: its record is there and can't be read."""

    name: str
    driver: str
    nodes: tuple[Node, ...]
    broken: bool = False

    def public(self) -> dict[str, Any]:
        """Return the result form."""
        return {"name": self.name, "driver": self.driver, "nodes": [node.public() for node in self.nodes]}


@dataclass(frozen=True)
class Wanted:
    """What is asked of one builder. offers: platforms that its running nodes must be able to build for."""

    builder: Builder
    present: bool = True
    offers: tuple[str, ...] = ()
    default: bool = False
    bootstrap: bool = False
    keep_state: bool = True

    @property
    def name(self) -> str:
        """The builder's name as buildx keeps it."""
        return self.builder.name


@dataclass(frozen=True)
class Health:
    """How a node's engine answers: running, inactive (the builder is not started), unreachable, gone or unknown."""

    status: str
    reason: str = ""

    @property
    def dead(self) -> bool:
        """Whether the docker command would hang or fail on it."""
        return self.status in ("unreachable", "gone")


@dataclass(frozen=True)
class State:
    """All builders, how their nodes are (by builder and node name), and which builder each docker context uses."""

    builders: Mapping[str, Builder] = field(default_factory=dict)
    health: Mapping[tuple[str, str], Health] = field(default_factory=dict)
    selected: Mapping[str, str] = field(default_factory=dict)
    # Why a builder must not be torn down now, by its name.
    busy: Mapping[str, str] = field(default_factory=dict)

    def dead_nodes(self, name: str) -> list[str]:
        """Return the nodes of a builder that do not answer."""
        nodes = self.builders[name].nodes
        return [node.name for node in nodes if self.health.get((name, node.name), Health("unknown")).dead]

    def dead(self, name: str, statuses: Iterable[str] = ("unreachable", "gone")) -> bool:
        """Whether all nodes of the builder have such a status."""
        nodes = self.builders[name].nodes
        found = [self.health.get((name, node.name), Health("unknown")).status for node in nodes]
        return bool(found) and all(status in statuses for status in found)


@dataclass(frozen=True)
class BuildxStep(Step):
    """A step with the arguments of `docker buildx`, what buildkitd.toml holds, and the docker context it runs in.

    cluster: the endpoint of a node in pods, which buildx takes from its environment.
    """

    argv: tuple[str, ...] = ()
    config: BuildkitConfig | None = None
    context: str = ""
    cluster: str = ""
    recreates: str = ""


def normal_platform(text: str) -> str:
    """Return the short form of a platform. Raises InputError for what is none."""
    low = text.strip().lower()
    system, _, arch = low.partition("/")
    if not _PLATFORM.fullmatch(low):
        raise InputError(f"Could not use platform '{text}': write it as os/arch, for instance linux/arm64.")
    return f"{system}/{_SAME_PLATFORM.get(arch, arch)}"


def check_wanted(wanted: Sequence[Wanted]) -> None:
    """Raise InputError for what can't be meant."""
    names = [item.name for item in wanted]
    for item in wanted:
        name = item.name
        if not _NAME.fullmatch(name) or name == "default":
            raise InputError(
                f"Could not use builder name '{name}': buildx wants a letter, then letters, digits, '.', '_' or '-', and keeps "
                "'default' for itself. Choose another name."
            )
        if names.count(name) > 1:
            raise InputError(f"Could not plan builder '{name}': it is listed twice. Keep one entry.")
        if not item.present:
            continue
        endpoints = [node.endpoint for node in item.builder.nodes]
        if item.builder.driver == "docker" and endpoints != [name]:
            raise InputError(
                f"Could not manage builder '{name}': with driver docker the builder is the docker context of the same name. "
                "Leave endpoint and nodes out, and give the context's name."
            )
        if len(set(endpoints)) < len(endpoints) and item.builder.driver != "kubernetes":
            raise InputError(f"Could not plan builder '{name}': two nodes have one endpoint. Give each node its own.")
        if item.builder.driver == "remote" and "" in endpoints:
            raise InputError(
                f"Could not plan builder '{name}': driver remote needs an endpoint. Set endpoint to buildkitd's address."
            )


def plan_builders(state: State, wanted: Sequence[Wanted], contexts: Mapping[str, str], recreate: str, prune: str) -> Plan:
    """Return the steps. contexts tells, per wanted builder, the docker context that it belongs to.

    recreate: always, if_idle or never. prune: never, gone (no such context any more) or unreachable (does not answer).
    """
    check_wanted(wanted)
    steps: list[Step] = []
    pending: list[Pending] = []
    after = dict(state.builders)
    for item in wanted:
        made, done, held = _plan_one(state, item, recreate)
        steps += done
        pending += held
        if made is None:
            after.pop(item.name, None)
        else:
            after[item.name] = made
            if item.default and state.selected.get(item.name) != item.name:
                context = contexts[item.name]
                argv = ("use", "--default", item.name)
                steps.append(BuildxStep("use", f"builder '{item.name}'", f"in docker context '{context}'", argv, context=context))
    named = {item.name for item in wanted}
    for name in _stale(state, named, prune):
        steps.append(
            BuildxStep("remove", f"stale builder '{name}'", reasons(state, name), ("rm", "--keep-daemon", "--force", name))
        )
        after.pop(name)
    shown = [*named, *(name for name in state.builders if name not in after)]
    return Plan(tuple(steps), _shown(state.builders, shown), _shown(after, shown), tuple(pending))


def _plan_one(state: State, item: Wanted, recreate: str) -> tuple[Builder | None, list[Step], list[Pending]]:
    current = state.builders.get(item.name)
    wanted = item.builder
    if current is not None and current.broken:
        raise InputError(
            f"Could not read builder '{item.name}': buildx's record of it is damaged, and buildx itself can't remove it. "
            f"Move the file buildx/instances/{item.name} in docker's directory away, then run again."
        )
    if not item.present:
        return None, [*_without_dead_nodes(state, item.name), _removal(state, item)] if current else [], []
    if wanted.driver == "docker":
        return wanted, [], []
    start: list[Step] = []
    if item.bootstrap:
        start = [BuildxStep("start", f"builder '{item.name}'", argv=("inspect", "--bootstrap", item.name))]
    if current is None:
        return wanted, [*_creation(wanted), *start], []
    changes = differences(current, wanted)
    if not changes:
        return current, start if any(_status(state, item.name, node) != "running" for node in current.nodes) else [], []
    if recreate == "never" or (recreate == "if_idle" and item.name in state.busy):
        reason = state.busy[item.name] if recreate == "if_idle" else "recreate is never"
        held = Pending(
            f"builder '{item.name}'", ", ".join(changes), reason, "Run again when it is idle, or with recreate=always."
        )
        return current, [], [held]
    removal = replace(_removal(state, item), detail=f"to create it anew: {', '.join(changes)}", recreates=item.name)
    steps = [*_without_dead_nodes(state, item.name), removal, *_creation(_filled(wanted, current)), *start]
    return _filled(wanted, current), steps, []


def _status(state: State, builder: str, node: Node) -> str:
    return state.health.get((builder, node.name), Health("unknown")).status


def _without_dead_nodes(state: State, name: str) -> list[Step]:
    """Return the steps that leave dead nodes out of a builder which has living ones: its removal would hang on them and fail."""
    if state.dead(name):
        return []
    return [
        BuildxStep("leave out", f"node '{node}' of builder '{name}'", argv=("create", "--name", name, "--leave", "--node", node))
        for node in state.dead_nodes(name)
    ]


def _removal(state: State, item: Wanted) -> BuildxStep:
    """Return the step that removes the builder; where its engine is dead, only the record, so that nothing hangs."""
    keep = ("--keep-state",) if item.keep_state else ()
    if state.dead(item.name):
        keep = ("--keep-daemon",)
    detail = "its cache is kept" if keep == ("--keep-state",) and _keeps_cache(state.builders[item.name]) else ""
    return BuildxStep("remove", f"builder '{item.name}'", detail, ("rm", *keep, "--force", item.name))


def _keeps_cache(builder: Builder) -> bool:
    """Whether there is a volume: pods have none unless told, and a remote buildkitd goes on as it is."""
    if builder.driver == "kubernetes":
        return all("persistent-volume-claim.requests.storage" in (node.driver_opts or {}) for node in builder.nodes)
    return builder.driver == "docker-container"


def _filled(wanted: Builder, current: Builder) -> Builder:
    """Return the wanted builder with what was not stated taken from the node of the same name."""
    old = {node.name: node for node in current.nodes}
    nodes = []
    for node in wanted.nodes:
        was = old.get(node.name, node)
        nodes.append(
            replace(
                node,
                platforms=was.platforms if node.platforms is None else node.platforms,
                driver_opts=was.driver_opts if node.driver_opts is None else node.driver_opts,
                flags=was.flags if node.flags is None else node.flags,
                config=was.config if node.config is None else node.config,
            )
        )
    return replace(wanted, nodes=tuple(nodes))


def _creation(builder: Builder) -> list[Step]:
    """Return one step per node: buildx makes a builder with its first one and appends the others."""
    steps: list[Step] = []
    for number, node in enumerate(builder.nodes):
        argv: tuple[str, ...] = ("create", "--name", builder.name, "--driver", builder.driver, "--node", node.name)
        if number:
            argv += ("--append",)
        if node.platforms:
            argv += ("--platform", ",".join(node.platforms))
        for key, value in sorted((node.driver_opts or {}).items()):
            argv += ("--driver-opt", _csv(f"{key}={value}"))
        if node.flags:
            argv += ("--buildkitd-flags", " ".join(node.flags))
        cluster = node.endpoint if builder.driver == "kubernetes" else ""
        if node.endpoint and not cluster:
            argv += (node.endpoint,)
        what = f"node '{node.name}' of builder '{builder.name}'" if number else f"builder '{builder.name}'"
        steps.append(BuildxStep("create", what, node.endpoint, argv, config=node.config, cluster=cluster))
    return steps


def _csv(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n') else text


def differences(current: Builder, wanted: Builder) -> list[str]:
    """Return in words what differs; what was not stated does not count."""
    if current.driver != wanted.driver:
        return [f"driver {current.driver} -> {wanted.driver}"]
    old, new = [node.name for node in current.nodes], [node.name for node in wanted.nodes]
    if sorted(old) != sorted(new):
        return [f"nodes {', '.join(old)} -> {', '.join(new)}"]
    changes = []
    was = {node.name: node for node in current.nodes}
    for node in wanted.nodes:
        before = was[node.name]
        if node.endpoint and node.endpoint != before.endpoint:
            changes.append(f"endpoint {before.endpoint} -> {node.endpoint}")
        if node.platforms is not None and set(node.platforms) != set(before.platforms or ()):
            changes.append(f"platforms {','.join(before.platforms or ()) or 'none'} -> {','.join(node.platforms) or 'none'}")
        if node.driver_opts is not None and dict(node.driver_opts) != dict(before.driver_opts or {}):
            changes.append("driver options")
        if node.flags is not None and _own_flags(node.flags) != _own_flags(before.flags or ()):
            changes.append("buildkitd flags")
        if node.config is not None and node.config.comparable() != (before.config or BuildkitConfig({})).comparable():
            changes.append("buildkitd configuration")
    return changes


def _own_flags(flags: Iterable[str]) -> list[str]:
    return [flag for flag in flags if flag != _ADDED_FLAG]


def reasons(state: State, name: str) -> str:
    """Return why nodes of the builder do not answer."""
    return "; ".join(dict.fromkeys(state.health[name, node].reason for node in state.dead_nodes(name)))


def _stale(state: State, named: set[str], prune: str) -> list[str]:
    statuses = {"never": (), "gone": ("gone",), "unreachable": ("gone", "unreachable")}[prune]
    return [name for name in state.builders if name not in named and state.dead(name, statuses)]


def _shown(builders: Mapping[str, Builder], names: Iterable[str]) -> dict[str, Any]:
    return {name: builders[name].public() for name in sorted(set(names)) if name in builders}
