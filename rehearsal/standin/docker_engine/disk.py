# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in engine's answers to who asks what it keeps, and removes images and build cache."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any

from .state import State, filters_of

_SECONDS = {"s": 1, "m": 60, "h": 3600}


def list_images(state: State, query: dict[str, str], _body: Any) -> tuple[int, Any]:
    """`docker image ls`."""
    wanted = filters_of(query).get("reference")
    found = state.images()
    if wanted:
        found = [item for item in found if any(_reference(tag, want) for tag in item["RepoTags"] for want in wanted)]
    return 200, found


def usage(state: State, _query: dict[str, str], _body: Any) -> tuple[int, Any]:
    """`docker system df`; no image shares anything with another one."""
    containers = state.containers()
    images = [{**one, "SharedSize": 0, "Containers": len(_users(state, one["Id"]))} for one in state.images()]
    mounted = [mount.get("Name") for one in containers for mount in one["Mounts"]]
    volumes = [
        {**one, "UsageData": {"RefCount": mounted.count(one["Name"]), "Size": one.get("Size", 0)}}
        for one in state.load("volumes")
    ]
    return 200, {
        "LayersSize": sum(one["Size"] for one in images),
        "Images": images,
        "Containers": containers,
        "Volumes": volumes,
        "BuildCache": state.load("build-cache"),
    }


def remove_image(state: State, _query: dict[str, str], _body: Any, name: str) -> tuple[int, Any]:
    """Take away a tag, and with the last one the image."""
    images = state.images()
    found = next((one for one in images if name in (one["Id"], *one["RepoTags"])), None)
    if found is None:
        return 404, {"message": f"No such image: {name}"}
    left = [tag for tag in found["RepoTags"] if tag != name]
    if name in found["RepoTags"] and left:
        state.save("images", [{**one, "RepoTags": left} if one is found else one for one in images])
        return 200, [{"Untagged": name}]
    if users := _users(state, found["Id"]):
        using = f"container {users[0]['Id'][:12]} is using its referenced image {found['Id'].removeprefix('sha256:')[:12]}"
        return 409, {"message": f'conflict: unable to remove repository reference "{name}" (must force) - {using}'}
    state.save("images", [one for one in images if one is not found])
    return 200, [*({"Untagged": tag} for tag in found["RepoTags"]), {"Deleted": found["Id"]}]


def prune_cache(state: State, query: dict[str, str], _body: Any) -> tuple[int, Any]:
    """Remove cache that is not in use, with a filter only what was last used before so long."""
    until = (filters_of(query).get("until") or [""])[0]
    age = sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)([smh])", until))
    unused = [one for one in state.load("build-cache") if not one["InUse"]]
    gone = [one for one in unused if not until or time.time() - _last_use(one) >= age]
    state.save("build-cache", [one for one in state.load("build-cache") if one not in gone])
    return 200, {"CachesDeleted": [one["ID"] for one in gone] or None, "SpaceReclaimed": sum(one["Size"] for one in gone)}


def _last_use(record: dict[str, Any]) -> float:
    return datetime.fromisoformat(record["LastUsedAt"]).timestamp()


def _users(state: State, image: str) -> list[dict[str, Any]]:
    return [one for one in state.containers() if one["ImageID"] == image]


def _reference(tag: str, wanted: str) -> bool:
    return tag == wanted or tag.rpartition(":")[0] == wanted
