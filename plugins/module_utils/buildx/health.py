# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the engines behind builders how they are, in bounded time and all side by side, without the docker command."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from ..docker.context.model import BUILT_IN
from ..docker.engine import EngineSilent, exchange_unix, get_unix
from .kubernetes import cluster_health
from .model import Builder, Node, NodeHealth

OWN_HOST = "unix:///var/run/docker.sock"
# What every HTTP/2 client sends first, with an empty SETTINGS frame; buildkitd answers with its own at once.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


def node_health(builder: Builder, node: Node, hosts: Mapping[str, str | None], seconds: float) -> NodeHealth:
    """Return how one node is. hosts maps docker contexts to their endpoints, None for a missing context."""
    if builder.driver == "docker-container":
        return _container_health(node, hosts, seconds)
    if builder.driver == "remote":
        return _remote_health(node.endpoint, seconds)
    if builder.driver == "kubernetes":
        return cluster_health(node, os.environ, seconds)
    return NodeHealth("unknown", f"builders with driver {builder.driver} are not asked")


def all_health(
    builders: Mapping[str, Builder], hosts: Mapping[str, str | None], seconds: float
) -> dict[tuple[str, str], NodeHealth]:
    """Return how all nodes of all builders are; they are asked side by side, so dead ones cost the time only once."""
    asked = [(builder, node) for builder in builders.values() for node in builder.nodes]
    if len(asked) < 2:
        return {(builder.name, node.name): _health(builder, node, hosts, seconds) for builder, node in asked}
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=min(32, len(asked))) as pool:
        found = pool.map(lambda pair: _health(pair[0], pair[1], hosts, seconds), asked)
        return {(builder.name, node.name): health for (builder, node), health in zip(asked, found, strict=True)}


def _health(builder: Builder, node: Node, hosts: Mapping[str, str | None], seconds: float) -> NodeHealth:
    """Return how a node is, whatever its endpoint and its kubeconfig look like."""
    try:
        return node_health(builder, node, hosts, seconds)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # A builder can be the user's own, with any address and any kubeconfig. That must not stop the work on others.
        return NodeHealth("unknown", f"its endpoint '{node.endpoint}' can't be asked ({error})")


def docker_host(endpoint: str, hosts: Mapping[str, str | None]) -> str | None:
    """Return the engine's address of a node: its endpoint is a context's name, or already an address."""
    if "://" in endpoint:
        return endpoint
    return OWN_HOST if endpoint == BUILT_IN else hosts.get(endpoint)


def _container_health(node: Node, hosts: Mapping[str, str | None], seconds: float) -> NodeHealth:
    host = docker_host(node.endpoint, hosts)
    if host is None:
        return NodeHealth("gone", f"docker context '{node.endpoint}' does not exist")
    if host.startswith("unix://"):
        try:
            status, answer = get_unix(host.removeprefix("unix://"), f"/containers/buildx_buildkit_{node.name}/json", seconds)
        except EngineSilent as silent:
            return NodeHealth("unreachable", f"engine of '{node.endpoint}': {silent}")
        state = answer.get("State") if status == 200 and isinstance(answer, dict) else None
        return NodeHealth("running" if isinstance(state, dict) and state.get("Running") else "inactive")
    if host.startswith("tcp://"):
        return _connected(_address(host), seconds, host)
    return NodeHealth("unknown", f"engines behind '{host.partition(':')[0]}' endpoints are not asked")


def _remote_health(endpoint: str, seconds: float) -> NodeHealth:
    if endpoint.startswith("unix://"):
        return _greeted(endpoint.removeprefix("unix://"), seconds)
    if endpoint.startswith("tcp://"):
        return _connected(_address(endpoint), seconds, endpoint)
    return NodeHealth("unknown", f"'{endpoint.partition(':')[0]}' endpoints are not asked")


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "localhost", parts.port or 2375


def _greeted(path: str, seconds: float) -> NodeHealth:
    try:
        answer = exchange_unix(path, _GREETING, seconds, longest=1)
    except EngineSilent as silent:
        return NodeHealth("unreachable", f"buildkitd at '{path}': {silent}")
    return NodeHealth("running") if answer else NodeHealth("unreachable", f"buildkitd at '{path}': it hung up")


def _connected(address: tuple[str, int], seconds: float, shown: str) -> NodeHealth:
    try:
        with socket.create_connection(address, timeout=seconds):
            return NodeHealth("unknown", "it listens; more is not asked")
    except OSError as error:
        reason = error.strerror or str(error)
        return NodeHealth("unreachable", f"'{shown}': {reason.lower()}")
