# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads all objects of one cluster, and creates them in another one. What is there already, it leaves as it is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...colima.client.programs import Colima
from ...colima_paths import Name
from ...core.errors import CommandFailed, WorkstationError
from ...kube.access import Access, access_of, read_access
from ...kube.answers import ApiError
from ...kube.entry import Entry
from ...kube.kubeconfig import entry_from_k3s
from ...kube.objects import MANAGER, Kube, why_refused
from .objects import DERIVED_GROUPS, WORKLOADS, called, is_ready, key_of

# The API server learns of a new kind of object, and of a namespace's account, a moment after it has the definition.
_ATTEMPTS, _PAUSE_SECONDS = 60, 0.5
_POLL_SECONDS = 1.0
_NOT_FOUND = 404


class Cluster:
    """One API server."""

    def __init__(self, access: Access) -> None:
        from ...kube.client import KubeHttp

        self.http = KubeHttp(access)
        self.kube = Kube(self.http)
        self.kinds: dict[tuple[str, str], tuple[str, bool]] = {}

    def close(self) -> None:
        """Close every connection."""
        self.http.close()

    def items(self) -> list[dict[str, Any]]:
        """Return all objects of all kinds that a person can create."""
        return [
            {**item, "apiVersion": version, "kind": kind}
            for version, kind, path in list(self._lists())
            for item in self.kube.list_objects(path)
        ]

    def pods(self) -> list[dict[str, Any]]:
        """Return all pods."""
        return [{**one, "apiVersion": "v1", "kind": "Pod"} for one in self.kube.list_objects("/api/v1/pods")]

    def keys(self, wanted: Iterable[Mapping[str, Any]]) -> frozenset[str]:
        """Return the keys of all objects of the kinds that are wanted."""
        kinds = {(_group(str(item["apiVersion"])), str(item["kind"])) for item in wanted}
        return frozenset(
            key_of({"apiVersion": version, "kind": kind, "metadata": meta})
            for version, kind, path in list(self._lists())
            if (_group(version), kind) in kinds
            for meta in self.kube.list_metadata(path)
        )

    def _lists(self) -> Iterator[tuple[str, str, str]]:
        """Yield the kinds that can be listed and created: version, kind, and the path of their list."""
        groups = [one for one in self.http.json("GET", "/apis").get("groups") or () if one["name"] not in DERIVED_GROUPS]
        for version in ("v1", *(str(one["preferredVersion"]["groupVersion"]) for one in groups)):
            yield from self._lists_of(version)

    def _lists_of(self, version: str) -> Iterator[tuple[str, str, str]]:
        for one in self.http.json("GET", _base(version)).get("resources") or ():
            if "/" not in one["name"] and {"list", "create"} <= set(one.get("verbs") or ()):
                self.kinds[version, one["kind"]] = str(one["name"]), bool(one["namespaced"])
                yield version, str(one["kind"]), f"{_base(version)}/{one['name']}"

    def create(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Create objects. One that is there already stays; an account gets the names of its pull secrets."""
        for item in items:
            try:
                self._create(item)
            except ApiError as error:
                raise WorkstationError(f"create {called(item)}", why_refused(error, "create it").rstrip(".")) from error

    def _create(self, item: Mapping[str, Any]) -> None:
        for attempt in range(_ATTEMPTS):
            resource = self._path_of(item)
            try:
                if resource:
                    self.http.json("POST", f"{resource}?fieldManager={MANAGER}", item)
                    return
            except ApiError as error:
                if error.reason == "AlreadyExists":
                    self._complete(item, resource)
                    return
                # A pod is refused until its account is there.
                early = error.status == _NOT_FOUND or "serviceaccount" in error.text
                if not early or attempt == _ATTEMPTS - 1:
                    raise
            time.sleep(_PAUSE_SECONDS)
        reason = f"the new cluster does not know its kind ({item['apiVersion']})"
        raise CommandFailed(f"create {called(item)}", reason, "Install what defines it, and run again.")

    def _complete(self, item: Mapping[str, Any], resource: str) -> None:
        path, there, more = self._pull_secrets(item, resource)
        if more:
            self.kube.merge_patch(path, {"imagePullSecrets": [*there, *more]})

    def _pull_secrets(self, item: Mapping[str, Any], resource: str) -> tuple[str, list[Any], list[Any]]:
        """Return the path of an account, the names of pull secrets that it has, and those it lacks."""
        wanted = (item.get("imagePullSecrets") or []) if item["kind"] == "ServiceAccount" else []
        path = f"{resource}/{quote(item['metadata']['name'], safe='')}"
        there = (self.kube.read(path) or {}).get("imagePullSecrets") or [] if wanted else []
        return path, there, [one for one in wanted if one not in there]

    def incomplete(self, items: Iterable[Mapping[str, Any]]) -> frozenset[str]:
        """Return the keys of accounts that are there and lack the name of a pull secret."""
        accounts = (one for one in items if one.get("imagePullSecrets"))
        return frozenset(key_of(one) for one in accounts if self._pull_secrets(one, self._path_of(one))[2])

    def _path_of(self, item: Mapping[str, Any]) -> str:
        """Return the path under which objects of a kind are; empty for a kind that the cluster does not know yet."""
        kind = str(item["apiVersion"]), str(item["kind"])
        if not self.knows(*kind):
            return ""
        resource, namespaced = self.kinds[kind]
        where = f"/namespaces/{quote(item['metadata'].get('namespace', 'default'), safe='')}" if namespaced else ""
        return f"{_base(kind[0])}{where}/{resource}"

    def knows(self, version: str, kind: str) -> bool:
        """Whether the cluster serves a kind in this version, which need not be its preferred one."""
        if (version, kind) not in self.kinds:
            list(self._lists())
        if (version, kind) not in self.kinds:
            try:
                list(self._lists_of(version))
            except ApiError as error:
                if error.status != _NOT_FOUND:
                    raise
        return (version, kind) in self.kinds

    def waiting(self, wanted: Iterable[str], seconds: float, say: Callable[[str], object]) -> tuple[str, ...]:
        """Return which of these workloads are not ready, waiting for them no longer than this."""
        names, end = frozenset(wanted), time.monotonic() + seconds
        while True:
            there = {called(one): is_ready(one) for one in self._workloads()} if names else {}
            left = tuple(sorted(name for name in names if not there.get(name)))
            if not left or time.monotonic() >= end:
                return left
            say(f"waiting for {left[0]}" + (f" and {len(left) - 1} more" if len(left) > 1 else ""))
            time.sleep(_POLL_SECONDS)

    def _workloads(self) -> Iterator[dict[str, Any]]:
        for _version, kind, path in list(self._lists_of("apps/v1")):
            if kind in WORKLOADS:
                for item in self.kube.list_objects(path):
                    yield {**item, "kind": kind}


def _group(version: str) -> str:
    return version.rpartition("/")[0]


def _base(version: str) -> str:
    return f"/api/{version}" if "/" not in version else f"/apis/{version}"


@contextlib.contextmanager
def cluster_of(colima: Colima, name: Name) -> Iterator[Cluster]:
    """Talk with the cluster in a VM, as k3s itself tells how to reach it."""
    entry = entry_from_k3s(colima.kubeconfig(name))
    with _asked(access_of(Entry(name.id, entry["cluster"], entry["user"])), f"the cluster of profile '{name}'") as cluster:
        yield cluster


@contextlib.contextmanager
def cluster_behind(context: str, paths: Sequence[Path]) -> Iterator[Cluster]:
    """Talk with the cluster of a kube context. paths: the user's kubeconfigs."""
    with _asked(read_access(context, paths), f"the cluster of kube context '{context}'") as cluster:
        yield cluster


@contextlib.contextmanager
def _asked(access: Access, called: str) -> Iterator[Cluster]:
    cluster = Cluster(access)
    try:
        yield cluster
    except ApiError as error:
        raise WorkstationError(f"ask {called}", why_refused(error, "read it").rstrip(".")) from error
    finally:
        cluster.close()
