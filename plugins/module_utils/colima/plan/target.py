# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings that a profile is to have, and how they differ from what is configured and from what the VM runs with. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..model.answers import k3s_release
from ..model.config import Config, Host, canonical, default_mount_type, defaults, differences, has_kubernetes
from ..model.settings import BY_OPTION, CREATE, FIXED, LIVE, RESTART, SETTINGS, Version, k3s_of
from ..model.shown import counted, worded
from ..model.spec import ProfileSpec
from ..model.state import GIB, HALF, RUNNING, ProfileState

_SIZES = ("cpu", "memory", "disk")
PORT, VERSION = "kubernetes.port", "kubernetes.version"


@dataclass(frozen=True)
class SettingsGap:
    """What lies between a profile and its target settings, as option names in the order of the table."""

    file: tuple[str, ...]  # stated settings that colima.yaml does not have
    live: tuple[str, ...]  # of these, the ones that need no restart
    restart: tuple[str, ...]  # stated settings that the VM does not run with
    fixed: tuple[str, ...]  # stated settings that this VM can never have


def target_of(current: ProfileState, spec: ProfileSpec, host: Host, version: Version | None = None) -> dict[str, Any]:
    """Return the complete settings: the present ones, or colima's defaults, with the stated ones on top."""
    target, stated = _as_it_is(current, host), spec.stated
    if VERSION not in stated:
        target[VERSION] = _kept_k3s(current, target[VERSION]) or k3s_of(version)
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


def _as_it_is(current: ProfileState, host: Host) -> dict[str, Any]:
    """Return the settings of a profile, with those of its VM where they can't be changed."""
    target = settings_known(current, host)
    if not (current.configured or current.interrupted or current.applied):
        # No file tells; Lima still knows what the VM has.
        target.update(cpu=0, memory=0.0, runtime=current.disk_runtime or target["runtime"])
    _fill_zeros(target, current)
    if current.exists and current.applied:
        fixed = [setting.option for setting in SETTINGS if setting.when in (FIXED, CREATE)]
        target.update({option: current.applied[option] for option in fixed if option in current.applied})
        target["network.address"] = target["network.address"] or current.applied["network.address"]
    return target


def settings_known(current: ProfileState, host: Host) -> dict[str, Any]:
    """Return a copy of the settings that a profile has, from any source; colima's defaults where nothing does."""
    return dict(current.configured or current.interrupted or current.applied or defaults(host))


def k3s_there(current: ProfileState) -> str:
    """Return the release of k3s in the VM: what the VM says, else what it was last started with; empty when it has none."""
    if current.k3s and current.k3s.version:
        return current.k3s.version
    applied = current.applied if current.exists else None
    return str(applied[VERSION]) if applied and has_kubernetes(applied) else ""


def _kept_k3s(current: ProfileState, configured: str) -> str:
    """Return the release for a profile whose user names none: never older than the one in the VM."""
    there = k3s_there(current)
    older = k3s_release(configured) < k3s_release(there)
    return there if not configured or (older and k3s_release(configured)) else configured


def why_k3s_downgrade(current: ProfileState, target: Config) -> str:
    """Return the release of k3s in the VM where the target is an older one; else empty."""
    there, wanted = k3s_there(current), k3s_release(target[VERSION])
    return there if has_kubernetes(target) and wanted and wanted < k3s_release(there) else ""


def _fill_zeros(target: dict[str, Any], current: ProfileState) -> None:
    """Replace the zeros that colima made of absent sizes by the true sizes."""
    row = current.row
    there: dict[str, Any] = {"disk": current.disk_gib}
    if row is not None:
        there.update(cpu=row.cpus, memory=row.memory / GIB)
    for option in _SIZES:
        if not target[option] or target[option] < 0:
            target[option] = there.get(option) or BY_OPTION[option].default


def gap_of(current: ProfileState, spec: ProfileSpec, target: Config, host: Host) -> SettingsGap:
    """Return what differs. Settings that were not stated never count: they stay as they are."""
    stated = frozenset(spec.stated)
    instance = current.name.id
    file = differences(current.configured, target, stated, host, instance) if current.configured else []
    # A VM that never finished its first boot has no applied settings, but was made with the configured ones.
    made_with = current.settings if current.exists else {}
    vm = differences(made_with, target, stated - {PORT}, host, instance) if made_with else []
    needs = [(option, _takes(option, made_with, target)) for option in vm if option != "disk"]
    needs += [
        ("runtime", _runtime_takes(current, target)),
        (PORT, _port_takes(current, made_with, target) if made_with and PORT in stated else ""),
        ("disk", _disk_takes(current, target, stated, vm)),
    ]
    return SettingsGap(
        tuple(file),
        live=tuple(option for option in file if BY_OPTION[option].when == LIVE),
        restart=tuple(option for option, needed in needs if needed == RESTART),
        fixed=tuple(option for option, needed in needs if needed == FIXED),
    )


