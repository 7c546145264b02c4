# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a move can't begin. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...colima.model.state import RUNNING
from ...core.errors import InputError, RefusedStep, WorkstationError
from ...core.options import suggestion
from .model import ClusterMoveSpec, ClusterMoveState

_RUNTIME = "containerd"


def unfit(found: ClusterMoveState, spec: ClusterMoveSpec) -> Iterator[WorkstationError]:
    """Yield why a profile can't take a cluster's workloads, before its cluster is asked."""
    what, current, profile = f"move the cluster to profile '{spec.profile}'", found.current, spec.profile
    known = ", ".join(found.others) or "none"
    runtime = str((current.known or {}).get("runtime") or "unknown")
    if not current.exists:
        remedy = f"Make it with playbooks/workstation.yml, or name another one as O(target). There are: {known}."
        yield InputError(what, "there is no such profile", remedy + suggestion(str(profile), found.others))
    elif runtime != _RUNTIME:
        reason = f"it has runtime {runtime}"
        yield InputError(what, reason, f"Name a profile with runtime {_RUNTIME} and Kubernetes as O(target).")
    elif not (current.known or {}).get("kubernetes.enabled"):
        reason = "it has no Kubernetes"
        yield InputError(
            what, reason, "Let its settings say kubernetes.enabled: true, run playbooks/workstation.yml, and then this."
        )
    elif current.health != RUNNING:
        yield RefusedStep(what, f"it is {current.health}", f"Start it with 'colima start {profile}', and run again.")
    elif not current.live.get("kubernetes"):
        start = f"Start it with 'colima kubernetes start --profile {profile}', and run again."
        yield RefusedStep(what, "its Kubernetes does not run", start)


def problems(found: ClusterMoveState, spec: ClusterMoveSpec) -> Iterator[WorkstationError]:
    """Yield why nothing can be moved."""
    yield from unfit(found, spec)
    if found.source.uid and found.source.uid == found.target.uid:
        reason = f"kube context '{spec.context}' is the cluster of profile '{spec.profile}'"
        yield InputError("move a cluster to itself", reason, "Name the context of the old cluster as O(context).")
