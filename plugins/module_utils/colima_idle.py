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
        else:
            # incus instances and bare VMs: no way to tell user work from the rest.
            names = []
    except WorkstationError:
        return "it could not be told whether containers run in it" if current.health == RUNNING else ""
    if not names:
        return ""
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{len(names)} container{'s run' if len(names) > 1 else ' runs'} in it ({shown})"


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


def _labels(value: object) -> dict[str, str]:
    """Return labels, which docker and nerdctl print as one text of pairs and newer ones as a mapping."""
    if isinstance(value, dict):
        return {str(key): str(item) for key, item in value.items()}
    return dict(pair.partition("=")[::2] for pair in str(value or "").split(","))
