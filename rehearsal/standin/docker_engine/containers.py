# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in engine's containers: they are records, and their states change as they are told."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from . import volumes
from .state import Refusal, State, filters_of


def list_all(state: State, query: dict[str, str], _body: Any) -> tuple[int, Any]:
    everything = query.get("all", "0") in ("1", "true") or "status" in query.get("filters", "")
    filters = filters_of(query)
    found = [item for item in state.containers() if everything or item["State"] == "running"]
    return 200, [item for item in found if _matches(item, filters)]


def inspect(state: State, _query: dict[str, str], _body: Any, name: str) -> tuple[int, Any]:
    item = find(state, name)
    path, *args = (item["Command"] or "").split() or [""]
    running = item["State"] == "running"
    return 200, {
        "Id": item["Id"],
        "Created": time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(item["Created"])),
        "Path": path,
        "Args": args,
        "State": {
            "Status": item["State"],
            "Running": running,
            "Paused": False,
            "Pid": 4242 if running else 0,
            "ExitCode": 0,
            "FinishedAt": item.get("FinishedAt", "0001-01-01T00:00:00Z"),
        },
        "Image": item["ImageID"],
        "Name": item["Names"][0],
        "Mounts": item["Mounts"],
        "Config": {"Image": item["Image"], "Labels": item["Labels"], "Cmd": [path, *args]},
        "NetworkSettings": item["NetworkSettings"],
    }


def find(state: State, name: str) -> dict[str, Any]:
    for item in state.containers():
        if f"/{name}" in item["Names"] or item["Id"].startswith(name):
            return item
    raise Refusal(404, f"No such container: {name}")


def create(state: State, query: dict[str, str], body: Any, *_parts: str) -> tuple[int, Any]:
    name = query.get("name") or secrets.token_hex(4)
    for item in state.containers():
        if f"/{name}" in item["Names"]:
            raise Refusal(
                409,
                f'Conflict. The container name "/{name}" is already in use by container "{item["Id"]}". '
                "You have to remove (or rename) that container to be able to reuse that name.",
            )
    command = [*(body.get("Entrypoint") or []), *(body.get("Cmd") or [])]
    mounts = [volumes.mounted(state, mount) for mount in (body.get("HostConfig") or {}).get("Mounts") or []]
    container = {
        "Id": secrets.token_hex(32),
        "Names": [f"/{name}"],
        "Image": body.get("Image", ""),
        "Command": " ".join(command),
        "Created": int(time.time()),
        "Labels": body.get("Labels") or {},
        "Mounts": mounts,
        "State": "created",
    }
    state.save("containers", [*state.load("containers"), container])
    return 201, {"Id": container["Id"], "Warnings": []}


def set_state(state: State, _query: dict[str, str], _body: Any, name: str, verb: str) -> tuple[int, Any]:
    found = find(state, name)
    wanted = {"start": "running", "restart": "running", "unpause": "running", "pause": "paused"}.get(verb, "exited")
    if found["State"] == wanted and verb != "restart":
        return 304, None
    if wanted == "running" and (place := volumes.missing(state, found["Mounts"])):
        reason = f"lstat {place}: no such file or directory"
        raise Refusal(500, f'error evaluating symlinks from mount source "{place}": {reason}')
    containers = [
        {**{key: value for key, value in item.items() if key != "Status"}, "State": wanted} if item["Id"] == found["Id"] else item
        for item in state.containers()
    ]
    state.save("containers", containers)
    return 204, None


def remove(state: State, query: dict[str, str], _body: Any, name: str) -> tuple[int, Any]:
    found = find(state, name)
    if found["State"] == "running" and query.get("force") not in ("1", "true"):
        message = "container is running: stop the container before removing or force remove"
        raise Refusal(409, f'cannot remove container "{found["Names"][0]}": {message}')
    state.save("containers", [item for item in state.containers() if item["Id"] != found["Id"]])
    if query.get("v") in ("1", "true"):
        names = [mount.get("Name") for mount in found["Mounts"]]
        state.save("volumes", [item for item in state.load("volumes") if item["Name"] not in names])
    return 204, None


def _matches(item: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    tests: dict[str, Callable[[str], bool]] = {
        "name": lambda want: any(re.search(want, name) for name in item["Names"]),
        "id": item["Id"].startswith,
        "status": lambda want: item["State"] == want,
        "label": lambda want: want in item["Labels"] or want in [f"{k}={v}" for k, v in item["Labels"].items()],
    }
    # Several labels must all hold; of the other filters any one value is enough.
    return all(
        (all if key == "label" else any)(tests[key](want) for want in values) for key, values in filters.items() if key in tests
    )
