# SPDX-License-Identifier: GPL-3.0-or-later
"""Builders that run in pods: which kubeconfig a node belongs to, and how its cluster is.

buildx takes no endpoint for them. It notes the kubeconfig that KUBECONFIG named when the builder was made, and always uses the
context that is current in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from ..core.errors import InputError, WorkstationError
from .model import Builder, Node, NodeHealth

if TYPE_CHECKING:
    from ..kube.access import Access

_SCHEME = "kubernetes://"
# With this driver option the pods belong to a StatefulSet, otherwise to a Deployment.
_VOLUME = "persistent-volume-claim.requests.storage"


def endpoint_for(builder: str, node: str, kubeconfig: str) -> str:
    """Return the endpoint that buildx notes for a node."""
    return f"{_SCHEME}/{builder}?{urlencode({'deployment': node, 'kubeconfig': kubeconfig})}"


def kubeconfig_of(endpoint: str) -> str:
    """Return the kubeconfig in an endpoint that buildx noted; empty when it follows kubectl's rules."""
    return parse_qs(urlsplit(endpoint).query).get("kubeconfig", [""])[0]


def settled(wanted: Builder, current: Builder | None, default: str) -> Builder:
    """Return the builder with complete endpoints. default is what KUBECONFIG names, for new nodes without a stated one.

    What was stated is the path of a kubeconfig, or an endpoint as buildx notes it.
    """
    old = {node.name: node.endpoint for node in current.nodes} if current and current.driver == "kubernetes" else {}
    nodes = []
    for node in wanted.nodes:
        known = old.get(node.name)
        stated = kubeconfig_of(node.endpoint) if node.endpoint.startswith(_SCHEME) else str(Path(node.endpoint).expanduser())
        if known is not None and (not node.endpoint or kubeconfig_of(known) == stated):
            nodes.append(replace(node, endpoint=known))
        else:
            nodes.append(replace(node, endpoint=endpoint_for(wanted.name, node.name, stated if node.endpoint else default)))
    return replace(wanted, nodes=tuple(nodes))


def check_kubeconfigs(builder: Builder) -> None:
    """Raise InputError for a kubeconfig that buildx can't use."""
    for path in (kubeconfig_of(node.endpoint) for node in builder.nodes):
        if ":" in path:
            reason = f"KUBECONFIG names several files ('{path}'), and buildx takes one"
            remedy = "Set endpoint to the path of the one whose current context is the cluster."
            raise InputError(f"create builder '{builder.name}'", reason, remedy)


def cluster_health(node: Node, environment: Mapping[str, str], seconds: float) -> NodeHealth:
    """Return how the node's pods are, as its cluster tells."""
    from ..kube.access import read_access
    from ..kube.entry import kubeconfig_paths

    paths = kubeconfig_paths(kubeconfig_of(node.endpoint), environment)
    shown = f"kubeconfig '{', '.join(map(str, paths))}'"
    if not any(path.is_file() for path in paths):
        return NodeHealth("gone", f"{shown} does not exist")
    try:
        documents = _documents(paths)
        context = next((str(item["current-context"]) for item in documents if item.get("current-context")), "")
        entry = _entry(documents, "context", context)
        if entry is None and not all(map(_is_sound, documents)):
            return NodeHealth("unknown", f"{shown}: its contexts can't be read")
        if entry is None:
            lacks = f"its current context '{context}' does not exist" if context else "it has no current context"
            return NodeHealth("gone", f"{shown}: {lacks}")
        if _logs_in_by_program(documents, entry):
            return NodeHealth("unknown", f"kube context '{context}' logs in by a program, which is not started to ask")
        access = read_access(context, paths)
    except WorkstationError as error:
        # A kubeconfig that can be repaired does not make the builder stale.
        return NodeHealth("unknown", f"{shown}: {_reason(error)}")
    return _ask(access, _path(node, str(entry.get("namespace") or "default")), seconds)


def _ask(access: Access, path: str, seconds: float) -> NodeHealth:
    # Imported here: TLS costs more than a run without such builders.
    from ..kube.answers import ApiError
    from ..kube.client import KubeHttp
    from ..kube.patience import Patience

    place = f"cluster of kube context '{access.context}'"
    try:
        with closing(KubeHttp(access, Patience(request=seconds, total=seconds))) as api:
            found: Any = api.json("GET", path)
        return NodeHealth("running" if (found.get("status") or {}).get("readyReplicas") else "inactive")
    except ApiError as error:
        return NodeHealth("inactive") if error.not_found else NodeHealth("unknown", f"{place}: {error.text or error}")
    except (WorkstationError, OSError) as error:
        return NodeHealth("unreachable", f"{place}: {_reason(error)}")


def _documents(paths: Sequence[Path]) -> list[dict[str, Any]]:
    from ..kube.kubeconfig import load

    return [load(path) for path in paths]


def _entry(documents: Sequence[Mapping[str, Any]], kind: str, name: str) -> dict[str, Any] | None:
    from ..kube.kubeconfig import parts

    found = [entry[kind] for document in documents if kind in (entry := parts(document, name))]
    return found[0] if found else None


def _is_sound(document: Mapping[str, Any]) -> bool:
    """Whether the contexts of a kubeconfig have the shape that kubectl wants."""
    entries = document.get("contexts") or []
    return isinstance(entries, list) and all(
        isinstance(entry, Mapping) and isinstance(entry.get("context"), Mapping) for entry in entries
    )


def _logs_in_by_program(documents: Sequence[Mapping[str, Any]], context: Mapping[str, Any]) -> bool:
    user = _entry(documents, "user", str(context.get("user") or "")) or {}
    return bool(user.get("exec") or user.get("auth-provider"))


def _path(node: Node, namespace: str) -> str:
    options = node.driver_opts or {}
    kind = "statefulsets" if _VOLUME in options else "deployments"
    # buildx makes this name from the node's.
    name = node.name.replace("_", "-")
    return f"/apis/apps/v1/namespaces/{options.get('namespace', namespace)}/{kind}/{name}"


def _reason(error: Exception) -> str:
    return (error.reason or error.message) if isinstance(error, WorkstationError) else str(error)
