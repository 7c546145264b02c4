# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is in a profile's engine, what may go, and the steps that remove it, as frozen values. Sizes are in bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from ..colima_paths import Name
from ..core.plan import Step


class ItemKind(Enum):
    """What an engine keeps, in the order in which it is removed: a container holds its image and volumes."""

    CONTAINER = "container"
    IMAGE = "image"
    CACHE = "cache"
    VOLUME = "volume"


@dataclass(frozen=True)
class ReclaimItem:
    """One thing that an engine keeps.

    handles: by which the engine removes it. size: what its removal frees, 0 where the engine does not tell. namespace:
    containerd's, or the container of the builder that has a piece of cache; else empty. since: when a container stopped, or a
    piece of cache was last used, in seconds since the epoch; None: in use or not known, so it stays. users: the containers that
    need it, by id. children: the cache that rests on it, by id.
    """

    kind: ItemKind
    id: str
    name: str
    handles: tuple[str, ...]
    size: int = 0
    namespace: str = ""
    dangling: bool = False
    since: float | None = None
    users: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ReclaimPolicy:
    """What may go. Ages are in seconds; of containers 0 means none, and of volumes only those named.

    deleted: also what was deleted and can still be brought back.
    """

    images: str = "dangling"
    cache: str = "older"
    cache_age: float = 0.0
    containers_age: float = 0.0
    volumes: frozenset[str] = frozenset()
    trim: bool = True
    deleted: bool = False


@dataclass(frozen=True)
class ProfileUsage:
    """One profile: its state, what its engine keeps, and what it takes. None: it was not asked.

    problem: why its engine could not be asked. at_work: builds and transfers. used: of the data disk, as the VM sees it;
    on_laptop: of the laptop's own disk. notes: what was left out, and why.
    """

    name: Name
    state: str
    runtime: str = ""
    items: tuple[ReclaimItem, ...] = ()
    problem: str = ""
    at_work: tuple[str, ...] = ()
    used: int | None = None
    on_laptop: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class EngineInventory:
    """What an engine answered: its items, and what it left out, in sentences."""

    items: tuple[ReclaimItem, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RemoveItems(Step):
    """Remove things of one kind from a profile's engine."""

    kind: ItemKind = field(kw_only=True)
    name: Name = field(kw_only=True)
    items: tuple[ReclaimItem, ...] = field(kw_only=True)


@dataclass(frozen=True)
class TrimDisk(Step):
    """Have the VM tell the laptop which blocks of its disks it no longer uses. Silent: what it frees is known only afterwards."""

    name: Name = field(kw_only=True)
