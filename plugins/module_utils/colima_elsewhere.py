# SPDX-License-Identifier: GPL-3.0-or-later
"""Which profile somebody else's colima or limactl is starting, by the words of its process.

A profile that is only named in COLIMA_PROFILE can't be seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .colima_paths import parse_name
from .errors import InputError
from .host_processes import program_of

_STARTS = ("start", "restart")
# What takes no value of its own; every other flag of colima takes the next word, unless there is a = in it.
_SWITCHES = re.compile(
    "activate|binfmt|edit|force|force-disk-image|foreground|help|kubernetes|mount-inotify|nested-virtualization|network-address|"
    "network-host-addresses|network-preferred-route|save-config|ssh-agent|ssh-config|template|verbose|very-verbose|vz-rosetta|"
    "with-kubernetes"
)
_SWITCH_LETTERS = frozenset("efhksvz")


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
    flags, others = _parsed(arguments)
    if not others or others[0] not in _STARTS:
        return None
    name = flags.get("profile") or flags.get("p") or next(iter(others[1:]), "") or "default"
    # The same letter means --force to a restart.
    stays = others[0] == "start" and ("f" in flags or flags.get("foreground", "false") != "false")
    try:
        return Start(parse_name(name).id, stays)
    except InputError:
        return None


def _parsed(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the flags, by name or letter, and the other words, as Go's pflag tells them apart."""
    flags: dict[str, str] = {}
    others: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return flags, others + rest
        if word.startswith("--"):
            name, given, value = word[2:].partition("=")
            flags[name] = value if given else "true" if _SWITCHES.fullmatch(name) or not rest else rest.pop(0)
        elif word.startswith("-") and word != "-":
            switches = word[1:]
            while switches[:1] in _SWITCH_LETTERS and switches:
                flags[switches[0]], switches = "true", switches[1:]
            if switches:
                value = switches[1:].removeprefix("=")
                flags[switches[0]] = value or (rest.pop(0) if rest and len(switches) == 1 else "")
        else:
            others.append(word)
    return flags, others
