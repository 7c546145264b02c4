# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a builder as they are now: what their engine says, how they boot and how they go."""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

from ..config import Client
from ..flags import Exit
from ..http import Engine
from . import platforms

BUILDKIT = "v0.25.2"
IMAGE = "moby/buildkit:buildx-stable-1"
CONTAINER = "buildx_buildkit_"
SCHEMES = ("docker-container", "kube-pod", "npipe", "ssh", "tcp", "unix")
OPTIONS = {
    *("network", "image", "memory", "memory-swap", "cpu-period", "cpu-quota", "cpu-shares", "cpuset-cpus", "cpuset-mems"),
    *("cgroup-parent", "restart-policy", "default-load", "provenance-add-gha", "allow-untrusted-image"),
}
# What a colima machine offers with its default settings: its own architecture, and the others by binfmt.
OFFERED = {
    "arm64": "linux/arm64,linux/amd64,linux/amd64/v2,linux/riscv64,linux/ppc64le,linux/s390x,linux/386,linux/arm/v7",
    "amd64": "linux/amd64,linux/amd64/v2,linux/amd64/v3,linux/386,linux/arm64,linux/riscv64,linux/s390x,linux/arm/v7",
}
ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64"}


class Failure(Exception):
    """A node's engine does not answer; the text is the Go client's."""


class Node:
    """One node with its present state; error says why there is none."""

    def __init__(self, stored: dict[str, Any], driver: str) -> None:
        self.stored = stored
        self.driver = driver
        self.status = ""
        self.version = ""
        self.error = ""
        self.ids: list[str] = []
        self.platforms: list[platforms.Platform] = list(stored.get("Platforms") or [])

    @property
    def container(self) -> str:
        return f"{CONTAINER}{self.stored['Name']}"

    def as_json(self) -> dict[str, Any]:
        """Return what `buildx ls --format json` shows."""
        fields = {
            "Flags": self.stored.get("Flags"),
            "DriverOpts": self.stored.get("DriverOpts"),
            "Files": self.stored.get("Files"),
            "Status": "error" if self.error else self.status,
            "Version": self.version,
            "Err": self.error,
            "IDs": self.ids,
            "Platforms": [platforms.key(item) for item in self.platforms],
        }
        shown = {key: value for key, value in fields.items() if value}
        return {"Name": self.stored["Name"], "Endpoint": self.stored["Endpoint"], **shown}


def engine_of(client: Client, endpoint: str) -> Engine:
    """Return the engine of an endpoint: a context's name, else an address. Raises Failure for a context that is gone."""
    if endpoint == "default" or client.store.exists(endpoint):
        return Engine(client.endpoint(endpoint), client.store.read_tls(endpoint))
    if "://" not in endpoint:
        raise Failure(f"unable to parse docker host `{endpoint}`")
    return Engine(endpoint)


