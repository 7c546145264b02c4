# SPDX-License-Identifier: GPL-3.0-or-later
"""The laptop's facts that plans need, read without a command where the system allows it; what the user gave goes first."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.errors import InputError
from ...core.system.files import room_at
from ..model.config import Host, architecture

_MIB = 1024 * 1024
_MOST = 2**40


def host_from(
    given: Mapping[str, Any] | None, environment: Mapping[str, str], lima: Path | None = None, *, with_chip: bool = False
) -> Host:
    """Return the host: given values first, the machine's own where there are none. Its chip only on request."""
    given = _sound(given)
    machine = os.uname()
    host = Host(
        system=given.get("system") or machine.sysname,
        arch=architecture(given.get("arch") or own_architecture(machine.sysname, machine.machine, _is_translated)),
        home=environment.get("HOME") or str(Path.home()),
        cpus=int(given.get("cpus") or os.cpu_count() or 0),
        memory_mib=int(given.get("memory_mib") or _memory_mib()),
        disk_free_mib=int(given.get("disk_free_mib") or _disk_free_mib(lima)),
        reserve_memory_mib=int(given.get("reserve_memory_mib", 1024)),
    )
    if machine.sysname != "Darwin" or given.get("system") not in (None, "Darwin"):
        return host
    return replace(host, macos=macos_of(machine.release), chip=_chip() if with_chip else 0)


def _sound(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the values that were given. Raises InputError for a size that no laptop has."""
    values = {key: value for key, value in (given or {}).items() if value is not None}
    for key, value in values.items():
        if isinstance(value, int | float) and not 0 <= value <= _MOST:
            # It may have more digits than Python prints.
            raise InputError(
                f"use the laptop's {key}", "it is too large, or negative", f"Use a number from 0 to {_MOST}, or leave it out."
            )
    return values


def own_architecture(system: str, machine: str, is_translated: Callable[[], bool]) -> str:
    """Return the machine type that this process sees. Raises InputError where it sees another than the laptop has."""
    if system == "Darwin" and machine == "x86_64" and is_translated():
        raise InputError(
            f"plan colima's profiles with the Python '{sys.executable}'",
            "it is made for Intel and runs under Rosetta, so it takes this laptop with Apple silicon for an Intel one",
            "Run the play with a native Python, such as the one in /opt/homebrew; where colima itself is native, "
            "arch: aarch64 in O(host) is enough.",
        )
    return machine


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
    return chip_of(_sysctl(b"machdep.cpu.brand_string").rstrip(b"\0").decode(errors="replace"))


def _is_translated() -> bool:
    """Whether this process is an Intel one on Apple silicon; an Intel laptop does not know the question."""
    return int.from_bytes(_sysctl(b"sysctl.proc_translated"), sys.byteorder) == 1


def _sysctl(name: bytes) -> bytes:
    """Return what the system says under a name; nothing where it says nothing."""
    import ctypes

    answer, size = ctypes.create_string_buffer(128), ctypes.c_size_t(128)
    try:
        failed = ctypes.CDLL(None).sysctlbyname(name, answer, ctypes.byref(size), None, ctypes.c_size_t(0))
    except (OSError, AttributeError):
        return b""
    return b"" if failed else answer.raw[: size.value]


def _disk_free_mib(lima: Path | None) -> int:
    return room_at(lima) // _MIB if lima else 0


def _memory_mib() -> int:
    with contextlib.suppress(ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB
    return 0
