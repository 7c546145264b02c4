# SPDX-License-Identifier: GPL-3.0-or-later
"""The builders of docker buildx: whether they are as the settings ask, their nodes answer, and which others are dead."""

from __future__ import annotations

from collections.abc import Iterator

from ...buildx.model import BuilderSpec, BuildersState, BuildxStep
from ...buildx.store import Buildx, buildx_directory
from ...core.errors import InputError
from ...core.system.files import is_json_object, moved_away
from ...core.system.home import home
from ...docker.client import docker_cli, docker_directory
from ..laptop import COMMAND_SECONDS, Laptop
from ..model import Check, CheckKind
from ..settings import SubjectReading

BUILDER = CheckKind("builders.builder", "whether a builder is there with its nodes and settings, and docker uses it")
NODES = CheckKind("builders.nodes", "whether the engines behind the nodes of a builder answer")
STALE = CheckKind("builders.stale", "whether there are other builders whose engine is gone: `docker buildx ls` waits for them")
KINDS = (BUILDER, NODES, STALE)


def examine(laptop: Laptop) -> Iterator[Check]:
    """Yield the checks."""
    if not laptop.has("buildx_builder"):
        return
    try:
        look = laptop.look("buildx_builder")
    except InputError as error:
        yield from _damaged(laptop, error)
        return
    state: BuildersState = look.current
    for item in look.spec.wanted:
        yield _builder(laptop, look, item)
        if item.name in state.builders:
            yield _nodes(laptop, look, item)
    wanted = {item.name for item in look.spec.wanted}
    stale = [name for name in state.builders if name not in wanted and state.dead_nodes(name)]
    for name in stale:
        yield STALE.note(state.reasons(name), f"docker buildx rm --keep-daemon --force {name}", name)
    if not stale:
        yield STALE.ok("none")


def _damaged(laptop: Laptop, error: InputError) -> Iterator[Check]:
    """Yield the records that can't be read, else why nothing can be planned."""
    directory = docker_directory(laptop.environment, home())
    place = buildx_directory(laptop.environment, directory)
    damaged = [name for name, builder in Buildx(docker_cli(), directory, place).read().items() if builder.broken]
    for name in damaged:
        # Beside the others it would be read as one of them.
        away = moved_away(place / "instances" / name, place)
        yield BUILDER.broken("its record can't be read", f"{away} && {laptop.converge('buildx')}", name)
    if not damaged and not laptop.config_damaged():
        current = place / "current"
        mend = f"{moved_away(current)} && {laptop.converge('buildx')}"
        yield BUILDER.broken(error.complaint, mend if current.exists() and not is_json_object(current) else error.remedy)


def _builder(laptop: Laptop, look: SubjectReading, item: BuilderSpec) -> Check:
    # A builder needs docker's plugin and the context of its engine.
    converge = laptop.converge("docker_cli,docker_context,buildx")
    steps = [step for step in look.plan.steps if isinstance(step, BuildxStep) and step.builder == item.name and not step.silent]
    state: BuildersState = look.current
    if item.name not in state.builders:
        return BUILDER.broken("it does not exist", converge, item.name)
    if steps:
        return BUILDER.warning("a run would " + "; ".join(map(str, steps)), converge, item.name)
    waiting = [pending for pending in look.plan.pending if item.name in pending.target]
    if waiting:
        return BUILDER.warning(
            f"{waiting[0].change}, because {waiting[0].reason}", laptop.converge("buildx", "buildx_recreate=always")
        )
    return BUILDER.ok("as the settings ask", item.name)


def _nodes(laptop: Laptop, look: SubjectReading, item: BuilderSpec) -> Check:
    state: BuildersState = look.current
    if not state.dead_nodes(item.name):
        return _living_nodes(laptop, look, state, item.name)
    profiles = laptop.profiles() if laptop.has("colima_profile") else {}
    down = [name for name, profile in profiles.items() if profile.health == "stopped"]
    if down:
        return NODES.note(f"{state.reasons(item.name)}; profile '{down[0]}' is stopped", "", item.name)
    sockets = {f"unix://{path}": name for name, path in laptop.docker_sockets().items()}
    hosts = [state.hosts.get(node.endpoint) or node.endpoint for node in state.builders[item.name].nodes]
    behind = next((sockets[host] for host in hosts if host in sockets), "")
    found = state.reasons(item.name)
    finding = laptop.revived(behind, found) if behind else (found, laptop.converge("docker_context,buildx"))
    return NODES.broken(*finding, item.name)


def _living_nodes(laptop: Laptop, look: SubjectReading, state: BuildersState, name: str) -> Check:
    shown = {node.name: state.status(name, node) for node in state.builders[name].nodes}
    if "unknown" in shown.values():
        # An engine behind ssh, say: only buildx can ask it, and says nothing of an engine that does not answer.
        answers = look.subject.buildx.statuses(name, COMMAND_SECONDS)
        if silent := [f"'{node}'" for node, status in shown.items() if status == "unknown" and node not in answers]:
            changed = laptop.has("docker_context") and laptop.look("docker_context").plan.steps
            remedy = laptop.converge("docker_context,buildx") if changed else f"docker buildx inspect {name}"
            return NODES.broken(f"no answer to buildx from node {' and '.join(silent)}", remedy, name)
        shown |= answers
    return NODES.ok("running" if set(shown.values()) == {"running"} else "ready; the first build starts it", name)
