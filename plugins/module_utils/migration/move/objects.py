# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a cluster's objects another cluster gets, and in which form. Pure.

What has an owner is left out, as its owner makes it again; so is what a new k3s brings with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ...manifest.model import Kind, Resource, Row, Status
from ..wording import listed
from .model import Claim, Objects

SYSTEM = ("kube-system", "kube-public", "kube-node-lease")
# What a cluster says about itself, or makes out of other objects.
DERIVED_GROUPS = frozenset(
    (
        "apiregistration.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "certificates.k8s.io", "coordination.k8s.io",
        "discovery.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io", "helm.cattle.io", "internal.apiserver.k8s.io",
        "k3s.cattle.io", "metrics.k8s.io", "node.k8s.io", "resource.k8s.io", "storagemigration.k8s.io",
    )
)  # fmt: skip
_DERIVED = frozenset(
    (
        "ComponentStatus",
        "ControllerRevision",
        "CSINode",
        "CSIStorageCapacity",
        "Endpoints",
        "Event",
        "IPAddress",
        "Node",
        "ServiceCIDR",
        "VolumeAttachment",
    )
)
WORKLOADS = {"Deployment": "replicas", "StatefulSet": "replicas", "DaemonSet": "desiredNumberScheduled"}
# They refuse everything until the workload that answers them is there.
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
# What others need comes first; what is not named here comes before what runs.
_FIRST = (
    "Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass", "ClusterRole", "ClusterRoleBinding",
    "ServiceAccount", "Role", "RoleBinding", "Secret", "ConfigMap", "PersistentVolume", "PersistentVolumeClaim", "Service",
)  # fmt: skip
_LAST = ("Pod", "CronJob", "DaemonSet", "StatefulSet", "Deployment", "HorizontalPodAutoscaler", *WEBHOOKS)
_OF_THIS_CLUSTER = ("pv.kubernetes.io/", "volume.kubernetes.io/", "volume.beta.kubernetes.io/", "deployment.kubernetes.io/")
# Secrets that only the cluster that made them can use.
_OWN_SECRETS = ("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token")
_MOST_NAMES = 5


def key_of(item: Mapping[str, Any]) -> str:
    """Return what tells an object from all others, in whichever version of its kind it was read."""
    meta = item["metadata"]
    return f"{item['apiVersion'].rpartition('/')[0]} {item['kind']} {meta.get('namespace', '')}/{meta['name']}"


def called(item: Mapping[str, Any]) -> str:
    """Return what a person calls an object: "Deployment default/web"."""
    namespace, name = item["metadata"].get("namespace"), item["metadata"]["name"]
    return f"{item['kind']} {f'{namespace}/' if namespace else ''}{name}"


def objects_of(
    items: Sequence[Mapping[str, Any]], namespaces: Sequence[str], mounted: Sequence[str], *, secrets: bool
) -> Objects:
    """Return what is moved, in the order in which it is to be created. mounted: the laptop's directories, which a VM shares."""
    moved = [one for one in items if _moves(one, namespaces) and (secrets or one["kind"] != "Secret")]
    mine = {called(one).partition(" ")[2] for one in moved if one["kind"] == "PersistentVolumeClaim"}
    moved = [one for one in moved if one["kind"] != "PersistentVolume" or (_claim_of(one) in (*mine, ""))]
    claims = tuple(_claims(items, mine, mounted))
    ready = tuple(sorted(called(one) for one in moved if one["kind"] in WORKLOADS and is_ready(one)))
    stays = tuple(_stays(items, moved, claims, namespaces, mounted))
    left = tuple(_left(items, namespaces, secrets))
    return Objects(tuple(cleaned(one) for one in sorted(moved, key=_order)), claims, ready, left, stays=stays)


def _claims(items: Iterable[Mapping[str, Any]], names: set[str], mounted: Sequence[str]) -> Iterator[Claim]:
    """Yield those of the named claims whose data is in the VM."""
    bound = {_claim_of(one): one for one in items if one["kind"] == "PersistentVolume" and one["spec"].get("claimRef")}
    for name in sorted(names & bound.keys()):
        path = _path_of(bound[name])
        if path and not is_below(path, mounted):
            yield Claim(str(bound[name]["metadata"]["name"]), name, path)


