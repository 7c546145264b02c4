# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a profile is moved, where it waits meanwhile, and the steps of the move. Sizes are in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...colima.client.retained_vms import RetainedVm
from ...colima.model.state import ProfileState
from ...colima_paths import Name
from ...core.plan import Step
from ...manifest.model import Fingerprint, Resource, Row
from ..model import Image, Inventory

PLAYBOOK = "playbooks/move.yml"
# containerd's namespaces: the kubelet's, and nerdctl's.
CLUSTER, OWN = "k8s.io", "default"


@dataclass(frozen=True)
class Claim:
    """A persistent volume whose data is in the VM. claim: "namespace/name" of what it is bound to. path: in the VM.

    left: what of its data no archive carries, in words.
    """

    volume: str
    claim: str
    path: str
    size: int = 0
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class Objects:
    """What a cluster holds, ready to be created in another one. boot: the start of the VM in which it was read.

    ready: the workloads that were, as "Kind namespace/name". left_out: sentences on what is not moved; stays: its rows.
    """

    items: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    claims: tuple[Claim, ...] = ()
    ready: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    boot: int = 0
    stays: tuple[Row, ...] = ()


@dataclass(frozen=True)
class SavedImages:
    """A complete file with images, for one of containerd's namespaces. digest: SHA-256 of the file."""

    file: str
    namespace: str
    images: tuple[Image, ...]
    size: int
    digest: str


@dataclass(frozen=True)
class SavedClaim:
    """A complete file with the data of a volume. contents: a digest of what is in it. digest: SHA-256 of the file."""

    file: str
    claim: Claim
    contents: str
    size: int
    digest: str


@dataclass(frozen=True)
class Archive:
    """What is in the directory of a move. sealed: the start of the VM after which all of it was written and read again.

    stopped: the VM was stopped then, and has done nothing since. there: the directory is. foreign: names in it that no move of
    this VM has made.
    """

    images: tuple[SavedImages, ...] = ()
    claims: tuple[SavedClaim, ...] = ()
    objects: Objects | None = None
    sealed: int | None = None
    stopped: bool = False
    there: bool = False
    foreign: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RuntimeMoveSpec:
    """What is asked for. place: of the archive. images, namespaces: patterns. stop: end containers that run.

    leave: patterns of resources that the user gives up. days: for which a VM that is given up can come back; 0: it goes at once.

    unattended: no one has seen the plan, so nothing may stay behind.
    """

    phase: str
    profile: Name
    runtime: str
    place: Path
    images: tuple[str, ...] = ("*",)
    namespaces: tuple[str, ...] = ("*",)
    secrets: bool = False
    stop: bool = False
    confirm: str = ""
    seconds: float = 300.0
    unattended: bool = False
    leave: tuple[str, ...] = ()
    days: float = 0.0


@dataclass(frozen=True)
class Held:
    """What is in the directory of a volume in a VM. empty: nothing is.

    The identity tells it from another directory of its name; it is "other" for anything but a directory.
    """

    reading: Fingerprint
    empty: bool = False


@dataclass(frozen=True)
class Arrived:
    """What the new VM has now: files of images, what volumes hold by their claims, and objects by their keys.

    waiting: workloads that are not ready.
    """

    files: frozenset[str] = frozenset()
    volumes: Mapping[str, Held] = field(default_factory=dict)
    objects: frozenset[str] = frozenset()
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuntimeMoveState:
    """The profile and everything of its move. boot: when its VM was last started. one_disk: what is renamed can be.

    engine, objects: None where they could not be asked. vm: the id of the profile's VM. rows: what became of each resource of the
    old VM. place: where its archive is. free: there. parts: there is a VM, or something of one. left: a killed run has left
    something of a VM that it removed. others: names of the other profiles.
    """

    current: ProfileState
    boot: int
    archive: Archive
    kept: tuple[RetainedVm, ...] = ()
    engine: Inventory | None = None
    objects: Objects | None = None
    arrived: Arrived = Arrived()
    vm: str = ""
    rows: Mapping[Resource, Row] = field(default_factory=dict)
    place: Path = Path()
    free: int = 0
    one_disk: bool = True
    parts: bool = True
    left: bool = False
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class SaveImages(Step):
    """Write images into one file, whose name tells them from others."""

    file: str = field(kw_only=True)
    images: tuple[Image, ...] = field(kw_only=True)
    namespace: str = field(kw_only=True)


@dataclass(frozen=True)
class SaveObjects(Step):
    """Write down what the cluster holds."""

    objects: Objects = field(kw_only=True, repr=False)


@dataclass(frozen=True)
class StopCluster(Step):
    """End the cluster and its pods, so that nothing writes to their volumes any more."""


@dataclass(frozen=True)
class SaveClaim(Step):
    """Write the data of a volume into a file."""

    claim: Claim = field(kw_only=True)


@dataclass(frozen=True)
class Seal(Step):
    """Read the whole archive again, and note that it is as it was written. files: which belong to it; others are removed."""

    boot: int = field(kw_only=True)
    files: frozenset[str] = field(kw_only=True)


@dataclass(frozen=True)
class StartProfile(Step):
    """Start the VM again, for a stopped VM can't be read, and its content is to be saved."""


@dataclass(frozen=True)
class StopProfile(Step):
    """Stop the VM, and note that it has done nothing since the archive was complete. boot: its last start."""

    boot: int = field(kw_only=True)


@dataclass(frozen=True)
class SetAside(Step):
    """Rename a stopped VM with its disk and settings away, as it is. name: under which it is kept."""

    name: str = field(kw_only=True)
    runtime: str = field(kw_only=True)


@dataclass(frozen=True)
class Return(Step):
    """Rename a kept VM back."""

    kept: RetainedVm = field(kw_only=True)


@dataclass(frozen=True)
class Load(Step):
    """Load a file of images into the new VM."""

    saved: SavedImages = field(kw_only=True)


@dataclass(frozen=True)
class Fill(Step):
    """Give a volume its data in the new VM."""

    saved: SavedClaim = field(kw_only=True)


@dataclass(frozen=True)
class Create(Step):
    """Create objects in the new cluster."""

    items: tuple[Mapping[str, Any], ...] = field(kw_only=True, repr=False)


@dataclass(frozen=True)
class Remove(Step):
    """Remove a kept VM, where one is named, and what killed runs have left of others. files: and those of its move."""

    name: str = field(kw_only=True)
    files: tuple[Path, ...] = field(default=(), kw_only=True)
