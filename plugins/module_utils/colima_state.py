# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there: one profile as found, as a frozen value, and the verdict on its health.

Knows how to read the answers of colima and limactl and colima's files as text; starts nothing and opens nothing itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .colima_config import Config
from .colima_paths import Name
from .errors import CommandFailed

# Health of a profile.
ABSENT = "absent"
DEFINED = "defined"  # settings, but no VM
LEFTOVER = "leftover"  # a VM directory without its definition: creation was interrupted
STOPPED = "stopped"
RUNNING = "running"
HALF = "half-started"  # the VM runs, colima's set-up in it did not finish
BROKEN = "broken"
DAMAGED = "damaged"  # Lima can't read the VM's definition

EXISTS = (STOPPED, RUNNING, HALF, BROKEN, DAMAGED)
UP = (RUNNING, HALF, BROKEN)
GIB = 1024**3


@dataclass(frozen=True)
class Row:
    """One line of `colima list --json`. Zero and empty mean that colima left the key out."""

    name: str
    status: str = ""
    arch: str = ""
    cpus: int = 0
    memory: int = 0
    disk: int = 0
    address: str = ""
    runtime: str = ""


@dataclass(frozen=True)
class DataDisk:
    """Lima's disk for images and volumes. size in bytes is the only true one; written: anything was ever stored on it."""

    size: int
    used_by: str = ""
    written: bool = True


@dataclass(frozen=True)
class Store:
    """What colima remembers of the data disk."""

    formatted: bool
    runtime: str


@dataclass(frozen=True)
class Clients:
    """What the host's clients know of a profile. None: nothing is wrong, or it does not apply."""

    docker_context: str = ""  # the endpoint of colima's own context; empty: there is none
    kube_entry: str = ""  # "", "present" or "incomplete"
    kube_current: str = ""
    kube_current_dangling: bool = False
    wrappers: tuple[str, ...] = ()  # nerdctl scripts bound to the profile


@dataclass(frozen=True)
class Current:
    """One profile as found."""

    name: Name
    health: str = ABSENT
    row: Row | None = None
    configured: Config | None = None
    configured_problem: str = ""
    applied: Config | None = None
    interrupted: Config | None = None
    # Its data disk was made by a first start of ours that never ended: there is nothing on it.
    fresh: bool = False
    store: Store | None = None
    disk: DataDisk | None = None
    # A directory for a data disk without one in it: its creation was interrupted.
    disk_unfinished: bool = False
    # The process id of a host agent that runs although Lima can't read the VM's definition, and so does not see it.
    unseen_agent: int = 0
    live: Mapping[str, Any] = field(default_factory=dict)
    clients: Clients = Clients()
    docker_socket: str = ""

    @property
    def exists(self) -> bool:
        """Whether there is a VM, in whatever health."""
        return self.health in EXISTS

    @property
    def up(self) -> bool:
        """Whether something of the VM runs, or may."""
        return self.health in UP

    @property
    def lacks_address(self) -> bool:
        """Whether a reachable address was asked for and is not there: colima only warns when it can't make it."""
        wanted = bool((self.applied or {}).get("network.address"))
        return self.health == RUNNING and wanted and not (self.row and self.row.address)

    @property
    def disk_gib(self) -> int | None:
        """The true size of the data disk in whole GiB; None when there is none."""
        return None if self.disk is None else self.disk.size // GIB

    @property
    def disk_runtime(self) -> str:
        """The runtime that the data disk belongs to, as far as colima knows it."""
        known = self.disk is not None and self.store is not None and self.store.formatted
        return self.store.runtime if known and self.store is not None else ""

    @property
    def lock_is_stale(self) -> bool:
        """Whether the data disk is marked as in use although nothing runs."""
        return self.disk is not None and bool(self.disk.used_by) and not self.up

    @property
    def store_is_lost(self) -> bool:
        """Whether colima would format a data disk that holds data."""
        known = self.store is not None and self.store.formatted
        return self.disk is not None and self.disk.written and not known and not (self.fresh and self.applied is None)


def parse_rows(stdout: str) -> list[Row]:
    """Return the rows of `colima list --json`: one object per line, not an array."""
    rows = []
    for line in stdout.splitlines():
        if not line.startswith("{"):
            continue
        try:
            data = json.loads(line)
        except ValueError as error:
            raise CommandFailed("Could not read the answer of 'colima list --json': it is not JSON.", stdout=stdout) from error
        rows.append(Row(**{key: value for key, value in data.items() if key in Row.__dataclass_fields__}))
    return rows


def parse_store(text: str) -> Store | None:
    """Return colima's notes about a data disk. None when they can't be read: colima then believes that there are none."""
    try:
        data = json.loads(text)
        return Store(bool(data.get("disk_formatted")), str(data.get("disk_runtime") or ""))
    except (ValueError, AttributeError):
        return None


def verdict(row: Row | None, live: Mapping[str, Any], has_directory: bool, has_definition: bool, has_settings: bool) -> str:
    """Return the health of a profile from what was seen of it."""
    if has_directory and not has_definition:
        return LEFTOVER
    if row is None:
        if has_definition:
            # There is a VM that nobody could tell us about: colima itself is not installed.
            return STOPPED
        return DEFINED if has_settings else ABSENT
    if row.status == "Running":
        return RUNNING if live else HALF
    return {"Stopped": STOPPED, "Broken": BROKEN}.get(row.status, DAMAGED)
