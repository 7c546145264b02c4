# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody's work runs in a VM: user containers and pods, without what Kubernetes itself needs."""

from __future__ import annotations

import json

from .colima import Colima
from .colima_state import RUNNING, Current
from .errors import WorkstationError

_SYSTEM_NAMESPACES = ("kube-system",)
_NAMESPACE_LABEL = "io.kubernetes.pod.namespace"
_POD_NAME_LABEL = "io.kubernetes.pod.name"
_SECONDS = 20.0


def busy(colima: Colima, current: Current) -> str:
    """Return what runs in a profile, as a reason not to stop it; empty when it is idle.

    A VM that can't answer because it is broken is idle: nobody gets work done in it.
    """
    runtime = str((current.applied or current.configured or {}).get("runtime") or "")
    try:
        if runtime == "docker":
            names = user_containers(_docker(colima, current))
        elif runtime == "containerd":
            names = user_containers(_containerd(colima, current))
        elif runtime == "incus":
            names = running_instances(_incus(colima, current))
        else:
            # A bare VM runs no containers, and whose its other processes are nobody can tell.
            names = []
    except (WorkstationError, ValueError):
        return f"it could not be told whether {_noun(runtime)}s run in it" if current.health == RUNNING else ""
    if not names:
        return ""
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{len(names)} {_noun(runtime)}{'s run' if len(names) > 1 else ' runs'} in it ({shown})"


def _noun(runtime: str) -> str:
    return "instance" if runtime == "incus" else "container"


def _docker(colima: Colima, current: Current) -> str:
    docker = colima.other("docker", "", DOCKER_CONTEXT=None, DOCKER_HOST=None)
    arguments = ("ps", "--format", "{{json .}}")
    if docker.installed:
        return docker.run("-H", current.docker_socket, *arguments, timeout=_SECONDS).stdout
    return colima.in_guest(current.name, "sudo", "docker", *arguments)


def _containerd(colima: Colima, current: Current) -> str:
    found = []
    for namespace in colima.nerdctl(current.name, "namespace", "ls", "--quiet").split():
        found.append(colima.nerdctl(current.name, "--namespace", namespace, "ps", "--format", "{{json .}}"))
    return "\n".join(found)


def _incus(colima: Colima, current: Current) -> str:
    return colima.in_guest(current.name, "sudo", "incus", "list", "--all-projects", "--format", "json")


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