def ask(engine: Engine, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Return an engine's answer. Raises Failure when it does not answer."""
    try:
        with_connection = engine._connect()
        with_connection.close()
        status, content = engine.send(method, path, body)
    except Exit as error:
        raise Failure(error.text.strip()) from error
    except socket.gaierror as error:
        host = engine.address.removeprefix("tcp://").rsplit(":", 1)[0]
        raise Failure(f"failed to connect to the docker API at {engine.address}: lookup {host}: no such host") from error
    except OSError as error:
        raise Failure(_unreachable(engine.address, error)) from error
    return status, json.loads(content) if content.strip().startswith((b"{", b"[")) else None


def _unreachable(address: str, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"permission denied while trying to connect to the docker API at {address}"
    if not isinstance(error, FileNotFoundError):
        return f"Cannot connect to the Docker daemon at {address}. Is the docker daemon running?"
    reason = f"dial unix {address.removeprefix('unix://')}: connect: no such file or directory"
    return (
        f"failed to connect to the docker API at {address}; check if the path is correct and if the daemon is running: {reason}"
    )


def load(client: Client, stored: dict[str, Any], driver: str) -> Node:
    """Return a node with its state."""
    node = Node(stored, driver)
    try:
        if driver == "docker":
            _running(node, engine_of(client, stored["Endpoint"]))
            node.ids = ["moby"]
        elif driver == "docker-container":
            _check_options(stored)
            _container(node, engine_of(client, stored["Endpoint"]))
        else:
            node.status = "running" if _reachable(stored["Endpoint"]) else "inactive"
            node.version = BUILDKIT if node.status == "running" else ""
    except Failure as failure:
        node.error = str(failure)
    return node


def _check_options(stored: dict[str, Any]) -> None:
    for name in stored.get("DriverOpts") or {}:
        if name not in OPTIONS and not name.startswith("env."):
            raise Failure(f"invalid driver option {name} for docker-container driver")


def _reachable(endpoint: str) -> bool:
    engine = Engine(endpoint)
    try:
        engine._connect().close()
    except OSError:
        return False
    return True


def _container(node: Node, engine: Engine) -> None:
    status, found = ask(engine, "GET", f"/containers/{node.container}/json")
    if status == 404:
        node.status = "inactive"
    elif found["State"]["Running"]:
        _running(node, engine)
        node.ids = [found["Id"][:25]]
    else:
        node.status = "stopped"


def _running(node: Node, engine: Engine) -> None:
    _, info = ask(engine, "GET", "/info")
    node.status, node.version = "running", BUILDKIT
    architecture = ARCHITECTURES.get(info["Architecture"], info["Architecture"])
    offered = os.environ.get("REHEARSAL_PLATFORMS") or OFFERED.get(architecture, f"linux/{architecture}")
    node.platforms += platforms.parse([offered]) or []


def boot(client: Client, nodes: list[Node]) -> bool:
    """Start what does not run; returns whether there was anything to start. Raises Exit."""
    waiting = [node for node in nodes if not node.error and node.status != "running"]
    for number, node in enumerate(waiting, 1):
        if node.driver != "docker-container":
            reason = "failed to list workers: Unavailable: connection error: desc = connection refused"
            raise Exit(f"#{number} [internal] waiting for connection\n#{number} ERROR: {reason}\nERROR: {reason}\n")
        _boot(client, number, node)
    return bool(waiting)


def _boot(client: Client, number: int, node: Node) -> None:
    engine = engine_of(client, node.stored["Endpoint"])
    options = node.stored.get("DriverOpts") or {}
    image = options.get("image") or IMAGE
    out = sys.stderr.write
    out(f"#{number} [internal] booting buildkit\n")
    if node.status == "inactive":
        out(f"#{number} pulling image {image} 0.1s done\n#{number} creating container {node.container} 0.1s done\n")
        mount = {"Type": "volume", "Source": f"{node.container}_state", "Target": "/var/lib/buildkit"}
        body = {"Image": image, "Cmd": node.stored.get("Flags") or [], "HostConfig": {"Privileged": True, "Mounts": [mount]}}
        status, answer = ask(engine, "POST", f"/containers/create?name={node.container}", body)
        if status >= 400:
            reason = f"Error response from daemon: {answer['message']}"
            out(f"#{number} ERROR: {reason}\n------\n > [internal] booting buildkit:\n------\n")
            raise Exit(f"ERROR: {reason}\n")
    ask(engine, "POST", f"/containers/{node.container}/start")
    out(f"#{number} DONE 0.2s\n")


def stop(client: Client, node: Node) -> None:
    """Stop a node's daemon, if buildx started it. Raises Failure."""
    if node.driver == "docker-container":
        ask(engine_of(client, node.stored["Endpoint"]), "POST", f"/containers/{node.container}/stop")


def remove(client: Client, node: Node, keep_state: bool) -> list[str]:
    """Remove a node's daemon and its cache; returns what went wrong."""
    if node.driver != "docker-container":
        return []
    name = node.stored["Name"]
    try:
        engine = engine_of(client, node.stored["Endpoint"])
    except Failure as failure:
        return [f"failed to load node {name}: {failure}"]
    errors = []
    for verb, path in (("stop", ""), ("remove", "?force=1")):
        try:
            if verb == "stop":
                ask(engine, "POST", f"/containers/{node.container}/stop")
            else:
                ask(engine, "DELETE", f"/containers/{node.container}{path}")
                if not keep_state:
                    ask(engine, "DELETE", f"/volumes/{node.container}_state")
        except Failure as failure:
            errors.append(f"failed to {verb} node {name}: {failure}")
    return errors
