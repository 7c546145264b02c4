# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the old cluster in the form that the new one can use: its node, its storage, its ports. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ..move.model import Claim
from ..move.objects import called
from .model import Target
from .usage import templates

PROVISIONED = "pv.kubernetes.io/provisioned-by"
_HOSTNAME = "kubernetes.io/hostname"


def place_of(claim: Claim, target: Target) -> str:
    """Return the new directory of a volume, with a name as local-path gives it."""
    return f"{target.storage}/{claim.volume}_{claim.claim.replace('/', '_')}"


class Fitting:
    """How objects become those of one new cluster. claims: those whose data is sent."""

    def __init__(self, target: Target, items: Iterable[Mapping[str, Any]], claims: Iterable[Claim]) -> None:
        self.target = target
        self.paths = {one.volume: place_of(one, target) for one in claims}
        self.classes = target.classes | {str(one["metadata"]["name"]) for one in items if one["kind"] == "StorageClass"}

    def fitted(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an object for the new cluster."""
        change = _CHANGES.get(item["kind"])
        return change(self, item) if change else item

    def volume(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a volume in its new directory, on the new node."""
        spec, meta = dict(item["spec"]), item["metadata"]
        path = self.paths.get(meta["name"])
        if path:
            spec = {key: value for key, value in spec.items() if key not in ("local", "mountOptions")}
            # A directory that is missing is to be an error, and not an empty volume.
            spec["hostPath"] = {"path": path, "type": "Directory"}
            if self.target.provisioner:
                # When the claim is deleted, the program that serves the class deletes the data.
                meta = {**meta, "annotations": {**meta.get("annotations", {}), PROVISIONED: self.target.provisioner}}
        if self.target.node and (path or "nodeAffinity" in spec):
            term = {"matchExpressions": [{"key": _HOSTNAME, "operator": "In", "values": [self.target.node]}]}
            spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
        return {**item, "metadata": meta, "spec": self._classed(spec)}

    def claim(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a claim of a class that the new cluster has."""
        return {**item, "spec": self._classed(item["spec"])}

    def stateful(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a StatefulSet whose further pods get volumes in the new cluster, too."""
        if not templates(item):
            return item
        claims = [{**one, "spec": self._classed(one.get("spec") or {})} for one in templates(item)]
        return {**item, "spec": {**item["spec"], "volumeClaimTemplates": claims}}

    def _classed(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        name = spec.get("storageClassName")
        return {**spec, "storageClassName": self.target.default} if name and name not in self.classes else dict(spec)

    def service(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a service without the ports of the node that another service of the new cluster has."""
        taken = self._taken(item)
        if not taken:
            return item
        ports = [
            {key: value for key, value in one.items() if key != "nodePort" or value not in taken}
            for one in item["spec"].get("ports") or ()
        ]
        return {**item, "spec": {**item["spec"], "ports": ports}}

    def _taken(self, item: Mapping[str, Any]) -> list[int]:
        mine = called(item).partition(" ")[2]
        numbers = (one.get("nodePort") for one in item["spec"].get("ports") or ())
        return [one for one in numbers if one and self.target.node_ports.get(one, mine) != mine]

    def notes(self, items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        """Yield what is not in the new cluster as it was in the old one."""
        for item in items:
            if item["kind"] != "Service":
                continue
            for port in self._taken(item):
                yield f"{called(item)} gets another port than {port}, which {self.target.node_ports[port]} has."
            for port in exposed(item):
                other = self.target.exposed.get(port, "")
                if other and other != called(item).partition(" ")[2]:
                    yield f"{called(item)} and {other} both want port {port} of the laptop: the second one waits."


_CHANGES = {
    "PersistentVolume": Fitting.volume,
    "PersistentVolumeClaim": Fitting.claim,
    "StatefulSet": Fitting.stateful,
    "Service": Fitting.service,
}


def exposed(service: Mapping[str, Any]) -> list[int]:
    """Return the ports of the laptop that a load balancer takes."""
    spec = service["spec"]
    return [int(one["port"]) for one in spec.get("ports") or ()] if spec.get("type") == "LoadBalancer" else []


def unknown(items: Iterable[Mapping[str, Any]], target: Target) -> list[Mapping[str, Any]]:
    """Return the objects of kinds that the new cluster neither knows nor gets a definition of."""
    items = list(items)
    defined = {
        (f"{one['spec']['group']}/{version['name']}", one["spec"]["names"]["kind"])
        for one in items
        if one["kind"] == "CustomResourceDefinition"
        for version in one["spec"].get("versions") or ()
    }
    known: Collection[tuple[str, str]] = target.kinds | defined
    return [one for one in items if (str(one["apiVersion"]), str(one["kind"])) not in known]
