# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there: one profile as found, as a frozen value, and the verdict on its health.

Starts nothing and opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from ...colima_paths import Name
from . import go_yaml
from .answers import DiskNote, K3sState, ListedProfile
from .cluster_builds import BuildkitFiles
from .config import Config

# Health of a profile.
ABSENT = "absent"
DEFINED = "defined"  # settings, but no VM
LEFTOVER = "leftover"  # a VM directory without its definition: creation was interrupted
STOPPED = "stopped"
RUNNING = "running"
HALF = "half-started"  # the VM runs, but colima's set-up in it did not finish, or its engine is dead
SILENT = "unreachable"  # the VM runs and does not answer
BROKEN = "broken"
DAMAGED = "damaged"  # Lima can't read the VM's definition

EXISTS = (STOPPED, RUNNING, HALF, SILENT, BROKEN, DAMAGED)
UP = (RUNNING, HALF, SILENT, BROKEN)
GIB = 1024**3


class Standstill(StrEnum):
    """Why a VM stands still although its process is there; the value says it in words."""

    FROZEN = "its process is stopped"
    PAUSED = "it is paused"
    FAILED_WRITE = "it is paused, because it could not write to its disk"


@dataclass(frozen=True)
class DataDisk:
    """Lima's disk for images and volumes. size in bytes is the only true one; written: it is not proved to be empty."""

    size: int
    used_by: str = ""
    written: bool = True


@dataclass(frozen=True)
class ClientState:
    """What the host's clients know of a profile. None: nothing is wrong, or it does not apply."""

    docker_context: str = ""  # the endpoint of colima's own context; empty: there is none
    docker_current: bool = False  # whether docker works with that one
    kube_entry: str = ""  # "", "present", "incomplete" or "stale"
    kube_port: int = 0  # of the server in that entry; 0: none
    kube_current: str = ""
    kube_current_dangling: bool = False
    kube_to_note: str = ""  # the digest of an entry that was just found to be that of the running k3s
    wrappers: tuple[str, ...] = ()  # nerdctl scripts bound to the profile
    # What follows is only looked for where profiles go.
    kube_former: str = ""  # the context to go back to, where the profile's own is current
    kube_backups: tuple[str, ...] = ()  # copies whose content the kubeconfig still has: deleted
    kube_backups_kept: tuple[str, ...] = ()  # copies with more than it has: kept
    buildx_records: tuple[str, ...] = ()  # what buildx notes of colima's docker context


@dataclass(frozen=True)
class SharedTraces:
    """Traces of colima that all profiles share: the ssh settings that the user's include, and files that it wrote by itself."""

    ssh_include: str = ""
    files: tuple[str, ...] = ()


class Sizes(NamedTuple):
    """How large a profile is: CPUs, and GiB of memory and of data disk. None: unknown."""

    cpus: int | None
    memory: float | None
    disk: int | None


