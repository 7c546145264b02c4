# SPDX-License-Identifier: GPL-3.0-or-later
"""A pure model of what colima does to one profile, including its faults, and to the data. For property tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.colima.model.answers import DiskNote, K3sState, ListedProfile
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Host, defaults, has_kubernetes
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import (
    ABSENT,
    DEFINED,
    GIB,
    HALF,
    RUNNING,
    STOPPED,
    DataDisk,
    ProfileState,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.yaml_text import parse, render
from ansible_collections.laptop.containers.plugins.module_utils.colima.plan.model import (
    Action,
    Phase,
    ProfilePlan,
    settled_notes,
)

# What colima takes from the applied settings, whatever colima.yaml says.
FIXED = ("arch", "vm_type", "runtime", "mount_type", "network.mode")


@dataclass
class World:
    """One profile, and whether something of the user's was destroyed."""

    current: ProfileState
    host: Host
    has_data_disks: bool = True
    # A colima before 0.10.2 asks before it takes over the storage pool of incus, and takes the silence for a no.
    wipes_incus: bool = False
    lost: bool = False
    # The port that k3s was installed with in this VM; 0 if it was never installed.
    k3s_port: int = 0

    def k3s(self) -> dict[str, K3sState | None]:
        """What a look into the VM tells: nothing while it is down."""
        return {self.current.name.name: K3sState(self.k3s_port)} if self.current.health in (RUNNING, HALF) else {}

    def apply(self, plan: ProfilePlan) -> None:
        """Run the actions in the order of the phases."""
        for phase in Phase:
            for action in plan.actions:
                if action.phase is phase:
                    getattr(self, action.kind.value)(action)
        notes = settled_notes(plan)
        self.change(
            interrupted=None if "journal" in notes else self.current.interrupted,
            fresh=self.current.fresh and "fresh" not in notes,
        )

    def change(self, **values: Any) -> None:
        self.current = replace(self.current, **values)

    @property
    def knows_runtime(self) -> bool:
        """Whether colima finds what the VM runs, also if it has ended, and removes its traces from the laptop."""
        return self.current.health == RUNNING or bool(self.current.dead_engine)

    def stop(self, _action: Action) -> None:
        disk = self.current.disk and replace(self.current.disk, used_by="")
        row = self.current.row and replace(self.current.row, status="Stopped")
        clients = self.current.clients
        runtime = self.current.live.get("runtime") or (self.current.applied or {}).get("runtime")
        if self.knows_runtime and runtime == "docker":
            clients = replace(clients, docker_context="")
        self.change(health=STOPPED, live={}, disk=disk, row=row, clients=clients)

    force_stop = stop

    def note_idle(self, action: Action) -> None:
        self.change(idle_seconds=action.seconds)

    def forget_idle(self, _action: Action) -> None:
        self.change(idle_seconds=None)

    def save_settings(self, action: Action) -> None:
        self.change(interrupted=action.config)

    def set_vm_aside(self, _action: Action) -> None:
        assert not self.current.unseen_agent, "its processes would go on without a directory"
        self.k3s_port = 0
        self.change(health=DEFINED if self.current.configured else ABSENT, applied=None, row=None, live={}, definition=None)

    def set_disk_aside(self, _action: Action) -> None:
        assert self.current.disk is None
        self.change(disk_unfinished=False)

    def unlock_disk(self, _action: Action) -> None:
        assert self.current.disk is not None
        assert not self.current.up
        self.change(disk=replace(self.current.disk, used_by=""))

    def delete(self, _action: Action) -> None:
        self.k3s_port = 0
        if self.current.applied is not None and self.current.why_data_is_inside:
            self.lost = True
        clients = replace(self.current.clients, docker_context="") if self.knows_runtime else self.current.clients
        # To Lima a VM that was set aside does not exist, and its disk stays locked.
        disk = self.current.disk and replace(self.current.disk, used_by="") if self.current.exists else self.current.disk
        self.change(
            disk=disk,
            health=ABSENT,
            configured=None,
            configured_problem="is missing",
            applied=None,
            row=None,
            live={},
            clients=clients,
            definition=None,
            # It is in the profile's directory.
            buildkit=replace(self.current.buildkit, own=self.current.buildkit.own if self.current.buildkit.saved else None),
        )

    def delete_data(self, action: Action) -> None:
        self.delete(action)
        noted = self.current.store is not None and self.current.store.formatted
        # Set aside, the disk goes whatever colima knows of it.
        if self.current.disk is not None and (noted or action.seconds):
            self.lost |= self.current.disk.written
            self.change(disk=None, store=None)

    def delete_disk(self, _action: Action) -> None:
        if self.current.disk is not None:
            self.lost |= self.current.disk.written
            self.change(disk=None)

    def restore_disk_note(self, action: Action) -> None:
        assert action.config is not None
        self.change(store=DiskNote(True, action.config["runtime"]))

    def enlarge_disk(self, action: Action) -> None:
        assert self.current.disk is not None
        assert not self.current.up
        assert action.gib * GIB > self.current.disk.size
        self.change(disk=replace(self.current.disk, size=action.gib * GIB))

    def write_settings(self, action: Action) -> None:
        assert action.config is not None
        config, problem = parse(render(action.config, self.host))
        assert config is not None
        assert not problem
        self.change(
            configured=config, configured_problem="", health=DEFINED if self.current.health == ABSENT else self.current.health
        )

    def save_buildkit(self, _action: Action) -> None:
        self.change(buildkit=replace(self.current.buildkit, saved=True))

    def restore_buildkit(self, _action: Action) -> None:
        self.change(buildkit=replace(self.current.buildkit, saved=False))

    def write_buildkit(self, action: Action) -> None:
        self.change(buildkit=replace(self.current.buildkit, own=action.text))

    def remove_buildkit(self, _action: Action) -> None:
        self.change(buildkit=replace(self.current.buildkit, own=None))

    def note_new_disk(self, _action: Action) -> None:
        assert self.current.disk is None or not self.current.disk.written, "there may be data on it"
        self.change(fresh=True)

    def forget_new_disk(self, _action: Action) -> None:
        self.change(fresh=False)

    def forget_saved_settings(self, _action: Action) -> None:
        own = None if self.current.buildkit.saved else self.current.buildkit.own
        self.change(interrupted=None, buildkit=replace(self.current.buildkit, own=own, saved=False))

    def start(self, _action: Action) -> None:
        now = self.current
        assert not now.up, "colima would answer 'already running, ignoring'"
        config = dict(now.configured or defaults(self.host))
        if now.applied and now.configured:
            config.update({option: now.applied[option] for option in FIXED if now.applied[option]})
            config["network.address"] |= now.applied["network.address"]
        store = now.store or DiskNote(False, "")
        disk = now.disk
        assert not now.disk_unfinished, "disk already exists"
        assert disk is None or not disk.used_by, "in use by instance"
        # A new VM without a runtime does not use a disk that was kept; colima only notes what it runs now.
        unused = not now.exists and config["runtime"] == "none"
        if disk is None and not now.exists and config["runtime"] != "none" and self.has_data_disks:
            disk = DataDisk(config["disk"] * GIB)
        elif disk is not None and not unused:
            if not store.formatted:
                self.lost |= disk.written and not now.fresh
            elif not now.exists and store.runtime not in ("", config["runtime"]):
                raise AssertionError("runtime disk provisioned for another runtime")
            if self.wipes_incus and not now.exists and store.formatted and store.runtime == config["runtime"] == "incus":
                self.lost |= disk.written
            if now.applied and now.applied["disk"] < config["disk"]:
                disk = replace(disk, size=max(disk.size, config["disk"] * GIB))
            disk = replace(disk, written=True)
        row = ListedProfile(
            now.name.name, "Running", self.host.arch, config["cpu"], int(config["memory"] * GIB), config["disk"] * GIB
        )
        hosts = {**(config["network.dns_hosts"] or {}), "host.docker.internal": "host.lima.internal"}
        kubernetes = has_kubernetes(config)
        if kubernetes:
            self.k3s_port = self.k3s_port or config["kubernetes.port"] or 45678
        clients = replace(
            now.clients,
            docker_context=(now.clients.docker_context or now.docker_socket)
            if config["runtime"] == "docker"
            else now.clients.docker_context,
            kube_entry="present" if kubernetes else now.clients.kube_entry,
            kube_port=self.k3s_port if kubernetes else now.clients.kube_port,
            kube_current_dangling=False,
        )
        self.change(
            health=RUNNING,
            row=row,
            configured=config,
            applied={**config, "network.dns_hosts": hosts},
            store=now.store if disk is None else store if unused and not store.formatted else DiskNote(True, config["runtime"]),
            disk=disk,
            live={"kubernetes": kubernetes, "runtime": config["runtime"]},
            clients=clients,
            # colima uses any disk that it finds when it starts a VM that is there.
            definition=None,
        )

    def note_entry(self, _action: Action) -> None:
        self.change(clients=replace(self.current.clients, kube_to_note=""))

    def repair_kubeconfig(self, action: Action) -> None:
        dangling = self.current.clients.kube_current_dangling and not action.activate
        self.change(
            clients=replace(self.current.clients, kube_entry="present", kube_port=self.k3s_port, kube_current_dangling=dangling)
        )

    def correct_context(self, _action: Action) -> None:
        self.change(clients=replace(self.current.clients, docker_context=self.current.docker_socket))

    def use_context(self, _action: Action) -> None:
        assert self.current.clients.docker_context

    def remove_docker_context(self, _action: Action) -> None:
        self.change(clients=replace(self.current.clients, docker_context=""))

    def remove_kube_entry(self, _action: Action) -> None:
        self.change(clients=replace(self.current.clients, kube_entry="", kube_current="", kube_current_dangling=False))

    def remove_wrapper(self, _action: Action) -> None:
        self.change(clients=replace(self.current.clients, wrappers=()))

    def outside(self, _action: Action) -> None:
        """A trace that is not part of this model goes."""

    remove_ssh_include = remove_default_file = remove_buildx_notes = remove_kube_copies = outside
