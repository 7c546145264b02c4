# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile as results show it: plain values, no secret. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..colima_paths import Paths
from ..core.plan import Pending
from .model.config import Config, Host, canonical, differences, has_kubernetes, nested
from .model.settings import BY_OPTION, LIVE
from .model.shown import shown
from .model.state import RUNNING, ProfileState

_SOCKETS = {"docker": ("docker", "containerd"), "containerd": ("containerd", "buildkitd"), "incus": ("incus",)}


def public_profile(
    paths: Paths,
    current: ProfileState,
    host: Host,
    *,
    pending: Sequence[Pending] = (),
    target: Config | None = None,
    state: str = "",
) -> dict[str, Any]:
    """Return what a playbook may want to know of a profile; for a profile to be made, what it will be."""
    config = current.settings or target or {}
    result: dict[str, Any] = {
        "name": current.name.name,
        "instance": current.name.id,
        "status": current.health,
        "pending": [item.public() for item in pending],
    }
    if state == "absent" or not config:
        return {**result, "disk": current.disk_gib or 0}
    known = canonical(config, host, current.name.id)
    runtime = str(config["runtime"])
    sizes = current.sizes(config)
    result.update(
        runtime=runtime,
        kubernetes=has_kubernetes(config),
        cpu=sizes.cpus,
        memory=sizes.memory,
        disk=sizes.disk,
        arch=known["arch"],
        vm_type=known["vm_type"],
        mount_type=known["mount_type"],
        address=current.row.address if current.row else "",
        config_file=str(paths.configured(current.name)),
        docker_context=current.name.id if runtime == "docker" else "",
        kube_context=current.name.id if has_kubernetes(config) else "",
    )
    sockets = _SOCKETS.get(runtime, ())
    for tool in ("docker", "containerd", "buildkitd", "incus"):
        result[f"{tool}_socket"] = paths.socket(current.name, tool) if tool in sockets else ""
    return result


def full_profile(paths: Paths, current: ProfileState, host: Host) -> dict[str, Any]:
    """Return everything known about a profile, for the info module."""
    result = public_profile(paths, current, host)
    instance = current.name.id
    drift = []
    if current.applied and current.configured:
        everything = frozenset(option for option in BY_OPTION if BY_OPTION[option].when != LIVE)
        for option in differences(current.applied, current.configured, everything, host, instance):
            drift.append(
                {
                    "option": option,
                    "applied": shown(option, current.applied[option]),
                    "configured": shown(option, current.configured[option]),
                }
            )
    result.update(
        configured=_shown(current.configured),
        configured_problem=current.configured_problem if current.health != "absent" else "",
        applied=_shown(current.applied),
        drift=drift,
        data_disk={
            "size": current.disk.size,
            "used_by": current.disk.used_by,
            "formatted": current.noted_as_formatted,
            "runtime": current.store.runtime if current.store else "",
        }
        if current.disk
        else {},
        kubernetes_running=bool(current.live.get("kubernetes")),
        problems=_problems(current),
    )
    return result


def _shown(config: Config | None) -> dict[str, Any]:
    """Return settings as people may see them, nested as in colima.yaml."""
    return nested({option: shown(option, value) for option, value in (config or {}).items()})


def _problems(current: ProfileState) -> list[str]:
    applied = current.applied or {}
    running = current.health == RUNNING
    claimed = applied.get("disk")
    no_kubernetes = running and bool(applied) and has_kubernetes(applied) and not current.live.get("kubernetes")
    lies = bool(claimed and current.disk_gib and claimed != current.disk_gib)
    texts = (
        (current.health not in ("absent", "defined", "stopped", RUNNING), f"its VM is {current.health}"),
        (bool(current.contradiction), current.contradiction),
        (bool(current.dead_engine), current.dead_engine),
        (current.exists and current.configured is None, f"its colima.yaml {current.configured_problem}"),
        (current.configured is not None and bool(current.configured_problem), f"in its colima.yaml {current.configured_problem}"),
        (current.lock_is_stale, "its data disk is marked as in use although the VM does not run"),
        (current.store_is_lost, "colima's note that its data disk is formatted is lost"),
        (lies, f"its settings claim a disk of {claimed} GiB, and it has {current.disk_gib} GiB"),
        (current.lacks_address, "it has no reachable address, although network.address is on"),
        (no_kubernetes, "Kubernetes is not running in it"),
    )
    return [text for applies, text in texts if applies]