@dataclass(frozen=True)
class ProfileState:
    """One profile as found."""

    name: Name
    health: str = ABSENT
    row: ListedProfile | None = None
    configured: Config | None = None
    configured_problem: str = ""
    applied: Config | None = None
    interrupted: Config | None = None
    # Its data disk was made by our own first start, which never ended: there is nothing on it.
    fresh: bool = False
    # Lima has seen its VM come up since it was last switched on. Only looked for where there is such a note.
    seen_up: bool = False
    # It runs, and Lima has not seen it come up: in early boot a guest ignores the power button.
    never_up: bool = False
    store: DiskNote | None = None
    disk: DataDisk | None = None
    # A directory for a data disk without one in it: its creation was interrupted.
    disk_unfinished: bool = False
    # The process id of a VM that runs although Lima can't read its definition, or lost its directory, and so does not see it.
    unseen_agent: int = 0
    live: Mapping[str, Any] = field(default_factory=dict)
    # Why the engine in a running VM is useless; empty without a clear sign.
    dead_engine: str = ""
    # Why a running VM stands still; None without a clear sign. The process that stands for the machine; 0: unknown.
    still: Standstill | None = None
    machine: int = 0
    # The path of the engine's socket on the laptop, where it is gone although the VM says that its engine runs.
    lost_socket: str = ""
    # Whether Lima's ssh connection to the VM, which carries that socket, is open.
    ssh_master: bool = False
    # What the VM says of the k3s in it; None: it was not asked, or did not tell.
    k3s: K3sState | None = None
    clients: ClientState = ClientState()
    docker_socket: str = ""
    # For how long nothing of the user's was seen to run in it, in seconds; None: unknown.
    idle_seconds: float | None = None
    buildkit: BuildkitFiles = field(default_factory=BuildkitFiles)
    # How colima's list contradicts Lima's files or the guest; empty when they agree.
    contradiction: str = ""
    # Whether all of it can be renamed into the directory of kept VMs.
    one_disk: bool = True
    # Lima's definition of the VM (lima.yaml) as text; None while there is none.
    definition: str | None = field(default=None, repr=False)

    @property
    def exists(self) -> bool:
        """Whether there is a VM, in whatever health."""
        return self.health in EXISTS

    @property
    def up(self) -> bool:
        """Whether something of the VM runs, or may."""
        return self.health in UP

    @property
    def never_came_up(self) -> bool:
        """Whether there is nothing of the user's in the VM yet.

        Missing applied settings prove nothing: a file can get lost. Our note of a first start does, but it outlives a
        run that is killed right after it: it vouches only while that VM is there, and did not come up with all data inside.
        """
        return self.fresh and self.exists and self.applied is None and not self.came_up_with_data_inside

    @property
    def came_up_with_data_inside(self) -> bool:
        """Whether a VM that keeps images and volumes itself was seen to come up.

        One with a data disk may have come up when colima was dead already: it was never used, and no note is lost.
        """
        return self.seen_up and bool(self.why_data_is_inside)

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
    def settings(self) -> Config:
        """What it runs with, else what it is set to; empty if neither can be read."""
        return self.applied or self.configured or {}

    def sizes(self, settings: Config) -> Sizes:
        """Return the sizes of a running VM, as Lima tells them; those of the settings where it does not."""
        row = self.row if self.health == RUNNING else None
        return Sizes(
            (row.cpus if row else 0) or settings.get("cpu"),
            (row.memory / GIB if row else 0) or settings.get("memory"),
            self.disk_gib or settings.get("disk"),
        )

    @property
    def known(self) -> Config | None:
        """What it runs with, else what it is set to; None if neither can be read. Lima tells the true size of the disk."""
        settings = self.applied or self.configured
        return None if settings is None else {**settings, "disk": self.disk_gib or settings["disk"]}

    @property
    def why_data_is_inside(self) -> str:
        """Why images and volumes are in the VM itself, and go with it; empty when they are on a data disk."""
        if self.disk is None:
            return "it has no separate data disk"
        if self.health == DAMAGED or self.definition is None:
            # A VM that Lima can't read is set aside, never deleted.
            return ""
        if not lists_disk(self.definition, self.name):
            return "its VM was made by a colima that had no data disk, and does not use the present one"
        if (self.applied or {}).get("vm_type") == "krunkit":
            return "colima is reported to leave the data disk of a krunkit VM unused (its issues 1583 and 1614)"
        return ""

    @property
    def disk_runtime(self) -> str:
        """The runtime that the data disk belongs to, as far as colima knows it."""
        return self.store.runtime if self.disk is not None and self.store is not None and self.store.formatted else ""

    @property
    def noted_as_formatted(self) -> bool:
        """Whether colima's note of the data disk says that it is formatted."""
        return self.store is not None and self.store.formatted

    @property
    def lock_is_stale(self) -> bool:
        """Whether the data disk is marked as in use although nothing runs."""
        return self.disk is not None and bool(self.disk.used_by) and not self.up and not self.unseen_agent

    @property
    def note_is_stale(self) -> bool:
        """Whether our note of a new data disk says what no longer is: the VM came up, the disk may hold data, or is gone.

        A run that is killed after its start leaves one. It would vouch for a disk that a later mishap makes a riddle of.
        """
        came_up = self.noted_as_formatted or self.applied is not None or self.came_up_with_data_inside
        return self.fresh and (self.disk is None or came_up)

    @property
    def store_is_lost(self) -> bool:
        """Whether colima would format a data disk that holds data."""
        return self.disk is not None and self.disk.written and not self.noted_as_formatted and not self.never_came_up

    @property
    def store_is_restorable(self) -> bool:
        """Whether that note is lost, and what the VM ran with still tells what the disk was made for."""
        return self.store_is_lost and bool((self.applied or {}).get("runtime"))


@dataclass(frozen=True)
class ProfileFiles:
    """Which files of a profile are there: the VM's directory, Lima's definition in it, and colima.yaml.

    finished: colima's note in the VM's directory that a start came to its end.
    """

    directory: bool
    definition: bool
    settings: bool
    finished: bool = False


def lists_disk(definition: str, name: Name) -> bool:
    """Return whether a VM is defined with its data disk: colima keeps only such a one when it deletes the VM."""
    try:
        document = go_yaml.load(definition)
    except go_yaml.Unreadable:
        return False
    disks = document.get("additionalDisks") if isinstance(document, dict) else None
    names = [disk.get("name") if isinstance(disk, dict) else disk for disk in disks] if isinstance(disks, list) else []
    return any(isinstance(disk_name, go_yaml.Scalar) and disk_name.text == name.id for disk_name in names)


def contradiction_of(row: ListedProfile | None, files: ProfileFiles, live: Mapping[str, Any], agent: int) -> str:
    """Return how `colima list` contradicts what else is known; empty when it does not.

    Lima lists every VM that has a definition, and calls none stopped whose host agent runs.
    """
    if row is None:
        return "colima does not list it, and its VM is there (lima.yaml)" if files.definition else ""
    if row.status != "Stopped":
        return ""
    if live:
        return "colima lists it as stopped, and its VM answers"
    return f"colima lists it as stopped, and its host agent (process {agent}) runs" if agent else ""


def health_of(
    row: ListedProfile | None, files: ProfileFiles, live: Mapping[str, Any], *, reached: bool = True, dead_engine: str = ""
) -> str:
    """Return the health of a profile from what was seen of it, and from what its VM said if it runs."""
    if files.directory and not files.definition:
        return DAMAGED if files.finished else LEFTOVER
    if row is None:
        if files.definition:
            # A VM that could not be asked about: colima is not installed.
            return STOPPED
        return DEFINED if files.settings else ABSENT
    if row.status == "Running":
        if not reached:
            return SILENT
        return RUNNING if live and not dead_engine else HALF
    return {"Stopped": STOPPED, "Broken": BROKEN}.get(row.status, DAMAGED)
