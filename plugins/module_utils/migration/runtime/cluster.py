# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads all objects of the cluster in a VM, and creates them in another one. What is there already, it leaves as it is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ...colima.client.programs import Colima
from ...colima_paths import Name
from ...core.errors import CommandFailed, WorkstationError
from ...kube.access import access_of
from ...kube.answers import ApiError
from ...kube.entry import Entry
from ...kube.kubeconfig import entry_from_k3s
from ...kube.objects import MANAGER, Kube, why_refused
from .objects import DERIVED_GROUPS, WORKLOADS, called, is_ready, key_of

# The API server learns of a new kind of object, and of a namespace's account, a moment after it has the definition.
_ATTEMPTS, _PAUSE_SECONDS = 60, 0.5
_POLL_SECONDS = 1.0


class Cluster:
    """The API server in one VM, reached as k3s itself tells it."""

    def __init__(self, colima: Colima, name: Name) -> None:
        from ...kube.client import KubeHttp

        entry = entry_from_k3s(colima.kubeconfig(name))
        self.http = KubeHttp(access_of(Entry(name.id, entry["cluster"], entry["user"])))
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

    def keys(self, wanted: Iterable[Mapping[str, Any]]) -> frozenset[str]:
        """Return the keys of all objects of the kinds that are wanted."""
        kinds = {(str(item["apiVersion"]), str(item["kind"])) for item in wanted}
        return frozenset(
            key_of({"apiVersion": version, "kind": kind, "metadata": meta})
            for version, kind, path in list(self._lists())
            if (version, kind) in kinds
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
                early = error.status == 404 or "serviceaccount" in error.text
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
        """Return the path of an account, the names of pull secrets that it has, and those that it lacks."""
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
        if kind not in self.kinds:
            list(self._lists())
        if kind not in self.kinds:
            return ""
        resource, namespaced = self.kinds[kind]
        where = f"/namespaces/{quote(item['metadata'].get('namespace', 'default'), safe='')}" if namespaced else ""
        return f"{_base(kind[0])}{where}/{resource}"

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


def _base(version: str) -> str:
    return f"/api/{version}" if "/" not in version else f"/apis/{version}"


@contextlib.contextmanager
def cluster_of(colima: Colima, name: Name) -> Iterator[Cluster]:
    """Talk with the cluster in a VM."""
    cluster = Cluster(colima, name)
    try:
        yield cluster
    except ApiError as error:
        what = f"ask the cluster of profile '{name}'"
        raise WorkstationError(what, why_refused(error, "read it").rstrip(".")) from error
    finally:
        cluster.close()
