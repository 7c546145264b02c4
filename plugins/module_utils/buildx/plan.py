# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan from the present builders to the requested ones. Pure: no file, no process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..core.errors import InputError
from ..core.plan import Pending, Plan
from .company import in_company
from .config import BuildkitConfig
from .model import (
    Builder,
    BuilderSpec,
    BuildersState,
    BuildxStep,
    CreateBuilder,
    Node,
    RecreateBuilder,
    RemoveBuilder,
    StartBuilder,
)

# buildx adds it by itself unless the flags or the configuration speak of entitlements.
_ADDED_FLAG = "--allow-insecure-entitlement=network.host"


@dataclass(frozen=True)
class BuilderPolicy:
    """recreate: always, if_idle or never. prune: never, gone (no such context any more) or unreachable (does not answer)."""

    recreate: str = "if_idle"
    prune: str = "never"


def plan_builders(state: BuildersState, wanted: Sequence[BuilderSpec], policy: BuilderPolicy) -> Plan:
    """Return the steps from the present builders to the requested ones."""
    after, steps, pending = converged(state, wanted, policy)
    shown = [*(item.name for item in wanted), *(name for name in state.builders if name not in after)]
    return Plan(tuple(steps), _shown(state.builders, shown), _shown(after, shown), tuple(pending))


def converged(
    state: BuildersState, wanted: Sequence[BuilderSpec], policy: BuilderPolicy
) -> tuple[dict[str, Builder], list[BuildxStep], list[Pending]]:
    """Return the builders as they will be, the steps to that, and what is held back. Raises InputError."""
    steps: list[BuildxStep] = []
    pending: list[Pending] = []
    after = dict(state.builders)
    for item in wanted:
        made, done, held = _plan_one(state, item, policy.recreate)
        steps += done
        pending += held
        if made is None:
            after.pop(item.name, None)
            continue
        after[item.name] = made
        if item.default and state.selected.get(item.name) != item.name:
            steps.append(_use(item.name, state.contexts[item.name]))
    for name in _stale(state, {item.name for item in wanted}, policy.prune):
        argv = ("rm", "--keep-daemon", "--force", name)
        steps.append(RemoveBuilder("remove", f"stale builder '{name}'", state.reasons(name), name, argv))
        after.pop(name)
    return after, steps, pending


def _use(name: str, context: str) -> BuildxStep:
    argv = ("use", "--default", name)
    return BuildxStep("use", f"builder '{name}'", f"in docker context '{context}'", name, argv, context=context)


def _plan_one(state: BuildersState, item: BuilderSpec, recreate: str) -> tuple[Builder | None, list[BuildxStep], list[Pending]]:
    current = state.builders.get(item.name)
    wanted = in_company(item.builder, current, item.network)
    if current is not None and current.broken:
        reason = "buildx's record of it is damaged, and buildx itself can't remove it"
        remedy = f"Move the file buildx/instances/{item.name} in docker's directory away, then run again."
        raise InputError(f"read builder '{item.name}'", reason, remedy)
    if not item.present:
        return None, [*_without_dead_nodes(state, item.name), _removal(state, item)] if current else [], []
    if wanted.driver == "docker":
        return wanted, [], []
    start: list[BuildxStep] = []
    if item.bootstrap:
        start = [StartBuilder("start", f"builder '{item.name}'", builder=item.name, argv=("inspect", "--bootstrap", item.name))]
    if current is None:
        return wanted, [*_creation(wanted), *start], []
    changes = _differences(current, wanted)
    if not changes:
        return current, start if any(state.status(item.name, node) != "running" for node in current.nodes) else [], []
    held = _held(state, item.name, recreate, changes)
    if held is not None:
        return current, [], [held]
    made, removal = _filled(wanted, current), _removal(state, item)
    again = RecreateBuilder("remove", removal.target, f"to create it again: {', '.join(changes)}", item.name, removal.argv)
    return made, [*_without_dead_nodes(state, item.name), again, *_creation(made), *start], []


def _held(state: BuildersState, name: str, recreate: str, changes: Sequence[str]) -> Pending | None:
    """Return why a builder that differs stays as it is, if it does."""
    if recreate == "never":
        reason = "recreate is never"
    elif recreate == "if_idle" and name in state.busy:
        reason = state.busy[name]
    else:
        return None
    remedy = "Run again when it is idle, or with E(recreate=always)."
    return Pending(f"builder '{name}'", ", ".join(changes), reason, remedy, kind="recreate")


def _without_dead_nodes(state: BuildersState, name: str) -> list[BuildxStep]:
    """Return the steps that leave dead nodes out of a builder with others: its removal would hang on them and fail."""
    if state.dead(name):
        return []
    return [
        BuildxStep(
            "leave out",
            f"node '{node}' of builder '{name}'",
            builder=name,
            argv=("create", "--name", name, "--leave", "--node", node),
        )
        for node in state.dead_nodes(name)
    ]


def _removal(state: BuildersState, item: BuilderSpec) -> RemoveBuilder:
    """Return the step that removes the builder; where its engine is dead, only the record, so that nothing hangs."""
    keep = ("--keep-state",) if item.keep_state else ()
    if state.dead(item.name):
        keep = ("--keep-daemon",)
    detail = "its cache is kept" if keep == ("--keep-state",) and _keeps_cache(state.builders[item.name]) else ""
    return RemoveBuilder("remove", f"builder '{item.name}'", detail, item.name, ("rm", *keep, "--force", item.name))


def _keeps_cache(builder: Builder) -> bool:
    """Whether there is a volume: pods have none by default, and a remote buildkitd keeps running."""
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


def _creation(builder: Builder) -> list[BuildxStep]:
    """Return one step per node: buildx makes a builder with its first one and appends the others."""
    steps: list[BuildxStep] = []
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
        steps.append(CreateBuilder("create", what, node.endpoint, builder.name, argv, config=node.config, cluster=cluster))
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
    was = {node.name: node for node in current.nodes}
    return [change for node in wanted.nodes for change in (*_places(was[node.name], node), *_options(was[node.name], node))]


def _places(before: Node, node: Node) -> Iterator[str]:
    if node.endpoint and node.endpoint != before.endpoint:
        yield f"endpoint {before.endpoint} -> {node.endpoint}"
    if node.platforms is not None and set(node.platforms) != set(before.platforms or ()):
        yield f"platforms {','.join(before.platforms or ()) or 'none'} -> {','.join(node.platforms) or 'none'}"


def _options(before: Node, node: Node) -> Iterator[str]:
    if node.driver_opts is not None and dict(node.driver_opts) != dict(before.driver_opts or {}):
        yield "driver options"
    if node.flags is not None and _own_flags(node.flags) != _own_flags(before.flags or ()):
        yield "buildkitd flags"
    if node.config is not None and node.config.comparable() != (before.config or BuildkitConfig({})).comparable():
        yield "buildkitd configuration"


def _own_flags(flags: Iterable[str]) -> list[str]:
    return [flag for flag in flags if flag != _ADDED_FLAG]


def _stale(state: BuildersState, named: set[str], prune: str) -> list[str]:
    statuses = {"never": (), "gone": ("gone",), "unreachable": ("gone", "unreachable")}[prune]
    return [name for name in state.builders if name not in named and state.dead(name, statuses)]


def _shown(builders: Mapping[str, Builder], names: Iterable[str]) -> dict[str, Any]:
    return {name: builders[name].public() for name in sorted(set(names)) if name in builders}
