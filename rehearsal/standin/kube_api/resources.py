# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of objects that this API server knows: enough for pull secrets and for who may write them."""

from __future__ import annotations

from dataclasses import dataclass

RBAC = "rbac.authorization.k8s.io"
COMMON = frozenset({"apiVersion", "kind", "metadata"})
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True)
class Resource:
    """One kind."""

    plural: str
    kind: str
    namespaced: bool
    fields: frozenset[str]
    group: str = ""
    short: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/v1" if self.group else "v1"

    def described(self) -> dict[str, object]:
        """Return the entry of discovery."""
        verbs = [verb for verb in VERBS if verb != "deletecollection" or self.plural != "namespaces"]
        entry: dict[str, object] = {
            "name": self.plural,
            "singularName": self.kind.lower(),
            "namespaced": self.namespaced,
            "kind": self.kind,
            "verbs": verbs,
        }
        return {**entry, "shortNames": list(self.short)} if self.short else entry


RESOURCES = (
    Resource("configmaps", "ConfigMap", True, frozenset({"data", "binaryData", "immutable"}), short=("cm",)),
    Resource("nodes", "Node", False, frozenset({"spec", "status"}), short=("no",)),
    Resource("namespaces", "Namespace", False, frozenset({"spec", "status"}), short=("ns",)),
    Resource("secrets", "Secret", True, frozenset({"data", "stringData", "type", "immutable"})),
    Resource(
        "serviceaccounts",
        "ServiceAccount",
        True,
        frozenset({"secrets", "imagePullSecrets", "automountServiceAccountToken"}),
        short=("sa",),
    ),
    Resource("clusterrolebindings", "ClusterRoleBinding", False, frozenset({"subjects", "roleRef"}), RBAC),
    Resource("clusterroles", "ClusterRole", False, frozenset({"rules", "aggregationRule"}), RBAC),
    Resource("rolebindings", "RoleBinding", True, frozenset({"subjects", "roleRef"}), RBAC),
    Resource("roles", "Role", True, frozenset({"rules"}), RBAC),
)
BY_PATH = {(resource.group, resource.plural): resource for resource in RESOURCES}
NAMESPACES = BY_PATH["", "namespaces"]
