# SPDX-License-Identifier: GPL-3.0-or-later
"""The laptop's facts that plans need, read without a command where the system allows it; what the user gave goes first."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .colima_config import Host, architecture

_MIB = 1024 * 1024


def host_from(
    given: Mapping[str, Any] | None, environment: Mapping[str, str], lima: Path | None = None, *, with_chip: bool = False
) -> Host:
    """Return the host: given values first, the machine's own where there are none. Its chip only when somebody wants to know."""
    given = {key: value for key, value in (given or {}).items() if value is not None}
    machine = os.uname()
    own_mac = machine.sysname == "Darwin" and given.get("system") in (None, "Darwin")
    return Host(
        system=given.get("system") or machine.sysname,
        arch=architecture(given.get("arch") or machine.machine),
        home=environment.get("HOME") or str(Path.home()),
        cpus=int(given.get("cpus") or os.cpu_count() or 0),
        memory_mib=int(given.get("memory_mib") or _memory_mib()),
        disk_free_mib=int(given.get("disk_free_mib") or _free_mib(lima)),
        reserve_memory_mib=int(given["reserve_memory_mib"]) if "reserve_memory_mib" in given else 1024,
        macos=macos_of(machine.release) if own_mac else 0,
        chip=_chip() if own_mac and with_chip else 0,
    )


def macos_of(release: str) -> int:
    """Return the version of macOS by that of its kernel: 22 is macOS 13, and since 25 it is 26. 0: not known.

    The version that Python tells depends on the SDK that it was built with.
    """
    number = release.partition(".")[0]
    if not number.isdigit() or int(number) < 20:
        return 0
    return int(number) + 1 if int(number) >= 25 else int(number) - 9


def chip_of(brand: str) -> int:
    """Return the generation of an Apple chip, from what the system calls it. 0: not known."""
    found = re.search(r"Apple M(\d+)", brand)
    return int(found[1]) if found else 0


def _chip() -> int:
    import ctypes

    answer, size = ctypes.create_string_buffer(128), ctypes.c_size_t(128)
    try:
        ask = ctypes.CDLL(None).sysctlbyname
        failed = ask(b"machdep.cpu.brand_string", answer, ctypes.byref(size), None, ctypes.c_size_t(0))
    except (OSError, AttributeError):
        return 0
    return 0 if failed else chip_of(answer.value.decode(errors="replace"))


def _memory_mib() -> int:
    with contextlib.suppress(ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB
    return 0


def _free_mib(lima: Path | None) -> int:
    for place in (lima, *(lima.parents if lima else ())):
        if place is not None and place.exists():
            return shutil.disk_usage(place).free // _MIB
    return 0
