# SPDX-License-Identifier: GPL-3.0-or-later
"""The two clusters of a move, what goes from one to the other, and the steps, as frozen values. Sizes are in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...colima.model.state import ProfileState
from ...colima_paths import Name
from ...core.plan import Step
from ...manifest.model import Row, SyncState
from ..model import Image, Inventory
from ..move.model import Claim, Objects

COPY, READY, VERIFY = "copy", "ready", "verify"
# Where k3s keeps the data of volumes by default.
STORAGE = "/var/lib/rancher/k3s/storage"


@dataclass(frozen=True)
class ClusterMoveSpec:
    """What is asked for. namespaces: patterns. pause: pods that could write may be paused. seconds: to wait for workloads."""

    phase: str
    context: str
    profile: Name
    namespaces: tuple[str, ...] = ("*",)
    secrets: bool = False
    pause: bool = False
    seconds: float = 300.0


@dataclass(frozen=True)
class Pod:
    """A pod that may run, with the claims that it uses, as "namespace/name". writes: those of them that it can write to."""

    name: str
    uid: str
    claims: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Target:
    """What the new cluster is like. keys: of all its objects; ours: of objects that this project has created.

    kinds: (apiVersion, kind) that it knows. node: its name, or "". storage: the directory for the data of volumes. classes: its
    storage classes; default: the class for volumes that name none, or ""; provisioner: what serves that. node_ports: ports in
    use, exposed: ports of load balancers, each with its service, as "namespace/name". pods: pods that use claims.
    """

    uid: str = ""
    keys: frozenset[str] = frozenset()
    ours: frozenset[str] = frozenset()
    kinds: frozenset[tuple[str, str]] = frozenset()
    node: str = ""
    storage: str = STORAGE
    classes: frozenset[str] = frozenset()
    default: str = ""
    provisioner: str = ""
    node_ports: Mapping[int, str] = field(default_factory=dict)
    exposed: Mapping[int, str] = field(default_factory=dict)
    pods: tuple[Pod, ...] = ()


@dataclass(frozen=True)
class Source:
    """What the old cluster holds: all objects that go on, as they were, and who uses the data of volumes.

    outside: claims whose data is not in a directory of a machine, with what keeps it.
    """

    uid: str = ""
    objects: Objects = field(default_factory=Objects)
    pods: tuple[Pod, ...] = ()
    outside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterMoveState:
    """Everything that a plan needs to know. current: the profile; others: further ones. free: bytes in its VM, None: not known.

    missing: names of images that the new cluster lacks. filled: volumes whose data has arrived. lost: claims whose directory the
    engine's machine does not have. incomplete: keys of accounts that lack the name of a pull secret. states: how both sides of
    a claim stand to each other, where the new cluster has its directory. unnoted: rows of what has arrived, without the id of the
    VM. paused: containers that a killed run has left paused, by id.
    """

    current: ProfileState
    engine: Inventory = field(default_factory=lambda: Inventory(""))
    source: Source = Source()
    target: Target = Target()
    missing: frozenset[str] = frozenset()
    filled: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    incomplete: frozenset[str] = frozenset()
    mounted: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    states: Mapping[str, SyncState] = field(default_factory=dict)
    unnoted: tuple[Row, ...] = ()
    paused: frozenset[str] = frozenset()
    free: int | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class SendImages(Step):
    """Send images from the engine into the kubelet's namespace of the new containerd, in one stream."""

    images: tuple[Image, ...] = field(kw_only=True)


@dataclass(frozen=True)
class SendClaim(Step):
    """Send the data of a volume into its new directory. pause: containers that must not write meanwhile, by id."""

    claim: Claim = field(kw_only=True)
    path: str = field(kw_only=True)
    pause: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class CreateObjects(Step):
    """Create objects in the new cluster, in this order."""

    items: tuple[Mapping[str, Any], ...] = field(kw_only=True, repr=False)
