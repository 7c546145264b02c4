# SPDX-License-Identifier: GPL-3.0-or-later
"""The few verbs that the pull secrets need of the Kubernetes API, and its refusals in the user's words.

It knows core/v1 paths and metadata; what a secret holds it neither reads nor knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ..core.errors import InputError
from .answers import APPLY, MERGE, METADATA, METADATA_LIST, ApiError

if TYPE_CHECKING:
    from .client import KubeHttp

MANAGER = "laptop.containers"
_MANAGER = re.compile(r'conflict with "([^"]*)"')
# The words of every authorizer, which are the only mark of its refusals.
_RIGHTS = re.compile(r'User "[^"]*" cannot \w+ (resource|path)')
STALE_READS = 5
DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")


class Conflict(Exception):
    """A field is owned by other managers, and was not taken over."""

    def __init__(self, managers: tuple[str, ...]) -> None:
        super().__init__(", ".join(managers))
        self.managers = managers


class Stale(Exception):
    """The object changed since it was read."""


class KeptByFinalizers(Exception):
    """The object is being deleted, and stays until its finalizers are removed."""

    def __init__(self, finalizers: tuple[str, ...]) -> None:
        super().__init__(", ".join(finalizers))
        self.finalizers = finalizers


class NamespaceGone(Exception):
    """The namespace does not exist, or is being deleted."""


def check_name(name: str, noun: str) -> str:
    """Return the name of a Kubernetes object. Raises InputError when Kubernetes would refuse it."""
    longest = 63 if noun == "namespace" else 253
    if not name or len(name) > longest:
        reason = f"Kubernetes allows at most {longest} characters" if name else "it is empty"
        raise InputError(f"use {noun} '{name}'", reason, "Choose another name.")
    if not DNS_NAME.match(name) or (noun == "namespace" and "." in name):
        reason = "Kubernetes allows only lower case letters, digits and '-' in it"
        raise InputError(f"use {noun} '{name}'", reason, "Choose another name.")
    return name


def path_of(resource: str, namespace: str = "", name: str = "") -> str:
    """Return the path of a core/v1 resource, of all namespaces when none is given."""
    parts = ["/api/v1"]
    if namespace:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(resource)
    if name:
        parts.append(quote(name, safe=""))
    return "/".join(parts)


class Kube:
    """Verbs on one cluster."""

    def __init__(self, http: KubeHttp) -> None:
        self.http = http

    def list_metadata(self, path: str, **selectors: str) -> list[dict[str, Any]]:
        """Return the metadata of all objects of a path; their content is never sent."""
        answer = self.http.json("GET", _with(path, selectors), accept=METADATA_LIST)
        return [item["metadata"] for item in answer.get("items") or ()]

    def list_objects(self, path: str) -> list[dict[str, Any]]:
        """Return all objects of a path, whole."""
        return list(self.http.json("GET", path).get("items") or ())

    def read_metadata(self, path: str) -> dict[str, Any] | None:
        """Return the metadata of one object. Returns None when it does not exist."""
        try:
            return dict(self.http.json("GET", path, accept=METADATA)["metadata"])
        except ApiError as error:
            if error.not_found:
                return None
            raise

    def read(self, path: str) -> dict[str, Any] | None:
        """Return one object. Returns None when it does not exist."""
        try:
            return dict(self.http.json("GET", path))
        except ApiError as error:
            if error.not_found:
                return None
            raise

    def apply(
        self,
        path: str,
        body: bytes,
        force: bool = False,
        own: tuple[str, ...] = (),
        *,
        guarded: bool = False,
        accept: str = METADATA,
    ) -> dict[str, Any]:
        """Apply an object server-side and return what the cluster has now, its metadata alone unless accept is JSON.

        Raises Conflict, NamespaceGone and Stale.

        own: the prefixes of fields that are taken over when nothing else is contested. guarded: the body names the version that
        it was made from.
        """
        query = {"fieldManager": MANAGER, "force": "true" if force else "false"}
        for attempt in range(1, STALE_READS + 1):
            try:
                return dict(self.http.json("PATCH", _with(path, query), body, APPLY, accept))
            except ApiError as error:
                _raise_gone(error)
                contested = _contested(error)
                if contested and _may_take_over(contested, own):
                    query["force"] = "true"
                    continue
                if contested:
                    raise Conflict(tuple(sorted({manager for manager, _field in contested}))) from error
                if error.status == 409 and guarded:
                    raise Stale from error
                if error.status != 409 or attempt == STALE_READS:
                    raise
        raise AssertionError(path)

    def merge_patch(self, path: str, change: dict[str, Any]) -> None:
        """Change fields of one object; a resourceVersion in the change guards against a stale read (409)."""
        self.http.json("PATCH", _with(path, {"fieldManager": MANAGER}), change, MERGE, METADATA)

    def delete(self, path: str, uid: str) -> bool:
        """Delete exactly the object with this uid. Returns False when it was gone already. Raises KeptByFinalizers."""
        try:
            answer = self.http.json("DELETE", path, {"preconditions": {"uid": uid}})
        except ApiError as error:
            if error.not_found:
                return False
            raise
        if answer["kind"] != "Status" and (held := finalizers_of(answer["metadata"])):
            raise KeptByFinalizers(held)
        return True

    def create_namespace(self, name: str) -> bool:
        """Create a namespace. Returns False when it exists already."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        try:
            self.http.json("POST", _with(path_of("namespaces"), {"fieldManager": MANAGER}), body)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            return False
        return True


