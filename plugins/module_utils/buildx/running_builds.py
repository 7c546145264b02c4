# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether someone's build runs on a node of a builder: each is a process beside buildkitd."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ..docker.engine import EngineSilent, get_unix
from .health import docker_host
from .model import Builder, Node

# What runs in a builder's container while nothing is built.
_ALWAYS_THERE = ("buildkitd", "docker-init", "tini", "rootlesskit")


def node_is_building(builder: Builder, node: Node, hosts: Mapping[str, str | None], seconds: float) -> bool | None:
    """Whether a build runs on the node: every client and every build step is a process beside buildkitd.

    Returns None when the node can't be asked from here.
    """
    if builder.driver != "docker-container":
        # A remote buildkitd runs without its record; what runs in pods can't be seen.
        return None if builder.driver == "kubernetes" else False
    host = docker_host(node.endpoint, hosts) or ""
    if not host.startswith("unix://"):
        return None if host else False
    try:
        status, answer = get_unix(host.removeprefix("unix://"), f"/containers/buildx_buildkit_{node.name}/top", seconds)
    except EngineSilent:
        return False
    return status == 200 and isinstance(answer, dict) and has_builds(answer)


def has_builds(top: Mapping[str, Any]) -> bool:
    """Whether a container's process list holds more than buildkitd and its init. A list of another shape may hide a build."""
    titles, processes = top.get("Titles") or [], top.get("Processes") or []
    try:
        command = next((number for number, title in enumerate(titles) if title in ("CMD", "COMMAND", "ARGS")), -1)
        programs = [PurePosixPath(process[command].split()[0]).name for process in processes if process[command]]
    except (TypeError, AttributeError, LookupError):
        return True
    return any(name not in _ALWAYS_THERE for name in programs)


def top_from(text: str) -> dict[str, list[Any]]:
    """Return what `docker top` prints in the form of the engine's own answer."""
    lines = text.splitlines()
    titles = lines[0].split() if lines else []
    return {"Titles": titles, "Processes": [line.split(None, len(titles) - 1) for line in lines[1:] if line.strip()]}