def _left(items: Sequence[Mapping[str, Any]], namespaces: Sequence[str], secrets: bool) -> Iterator[str]:
    """Yield in words what is not moved."""
    hidden = [called(one) for one in items if one["kind"] == "Secret" and _moves(one, namespaces)]
    if hidden and not secrets:
        yield f"Secrets are not moved: {listed(hidden, _MOST_NAMES)}. Make them again, or set O(secrets=true)."
    jobs = [called(one) for one in items if _is_a_users_job(one, namespaces)]
    if jobs:
        yield f"Jobs are not moved, as they would run once more: {listed(jobs, _MOST_NAMES)}."


def _stays(
    items: Sequence[Mapping[str, Any]],
    moved: Sequence[Mapping[str, Any]],
    claims: Sequence[Claim],
    namespaces: Sequence[str],
    mounted: Sequence[str],
) -> Iterator[Row]:
    """Yield secrets, jobs and the data of volumes that only the old cluster has."""
    goes, volumes = {key_of(one) for one in moved}, {one.volume for one in claims}
    for one in items:
        if (why := _why_not_moved(one, namespaces)) and key_of(one) not in goes:
            yield Row(Resource(Kind.OBJECT, key_of(one)), Status.IMMOVABLE, reason=why)
        name, path = str(one["metadata"]["name"]), _path_of(one) if one["kind"] == "PersistentVolume" else ""
        if path and name not in volumes and not is_below(path, mounted):
            space = _claim_of(one).partition("/")[0]
            left = bool(space) and not any(fnmatchcase(space, each) for each in namespaces)
            status, reason = (Status.LEFT, "O(namespaces) leaves it out") if left else (Status.IMMOVABLE, "no claim uses it")
            yield Row(Resource(Kind.CLAIM, name), status, reason=reason)


def _why_not_moved(item: Mapping[str, Any], namespaces: Sequence[str]) -> str:
    """Return why a secret or a job stays in the old cluster, unless secrets go along; empty for every other object."""
    if item["kind"] == "Secret" and _moves(item, namespaces):
        return "O(secrets) leaves it out"
    return "it would run once more" if _is_a_users_job(item, namespaces) else ""


def _is_a_users_job(item: Mapping[str, Any], namespaces: Sequence[str]) -> bool:
    return item["kind"] == "Job" and _in(item, namespaces) and not _owned(item)


def is_below(path: str, places: Iterable[str]) -> bool:
    """Whether a path is one of these directories, or in one."""
    return any(path == place or path.startswith(f"{place.rstrip('/')}/") for place in places)


def _moves(item: Mapping[str, Any], namespaces: Sequence[str]) -> bool:
    kind, meta, name = item["kind"], item["metadata"], str(item["metadata"]["name"])
    if _is_made_again(item) or kind == "Job" or meta.get("deletionTimestamp") or not _in(item, namespaces):
        return False
    special = {
        "Namespace": name not in (*SYSTEM, "default"),
        "Pod": (item.get("status") or {}).get("phase") not in ("Succeeded", "Failed"),
        "Secret": item.get("type") not in _OWN_SECRETS,
        "ConfigMap": name != "kube-root-ca.crt",
        "Service": (meta.get("namespace"), name) != ("default", "kubernetes"),
        "ServiceAccount": name != "default" or bool(item.get("imagePullSecrets")),
        "CustomResourceDefinition": not name.endswith(".cattle.io"),
    }
    system = not meta.get("namespace") and (
        name.startswith("system") or "kubernetes.io/bootstrapping" in (meta.get("labels") or {})
    )
    return special.get(kind, True) and not system


def _is_made_again(item: Mapping[str, Any]) -> bool:
    """Whether a cluster makes an object out of others, or k3s brings it."""
    annotations = item["metadata"].get("annotations") or {}
    by_k3s = any(one.startswith("objectset.rio.cattle.io/") for one in annotations)
    return _owned(item) or item["kind"] in _DERIVED or by_k3s


def _in(item: Mapping[str, Any], namespaces: Sequence[str]) -> bool:
    namespace = item["metadata"]["name"] if item["kind"] == "Namespace" else item["metadata"].get("namespace", "")
    return not namespace or (namespace not in SYSTEM and any(fnmatchcase(namespace, one) for one in namespaces))


