# SPDX-License-Identifier: GPL-3.0-or-later
"""What docker, nerdctl, crictl and BuildKit say of what they keep, as items. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from .model import ItemKind, ReclaimItem

KUBERNETES = "k8s.io"
_NOTHING = ("<none>:<none>", "<none>@<none>")
_STOPPED = ("exited", "created", "dead")
# Kubernetes removes its containers itself, and a builder's container has its cache.
_POD = "io.kubernetes.pod.namespace"
_BUILDER = "/buildx_buildkit_"
_SIZE = re.compile(r"([\d.]+)\s*([kKMGT]?)(i?)B$")
_POWERS = "kMGT"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def docker_items(answer: Mapping[str, Any], stopped: Mapping[str, float | None]) -> Iterable[ReclaimItem]:
    """Yield the items of an answer to /system/df. stopped: when the stopped containers stopped, by id."""
    containers = answer.get("Containers") or ()
    for container in containers:
        yield _docker_container(container, stopped.get(str(container["Id"])))
    for image in answer.get("Images") or ():
        yield _docker_image(image, frozenset(str(box["Id"]) for box in containers if box.get("ImageID") == image["Id"]))
    yield from cache_items(answer.get("BuildCache") or ())
    for volume in answer.get("Volumes") or ():
        yield _docker_volume(volume, frozenset(str(box["Id"]) for box in containers if volume["Name"] in _mounted(box)))


def _docker_container(one: Mapping[str, Any], since: float | None) -> ReclaimItem:
    name, found = str((one.get("Names") or ["?"])[0]).lstrip("/"), str(one["Id"])
    return ReclaimItem(ItemKind.CONTAINER, found, name, (found,), int(one.get("SizeRw") or 0), since=since)


def _docker_volume(one: Mapping[str, Any], users: frozenset[str]) -> ReclaimItem:
    name, size = str(one["Name"]), max(int((one.get("UsageData") or {}).get("Size") or 0), 0)
    return ReclaimItem(ItemKind.VOLUME, name, name, (name,), size, users=users)


def _docker_image(one: Mapping[str, Any], users: frozenset[str]) -> ReclaimItem:
    names = [str(name) for key in ("RepoTags", "RepoDigests") for name in one.get(key) or () if name not in _NOTHING]
    tags = [name for name in names if "@" not in name]
    # Other images keep the layers that they share with it.
    size = int(one.get("Size") or 0) - max(int(one.get("SharedSize") or 0), 0)
    found = str(one["Id"])
    short = found.removeprefix("sha256:")[:12]
    return ReclaimItem(
        ItemKind.IMAGE,
        found,
        (tags or names or [short])[0],
        tuple(tags or names or [found]),
        max(size, 0),
        dangling=not names,
        users=users,
    )


def nerdctl_items(
    space: str,
    boxes: Iterable[Mapping[str, Any]],
    images: Iterable[Mapping[str, Any]],
    volumes: Iterable[Mapping[str, Any]],
    inspected: Iterable[Mapping[str, Any]],
) -> Iterable[ReclaimItem]:
    """Yield the items of a namespace from what nerdctl prints of each as JSON."""
    known = {str(container.get("Id")): container for container in inspected}
    listed = list(boxes)
    for box in listed:
        found = str(box["ID"])
        since = stopped_at(known[found]) if found in known else None
        yield ReclaimItem(ItemKind.CONTAINER, found, str(box.get("Names") or found[:12]), (found,), namespace=space, since=since)
    for image in images:
        name = str(image.get("Name") or "")
        users = frozenset(str(box["ID"]) for box in listed if box.get("Image") == name)
        yield _nerdctl_image(space, image, name, users)
    for volume in volumes:
        name = str(volume["Name"])
        users = frozenset(found for found, box in known.items() if name in _mounted(box))
        yield ReclaimItem(
            ItemKind.VOLUME, f"{space}/{name}", name, (name,), bytes_of(str(volume.get("Size"))), space, users=users
        )


def _nerdctl_image(space: str, one: Mapping[str, Any], name: str, users: frozenset[str]) -> ReclaimItem:
    # A build without a tag is named after the snapshotter and its digest; one pulled by digest has a repository before it.
    dangling = one.get("Tag") in ("", "<none>") and "/" not in name.partition("@")[0]
    size = bytes_of(str(one.get("Size"))) + bytes_of(str(one.get("BlobSize")))
    short = str(one.get("ID") or "").removeprefix("sha256:")[:12]
    shown = short if dangling else name
    return ReclaimItem(ItemKind.IMAGE, f"{space}/{name}", shown, (name,), size, space, dangling=dangling, users=users)


def cluster_items(images: Iterable[Mapping[str, Any]], boxes: Iterable[Mapping[str, Any]]) -> Iterable[ReclaimItem]:
    """Yield the images of Kubernetes that have no name any more, from crictl's lists; the rest the kubelet looks after."""
    used = {
        str(name) for box in boxes for name in (box.get("imageRef"), box.get("imageId"), (box.get("image") or {}).get("image"))
    }
    for image in images:
        found = str(image["id"])
        if not (image.get("repoTags") or image.get("repoDigests") or image.get("pinned") or found in used):
            short = found.removeprefix("sha256:")[:12]
            size = int(image.get("size") or 0)
            yield ReclaimItem(ItemKind.IMAGE, f"{KUBERNETES}/{found}", short, (found,), size, KUBERNETES, dangling=True)