def finalizers_of(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what an object that is being deleted still waits for; nothing for any other object."""
    named = metadata.get("finalizers")
    waits = metadata.get("deletionTimestamp") and isinstance(named, list)
    return tuple(map(str, named or ())) if waits else ()


def why_refused(error: ApiError, action: str) -> str:
    """Return what the API server objects to, as a reason and a next step."""
    said = " ".join(error.text.split()).rstrip(". ") or error.reason or "no reason given"
    if error.status == 422 and any(
        cause.get("field") in ("type", "data") or "immutable" in str(cause.get("message")) for cause in error.causes
    ):
        return "an object of this name is of another type or immutable. Delete it, or choose another name."
    if error.status == 404 and not error.by_api_server:
        return "what answers at its address is not an API server. Correct 'server' in the kubeconfig, or see the proxy."
    if error.status == 403 and not _RIGHTS.search(said):
        # A quota, an admission webhook or a policy.
        return f"the cluster refuses it ({said}). Change the quota or the policy, or leave the namespace out."
    known = {
        401: "the cluster does not accept the credentials of this kube context. Restart the profile, or log in again.",
        403: f"this kube user may not {action} ({said}). Ask for a role that allows it, or leave the namespace out.",
        422: f"the cluster refuses the object ({said}). Correct the options, or the policy.",
        429: "the cluster is overloaded and kept refusing requests. Run again later.",
    }
    other = f"the cluster answered {error.status} ({said}). Look at the cluster, then run again."
    return known.get(error.status, other)


def _contested(error: ApiError) -> list[tuple[str, str]]:
    """Return which other managers own which fields."""
    if error.status != 409:
        return []
    return [
        (found[1], str(cause.get("field", "")))
        for cause in error.causes
        if cause.get("reason") == "FieldManagerConflict" and (found := _MANAGER.search(str(cause.get("message"))))
    ]


def _may_take_over(contested: list[tuple[str, str]], own: tuple[str, ...]) -> bool:
    """Whether no other manager is overruled. Ours by another kind of request (a restored backup, an older version) is none."""
    return all(manager == MANAGER or field.startswith(own) for manager, field in contested)


def _raise_gone(error: ApiError) -> None:
    terminating = any(cause.get("reason") == "NamespaceTerminating" for cause in error.causes)
    if terminating or (error.not_found and error.kind in ("namespaces", "Namespace", "")):
        raise NamespaceGone from error


def _with(path: str, query: dict[str, str]) -> str:
    said = {key: value for key, value in query.items() if value}
    return f"{path}?{urlencode(said)}" if said else path
