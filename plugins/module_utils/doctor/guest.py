# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running VM tells of itself: all questions of an examination in one call over ssh. Asks only; writes nothing in it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..colima.observe.space import DiskUsage, usages
from ..colima_paths import Name
from ..core.errors import CommandFailed

# A name that stands in no VM's own /etc/hosts.
OUTSIDE = "registry-1.docker.io"
# One question a line; what a VM does not have is left empty. Each answer follows a line "== name".
_QUESTIONS = {
    "clock": "date +%s",
    "uptime": "cat /proc/uptime",
    "memory": "cat /proc/meminfo",
    "disks": "df -Pk / /mnt/lima-{id}",
    "mounts": "cat /proc/mounts",
    "emulators": "grep -ls ^enabled -r /proc/sys/fs/binfmt_misc",
    "names": "getent hosts host.lima.internal",
    "outside": f"timeout 3 getent ahosts {OUTSIDE}",
    "authorities": "find /usr/local/share/ca-certificates -name '*.crt'",
}


@dataclass(frozen=True)
class GuestReport:
    """What a VM told. clock: how many seconds its clock is ahead of the laptop's; memory_free: the available part, 0 to 1.

    disks: by mount point; emulators: the names of binfmt's handlers that are on; authorities: its own certificates.
    resolves, resolves_outside: whether it finds the laptop's name, and a name that only a name server knows.
    """

    clock: float = 0.0
    uptime: float = 0.0
    memory_free: float = 1.0
    disks: Mapping[str, DiskUsage] = field(default_factory=dict)
    mounts: frozenset[str] = frozenset()
    emulators: frozenset[str] = frozenset()
    resolves: bool = True
    resolves_outside: bool = True
    authorities: tuple[str, ...] = ()


def script_for(name: Name) -> str:
    """Return the script that asks everything of a VM."""
    return "; ".join(f"echo == {what}; {question.format(id=name.id)}" for what, question in _QUESTIONS.items())


def ask(colima: Any, name: Name) -> GuestReport:
    """Ask a running VM. Raises CommandFailed where it does not answer."""
    began = time.time()
    output = colima.cli.run("ssh", "--profile", name.name, "--", "sh", "-c", script_for(name), check=False)
    middle = (began + time.time()) / 2
    if "== authorities" not in output.stdout:
        message = output.stderr.strip().rpartition("\n")[2] or "it printed nothing"
        raise CommandFailed(f"ask the VM of profile '{name}'", message, f"Look at 'colima ssh --profile {name}'.")
    return told_from(output.stdout, middle)


def told_from(text: str, now: float) -> GuestReport:
    """Return what the answers mean. now: the laptop's clock when they were given."""
    parts = {head.strip(): body for head, _end, body in (part.partition("\n") for part in re.split(r"^== ", text, flags=re.M))}
    lines = {what: parts.get(what, "").splitlines() for what in _QUESTIONS}
    clock, uptime = _number(lines["clock"]), _number(lines["uptime"])
    memory = {row[0]: int(row[1]) for row in map(str.split, lines["memory"]) if len(row) > 1 and row[1].isdigit()}
    return GuestReport(
        clock=clock - now if clock else 0.0,
        uptime=uptime,
        memory_free=memory.get("MemAvailable:", 1) / (memory.get("MemTotal:", 0) or 1),
        disks=usages(lines["disks"]),
        mounts=frozenset(row[1] for row in map(str.split, lines["mounts"]) if len(row) > 1),
        emulators=frozenset(path.rpartition("/")[2] for path in lines["emulators"]),
        resolves=bool(lines["names"]),
        resolves_outside=bool(lines["outside"]),
        authorities=tuple(name for name in lines["authorities"] if name.endswith(".crt")),
    )


def _number(lines: list[str]) -> float:
    found = re.match(r"\d+(\.\d+)?", lines[0]) if lines else None
    return float(found[0]) if found else 0.0
