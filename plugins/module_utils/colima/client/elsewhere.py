# SPDX-License-Identifier: GPL-3.0-or-later
"""Which profile somebody else's colima or limactl is starting, by the words of its process.

A profile that is only named in COLIMA_PROFILE can't be seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...colima_paths import parse_name
from ...core.errors import InputError
from ...core.processes import flags_of, program_of

_STARTS = ("start", "restart")
# What takes no value of its own; every other flag of colima takes the next word, unless there is a = in it.
_SWITCHES = re.compile(
    "activate|binfmt|edit|force|force-disk-image|foreground|help|kubernetes|mount-inotify|nested-virtualization|network-address|"
    "network-host-addresses|network-preferred-route|save-config|ssh-agent|ssh-config|template|verbose|very-verbose|vz-rosetta|"
    "with-kubernetes|[efhksvz]"
)


@dataclass(frozen=True)
class Start:
    """A start that is under way: of which Lima instance, and whether its process stays for as long as the VM runs."""

    id: str
    stays: bool = False


def start_of(words: Sequence[str]) -> Start | None:
    """Return the start that a process with these arguments is at; None when it is at none."""
    program, arguments = program_of(words)
    if program == "limactl":
        verb, *targets = [word for word in arguments if not word.startswith("-")] or [""]
        return Start(targets[-1].rpartition("/")[2].removesuffix(".yaml")) if verb in _STARTS and targets else None
    if program != "colima":
        return None
    flags, others = flags_of(arguments, lambda flag: not _SWITCHES.fullmatch(flag))
    if not others or others[0] not in _STARTS:
        return None
    name = flags.get("profile") or flags.get("p") or next(iter(others[1:]), "") or "default"
    # The same letter means --force to a restart.
    stays = others[0] == "start" and ("f" in flags or flags.get("foreground", "false") != "false")
    try:
        return Start(parse_name(name).id, stays)
    except InputError:
        return None
