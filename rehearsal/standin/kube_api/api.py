# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of the API on the store: get, list, create, replace, patch, apply, delete."""

from __future__ import annotations

import base64
import copy
import datetime
import json
import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any

from . import fields, selectors
from .access import Rbac
from .http import status
from .http.decoding import addressed, declared, decoded, drop_unknown
from .http.request import APPLY, PATCHES, Request, check_options
from .resources import NAMESPACES
from .store import Store
from .validation import broken_base64, check, complete

Object = dict[str, Any]
Answer = tuple[int, Object]

LASTING = ("default", "kube-system", "kube-public")


class Api:
    """The server's behaviour without its socket. linger: seconds that a deleted namespace is Terminating, < 0 = without end."""

    def __init__(self, store: Store, linger: float = 0.0, controllers: bool = True) -> None:
        self.store = store
        self.rbac = Rbac(store)
        self.linger = linger
        self.controllers = controllers
        self.warnings: list[str] = []
        for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
            if store.get(("", "namespaces", "", name)) is None:
                self._save_namespace(name)

    def _save_namespace(self, name: str) -> None:
        item: Object = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}
        complete(NAMESPACES, item)
        self._stamp(item)
        fields.own_update(None, item, "kube-apiserver", _now())
        self.store.put(("", "namespaces", "", name), item)
        self._default_account(name)

    def _stamp(self, item: Object) -> None:
        kept = {key: value for key, value in item["metadata"].items() if key in ("name", "generateName", "namespace")}
        others = {key: value for key, value in item["metadata"].items() if key not in kept}
        item["metadata"] = {**kept, "uid": str(uuid.uuid4()), "resourceVersion": "", "creationTimestamp": _now(), **others}

    def _default_account(self, namespace: str) -> None:
        """Do what Kubernetes' controllers do in a new namespace."""
        key = ("", "serviceaccounts", namespace, "default")
        if self.controllers and self.store.get(key) is None:
            account: Object = {
                "kind": "ServiceAccount",
                "apiVersion": "v1",
                "metadata": {"name": "default", "namespace": namespace},
            }
            self._stamp(account)
            self.store.put(key, account)

    def handle(self, request: Request) -> Answer:
        """Answer one request. Raises Refused."""
        self._reap()
        verb = request.verb
        namespace = request.name if request.resource is NAMESPACES and verb != "create" else request.namespace
        self.rbac.check(request.user, verb, request.resource, namespace, "" if verb == "create" else request.name)
        check_options(request)
        if request.subresource == "finalize":
            return self._finalize(request)
        found: Answer = getattr(self, f"_{verb}")(request)
        return found

    def _existing(self, request: Request) -> Object:
        item = self.store.get(request.key())
        if item is None:
            raise status.not_found(request.resource.plural, request.name, request.resource.group)
        return item

    def _get(self, request: Request) -> Answer:
        return 200, self._existing(request)

    def _list(self, request: Request) -> Answer:
        resource, query = request.resource, request.query
        items = self.store.list(resource.group, resource.plural, request.namespace)
        selected = False
        tests: tuple[tuple[str, Callable[[str, str], selectors.Test]], ...] = (
            ("labelSelector", lambda text, _kind: selectors.label_test(text)),
            ("fieldSelector", selectors.field_test),
        )
        for option, test in tests:
            if query.get(option):
                selected = True
                holds = test(query[option], resource.kind)
                items = [item for item in items if holds(item)]
        metadata: Object = {"resourceVersion": str(self.store.version)}
        items = _after(items, query.get("continue", ""), bool(request.namespace))
        limit = _integer(query.get("limit") or "0")
        if limit and len(items) > limit:
            last = items[limit - 1]["metadata"]
            start = last["name"] if request.namespace or not last.get("namespace") else f"{last['namespace']}/{last['name']}"
            token = json.dumps({"v": "meta.k8s.io/v1", "rv": self.store.version, "start": f"{start}\0"}, separators=(",", ":"))
            metadata["continue"] = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
            if not selected:
                metadata["remainingItemCount"] = len(items) - limit
            items = items[:limit]
        return 200, {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata, "items": items}

    def _create(self, request: Request) -> Answer:
        if request.name:
            raise status.no_such_method()
        item = decoded(request, request.body, self.warnings)
        metadata = item["metadata"]
        self._admit(request, metadata.get("name") or "")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + secrets.token_hex(3)[:5]
        return self._store_new(request, item, applied=False)

    def _admit(self, request: Request, name: str) -> None:
        """Raise 404 or 403 when the namespace takes nothing new."""
        if not request.resource.namespaced:
            return
        namespace = self.store.get(("", "namespaces", "", request.namespace))
        if namespace is None:
            raise status.not_found("namespaces", request.namespace)
        if namespace["metadata"].get("deletionTimestamp"):
            raise status.terminating(request.resource.plural, name, request.namespace)

    def _store_new(self, request: Request, item: Object, applied: bool) -> Answer:
        complete(request.resource, item)
        check(request.resource, item, None)
        name = item["metadata"]["name"]
        key = request.key(name)
        if self.store.get(key) is not None:
            raise status.exists(request.resource.plural, name, request.resource.group)
        if request.resource.namespaced:
            item["metadata"]["namespace"] = request.namespace
        self._stamp(item)
        if not applied:
            fields.own_update(None, item, request.manager, _now())
        if request.dry:
            del item["metadata"]["resourceVersion"]
            return 201, item
        self.store.put(key, item)
        if request.resource is NAMESPACES:
            self._default_account(name)
        return 201, item

    def _update(self, request: Request) -> Answer:
        new = decoded(request, request.body, self.warnings)
        old = self._existing(request)
        self._check_version(request, new, old)
        return self._replace(request, old, new)

    def _check_version(self, request: Request, new: Object, old: Object) -> None:
        wanted = new["metadata"].get("resourceVersion")
        if wanted and wanted != old["metadata"]["resourceVersion"]:
            raise status.modified(request.resource.plural, request.name, request.resource.group)

    def _replace(self, request: Request, old: Object, new: Object, applied: bool = False) -> Answer:
        managed = new["metadata"].get("managedFields")
        for field in ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "namespace", "generateName"):
            new["metadata"].pop(field, None)
            if field in old["metadata"]:
                new["metadata"][field] = old["metadata"][field]
        for field in ("spec", "status"):
            if field in old:
                new[field] = old[field]
        complete(request.resource, new)
        check(request.resource, new, old)
        if applied and managed:
            new["metadata"]["managedFields"] = managed
        elif not applied:
            fields.own_update(old, new, request.manager, _now())
        if _timeless(new) == _timeless(old):
            return 200, old
        if not request.dry:
            self.store.put(request.key(), new)
        return 200, new

    def _patch(self, request: Request) -> Answer:
        if request.media not in PATCHES:
            raise status.unsupported_media()
        if request.media == APPLY:
            return self._apply(request)
        old = self._existing(request)
        try:
            patch = json.loads(request.body)
        except ValueError as error:
            raise status.bad_request("error decoding patch: unexpected end of JSON input") from error
        if request.media == "application/json-patch+json":
            new = fields.json_patch(old, patch)
        else:
            new = fields.merge_patch(copy.deepcopy(old), patch)
        problem = broken_base64(new) if request.resource.kind == "Secret" else ""
        if problem:
            raise status.invalid(
                "", "", [("patch", "FieldValueInvalid", f"Invalid value: {json.dumps(json.dumps(new))}: {problem}")]
            )
        drop_unknown(request, new, self.warnings)
        self._check_version(request, new, old)
        return self._replace(request, old, addressed(request, new))

    def _apply(self, request: Request) -> Answer:
        wanted = declared(request)
        old = self.store.get(request.key())
        result = fields.apply(old, wanted, request.manager, _now(), request.query.get("force") == "true")
        if old is None:
            self.rbac.check(request.user, "create", request.resource, request.namespace, request.name)
            self._admit(request, request.name)
            result["metadata"]["name"] = request.name
            return self._store_new(request, result, applied=True)
        return self._replace(request, old, result, applied=True)

    def _delete(self, request: Request) -> Answer:
        item = self._existing(request)
        kind, name, uid = request.resource.kind, request.name, item["metadata"]["uid"]
        asked = (json.loads(request.body or b"{}").get("preconditions") or {}).get("uid")
        if asked and asked != uid:
            raise status.wrong_uid(kind, name, asked, uid)
        if request.resource is NAMESPACES:
            return self._delete_namespace(request, item)
        if not request.dry:
            self.store.remove(request.key())
        details = {"name": name, **({"group": request.resource.group} if request.resource.group else {})}
        details = {**details, "kind": request.resource.plural, "uid": uid}
        return 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def _delete_namespace(self, request: Request, item: Object) -> Answer:
        if request.name in LASTING:
            raise status.forbidden("namespaces", request.name, "", "this namespace may not be deleted")
        item = copy.deepcopy(item)
        item["metadata"].setdefault("deletionTimestamp", _now())
        item["status"] = {"phase": "Terminating"}
        if not request.dry:
            self.store.put(request.key(), item)
        return 200, item

    def _reap(self) -> None:
        """End namespaces that were deleted, with their content, as the namespace controller does."""
        if self.linger < 0 or not self.controllers:
            return
        for item in self.store.list("", "namespaces", ""):
            deleted = item["metadata"].get("deletionTimestamp")
            if deleted and time.time() >= _moment(deleted) + self.linger:
                self._empty(item["metadata"]["name"])
                self.store.remove(("", "namespaces", "", item["metadata"]["name"]))

    def _empty(self, namespace: str) -> None:
        for key in [key for key in self.store.objects if key[2] == namespace]:
            self.store.remove(key)

    def _finalize(self, request: Request) -> Answer:
        item = copy.deepcopy(self._existing(request))
        finalizers = (json.loads(request.body).get("spec") or {}).get("finalizers") or []
        item["spec"] = {"finalizers": finalizers} if finalizers else {}
        if not finalizers and item["metadata"].get("deletionTimestamp"):
            self.store.remove(request.key())
        else:
            self.store.put(request.key(), item)
        return 200, item

    def _deletecollection(self, request: Request) -> Answer:
        code, found = self._list(request)
        for item in found["items"]:
            metadata = item["metadata"]
            if not request.dry:
                resource = request.resource
                self.store.remove((resource.group, resource.plural, metadata.get("namespace", ""), metadata["name"]))
        return code, found


def _after(items: list[Object], token: str, in_namespace: bool) -> list[Object]:
    """Return the items behind a continue token."""
    if not token:
        return items
    try:
        start = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))["start"].rstrip("\0")
    except (ValueError, KeyError, TypeError) as error:
        reason = "continue key is not valid: invalid character looking for beginning of value"
        raise status.bad_request(f"invalid continue token: {reason}") from error

    def place(item: Object) -> tuple[str, str]:
        metadata = item["metadata"]
        return ("" if in_namespace else metadata.get("namespace", "")), metadata["name"]

    namespace, _, name = start.rpartition("/")
    return [item for item in items if place(item) > (namespace, name)]


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error


def _timeless(item: Object) -> Object:
    """Return an object without what changes by itself: a write that leaves the rest unchanged does not count."""
    item = copy.deepcopy(item)
    item["metadata"].pop("resourceVersion", None)
    for entry in item["metadata"].get("managedFields") or []:
        entry.pop("time", None)
    return item


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str) -> float:
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC).timestamp()
