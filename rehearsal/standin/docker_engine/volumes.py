# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in engine's volumes: names, labels, and plain files with their texts; no owners, modes or times."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

from .state import State

ROOT = "/var/lib/docker/volumes"
_INSIDE = ("Files", "Aside")


def list_all(state: State, _query: dict[str, str], _body: Any) -> tuple[int, Any]:
    """`docker volume ls`."""
    return 200, {"Volumes": [_shown(one) for one in state.load("volumes")], "Warnings": None}


def inspect(state: State, _query: dict[str, str], _body: Any, name: str) -> tuple[int, Any]:
    """`docker volume inspect`."""
    found = next((one for one in state.load("volumes") if one["Name"] == name), None)
    return (200, _shown(found)) if found else (404, {"message": f"get {name}: no such volume"})


def create(state: State, _query: dict[str, str], body: Any) -> tuple[int, Any]:
    """`docker volume create`; an existing volume stays as it is."""
    name = body.get("Name") or secrets.token_hex(32)
    volume = {
        "CreatedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(state.now())),
        "Name": name,
        "Driver": "local",
        "Labels": body.get("Labels"),
        "Mountpoint": f"{ROOT}/{name}/_data",
        "Options": body.get("DriverOpts") or None,
        "Scope": "local",
        _INSIDE[0]: {},
    }
    volumes = state.load("volumes")
    if there := next((one for one in volumes if one["Name"] == name), None):
        return 201, _shown(there)
    state.save("volumes", [*volumes, volume])
    return 201, _shown(volume)


def remove(state: State, _query: dict[str, str], _body: Any, name: str) -> tuple[int, Any]:
    """`docker volume rm`."""
    volumes = state.load("volumes")
    if all(one["Name"] != name for one in volumes):
        return 404, {"message": f"get {name}: no such volume"}
    if users := [one["Id"] for one in state.containers() if any(mount.get("Name") == name for mount in one["Mounts"])]:
        return 409, {"message": f"remove {name}: volume is in use - [{', '.join(users)}]"}
    state.save("volumes", [one for one in volumes if one["Name"] != name])
    return 204, None


def mounted(state: State, mount: Mapping[str, Any]) -> dict[str, Any]:
    """Return a container's mount; a volume that is not there is made for it."""
    what = {"Type": mount["Type"], "Destination": mount["Target"], "RW": not mount.get("ReadOnly")}
    if mount["Type"] != "volume":
        return {**what, "Source": mount["Source"]}
    made = {"Name": mount["Source"], "Labels": (mount.get("VolumeOptions") or {}).get("Labels")}
    _status, volume = create(state, {}, made)
    return {**what, "Name": volume["Name"], "Source": volume["Mountpoint"], "Driver": "local"}


def missing(state: State, mounts: Iterable[Mapping[str, Any]]) -> str:
    """Return the first of the mounted volumes' directories that was moved away; empty where all are there."""
    gone = {one["Mountpoint"] for one in state.load("volumes") if one.get(_INSIDE[0], {}) is None}
    return next((str(mount["Source"]) for mount in mounts if mount.get("Name") and mount["Source"] in gone), "")


def _shown(volume: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in volume.items() if key not in _INSIDE}
