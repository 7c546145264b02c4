# SPDX-License-Identifier: GPL-3.0-or-later
"""What the objects of two clusters say of them: the old one's of what is moved, the new one's of its place there. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...kube.objects import MANAGER
from ..model import Container
from ..move.objects import called, key_of, objects_of
from .belonging import outside, users
from .fitting import exposed
from .model import STORAGE, Source, Target
from .usage import pods_of

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_HOSTNAME = "kubernetes.io/hostname"


def source_of(items: Sequence[Mapping[str, Any]], namespaces: Sequence[str], mounted: Sequence[str], *, secrets: bool) -> Source:
    """Return what is moved. mounted: directories of the laptop that the new VM shares."""
    mine = users(items)
    return Source(_uid(items), objects_of(mine, namespaces, mounted, secrets=secrets), pods_of(items), outside(mine))


def located(source: Source, items: Iterable[Mapping[str, Any]], containers: Iterable[Container]) -> Source:
    """Return the source with the directories of volumes as the engine's machine has them: a node may be a container itself."""
    nodes = {str(one["metadata"]["name"]) for one in items if one["kind"] == "Node"}
    mounts = [(f"{inside}/", f"{there}/") for one in containers if one.name in nodes for inside, there in one.mounts.items()]
    # The innermost one counts.
    mounts.sort(key=lambda one: len(one[0]), reverse=True)

    def path_of(path: str) -> str:
        return next((there + path.removeprefix(inside) for inside, there in mounts if path.startswith(inside)), path)

    claims = tuple(replace(one, path=path_of(one.path)) for one in source.objects.claims)
    return replace(source, objects=replace(source.objects, claims=claims))


def target_of(items: Sequence[Mapping[str, Any]], kinds: Iterable[tuple[str, str]]) -> Target:
    """Return what the new cluster is like. kinds: which it serves."""
    classes = [one for one in items if one["kind"] == "StorageClass"]
    chosen = next((one for one in classes if _notes(one).get(_DEFAULT_CLASS) == "true"), None)
    services = [one for one in items if one["kind"] == "Service"]
    return Target(
        _uid(items),
        frozenset(map(key_of, items)),
        frozenset(key_of(one) for one in items if _is_ours(one)),
        frozenset(kinds),
        next((_node(one) for one in items if one["kind"] == "Node"), ""),
        _storage(items),
        frozenset(str(one["metadata"]["name"]) for one in classes),
        str(chosen["metadata"]["name"]) if chosen else "",
        str(chosen.get("provisioner", "")) if chosen else "",
        {one["nodePort"]: _name(item) for item in services for one in item["spec"].get("ports") or () if one.get("nodePort")},
        {port: _name(item) for item in services for port in exposed(item)},
        pods_of(items),
    )


def _uid(items: Iterable[Mapping[str, Any]]) -> str:
    """Return what tells a cluster from all others."""
    return next((str(one["metadata"].get("uid", "")) for one in items if called(one) == "Namespace kube-system"), "")


def _notes(item: Mapping[str, Any]) -> Mapping[str, str]:
    return item["metadata"].get("annotations") or {}


def _name(item: Mapping[str, Any]) -> str:
    return called(item).partition(" ")[2]


def _node(item: Mapping[str, Any]) -> str:
    return str((item["metadata"].get("labels") or {}).get(_HOSTNAME) or item["metadata"]["name"])


def _is_ours(item: Mapping[str, Any]) -> bool:
    return any(one.get("manager") == MANAGER for one in item["metadata"].get("managedFields") or ())


def _storage(items: Iterable[Mapping[str, Any]]) -> str:
    """Return the directory in which the new cluster's own volumes are, by its provisioner's settings."""
    for one in items:
        if called(one) != "ConfigMap kube-system/local-path-config":
            continue
        try:
            return str(json.loads(one["data"]["config.json"])["nodePathMap"][0]["paths"][0]).rstrip("/")
        except (ValueError, LookupError, TypeError):
            break
    return STORAGE
