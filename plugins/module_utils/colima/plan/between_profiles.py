# SPDX-License-Identifier: GPL-3.0-or-later
"""What profiles mean for each other and for the laptop: sizes in sum, ports, gateways, which one becomes current. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..model.answers import ListedProfile
from ..model.config import Host, canonical, canonical_mounts, has_kubernetes
from ..model.spec import Refusal
from ..model.state import GIB
from .model import ActionKind, ProfilePlan

_MIB = 1024
_LEAST_FREE_MIB = 3 * _MIB
_LEAST_KUBERNETES_GIB = 2


def check(plans: Sequence[ProfilePlan], others: Sequence[ListedProfile], host: Host) -> tuple[list[Refusal], list[str]]:
    """Return refusals and warnings that concern the profiles together, with the ones that already run beside them."""
    up = [plan for plan in plans if plan.will_be_up and plan.target]
    running = [row for row in others if row.status == "Running"]
    refusals, warnings = _sizes(up, running, host)
    refusals += _clashes(up, host)
    activation_refusals, activation_warnings = _activation(up)
    refusals += activation_refusals
    disk_refusals, disk_warnings = _disk(plans, host)
    shown = [*warnings, *disk_warnings, *activation_warnings, *_advice(up, host), *_left_alone(plans, others)]
    return refusals + disk_refusals, shown


def _settings(plan: ProfilePlan) -> Mapping[str, Any]:
    """What the VM will run with: while a change is held back, what it runs with now."""
    if plan.pending and plan.current.applied:
        return plan.current.applied
    return plan.target or {}


def _sizes(up: list[ProfilePlan], running: list[ListedProfile], host: Host) -> tuple[list[Refusal], list[str]]:
    refusals, warnings = list[Refusal](), list[str]()
    sizes = (
        ("CPUs", host.cpus, lambda s: s["cpu"], lambda row: row.cpus, ""),
        (
            "GiB of memory",
            (host.memory_mib - host.reserve_memory_mib) / _MIB if host.memory_mib else 0,
            lambda s: s["memory"],
            lambda row: row.memory / GIB,
            f", less the reserve of {host.reserve_memory_mib} MiB,",
        ),
    )
    for noun, limit, of_plan, of_row, less in sizes:
        ours = [(str(plan.spec.name), of_plan(_settings(plan))) for plan in up]
        theirs = [(row.name, of_row(row)) for row in running]
        total = sum(size for _name, size in ours + theirs)
        if not limit or total <= limit:
            continue
        listed = ", ".join(f"{name} {size:g}" for name, size in ours + theirs)
        excess = f"together they want {total:g} {noun} ({listed}), and the laptop{less} has {limit:g}"
        names = " and ".join(f"'{name}'" for name, _size in ours)
        if sum(size for _name, size in ours) > limit or any(plan.actions for plan in up):
            way = _way_out([name for name, _size in theirs])
            refusals.append(Refusal(f"fit profiles {names} on this laptop", excess, way))
        else:
            warnings.append(f"The running profiles do not fit on this laptop: {excess}.")
    return refusals, warnings


def _way_out(others: list[str]) -> str:
    """Return what makes room: first the profiles that are not asked for, such as a profile that was renamed in the inventory."""
    if not others:
        return "Make them smaller, or stop a profile."
    names = " and ".join(f"'{name}'" for name in others)
    noun, verb, them = ("Profile", "is", "it") if len(others) == 1 else ("Profiles", "are", "them")
    return (
        f"{noun} {names} {verb} running but not in the list: stop {them} ('colima stop {others[0]}'), or delete {them} with "
        "state: absent if another one replaces it (data disks stay)."
    )


def _clashes(up: list[ProfilePlan], host: Host) -> list[Refusal]:
    refusals = []
    for option, noun in (("ssh_port", "ssh port"), ("kubernetes.port", "Kubernetes port")):
        taken: dict[int, ProfilePlan] = {}
        for plan in up:
            port = _settings(plan).get(option)
            other = taken.setdefault(port, plan) if port else plan
            if other is not plan:
                what = f"use {noun} {port} for profile '{plan.spec.name}'"
                refusals.append(Refusal(what, f"profile '{other.spec.name}' has it", "Set another one, or 0 for any free one."))
    gateways = {
        canonical(_settings(plan), host, plan.current.name.id)["network.gateway_address"]: str(plan.spec.name) for plan in up
    }
    if len(gateways) > 1:
        listed = ", ".join(f"{name} {address}" for address, name in sorted(gateways.items()))
        reason = "all running profiles share one Lima network"
        refusals.append(
            Refusal(f"use different gateway addresses ({listed})", reason, "Set the same network.gateway_address for all.")
        )
    return refusals


def _activation(up: list[ProfilePlan]) -> tuple[list[Refusal], list[str]]:
    """Refuse two that both ask to become current; warn where that is only the default."""
    refusals, warnings = list[Refusal](), list[str]()
    clients = (
        ("docker context", lambda s: s["runtime"] == "docker"),
        ("kubeconfig context", has_kubernetes),
    )
    for client, uses in clients:
        active = [p for p in up if uses(_settings(p)) and _settings(p)["auto_activate"]]
        names = [str(p.spec.name) for p in active]
        explicit = [f"'{p.spec.name}'" for p in active if p.spec.stated.get("auto_activate")]
        if len(explicit) > 1:
            what, reason = f"activate profiles {' and '.join(explicit)}", f"only one can be the current {client}"
            refusals.append(Refusal(what, reason, "Set auto_activate: false for all but one."))
        elif len(active) > 1:
            warnings.append(
                f"Profiles {' and '.join(names)} each become the current {client} when they start, so the last one wins. "
                "Set auto_activate: false for all but one."
            )
    return refusals, warnings


def _disk(plans: Sequence[ProfilePlan], host: Host) -> tuple[list[Refusal], list[str]]:
    """Disks are sparse: they may promise more than is free, but a new VM needs room for its system."""
    free = host.disk_free_mib
    new = [str(plan.spec.name) for plan in plans if plan.does(ActionKind.START) and not plan.current.exists]
    if free and new and free < _LEAST_FREE_MIB * len(new):
        reason = f"only {free / _MIB:.1f} GiB are free on the disk, and a new VM needs {_LEAST_FREE_MIB // _MIB} GiB"
        return [Refusal(f"create profile '{new[0]}'", reason, "Free some disk space.")], []
    grown = _growth(plans)
    if free and grown * _MIB > free:
        return [], [
            f"The data disks may grow by {grown} GiB, and {free // _MIB} GiB are free: they take only what is stored on them, "
            "but can fill the laptop's disk."
        ]
    return [], []


def _growth(plans: Sequence[ProfilePlan]) -> int:
    """Return how many GiB larger the data disks may become."""
    return sum(
        max(0, plan.target["disk"] - (plan.current.disk_gib or 0))
        for plan in plans
        if plan.target and plan.target["runtime"] != "none" and plan.does(ActionKind.START, ActionKind.ENLARGE_DISK)
    )


def _advice(up: list[ProfilePlan], host: Host) -> list[str]:
    warnings = []
    for plan in up:
        settings = _settings(plan)
        if has_kubernetes(settings) and settings["memory"] < _LEAST_KUBERNETES_GIB:
            warnings.append(
                f"Profile '{plan.spec.name}' runs Kubernetes with {settings['memory']:g} GiB of memory; it wants at least "
                f"{_LEAST_KUBERNETES_GIB} GiB."
            )
        for location, _point, _writable in canonical_mounts(settings["mounts"], host.home) or ():
            if " " in location and plan.actions:
                subject = f"Profile '{plan.spec.name}' mounts '{location}'"
                warnings.append(f"{subject}: paths with spaces fail with mount_type sshfs.")
    return warnings


def _left_alone(plans: Sequence[ProfilePlan], others: Sequence[ListedProfile]) -> list[str]:
    """Name the profiles that are not in the list when a new one is made: it may be meant to replace one under another name."""
    new = [f"'{plan.spec.name}'" for plan in plans if not plan.current.exists and plan.does(ActionKind.START)]
    if not new or not others:
        return []
    names = [f"'{row.name}'" + (" (running)" if row.status == "Running" else "") for row in others]
    noun, verb = ("Profile", "is") if len(names) == 1 else ("Profiles", "are")
    return [
        f"{noun} {', '.join(names)} {verb} not in the list and {verb} left alone. If {' or '.join(new)} replaces one, "
        "delete that with state: absent; its data disk stays unless O(delete_data) is set."
    ]