def bytes_of(text: str) -> int:
    """Return the bytes of a size as nerdctl prints it, such as 23.99MB or 4.1 KiB; 0 for none."""
    found = _SIZE.match(text.strip())
    if not found:
        return 0
    power = _POWERS.index(found[2].replace("K", "k")) + 1 if found[2] else 0
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


def cache_items(records: Iterable[Mapping[str, Any]], builder: str = "") -> Iterable[ReclaimItem]:
    """Yield the build cache from BuildKit's records; docker writes their keys with capitals, and buildctl without.

    builder: the container of the builder that has it, where it is not the engine's own.
    """
    listed = [{key.lower(): value for key, value in record.items()} for record in records]
    children = _children(listed)
    for record in listed:
        found = str(record["id"])
        used = None if record.get("inuse") else seconds_of(str(record.get("lastusedat") or record.get("createdat") or ""))
        # What an image shares with it stays with that image.
        size = 0 if record.get("shared") else int(record.get("size") or 0)
        name = str(record.get("description") or found)
        yield ReclaimItem(ItemKind.CACHE, found, name, (), size, builder, since=used, children=frozenset(children.get(found, ())))


def _children(records: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return the records that were built upon each, by its id."""
    children: dict[str, set[str]] = {}
    for record in records:
        for parent in record.get("parents") or ([record["parent"]] if record.get("parent") else []):
            children.setdefault(str(parent), set()).add(str(record["id"]))
    return children


def _mounted(container: Mapping[str, Any]) -> set[str]:
    return {str(mount.get("Name")) for mount in container.get("Mounts") or () if mount.get("Type") == "volume"}


def builders(answer: Mapping[str, Any]) -> list[str]:
    """Return the containers of builders that run, from an answer to /system/df."""
    running = [container for container in answer.get("Containers") or () if container.get("State") == "running"]
    names = (str(name) for container in running for name in container.get("Names") or ())
    return [name.lstrip("/") for name in names if name.startswith(_BUILDER)]


def may_go(container: Mapping[str, Any]) -> bool:
    """Whether a container of docker's list does not run, and is the user's alone to remove."""
    names = container.get("Names") or ()
    kept = _POD in (container.get("Labels") or {}) or any(str(name).startswith(_BUILDER) for name in names)
    return container.get("State") in _STOPPED and not kept


def stopped_at(inspected: Mapping[str, Any]) -> float | None:
    """Return when a container stopped, from an inspection by docker or nerdctl; or when it was made, if it never ran."""
    state = inspected.get("State") or {}
    if state.get("Running") or state.get("Status") not in _STOPPED:
        return None
    finished = seconds_of(str(state.get("FinishedAt") or ""))
    created = seconds_of(str(inspected.get("Created") or ""))
    return finished if finished and finished > 0 else created


def seconds_of(text: str) -> float | None:
    """Return the seconds since the epoch of a time as Go writes it, with up to nine digits of a second; None for no time."""
    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$", text)
    if not found:
        return None
    moment = datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00"))
    return (moment - _EPOCH).total_seconds()
