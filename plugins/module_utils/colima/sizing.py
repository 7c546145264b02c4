# SPDX-License-Identifier: GPL-3.0-or-later
"""How many CPUs and how much memory each profile gets of a laptop. Pure: knows numbers, not machines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.entries import entries_of
from ..core.errors import InputError

MIB_PER_GIB = 1024


@dataclass(frozen=True)
class Host:
    """A laptop: logical CPUs, memory in MiB, and what stays with the laptop itself.

    weight is the laptop's own share beside those of the profiles; reserve_memory_mib is never given to profiles, whatever
    they ask for.
    """

    cpus: int
    memory_mib: int
    weight: float = 1.0
    reserve_memory_mib: int = 1024


@dataclass(frozen=True)
class Wish:
    """What one profile asks for: an absolute number of CPUs or GiB, or (None) its share by weight.

    One that is stopped keeps its share, but takes nothing of the laptop meanwhile.
    """

    name: str
    cpu: int | None = None
    memory: float | None = None
    weight: float = 1.0
    stopped: bool = False


@dataclass(frozen=True)
class Size:
    """What one profile gets: whole CPUs, memory in GiB."""

    cpu: int
    memory: float


def sizes(host: Host, wishes: Sequence[Wish]) -> dict[str, Size]:
    """Return the size of each profile by name.

    A share is weight / (all profiles' weights + the host's weight), so two profiles of weight 1 get a third each. It is
    taken from the whole laptop and rounded down to whole CPUs and GiB, at least 1: an absolute size of one profile never
    changes, and so never restarts, another. The same goes for stopping a profile and starting it again. Raises InputError
    when the sum of those that are not stopped does not fit the laptop.
    """
    if not wishes:
        return {}
    _check(host, wishes)
    total = sum(wish.weight for wish in wishes) + host.weight
    result = {
        wish.name: Size(
            cpu=wish.cpu if wish.cpu is not None else max(1, int(host.cpus * wish.weight / total + 1e-9)),
            memory=wish.memory
            if wish.memory is not None
            else max(1, int(host.memory_mib / MIB_PER_GIB * wish.weight / total + 1e-9)),
        )
        for wish in wishes
    }
    up = [wish for wish in wishes if not wish.stopped]
    names = _quoted(up)
    cpus = sum(result[wish.name].cpu for wish in up)
    if cpus > host.cpus:
        raise InputError(
            f"Could not size the profiles {names}: together they need {cpus} CPUs and this laptop has {host.cpus}. "
            "Lower 'cpu' or 'weight' of a profile, or configure fewer profiles."
        )
    memory = sum(result[wish.name].memory for wish in up)
    usable = (host.memory_mib - host.reserve_memory_mib) / MIB_PER_GIB
    if memory > usable + 1e-9:
        raise InputError(
            f"Could not size the profiles {names}: together they need {memory:g} GiB of memory and this laptop has "
            f"{host.memory_mib / MIB_PER_GIB:.4g} GiB, of which {host.reserve_memory_mib / MIB_PER_GIB:.4g} GiB stay reserved. "
            "Lower 'memory' or 'weight' of a profile, or configure fewer profiles."
        )
    return result


def sized(profiles: Any, host: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the profiles with cpu and memory filled in, and without the keys that only sizing knows (weight).

    Profiles to be removed are passed through. Whatever else becomes of a profile, its share is its own: none of the others
    grows, and so restarts, because one is stopped for an hour.
    """
    profiles = entries_of(profiles, "profiles")
    staying = [profile for profile in profiles if profile.get("state") != "absent"]
    known = {"cpus", "memory_mib", "weight", "reserve_memory_mib"}
    size_of = sizes(
        Host(**{key: _number(f"host.{key}", value) for key, value in host.items() if key in known}),
        [_wish(profile) for profile in staying],
    )
    filled = []
    for profile in profiles:
        entry = {key: value for key, value in profile.items() if key != "weight"}
        if profile.get("state") != "absent":
            size = size_of[str(profile["name"])]
            entry |= {"cpu": size.cpu, "memory": size.memory}
        filled.append(entry)
    return filled


def _wish(profile: Mapping[str, Any]) -> Wish:
    if not profile.get("name"):
        raise InputError("Could not size a profile: it has no 'name'. Give every entry of the profiles list a name.")
    name = str(profile["name"])
    numbers = {
        key: _number(f"{key}' of profile '{name}", profile[key])
        for key in ("cpu", "memory", "weight")
        if profile.get(key) is not None
    }
    if "cpu" in numbers and numbers["cpu"] != int(numbers["cpu"]):
        raise InputError(f"Could not size profile '{name}': cpu is {numbers['cpu']:g}. Give a whole number of CPUs.")
    return Wish(
        name,
        cpu=int(numbers["cpu"]) if "cpu" in numbers else None,
        memory=numbers.get("memory"),
        weight=numbers.get("weight", 1.0),
        stopped=profile.get("state") == "stopped",
    )


def _number(what: str, value: Any) -> Any:
    """Return value as a number; facts and inventories may hold numbers as text."""
    if isinstance(value, bool):
        raise InputError(f"Could not size the profiles: '{what}' is {value!r}. Give a number.")
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"Could not size the profiles: '{what}' is {value!r}. Give a number.")
    return int(number) if number == int(number) else number


def _check(host: Host, wishes: Sequence[Wish]) -> None:
    if host.cpus < 1 or host.memory_mib < 1:
        raise InputError(
            f"Could not size the profiles: the laptop is said to have {host.cpus} CPUs and {host.memory_mib} MiB of memory. "
            "Check the facts, or set 'colima_host'."
        )
    names = [wish.name for wish in wishes]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Could not size profile '{name}': it is listed {names.count(name)} times. List it once.")
    for wish in wishes:
        for key, least in (("cpu", 1), ("memory", 0), ("weight", 0)):
            value = getattr(wish, key)
            if value is not None and (value < least or value == 0):
                raise InputError(
                    f"Could not size profile '{wish.name}': {key} is {value:g}. "
                    f"Give a number {'of at least 1' if key == 'cpu' else 'above 0'}."
                )
    if host.weight < 0 or host.reserve_memory_mib < 0:
        raise InputError("Could not size the profiles: the laptop's weight or reserve is negative. Give 0 or more.")


def _quoted(wishes: Sequence[Wish]) -> str:
    return " and ".join(f"'{wish.name}'" for wish in wishes)
