# SPDX-License-Identifier: GPL-3.0-or-later
"""The user of a request (client certificate or bearer token) and what RBAC's objects allow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .http.status import forbidden, forbidden_path, unauthorized
from .resources import RBAC, Resource
from .store import Store

Object = dict[str, Any]

ADMINISTRATORS = "system:masters"
EVERYBODY = frozenset({"/healthz", "/livez", "/readyz", "/version"})
KNOWN_USERS = ("/api", "/apis", "/openapi", *EVERYBODY)


@dataclass(frozen=True)
class User:
    """The one who asks."""

    name: str
    groups: frozenset[str]


ANONYMOUS = User("system:anonymous", frozenset({"system:unauthenticated"}))


def identify(certificate: Any, authorization: str, tokens: Path) -> User:
    """Return the user of a request. Raises 401 for an unknown token."""
    if certificate:
        names = [pair for part in certificate.get("subject", ()) for pair in part]
        groups = {value for key, value in names if key == "organizationName"}
        user = next((value for key, value in names if key == "commonName"), "")
        return User(user, frozenset({*groups, "system:authenticated"}))
    if not authorization:
        return ANONYMOUS
    token = authorization.removeprefix("Bearer ").strip()
    known = json.loads(tokens.read_text()) if tokens.exists() else {}
    if token not in known:
        raise unauthorized()
    groups = set(known[token].get("groups", []))
    return User(known[token]["user"], frozenset({*groups, "system:authenticated"}))


class Rbac:
    """Roles and bindings as they are in the store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def check_path(self, user: User, verb: str, path: str) -> None:
        """Raise 403 for a path that is not a resource and not open to the user."""
        if ADMINISTRATORS in user.groups or path in EVERYBODY:
            return
        if user == ANONYMOUS or not path.startswith(KNOWN_USERS):
            raise forbidden_path(user.name, verb, path)

    def check(self, user: User, verb: str, resource: Resource, namespace: str, name: str) -> None:
        """Raise 403 unless a role allows the verb. A namespace counts as lying in itself, as the real server has it."""
        if ADMINISTRATORS in user.groups or self._allowed(user, verb, resource, namespace, name):
            return
        where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
        why = f'User "{user.name}" cannot {verb} resource "{resource.plural}" in API group "{resource.group}" {where}'
        raise forbidden(resource.plural, name, resource.group, why)

    def _allowed(self, user: User, verb: str, resource: Resource, namespace: str, name: str) -> bool:
        bindings = self.store.list(RBAC, "clusterrolebindings", "")
        if namespace:
            bindings = bindings + self.store.list(RBAC, "rolebindings", namespace)
        # The name of an object that is to be created is not known to a rule, unless it is in the address.
        return any(
            _matches(rule, verb, resource, name) for binding in bindings if _binds(binding, user) for rule in self._rules(binding)
        )

    def _rules(self, binding: Object) -> list[Object]:
        reference = binding["roleRef"]
        plural = "clusterroles" if reference["kind"] == "ClusterRole" else "roles"
        namespace = "" if plural == "clusterroles" else binding["metadata"]["namespace"]
        role = self.store.get((RBAC, plural, namespace, reference["name"]))
        return list(role.get("rules") or []) if role else []


def _binds(binding: Object, user: User) -> bool:
    for subject in binding.get("subjects") or []:
        if subject["kind"] == "User" and subject["name"] == user.name:
            return True
        if subject["kind"] == "Group" and subject["name"] in user.groups:
            return True
    return False


def _matches(rule: Object, verb: str, resource: Resource, name: str) -> bool:
    def holds(field: str, wanted: str) -> bool:
        return any(value in ("*", wanted) for value in rule.get(field) or [])

    names = rule.get("resourceNames") or []
    fits = holds("verbs", verb) and holds("apiGroups", resource.group) and holds("resources", resource.plural)
    return fits and (not names or name in names)
