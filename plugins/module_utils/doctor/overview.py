# SPDX-License-Identifier: GPL-3.0-or-later
"""The profiles as a table: what runs, how large it is, how full, since when. Of what was read for the checks, nothing more."""

from __future__ import annotations

from typing import Any

from ..colima.model.config import has_kubernetes
from ..colima.model.state import GIB, RUNNING, ProfileState
from ..colima.observe.space import on_laptop
from .laptop import Laptop
from .model import Status


def rows(laptop: Laptop) -> list[dict[str, Any]]:
    """Return a row for each profile of the settings; none where they were not read, or could not be."""
    look = laptop.known("colima_profile")
    return [] if look is None else [_row(laptop, current) for current in look.current.snapshot.profiles.values()]


def _row(laptop: Laptop, current: ProfileState) -> dict[str, Any]:
    config = current.settings
    sizes = current.sizes(config)
    running, row = current.health == RUNNING, current.row
    shown: dict[str, Any] = {
        "name": current.name.name,
        # What files say of a VM may be long past.
        "state": current.health if laptop.colima.installed else Status.UNKNOWN.value,
        "runtime": str(config.get("runtime") or ""),
        "kubernetes": bool(config) and has_kubernetes(config),
        "cpus": sizes.cpus,
        "memory_gib": sizes.memory,
        "disk_gib": sizes.disk,
        "disk_used_gib": None,
        "disk_on_laptop_gib": round(on_laptop(laptop.colima.paths, current.name) / GIB, 1),
        "uptime_seconds": None,
        "address": row.address if running and row else "",
    }
    guest = laptop.known(("guest", current.name)) if running else None
    if guest is not None:
        usage = guest.disks.get(f"/mnt/lima-{current.name.id}") or guest.disks.get("/")
        shown["disk_used_gib"] = None if usage is None else round(usage.used / GIB, 1)
        shown["uptime_seconds"] = round(guest.uptime)
    return shown
