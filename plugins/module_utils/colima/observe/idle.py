# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the user's work runs in a VM: user containers and pods, without what Kubernetes itself needs, and builds."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import partial

from ...core.errors import WorkstationError
from ..client.programs import Colima
from ..model.state import BROKEN, SILENT, ProfileState
from .builds import at_work

_SYSTEM_NAMESPACES = ("kube-system",)
_NAMESPACE_LABEL = "io.kubernetes.pod.namespace"
_POD_NAME_LABEL = "io.kubernetes.pod.name"
_BUILDER = "buildx_buildkit_"
_SECONDS = 20.0


def why_busy(colima: Colima, current: ProfileState) -> str:
    """Return what runs in a profile, as a reason not to stop it; empty when it is idle.

    A VM that gives no clear answer is not idle, unless nothing can run in it: it died under its host agent, or never came up.
    """
    runtime = str(current.live.get("runtime") or current.settings.get("runtime") or "")
    unknown = f"it is unknown whether {_noun(runtime)}s run in it"
    if current.health == SILENT and not current.never_up:
        # It was asked for a word just now.
        return unknown
    try:
        return _what_runs(colima, current, runtime)
    except (WorkstationError, ValueError):
        return "" if _can_run_nothing(colima, current) else unknown


def _can_run_nothing(colima: Colima, current: ProfileState) -> bool:
    """Whether a VM that gives no answer died under its host agent, or never came up."""
    dead = current.health == BROKEN and not colima.machine_lives(current.name)
    return dead or (current.health == SILENT and current.never_up)


def _noun(runtime: str) -> str:
    return "instance" if runtime == "incus" else "container"


def _what_runs(colima: Colima, current: ProfileState, runtime: str) -> str:
    """Return in words what runs; empty: nothing. Raises WorkstationError or ValueError when that can't be told."""
    names = _running(colima, current, runtime)
    if not names:
        work = at_work(colima, current, runtime) if runtime in _ASKED else []
        return f"a build or transfer is running in it ({', '.join(work)})" if work else ""
    each = list(dict.fromkeys(names))
    shown = ", ".join(each[:3]) + (f" and {len(each) - 3} more" if len(each) > 3 else "")
    return f"{len(names)} {_noun(runtime)}{'s run' if len(names) > 1 else ' runs'} in it ({shown})"


def _running(colima: Colima, current: ProfileState, runtime: str) -> list[str]:
    """Return the names of what runs. Raises WorkstationError or ValueError when that can't be told."""
    if runtime == "incus":
        return running_instances(colima.in_guest(current.name, "sudo", "incus", "list", "--all-projects", "--format", "json"))
    if not runtime:
        raise ValueError("not known what to ask")
    if runtime not in _ASKED:
        # A bare VM runs no containers, and its other processes tell nothing.
        return []
    try:
        return _ASKED[runtime](colima, current)
    except WorkstationError:
        # Containers outlive an engine that died; each has a process that watches over it.
        return orphans(colima.in_guest(current.name, "ps", "-e", "-o", "comm="))


def _docker(colima: Colima, current: ProfileState) -> list[str]:
    ask = partial(_ask_docker, colima, current)
    names = user_containers(ask("ps", "--format", "{{json .}}"))
    builders = [name for name in names if name.startswith(_BUILDER)]
    # A builder's container runs from its first build on, and nearly always waits; docker starts it again with itself.
    return [name for name in names if name not in builders] or [name for name in builders if _builds(ask, name)]


def _ask_docker(colima: Colima, current: ProfileState, *arguments: str) -> str:
    docker = colima.other("docker", "", DOCKER_CONTEXT=None, DOCKER_HOST=None)
    if docker.installed:
        # What fails here may be the way to the engine, not the engine.
        with contextlib.suppress(WorkstationError):
            return docker.run("-H", current.docker_socket, *arguments, timeout=_SECONDS).stdout
    return colima.in_guest(current.name, "sudo", "docker", *arguments)


def _builds(ask: Callable[..., str], container: str) -> bool:
    """Whether a builder's container builds, or may."""
    from ...buildx.running_builds import has_builds, top_from

    try:
        top = top_from(ask("top", container))
    except WorkstationError:
        return True
    return not top["Processes"] or has_builds(top)


def _containerd(colima: Colima, current: ProfileState) -> list[str]:
    found = []
    # Not `colima nerdctl`: it refuses a VM whose set-up did not finish.
    nerdctl = partial(colima.in_guest, current.name, "sudo", "nerdctl")
    for namespace in nerdctl("namespace", "ls", "--quiet").split():
        found.append(nerdctl("--namespace", namespace, "ps", "--format", "{{json .}}"))
    return user_containers("\n".join(found))


_ASKED = {"docker": _docker, "containerd": _containerd}


def orphans(processes: str) -> list[str]:
    """Return a name for each container whose watcher is among the processes. Raises ValueError for no list of processes."""
    commands = processes.split()
    if not commands:
        raise ValueError("not a list of processes")
    return ["left by an engine that died" for command in commands if command.startswith("containerd-shim")]


def user_containers(listing: str) -> list[str]:
    """Return the names of a user's containers from `ps --format '{{json .}}'` of docker or nerdctl.

    Of a pod counts the pod, once; not if it is one of Kubernetes' own.
    """
    names = []
    for line in listing.splitlines():
        if not line.startswith("{"):
            continue
        try:
            row = json.loads(line)
        except ValueError:
            continue
        labels = _labels(row.get("Labels"))
        namespace = labels.get(_NAMESPACE_LABEL, "")
        if namespace in _SYSTEM_NAMESPACES:
            continue
        name = str(row.get("Names") or row.get("ID") or "?")
        names.append(f"pod {namespace}/{labels.get(_POD_NAME_LABEL, name)}" if namespace else name)
    return list(dict.fromkeys(names))


def running_instances(listing: str) -> list[str]:
    """Return the names of what runs, from `incus list --format json`. Raises ValueError for an answer of another form."""
    rows = json.loads(listing)
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("name") and row.get("status") for row in rows):
        raise ValueError("not a list of instances")
    return [str(row["name"]) for row in rows if row["status"] not in ("Stopped", "Error")]


def _labels(value: object) -> dict[str, str]:
    """Return labels, which docker and nerdctl print as one text of pairs and newer ones as a mapping."""
    if isinstance(value, dict):
        return {str(key): str(item) for key, item in value.items()}
    return dict(pair.partition("=")[::2] for pair in str(value or "").split(","))
