# SPDX-License-Identifier: GPL-3.0-or-later
"""How many CPUs and how much memory each profile gets of a laptop. Pure: knows numbers, not machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.errors import InputError
from .model.config import Host
from .model.spec import LARGEST_NUMBER

MIB_PER_GIB = 1024
_REMEDY = "Lower '{}' or 'weight' of a profile, or configure fewer profiles."


@dataclass(frozen=True)
class Capacity:
    """A laptop: logical CPUs, memory in MiB, and what stays with the laptop itself.

    weight is the laptop's own share beside those of the profiles; reserve_memory_mib is never given to profiles, whatever
    they ask for.
    """

    cpus: int
    memory_mib: int
    weight: float = 1.0
    reserve_memory_mib: int = 1024


@dataclass(frozen=True)
class SizeSpec:
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


def sizes(host: Capacity, specs: Sequence[SizeSpec]) -> dict[str, Size]:
    """Return the size of each profile by name.

    A share is weight / (all profiles' weights + the host's weight), so two profiles of weight 1 get a third each. It is
    taken from the whole laptop and rounded down to whole CPUs and GiB, at least 1: an absolute size of one profile never
    changes, and so never restarts, another. The same goes for stopping a profile and starting it again. Raises InputError
    when the sum of the running ones does not fit the laptop.
    """
    if not specs:
        return {}
    _check(host, specs)
    total = sum(spec.weight for spec in specs) + host.weight
    result = {
        spec.name: Size(
            cpu=spec.cpu if spec.cpu is not None else max(1, int(host.cpus * spec.weight / total + 1e-9)),
            memory=spec.memory
            if spec.memory is not None
            else max(1, int(host.memory_mib / MIB_PER_GIB * spec.weight / total + 1e-9)),
        )
        for spec in specs
    }
    up = [spec for spec in specs if not spec.stopped]
    what = f"size profile{'s' if len(up) > 1 else ''} {_quoted(up)}"
    need = "together they need" if len(up) > 1 else "it needs"
    cpus = sum(result[spec.name].cpu for spec in up)
    if cpus > host.cpus:
        reason = f"{need} {cpus} CPUs, and this laptop has {host.cpus}"
        raise InputError(what, reason, _REMEDY.format("cpu"))
    memory = sum(result[spec.name].memory for spec in up)
    usable = (host.memory_mib - host.reserve_memory_mib) / MIB_PER_GIB
    if memory > usable + 1e-9:
        reason = (
            f"{need} {memory:g} GiB of memory, and this laptop has {host.memory_mib / MIB_PER_GIB:.4g} GiB, of which "
            f"{host.reserve_memory_mib / MIB_PER_GIB:.4g} GiB stay reserved"
        )
        raise InputError(what, reason, _REMEDY.format("memory"))
    return result


def sized(profiles: Sequence[Mapping[str, Any]], host: Host, weight: float | None) -> list[Mapping[str, Any]]:
    """Return the profiles of a task with cpu and memory filled in. weight: the laptop's own beside those of the profiles.

    Profiles to be removed pass through. Every other profile keeps its share, whatever its state: stopping one changes the size of
    no other, which would restart it.
    """
    laptop = Capacity(host.cpus, host.memory_mib, 1.0 if weight is None else weight, host.reserve_memory_mib)
    staying = [profile for profile in profiles if profile.get("state") != "absent"]
    size_of = sizes(laptop, [_spec(profile) for profile in staying])
    return [
        profile
        if profile.get("state") == "absent"
        else {**profile, "cpu": size_of[profile["name"]].cpu, "memory": size_of[profile["name"]].memory}
        for profile in profiles
    ]


def _spec(profile: Mapping[str, Any]) -> SizeSpec:
    return SizeSpec(
        profile["name"],
        cpu=profile.get("cpu"),
        memory=profile.get("memory"),
        weight=1.0 if profile.get("weight") is None else profile["weight"],
        stopped=profile.get("state") == "stopped",
    )


def _check(host: Capacity, specs: Sequence[SizeSpec]) -> None:
    if host.cpus < 1 or host.memory_mib < 1:
        reason = f"the laptop seems to have {host.cpus} CPUs and {host.memory_mib} MiB of memory"
        raise InputError("size the profiles", reason, "Set cpus and memory_mib in O(host).")
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"size profile '{name}'", f"it is listed {names.count(name)} times", "List it once.")
    for spec in specs:
        _check_numbers(spec)
    if not 0 <= host.weight <= LARGEST_NUMBER or host.reserve_memory_mib < 0:
        raise InputError("size the profiles", "the laptop's weight or reserve is negative", "Use 0 or more.")


def _check_numbers(spec: SizeSpec) -> None:
    for key, least in (("cpu", 1), ("memory", 0), ("weight", 0)):
        value = getattr(spec, key)
        # Some have more digits than Python prints.
        if value is not None and not (least <= value <= LARGEST_NUMBER and value):
            what = "of at least 1" if key == "cpu" else "above 0"
            usable = -LARGEST_NUMBER <= value <= LARGEST_NUMBER
            reason = f"its {key} is {value:g}" if usable else f"its {key} is too large"
            raise InputError(f"size profile '{spec.name}'", reason, f"Use a number {what}.")


def _quoted(specs: Sequence[SizeSpec]) -> str:
    return " and ".join(f"'{spec.name}'" for spec in specs)
