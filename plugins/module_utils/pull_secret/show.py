# SPDX-License-Identifier: GPL-3.0-or-later
"""The plans of all clusters as one printable plan: steps in English, states before and after, nothing secret. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ..core.plan import Pending, Plan, Step
from ..ecr.lease import hours_left, stamp
from .model import Current, Desired
from .plan import ClusterPlan, Item


def plan_of(clusters: Iterable[ClusterPlan], desired: Desired, now: datetime) -> Plan:
    """Return the printable plan of all clusters."""
    steps: list[Step] = []
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    pending: list[Pending] = []
    warnings: list[str] = []
    for cluster in clusters:
        warnings.extend(cluster.warnings)
        for item in cluster.items:
            where = f"{cluster.context}/{item.namespace}"
            pending.extend(_pending(where, name, desired) for name in item.absent_accounts if not item.failure)
            if item.idle or item.failure:
                continue
            steps.extend(_steps(item, where, desired))
            before[where] = _shown(item.current, now)
            after[where] = _wanted(item, desired, now)
    return Plan(tuple(steps), before, after, tuple(pending), tuple(dict.fromkeys(warnings)))


def _steps(item: Item, where: str, desired: Desired) -> Iterable[Step]:
    if item.create_namespace:
        yield Step("create", f"namespace {where}")
    if item.verb:
        yield Step(item.verb, f"pull secret {where}/{desired.name}", item.reason)
    for account in item.link:
        yield Step("add", f"pull secret '{desired.name}' to service account {where}/{account.name}")
    for account in item.unlink:
        yield Step("take", f"pull secret '{desired.name}' from service account {where}/{account.name}")


def _pending(where: str, name: str, desired: Desired) -> Pending:
    return Pending(
        target=f"service account {where}/{name}",
        change=f"adding pull secret '{desired.name}'",
        reason="it does not exist",
        remedy="Create it; the next run adds the entry.",
    )


def _shown(current: Current | None, now: datetime) -> dict[str, Any]:
    if current is None:
        return {"state": "absent"}
    if not current.leases:
        return {"state": "present", "made_by": list(current.owners)}
    expires_at = min(lease.expires_at for lease in current.leases.values())
    return {
        "state": "present",
        "hosts": sorted(current.leases),
        "identity": sorted({lease.identity for lease in current.leases.values()}),
        "digest": current.digest,
        "hours_left": hours_left(expires_at, now),
        "expires_at": stamp(expires_at),
    }


def _wanted(item: Item, desired: Desired, now: datetime) -> dict[str, Any]:
    if item.verb == "delete":
        return {"state": "absent"}
    if not item.verb:
        changes = {"link": [account.name for account in item.link], "unlink": [account.name for account in item.unlink]}
        return {**_shown(item.current, now), **{key: value for key, value in changes.items() if value}}
    return {
        "state": "present",
        "hosts": sorted(desired.hosts),
        "identity": sorted(set(desired.hosts.values())),
        "digest": "(of the new token)",
        "expires_at": "(12 hours after it is written)",
    }