def _owned(item: Mapping[str, Any]) -> bool:
    return bool(item["metadata"].get("ownerReferences"))


def _claim_of(volume: Mapping[str, Any]) -> str:
    claim = volume["spec"].get("claimRef") or {}
    return f"{claim['namespace']}/{claim['name']}" if claim.get("name") else ""


def _path_of(volume: Mapping[str, Any]) -> str:
    spec = volume["spec"]
    return str((spec.get("hostPath") or spec.get("local") or {}).get("path") or "").rstrip("/")


def _order(item: Mapping[str, Any]) -> tuple[int, str]:
    kind = item["kind"]
    first = _FIRST.index(kind) if kind in _FIRST else len(_FIRST)
    return (first + 1 + _LAST.index(kind) if kind in _LAST else first), key_of(item)


def cleaned(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object as its author wrote it, without what the cluster added."""
    meta = item["metadata"]
    notes = {key: value for key, value in (meta.get("annotations") or {}).items() if not key.startswith(_OF_THIS_CLUSTER)}
    kept = {key: meta[key] for key in ("name", "namespace", "labels") if meta.get(key)} | (
        {"annotations": notes} if notes else {}
    )
    body = {key: value for key, value in item.items() if key not in ("metadata", "status", "secrets")}
    spec = dict(body["spec"]) if isinstance(body.get("spec"), Mapping) else None
    if spec is not None:
        body["spec"] = _CLEAN.get(item["kind"], lambda one: one)(spec)
    return {**body, "metadata": kept}


def _service(spec: dict[str, Any]) -> dict[str, Any]:
    if spec.get("clusterIP") != "None":
        spec = {key: value for key, value in spec.items() if key not in ("clusterIP", "clusterIPs")}
    return {key: value for key, value in spec.items() if key != "healthCheckNodePort"}


def _volume(spec: dict[str, Any]) -> dict[str, Any]:
    claim = {key: value for key, value in (spec.get("claimRef") or {}).items() if key not in ("uid", "resourceVersion")}
    return {**spec, "claimRef": claim} if claim else spec


def _pod(spec: dict[str, Any]) -> dict[str, Any]:
    def without_token(one: Mapping[str, Any], part: str) -> dict[str, Any]:
        return {**one, part: [each for each in one.get(part) or () if not each["name"].startswith("kube-api-access-")]}

    mounted = {part: [without_token(one, "volumeMounts") for one in spec[part]] for part in _CONTAINERS if spec.get(part)}
    return {key: value for key, value in {**without_token(spec, "volumes"), **mounted}.items() if key != "nodeName"}


_CONTAINERS = ("initContainers", "containers")
_CLEAN = {"Service": _service, "PersistentVolume": _volume, "Pod": _pod}


def images_of(items: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the images that workloads name, as docker calls them."""
    return frozenset(familiar(str(one["image"])) for item in items for one in _containers(item.get("spec")) if one.get("image"))


def _containers(spec: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the containers of a pod, or of the template of one, however deep it is."""
    if not isinstance(spec, Mapping):
        return
    for part in _CONTAINERS:
        for one in spec.get(part) or ():
            if isinstance(one, Mapping):
                yield one
    for part in ("template", "jobTemplate", "spec"):
        yield from _containers(spec.get(part))


def familiar(image: str) -> str:
    """Return an image's name in docker's short form, with its tag."""
    name = image.removeprefix("docker.io/").removeprefix("library/")
    return name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"


def is_ready(item: Mapping[str, Any]) -> bool:
    """Whether all pods of a workload are ready, by what its controller last said of its newest form."""
    status, meta = item.get("status") or {}, item["metadata"]
    if int(status.get("observedGeneration") or 0) < int(meta.get("generation") or 0):
        return False
    if item["kind"] == "DaemonSet":
        return int(status.get("numberReady") or 0) >= int(status.get("desiredNumberScheduled") or 0)
    wanted = (item.get("spec") or {}).get("replicas")
    return int(status.get("readyReplicas") or 0) >= (1 if wanted is None else int(wanted))
