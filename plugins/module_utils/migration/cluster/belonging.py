# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a cluster belongs to the program that made it (Docker Desktop, kind, Rancher Desktop), and not to its user. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..move.objects import SYSTEM

# Where those programs put parts of their own.
_OWN_NAMESPACES = frozenset((*SYSTEM, "kubernetes-dashboard", "local-path-storage"))
_OWN_PREFIXES = ("system:", "kubeadm:")
_RELEASE = "meta.helm.sh/release-namespace"
# A class of volumes that a person makes by hand; all others are served by a program of the old cluster.
_BY_HAND = "kubernetes.io/no-provisioner"


def users(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the objects, but not the old cluster's own."""
    kept = [one for one in items if not _is_own(one)]
    bound = {_role_of(one) for one in items if one["kind"] == "ClusterRoleBinding"}
    used = {_role_of(one) for one in kept if one["kind"] in ("ClusterRoleBinding", "RoleBinding")}
    # A role that only bindings of the old cluster use is a part of it.
    return [one for one in kept if one["kind"] != "ClusterRole" or one["metadata"]["name"] not in bound - used]


def _is_own(item: Mapping[str, Any]) -> bool:
    meta, kind = item["metadata"], item["kind"]
    place = meta["name"] if kind == "Namespace" else meta.get("namespace")
    if place in _OWN_NAMESPACES or str(meta["name"]).startswith(_OWN_PREFIXES):
        return True
    if (meta.get("annotations") or {}).get(_RELEASE) in _OWN_NAMESPACES:
        return True
    if kind == "ClusterRoleBinding":
        return not any(map(_is_a_users, item.get("subjects") or ()))
    return kind == "StorageClass" and item.get("provisioner") != _BY_HAND


def _is_a_users(subject: Mapping[str, Any]) -> bool:
    if subject.get("kind") == "ServiceAccount":
        return subject.get("namespace") not in _OWN_NAMESPACES
    return not str(subject.get("name", "")).startswith(_OWN_PREFIXES)


def _role_of(binding: Mapping[str, Any]) -> str:
    role = binding.get("roleRef") or {}
    return str(role.get("name", "")) if role.get("kind") == "ClusterRole" else ""


def outside(items: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the claims whose data is not in a directory of a machine, with what keeps it."""
    found = {}
    for one in items:
        spec = one.get("spec") or {}
        claim = spec.get("claimRef") or {}
        if one["kind"] == "PersistentVolume" and claim.get("name") and not (spec.get("hostPath") or spec.get("local")):
            keeper = (spec.get("csi") or {}).get("driver") or next((key for key in _KEEPERS if spec.get(key)), "another program")
            found[f"{claim['namespace']}/{claim['name']}"] = str(keeper)
    return found


# Kinds of volumes that the new cluster reaches as the old one does.
REACHABLE = ("nfs", "iscsi")
_KEEPERS = (*REACHABLE, "cephfs", "fc", "glusterfs", "rbd", "awsElasticBlockStore")
