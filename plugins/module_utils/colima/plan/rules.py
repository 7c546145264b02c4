# SPDX-License-Identifier: GPL-3.0-or-later
"""What profiles mean for each other and for the laptop: sizes in sum, ports, gateways, who activates itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..model.config import Host, canonical, canonical_mounts, has_kubernetes
from ..model.state import GIB, Row
from .action import ProfilePlan

_MIB = 1024
_LEAST_FREE_MIB = 3 * _MIB
_LEAST_KUBERNETES_GIB = 2


def check(plans: Sequence[ProfilePlan], others: Sequence[Row], host: Host) -> tuple[list[str], list[str]]:
    """Return refusals and warnings that concern the profiles together, with the ones that already run beside them."""
    up = [plan for plan in plans if plan.will_be_up and plan.target]
    running = [row for row in others if row.status == "Running"]
    refusals, warnings = _sizes(up, running, host)
    refusals += _clashes(up, host)
    activation_refusals, activation_warnings = _activation(up)
    refusals += activation_refusals
    disk_refusals, disk_warnings = _disk(plans, host)
    told = [*warnings, *disk_warnings, *activation_warnings, *_advice(up, host), *_left_alone(plans, others)]
    return refusals + disk_refusals, told


def _settings(plan: ProfilePlan) -> Mapping[str, Any]:
    """What the VM will run with: while a change is held back, what it runs with now."""
    if plan.pending and plan.current.applied:
        return plan.current.applied
    return plan.target or {}


def _sizes(up: list[ProfilePlan], running: list[Row], host: Host) -> tuple[list[str], list[str]]:
    refusals, warnings = [], []
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
        ours = [(str(plan.desired.name), of_plan(_settings(plan))) for plan in up]
        theirs = [(row.name, of_row(row)) for row in running]
        total = sum(size for _name, size in ours + theirs)
        if not limit or total <= limit:
            continue
        listed = ", ".join(f"{name} {size:g}" for name, size in ours + theirs)
        excess = f"together they want {total:g} {noun} ({listed}), and the laptop{less} has {limit:g}"
        names = " and ".join(f"'{name}'" for name, _size in ours)
        if sum(size for _name, size in ours) > limit or any(plan.actions for plan in up):
            way = _way_out([name for name, _size in theirs])
            refusals.append(f"Could not fit profiles {names} on this laptop: {excess}. {way}")
        else:
            warnings.append(f"The running profiles do not fit on this laptop: {excess}.")
    return refusals, warnings


def _way_out(others: list[str]) -> str:
    """Return what makes room: first of all the profiles that nobody asks for, such as one that was renamed in the inventory."""
    if not others:
        return "Make them smaller, or stop a profile."
    names = " and ".join(f"'{name}'" for name in others)
    noun, verb, them = ("Profile", "runs", "it") if len(others) == 1 else ("Profiles", "run", "them")
    return (
        f"{noun} {names} {verb} without being asked for here: stop {them} ('colima stop {others[0]}'), or delete {them} with "
        "state absent if another one takes the place (data disks stay)."
    )


def _clashes(up: list[ProfilePlan], host: Host) -> list[str]:
    refusals = []
    for option, noun in (("ssh_port", "ssh port"), ("kubernetes.port", "Kubernetes port")):
        taken: dict[int, ProfilePlan] = {}
        for plan in up:
            port = _settings(plan).get(option)
            other = taken.setdefault(port, plan) if port else plan
            if other is not plan:
                refusals.append(
                    f"Could not use {noun} {port} for profile '{plan.desired.name}': profile '{other.desired.name}' has it. "
                    "Give each its own, or 0 for any free one."
                )
    gateways = {
        canonical(_settings(plan), host, plan.current.name.id)["network.gateway_address"]: str(plan.desired.name) for plan in up
    }
    if len(gateways) > 1:
        told = ", ".join(f"{name} {address}" for address, name in sorted(gateways.items()))
        refusals.append(
            f"Could not use different gateway addresses ({told}): all running profiles share one Lima network. "
            "Give them the same network.gateway_address."
        )
    return refusals


def _activation(up: list[ProfilePlan]) -> tuple[list[str], list[str]]:
    """Refuse two that were told to make themselves current; warn where it only is so by default."""
    refusals, warnings = [], []
    clients = (
        ("docker context", lambda s: s["runtime"] == "docker"),
        ("kubeconfig context", has_kubernetes),
    )
    for client, uses in clients:
        active = [p for p in up if uses(_settings(p)) and _settings(p)["auto_activate"]]
        names = [str(p.desired.name) for p in active]
        told = [f"'{p.desired.name}'" for p in active if p.desired.stated.get("auto_activate")]
        if len(told) > 1:
            refusals.append(
                f"Could not activate profiles {' and '.join(told)}: only one can be the current {client}. "
                "Set auto_activate to false for all but one."
            )
        elif len(active) > 1:
            warnings.append(
                f"Profiles {' and '.join(names)} each make themselves the current {client} when they start, so the last one "
                "wins. Set auto_activate to false for all but one."
            )
    return refusals, warnings


def _disk(plans: Sequence[ProfilePlan], host: Host) -> tuple[list[str], list[str]]:
    """Disks are sparse: they may promise more than is free, but a new VM needs room for its system."""
    free = host.disk_free_mib
    new = [str(plan.desired.name) for plan in plans if any(a.kind == "start" for a in plan.actions) and not plan.current.exists]
    if free and new and free < _LEAST_FREE_MIB * len(new):
        return [
            f"Could not create profile '{new[0]}': only {free / _MIB:.1f} GiB are free on the disk, and a new VM needs "
            f"{_LEAST_FREE_MIB // _MIB} GiB. Free some space."
        ], []
    grown = sum(
        max(0, plan.target["disk"] - (plan.current.disk_gib or 0))
        for plan in plans
        if plan.target and plan.target["runtime"] != "none" and any(a.kind in ("start", "resize") for a in plan.actions)
    )
    if free and grown * _MIB > free:
        return [], [
            f"The data disks may grow by {grown} GiB, and {free // _MIB} GiB are free: they take what is stored on them, not "
            "more, but can fill the laptop's disk."
        ]
    return [], []


def _advice(up: list[ProfilePlan], host: Host) -> list[str]:
    warnings = []
    for plan in up:
        settings = _settings(plan)
        if has_kubernetes(settings) and settings["memory"] < _LEAST_KUBERNETES_GIB:
            warnings.append(
                f"Profile '{plan.desired.name}' runs Kubernetes with {settings['memory']:g} GiB of memory; it wants at least "
                f"{_LEAST_KUBERNETES_GIB} GiB."
            )
        for location, _point, _writable in canonical_mounts(settings["mounts"], host.home) or ():
            if " " in location and plan.actions:
                told = f"Profile '{plan.desired.name}' mounts '{location}'"
                warnings.append(f"{told}: paths with spaces fail with mount_type sshfs.")
    return warnings


def _left_alone(plans: Sequence[ProfilePlan], others: Sequence[Row]) -> list[str]:
    """Name the profiles that nobody asked about when a new one is made: it may be meant to replace one under another name."""
    new = [f"'{plan.desired.name}'" for plan in plans if not plan.current.exists and any(a.kind == "start" for a in plan.actions)]
    if not new or not others:
        return []
    names = [f"'{row.name}'" + (" (running)" if row.status == "Running" else "") for row in others]
    noun, verb = ("Profile", "is") if len(names) == 1 else ("Profiles", "are")
    return [
        f"{noun} {', '.join(names)} {verb} not asked for here and {verb} left alone. If {' or '.join(new)} shall take its place, "
        "delete it with state absent; its data disk stays unless delete_data is set."
    ]
