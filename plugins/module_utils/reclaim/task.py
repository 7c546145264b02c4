# SPDX-License-Identifier: GPL-3.0-or-later
"""Freeing disk space in running profiles as a subject: options, reading, and carrying out each step."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..colima.client import retained_vms
from ..colima.client.programs import Colima
from ..colima.client.retained_vms import RetainedVm
from ..colima.client.run_lock import RunLock
from ..colima.model.state import ProfileState
from ..colima.observe.builds import at_work
from ..colima.observe.read import known_profiles, read
from ..colima.observe.space import on_laptop, usages
from ..colima.survey import RemoveExpired
from ..colima_paths import Name, parse_name, resolve
from ..core.durations import duration_from
from ..core.errors import CommandFailed, WorkstationError
from ..core.plan import Plan, Step, size_in_words
from ..core.subject import Result, Subject
from ..core.system.together import together
from ..docker.engine import EngineSilent
from .containerd import ContainerdDisk
from .docker import DockerDisk
from .model import EngineInventory, ItemKind, ProfileUsage, ReclaimItem, ReclaimPolicy, RemoveItems, TrimDisk
from .plan import plan_all

_WAIT_SECONDS = 600.0
_TRIM_SECONDS = 600.0
# A VM at rest writes a little all the time; less than this tells nothing.
_LEAST_BYTES = 1 << 20


@dataclass(frozen=True)
class ReclaimSpec:
    """Which profiles, None for every profile of colima, and what may go."""

    names: tuple[Name, ...] | None
    policy: ReclaimPolicy


@dataclass(frozen=True)
class ReclaimState:
    """What was found, when, in seconds since the epoch, and which other profiles the laptop has. deleted: with what it takes."""

    profiles: tuple[ProfileUsage, ...]
    now: float
    others: tuple[str, ...] = ()
    deleted: tuple[tuple[RetainedVm, int], ...] = ()


class Reclaimer(Subject[ReclaimSpec, ReclaimState]):
    """What the running profiles of one user could do without."""

    argument_spec = {
        "names": {"type": "list", "elements": "str"},
        "images": {"type": "str", "choices": ["dangling", "unused", "keep"], "default": "dangling"},
        "build_cache": {"type": "str", "choices": ["older", "all", "keep"], "default": "older"},
        "build_cache_older_than": {"type": "str", "default": "7d"},
        "containers_older_than": {"type": "str", "default": ""},
        "volumes": {"type": "list", "elements": "str", "default": []},
        "trim": {"type": "bool", "default": True},
        "deleted": {"type": "str", "choices": ["expired", "all"], "default": "expired"},
    }
    work = "free disk space in the profiles"

    # What was removed: what came meanwhile is not left over.
    removed: frozenset[str] | None = None
    # When it was begun: what expires meanwhile is left to the next run.
    now: float = 0.0

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> ReclaimSpec:
        """Return what may go, and where. Raises InputError."""
        del check_mode
        self.colima = Colima(resolve(os.environ, os.uname().sysname))
        containers = params["containers_older_than"]
        names = params["names"]
        self.policy = ReclaimPolicy(
            params["images"],
            params["build_cache"],
            duration_from(params["build_cache_older_than"], "build_cache_older_than").total_seconds(),
            duration_from(containers, "containers_older_than").total_seconds() if containers else 0.0,
            frozenset(params["volumes"]),
            params["trim"],
            params["deleted"] == "all",
        )
        return ReclaimSpec(None if names is None else tuple(dict.fromkeys(map(parse_name, names))), self.policy)

    def programs(self, spec: ReclaimSpec) -> tuple[str, ...]:
        """Return colima, through which the VMs are asked."""
        del spec
        return ("colima",)

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep runs out that would stop or start a VM."""
        return RunLock(self.colima.paths.own, _WAIT_SECONDS)

    def read(self, spec: ReclaimSpec) -> ReclaimState:
        """Ask all profiles that run, side by side; a stopped one is left alone."""
        profiles = read(self.colima, spec.names).profiles
        found = together({name: partial(self._ask, current) for name, current in profiles.items()})
        others = [str(name) for name in known_profiles(self.colima.paths, with_disks=False) if name.name not in profiles]
        paths = self.colima.paths
        deleted = tuple((vm, retained_vms.room_of(paths, vm)) for vm in retained_vms.deleted(paths))
        self.now = self.now or time.time()
        return ReclaimState(tuple(found.values()), self.now, tuple(others), deleted)

    def _ask(self, current: ProfileState) -> ProfileUsage:
        name, runtime = current.name, str(current.live.get("runtime") or "")
        found = ProfileUsage(name, current.health, runtime, on_laptop=on_laptop(self.colima.paths, name))
        if not current.live:
            return found
        disk = self._disk(name, runtime)
        try:
            inventory = disk.inventory(self.policy) if disk else EngineInventory()
            building = () if self.removed is not None else tuple(at_work(self.colima, current, runtime))
            used = self._used(name)
        except (WorkstationError, EngineSilent, ValueError) as error:
            reason = error.reason if isinstance(error, WorkstationError) else str(error)
            if self.removed is not None:
                raise CommandFailed(f"look at profile '{name}' again", reason, "Run again.") from error
            return replace(found, problem=f"its engine does not say what it keeps ({reason})")
        items = [item for item in inventory.items if self.removed is None or item.id in self.removed]
        return replace(found, items=tuple(items), notes=inventory.notes, at_work=building, used=used)

    def _disk(self, name: Name, runtime: str) -> DockerDisk | ContainerdDisk | None:
        if runtime == "docker":
            return DockerDisk(self.colima.paths.socket(name, "docker").removeprefix("unix://"), name.name)
        return ContainerdDisk(self.colima, name) if runtime == "containerd" else None

    def _used(self, name: Name) -> int | None:
        """Return how many bytes of the data disk are used, as the VM sees it; None where it does not tell."""
        with contextlib.suppress(CommandFailed):
            found = usages(self.colima.in_guest(name, "df", "-Pk", f"/mnt/lima-{name.id}").splitlines())
            return next((usage.used for usage in found.values()), None)
        return None

    def plan(self, spec: ReclaimSpec, current: ReclaimState) -> Plan:
        """Return what goes."""
        self.planned = {found.name: found for found in current.profiles}
        return plan_all(current.profiles, spec.policy, current.now, current.others, current.deleted)

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Carry out the plan, and report what the laptop gets back."""
        self.before, self.removed = self.planned, frozenset(item.id for item in _items(plan.steps))
        for step in plan.steps:
            self.apply(step)
            if isinstance(step, TrimDisk):
                freed = self.before[step.name].on_laptop - on_laptop(self.colima.paths, step.name)
                if freed >= _LEAST_BYTES:
                    report(f"give {size_in_words(freed)} of profile '{step.name}' back to the laptop")
            else:
                report(str(step))

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if isinstance(step, RemoveExpired):
            retained_vms.remove(self.colima.paths, step.name)
        elif isinstance(step, TrimDisk):
            self.colima.in_guest(step.name, "sudo", "fstrim", "--all", seconds=_TRIM_SECONDS)
        elif isinstance(step, RemoveItems) and (disk := self._disk(step.name, self.before[step.name].runtime)):
            if step.kind is ItemKind.CACHE:
                disk.prune_cache(self.policy.cache_age if self.policy.cache == "older" else 0.0, step.items)
            else:
                disk.remove(step.kind, step.items)

    def public(self, outcome: Result[ReclaimSpec, ReclaimState]) -> dict[str, Any]:
        """Return for each profile what goes, or would go, and what it takes before and after."""
        after = {found.name: found for found in outcome.after.profiles}
        return {
            "profiles": [_shown(found, after[found.name], outcome.plan.steps) for found in outcome.before.profiles],
        }


SUBJECT = Reclaimer


def _items(steps: Sequence[Step]) -> list[ReclaimItem]:
    return [item for step in steps if isinstance(step, RemoveItems) for item in step.items]


def _shown(before: ProfileUsage, after: ProfileUsage, steps: Sequence[Step]) -> dict[str, Any]:
    mine = [step for step in steps if isinstance(step, RemoveItems) and step.name == before.name]
    return {
        "name": str(before.name),
        "state": before.state,
        "runtime": before.runtime,
        "reclaimed": [
            {"kind": item.kind.value, "name": item.name, "bytes": item.size, "namespace": item.namespace} for item in _items(mine)
        ],
        "used_bytes": {"before": before.used, "after": after.used},
        "on_laptop_bytes": {"before": before.on_laptop, "after": after.on_laptop},
    }