def _takes(option: str, applied: Config, target: Config) -> str:
    """Return what a difference in a setting takes: nothing, a restart, or another VM."""
    if _is_fixed(option, applied, target):
        return FIXED
    return "" if BY_OPTION[option].when == LIVE else RESTART


def _runtime_takes(current: ProfileState, target: Config) -> str:
    """Return what the wanted runtime takes where all settings are lost: the data disk still tells what it was made for."""
    lost = current.exists and not current.settings
    return FIXED if lost and current.disk_runtime not in ("", target["runtime"]) else ""


def _disk_takes(current: ProfileState, target: Config, stated: frozenset[str], vm: Sequence[str]) -> str:
    """Return what the wanted size of the disk takes. Both files may claim a size that the disk never got."""
    there = current.disk_gib
    if "disk" in stated and there is not None:
        return "" if target["disk"] == there else FIXED if target["disk"] < there else RESTART
    if "disk" in vm and current.row is not None and there is None:
        return FIXED if target["disk"] * GIB < current.row.disk else RESTART
    return ""


def k3s_in_doubt(current: ProfileState, spec: ProfileSpec, target: Config) -> bool:
    """Whether only the VM can tell if its k3s has the wanted port or release.

    Both files claim any port that was ever asked for, and a release whose installation failed.
    """
    if current.k3s is not None or current.health not in (RUNNING, HALF) or not has_kubernetes(target):
        return False
    port, version = spec.stated.get(PORT), spec.stated.get(VERSION)
    another = version is not None and version != (current.applied or {}).get(VERSION)
    return bool(port and current.clients.kube_port != port) or another


def _port_takes(current: ProfileState, applied: Config, target: Config) -> str:
    """Return what the wanted port of Kubernetes takes: nothing, a restart, or another VM.

    k3s keeps the port that it was installed with for the life of the VM, also while Kubernetes is off; before that it is free.
    """
    wanted, known = target[PORT], current.k3s.port if current.k3s else None
    if known is None and current.clients.kube_port == wanted:
        known = wanted
    if not wanted or not has_kubernetes(target) or known == wanted:
        return ""
    if known:
        return FIXED
    if applied[PORT] == wanted:
        return ""
    return FIXED if known is None and applied["kubernetes.enabled"] else RESTART


def settings_there(current: ProfileState) -> dict[str, Any]:
    """Return the settings that a profile has, with the truth where the files may claim another."""
    there: dict[str, Any] = dict(current.settings)
    if current.disk_gib is not None:
        there["disk"] = current.disk_gib
    if current.k3s and current.k3s.port and PORT in there:
        there[PORT] = current.k3s.port
    return there


def _is_fixed(option: str, applied: Config, target: Config) -> bool:
    if option == "root_disk":
        return bool(target[option] < applied[option])
    if option == "network.address":
        return not target[option]
    if option == "network.mode":
        return bool(applied[option])
    return BY_OPTION[option].when in (FIXED, CREATE)


def changes(current: ProfileState, target: Config, options: tuple[str, ...], between: str = "->") -> str:
    """Return 'cpu 2 CPUs -> 4 CPUs, memory ...' for a line of the plan."""
    there = settings_there(current)
    parts = []
    for option in options:
        old, new = worded(option, there.get(option, "")), worded(option, target[option])
        if option not in there or option in ("env", "docker", "provision"):
            parts.append(f"{option} changed")
        elif old == new:
            old = worded(option, (current.configured or there).get(option, ""))
            parts.append(f"{option} {old} {between} {new}" if old != new else f"{option} {new}")
        else:
            parts.append(f"{option} {old} {between} {new}")
    return ", ".join(parts)


def summary(target: Config, host: Host, instance: str) -> str:
    """Return 'containerd + Kubernetes, 4 CPUs, 12 GiB, disk 100 GiB'."""
    known = canonical(target, host, instance)
    runtime = target["runtime"] + (" + Kubernetes" if has_kubernetes(target) else "")
    parts = [runtime, counted(target["cpu"], "CPUs"), f"{target['memory']:g} GiB"]
    if target["runtime"] != "none":
        parts.append(f"disk {target['disk']} GiB")
    if known["arch"] != host.arch:
        parts.append(known["arch"])
    return ", ".join(parts)
