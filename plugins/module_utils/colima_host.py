# SPDX-License-Identifier: GPL-3.0-or-later
"""The laptop's facts that plans need, read without a command where the system allows it; what the user gave goes first."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .colima_config import Host, architecture

_MIB = 1024 * 1024


def host_from(given: Mapping[str, Any] | None, environment: Mapping[str, str], lima: Path | None = None) -> Host:
    """Return the host: given values first, the machine's own where there are none."""
    given = {key: value for key, value in (given or {}).items() if value is not None}
    machine = os.uname()
    return Host(
        system=given.get("system") or machine.sysname,
        arch=architecture(given.get("arch") or machine.machine),
        home=environment.get("HOME") or str(Path.home()),
        cpus=int(given.get("cpus") or os.cpu_count() or 0),
        memory_mib=int(given.get("memory_mib") or _memory_mib()),
        disk_free_mib=int(given.get("disk_free_mib") or _free_mib(lima)),
        reserve_memory_mib=int(given["reserve_memory_mib"]) if "reserve_memory_mib" in given else 1024,
    )


def _memory_mib() -> int:
    with contextlib.suppress(ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB
    return 0


def _free_mib(lima: Path | None) -> int:
    for place in (lima, *(lima.parents if lima else ())):
        if place is not None and place.exists():
            return shutil.disk_usage(place).free // _MIB
    return 0
