# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan from the builders that are there to those that are wanted. Pure: no file, no process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..core.errors import InputError
from ..core.plan import Pending, Plan, Step
from .config import BuildkitConfig
from .model import Builder, BuildxStep, Health, Node, State, Wanted, check_wanted

# buildx adds it by itself unless the flags or the configuration speak of entitlements.
_ADDED_FLAG = "--allow-insecure-entitlement=network.host"


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
    changes = _differences(current, wanted)
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


def _differences(current: Builder, wanted: Builder) -> list[str]:
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
