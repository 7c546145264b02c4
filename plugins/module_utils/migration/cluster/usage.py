# SPDX-License-Identifier: GPL-3.0-or-later
"""Who uses what in a cluster: pods and the claims that they can write to, workloads and what they can't start without. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..model import Container
from .model import Pod

_OVER = ("Succeeded", "Failed")
# The container that holds the others of a pod together; it writes nothing.
_SANDBOX = "POD"


def pods_of(items: Iterable[Mapping[str, Any]]) -> tuple[Pod, ...]:
    """Return the pods that may run and use claims."""
    found = []
    for one in items:
        if one["kind"] != "Pod" or (one.get("status") or {}).get("phase") in _OVER:
            continue
        meta = one["metadata"]
        uses = dict(_claims(one["spec"], meta["namespace"]))
        if uses:
            writes = frozenset(claim for claim, read_only in uses.items() if not read_only)
            found.append(Pod(f"{meta['namespace']}/{meta['name']}", str(meta.get("uid", "")), frozenset(uses), writes))
    return tuple(found)


def _claims(spec: Mapping[str, Any], namespace: str) -> Iterator[tuple[str, bool]]:
    for one in spec.get("volumes") or ():
        claim = one.get("persistentVolumeClaim")
        if claim:
            yield f"{namespace}/{claim['claimName']}", bool(claim.get("readOnly"))


def waits_for(item: Mapping[str, Any], claims: Iterable[str]) -> str:
    """Return the first of these claims that a workload, or a pod, can't start without; empty for none."""
    namespace = str(item["metadata"].get("namespace", ""))
    used = {claim for spec in _pod_specs(item) for claim, _read_only in _claims(spec, namespace)}
    # A pod of a StatefulSet has claims of its own, each by the name of a template.
    own = tuple(f"{namespace}/{one['metadata']['name']}-{item['metadata']['name']}-" for one in templates(item))
    return next((one for one in sorted(claims) if one in used or (own and _is_numbered(one, own))), "")


def templates(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the templates of claims of a StatefulSet."""
    return list((item.get("spec") or {}).get("volumeClaimTemplates") or ()) if item["kind"] == "StatefulSet" else []


def _is_numbered(claim: str, beginnings: tuple[str, ...]) -> bool:
    return any(claim.startswith(one) and claim.removeprefix(one).isdigit() for one in beginnings)


def secrets_of(item: Mapping[str, Any]) -> frozenset[str]:
    """Return the secrets that a workload, or a pod, can't start without, as "namespace/name"."""
    namespace = item["metadata"].get("namespace", "")
    return frozenset(f"{namespace}/{name}" for spec in _pod_specs(item) for name in _secrets(spec))


def _secrets(spec: Mapping[str, Any]) -> Iterator[str]:
    for reference, key in _references(spec):
        if reference and reference.get(key) and not reference.get("optional"):
            yield str(reference[key])


def _references(spec: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """Yield each place of a pod that may name a secret, with the key of the name."""
    for one in spec.get("volumes") or ():
        yield one.get("secret"), "secretName"
        yield from ((part.get("secret"), "name") for part in (one.get("projected") or {}).get("sources") or ())
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        yield from ((one.get("secretRef"), "name") for one in container.get("envFrom") or ())
        yield from (((one.get("valueFrom") or {}).get("secretKeyRef"), "name") for one in container.get("env") or ())


def directories_of(item: Mapping[str, Any]) -> frozenset[str]:
    """Return the directories of its machine that a workload, or a pod, uses."""
    paths = {(one.get("hostPath") or {}).get("path") for spec in _pod_specs(item) for one in spec.get("volumes") or ()}
    return frozenset(map(str, paths - {None}))


def _pod_specs(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what an object says of pods, however deep it is."""
    spec = item.get("spec")
    while isinstance(spec, Mapping):
        if isinstance(spec.get("containers"), list):
            yield spec
        spec = next((spec[part] for part in ("template", "jobTemplate", "spec") if spec.get(part)), None)


def containers_of(pod: Pod, containers: Iterable[Container]) -> tuple[Container, ...]:
    """Return the containers of a pod that may write at this moment, as the kubelet names them in docker."""
    return tuple(one for one in containers if one.writing and _is_of(one.name.split("_"), pod))


def _is_of(words: list[str], pod: Pod) -> bool:
    # k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT; none of these names may hold the character between them.
    return len(words) == 6 and words[0] == "k8s" and words[1] != _SANDBOX and words[4] == pod.uid
