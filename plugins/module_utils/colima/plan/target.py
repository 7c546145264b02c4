# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings that a profile shall have, and how they differ from what is configured and from what the VM runs with. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..model.config import Config, Host, canonical, default_mount_type, defaults, differences, has_kubernetes, worded
from ..model.desired import Desired
from ..model.settings import BY_OPTION, CREATE, FIXED, LIVE, RESTART, SETTINGS
from ..model.state import GIB, HALF, RUNNING, Current

_SIZES = ("cpu", "memory", "disk")
PORT = "kubernetes.port"


@dataclass(frozen=True)
class Gap:
    """What lies between a profile and its target settings, as option names in the order of the table."""

    file: tuple[str, ...]  # stated settings that colima.yaml does not have
    live: tuple[str, ...]  # of these, the ones that need no restart
    restart: tuple[str, ...]  # stated settings that the VM does not run with
    fixed: tuple[str, ...]  # stated settings that this VM can never have


def target_of(current: Current, desired: Desired, host: Host) -> dict[str, Any]:
    """Return the complete settings: what is there, or colima's defaults, with what was stated on top."""
    known = current.configured or current.interrupted or current.applied
    target = dict(known or defaults(host))
    if known is None and current.disk_runtime:
        target["runtime"] = current.disk_runtime
    if known is None:
        # No file tells; Lima still knows what the VM has.
        target.update(cpu=0, memory=0.0)
    stated = desired.stated
    _fill_zeros(target, current)
    if current.exists and current.applied:
        for setting in SETTINGS:
            if setting.when in (FIXED, CREATE) and setting.option in current.applied:
                target[setting.option] = current.applied[setting.option]
        target["network.address"] = target["network.address"] or current.applied["network.address"]
    old_vm_type = target["vm_type"]
    target.update(stated)
    if "mount_type" not in stated and target["vm_type"] != old_vm_type:
        target["mount_type"] = default_mount_type(target["vm_type"])
    if "disk" not in stated and current.disk_gib:
        target["disk"] = max(target["disk"], current.disk_gib) if current.configured else current.disk_gib
    if current.applied and not differences(current.applied, target, frozenset({"arch"}), host, current.name.id):
        # colima compares this one as text: host and aarch64 are a difference to it.
        target["arch"] = current.applied["arch"]
    return target


def _fill_zeros(target: dict[str, Any], current: Current) -> None:
    """Replace the zeros that colima made of absent sizes by what is there."""
    row = current.row
    there: dict[str, Any] = {"disk": current.disk_gib}
    if row is not None:
        there.update(cpu=row.cpus, memory=row.memory / GIB)
    for option in _SIZES:
        if not target[option] or target[option] < 0:
            target[option] = there.get(option) or BY_OPTION[option].default


def gap_of(current: Current, desired: Desired, target: Config, host: Host) -> Gap:
    """Return what differs. Settings that were not stated never count: they stay as they are."""
    stated = frozenset(desired.stated)
    instance = current.name.id
    file = differences(current.configured, target, stated, host, instance) if current.configured else []
    # A VM that never finished its first boot has no applied settings, but was made with the configured ones.
    made_with = (current.applied or current.configured) if current.exists else None
    vm = differences(made_with, target, stated - {PORT}, host, instance) if made_with else []
    port = _port_takes(current, made_with, target) if made_with and PORT in stated else ""
    fixed = [option for option in vm if _is_fixed(option, made_with or {}, target)]
    if current.exists and made_with is None and current.disk_runtime not in ("", target["runtime"]):
        # All settings are lost; the data disk still tells what it was made for.
        fixed.append("runtime")
    restart = [option for option in vm if option not in fixed and BY_OPTION[option].when != LIVE and option != "disk"]
    if port:
        (fixed if port == FIXED else restart).append(PORT)
    if "disk" in stated and current.disk_gib is not None:
        # Both files may claim a size that the disk never got.
        if target["disk"] < current.disk_gib:
            fixed.append("disk")
        elif target["disk"] > current.disk_gib:
            restart.append("disk")
    elif "disk" in vm and current.row is not None and current.disk is None:
        (fixed if target["disk"] * GIB < current.row.disk else restart).append("disk")
    live = tuple(option for option in file if BY_OPTION[option].when == LIVE)
    return Gap(tuple(file), live, tuple(restart), tuple(fixed))


def port_in_doubt(current: Current, desired: Desired, target: Config) -> bool:
    """Whether only the VM can tell if its k3s has the wanted port: both files claim any port that was ever asked for."""
    wanted = desired.stated.get(PORT)
    can_tell = current.k3s_port is None and current.health in (RUNNING, HALF)
    return bool(wanted and can_tell and has_kubernetes(target) and current.clients.kube_port != wanted)


def _port_takes(current: Current, applied: Config, target: Config) -> str:
    """Return what the wanted port of Kubernetes takes: nothing, a restart, or another VM.

    k3s keeps the port that it was installed with for the life of the VM, also while Kubernetes is off; before that it is free.
    """
    wanted, known = target[PORT], current.k3s_port
    if known is None and current.clients.kube_port == wanted:
        known = wanted
    if not wanted or not has_kubernetes(target) or known == wanted:
        return ""
    if known:
        return FIXED
    if applied[PORT] == wanted:
        return ""
    return FIXED if known is None and applied["kubernetes.enabled"] else RESTART


def settings_there(current: Current) -> dict[str, Any]:
    """Return the settings that a profile has, with the truth where the files may claim another."""
    there: dict[str, Any] = dict(current.applied or current.configured or {})
    if current.disk_gib is not None:
        there["disk"] = current.disk_gib
    if current.k3s_port and PORT in there:
        there[PORT] = current.k3s_port
    return there


def _is_fixed(option: str, applied: Config, target: Config) -> bool:
    if option == "root_disk":
        return bool(target[option] < applied[option])
    if option == "network.address":
        return not target[option]
    if option == "network.mode":
        return bool(applied[option])
    return BY_OPTION[option].when in (FIXED, CREATE)


def changes(current: Current, target: Config, options: tuple[str, ...]) -> str:
    """Return 'cpu 2 CPUs -> 4 CPUs, memory ...' for a line of the plan."""
    there = settings_there(current)
    parts = []
    for option in options:
        old, new = worded(option, there.get(option, "")), worded(option, target[option])
        if option not in there or option in ("env", "docker", "provision"):
            parts.append(f"{option} changed")
        elif old == new:
            old = worded(option, (current.configured or there).get(option, ""))
            parts.append(f"{option} {old} -> {new}" if old != new else f"{option} {new}")
        else:
            parts.append(f"{option} {old} -> {new}")
    return ", ".join(parts)


def summary(target: Config, host: Host, instance: str) -> str:
    """Return 'containerd + Kubernetes, 4 CPUs, 12 GiB, disk 100 GiB'."""
    known = canonical(target, host, instance)
    runtime = target["runtime"] + (" + Kubernetes" if has_kubernetes(target) else "")
    parts = [runtime, f"{target['cpu']} CPUs" if target["cpu"] != 1 else "1 CPU", f"{target['memory']:g} GiB"]
    if target["runtime"] != "none":
        parts.append(f"disk {target['disk']} GiB")
    if known["arch"] != host.arch:
        parts.append(known["arch"])
    return ", ".join(parts)
