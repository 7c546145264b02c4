# SPDX-License-Identifier: GPL-3.0-or-later
"""The profiles' disks as they really are, what the VMs say of themselves, and the room on the laptop's own disk."""

from __future__ import annotations

from collections.abc import Iterator

from ...colima.model.state import GIB, RUNNING, ProfileState
from ...colima.observe.space import on_laptop
from ...core.errors import CommandFailed
from ...core.system.macos import STORAGE
from ..guest import GuestReport
from ..laptop import ENDS, Laptop
from ..model import Check, CheckKind

DISK = CheckKind("profiles.disk", "how full a profile's disk is, and what it takes of the laptop's")
MOUNT = CheckKind("profiles.mount", "whether the data disk is mounted in the VM, under what the engine stores")
LOCK = CheckKind("profiles.lock", "whether the data disk is marked as in use although no VM runs")
FORMAT = CheckKind("profiles.format", "whether colima knows that the data disk holds data, so that no start formats it")
SPACE = CheckKind("profiles.space", "whether the laptop's own disk has room for what the profiles may still store")
CLOCK = CheckKind(
    "profiles.clock", "whether a VM's clock is right: registries refuse a clock that stood still while the laptop slept"
)
MEMORY = CheckKind("profiles.memory", "whether a VM has memory left")
KINDS = (DISK, MOUNT, LOCK, FORMAT, SPACE, CLOCK, MEMORY)

FULL, NEARLY_FULL = 0.95, 0.85
LEAST_GIB, FEW_GIB = 3, 10
# Signatures of requests and certificates allow minutes; a clock that is off by this much has stood still.
SKEW_SECONDS = 30.0
LEAST_MEMORY = 0.03
# What each engine stores, and colima puts on the data disk.
_STORED = {"docker": ("/var/lib/docker",), "containerd": ("/var/lib/containerd",), "incus": ("/var/lib/incus",)}
_MIB_PER_GIB = 1024


def examine(laptop: Laptop) -> Iterator[Check]:
    """Yield the checks."""
    if not laptop.has("colima_profile"):
        return
    # First, and without a VM: a full disk is the cause of much that follows.
    yield _space(laptop)
    for name, current in laptop.profiles().items():
        yield from _kept(laptop, name, current)
        if current.health == RUNNING:
            yield from _inside(laptop, name, current)


def _kept(laptop: Laptop, name: str, current: ProfileState) -> Iterator[Check]:
    """Yield what files on the laptop tell."""
    converge = laptop.converge("colima")
    if current.disk is None:
        return
    if current.unseen_agent:
        yield LOCK.broken("its VM runs, and Lima does not see it", f"kill {current.unseen_agent} && {converge}", name)
    elif current.lock_is_stale:
        yield LOCK.warning("its data disk is marked as in use although no VM runs", converge, name)
    else:
        yield LOCK.ok("free, or in use by its own VM", name)
    if current.store_is_lost:
        found = "colima's note that the data disk is formatted is lost: a start would format it, and lose images and volumes"
        # A run restores it before a start, not while the VM runs.
        yield FORMAT.broken(
            f"{found}{ENDS}" if current.up else found, f"colima stop {name} && {converge}" if current.up else converge, name
        )
    else:
        yield FORMAT.ok("noted", name)


def _inside(laptop: Laptop, name: str, current: ProfileState) -> Iterator[Check]:
    """Yield what the VM itself tells."""
    try:
        guest = laptop.guest(current.name)
    except CommandFailed as error:
        for kind in (DISK, MOUNT, CLOCK, MEMORY):
            yield kind.unknown(f"the VM does not answer: {error.reason}", f"colima ssh --profile {name} -- true", name)
        return
    if guest is None:
        return
    yield _disk(laptop, name, current, guest)
    yield _mount(name, current, guest)
    restart = f"colima restart {name}"
    off = abs(guest.clock)
    if off > SKEW_SECONDS:
        way = "behind" if guest.clock < 0 else "ahead of"
        yield CLOCK.warning(f"its clock is {off:.0f} s {way} the laptop's{ENDS}", restart, name)
    else:
        yield CLOCK.ok("right", name)
    free = f"{guest.memory_free:.0%} of its memory is free"
    yield (
        MEMORY.warning(free, f"colima ssh --profile {name} -- ps aux", name)
        if guest.memory_free < LEAST_MEMORY
        else MEMORY.ok(free, name)
    )


def _disk(laptop: Laptop, name: str, current: ProfileState, guest: GuestReport) -> Check:
    place = f"/mnt/lima-{current.name.id}"
    usage = guest.disks.get(place) or guest.disks.get("/")
    if usage is None:
        return DISK.unknown("the VM does not tell", "", name)
    taken = on_laptop(laptop.colima.paths, current.name)
    found = f"{usage.used / GIB:.1f} of {usage.size / GIB:.0f} GiB used" + (
        f", {taken / GIB:.1f} GiB on the laptop" if taken else ""
    )
    runtime = str((current.applied or {}).get("runtime") or "docker")
    if usage.share < NEARLY_FULL:
        return DISK.ok(found, name)
    # Of everything that can be freed, only build cache is not the user's work. reclaim.yml knows that of other builders, too.
    more = "playbooks/reclaim.yml --check -e reclaim_build_cache=all -e reclaim_images=unused"
    found = f"{found}. Where the engine's build cache does not free enough, see {more}"
    prune = f"colima ssh --profile {name} -- sudo {'docker' if runtime == 'docker' else 'nerdctl'} builder prune --all --force"
    return DISK.broken(found, prune, name) if usage.share >= FULL else DISK.warning(found, prune, name)


def _mount(name: str, current: ProfileState, guest: GuestReport) -> Check:
    if current.disk is None or current.why_data_is_inside:
        return MOUNT.ok("images and volumes are in the VM itself", name)
    runtime = str((current.applied or {}).get("runtime") or "")
    wanted = (f"/mnt/lima-{current.name.id}", *_STORED.get(runtime, ()))
    missing = [place for place in wanted if place not in guest.mounts]
    if missing:
        lost = " and ".join(missing)
        return MOUNT.broken(f"{lost} is not mounted: what is stored now goes with the VM{ENDS}", f"colima restart {name}", name)
    return MOUNT.ok("mounted", name)


def _space(laptop: Laptop) -> Check:
    free = laptop.wanted().host.disk_free_mib / _MIB_PER_GIB
    if not free:
        return SPACE.unknown("the laptop does not tell how much is free")
    found = (
        f"{free:.0f} GiB are free on the laptop" if free >= 1 else f"the laptop's disk is full: {free * 1024:.0f} MiB are free"
    )
    shown = f" {STORAGE} shows what takes it." if laptop.system == "Darwin" else ""
    remedy = f"Free some disk space: a VM whose disk can't grow stops with damaged files.{shown}"
    if free < LEAST_GIB:
        return SPACE.broken(found, remedy)
    return SPACE.warning(found, remedy) if free < FEW_GIB else SPACE.ok(found)
