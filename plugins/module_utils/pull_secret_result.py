# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run tells its user: the state of every namespace and login, what was done, and what failed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from .errors import WorkstationError
from .kube_objects import Kube
from .plan import Pending, merge
from .pull_secret import Desired
from .pull_secret_lease import hours_left, stamp
from .pull_secret_plan import ClusterPlan, Outcome, View
from .pull_secret_show import plan_of
from .registry_login_plan import Outcome as LoginOutcome
from .registry_login_plan import Place
from .registry_login_show import failures_of, pending_of
from .registry_login_show import plan_of as login_plan_of
from .registry_login_show import row as login_row
from .registry_login_task import Logins

NAMED = 3  # namespaces that a message names before it counts


@dataclass
class Cluster:
    """One cluster during the run; kube is None while it can't be reached."""

    context: str
    view: View
    plan: ClusterPlan
    kube: Kube | None = None
    outcomes: list[Outcome] = field(default_factory=list)


class PartlyFailed(WorkstationError):
    """Some namespaces or clusters could not be served; the others were."""


def result_of(
    clusters: Sequence[Cluster],
    logins: Logins,
    desired: Desired,
    now: datetime,
    *,
    check_mode: bool,
    wait: bool,
    absent: bool = False,
) -> dict[str, Any]:
    """Return the module's result. Raises PartlyFailed, with the same result as context, when something failed."""
    plan = merge(
        [
            plan_of([_done(cluster, check_mode) for cluster in clusters], desired, now),
            login_plan_of(logins.outcomes, check_mode),
        ]
    )
    away = [cluster for cluster in clusters if cluster.view.unreachable]
    failed = [
        {"context": cluster.context, "namespace": outcome.item.namespace, "reason": outcome.failure}
        for cluster in clusters
        for outcome in cluster.outcomes
        if outcome.failure
    ]
    pending = list(plan.pending)
    warnings = [*plan.warnings, *logins.plan.warnings]
    waiting = [one for one in logins.outcomes if one.state == "waiting"]
    if wait and not check_mode:
        pending += [*(_waiting(cluster, desired, absent) for cluster in away), *pending_of(logins.outcomes)]
    elif check_mode:
        warnings += [f"The plan for cluster '{cluster.context}' is a guess. {cluster.view.unreachable}" for cluster in away]
        warnings += failures_of(waiting, with_waiting=True)
    result = {
        "changed": plan.changed,
        "actions": plan.actions,
        "diff": plan.diff,
        "secrets": [row(cluster.context, outcome, desired, now) for cluster in clusters for outcome in cluster.outcomes],
        "failed_namespaces": failed,
        "logins": [login_row(one, now) for one in sorted(logins.outcomes, key=_place) if one.state != "forgotten"],
        "pending": [item.public() for item in pending],
        "guess": check_mode and bool(away or waiting),
        "warnings": warnings,
    }
    if logins.kept:
        result["backup_files"] = [str(path) for path in logins.kept]
    unreachable = [] if check_mode or wait else [cluster.view.unreachable for cluster in away]
    refused = failures_of(logins.outcomes, with_waiting=not (check_mode or wait))
    if failed or unreachable or refused:
        total = sum(len(cluster.outcomes) for cluster in clusters)
        said = [*unreachable, *([_sentence(failed, total, desired)] if failed else []), *refused]
        raise PartlyFailed(" ".join(said), **result)
    return result


def _place(outcome: LoginOutcome) -> tuple[Place, str]:
    return outcome.item.place, outcome.item.host


def _done(cluster: Cluster, check_mode: bool) -> ClusterPlan:
    """Return the part of the plan that was carried out, or in check mode all of it."""
    if check_mode:
        return cluster.plan
    items = [outcome.item for outcome in cluster.outcomes if not outcome.failure and outcome.state != "gone"]
    return replace(cluster.plan, items=tuple(items))


def _waiting(cluster: Cluster, desired: Desired, absent: bool) -> Pending:
    return Pending(
        target=f"cluster {cluster.context}",
        change=f"{'removing' if absent else 'renewing'} pull secret '{desired.name}'",
        reason="the cluster can't be reached",
        remedy=cluster.view.unreachable,
    )


def row(context: str, outcome: Outcome, desired: Desired, now: datetime) -> dict[str, Any]:
    """Return what a user sees of one namespace."""
    current = None if outcome.state in ("deleted", "gone") else outcome.current
    leases = current.leases if current else {}
    expires_at = min((lease.expires_at for lease in leases.values()), default=None)
    return {
        "context": context,
        "namespace": outcome.item.namespace,
        "name": desired.name,
        "state": outcome.state,
        "reason": outcome.failure or outcome.item.reason,
        "hosts": {host: hours_left(lease.expires_at, now) for host, lease in sorted(leases.items())},
        "expires_at": stamp(expires_at) if expires_at else None,
        "hours_left": hours_left(expires_at, now) if expires_at else None,
        "digest": current.digest if current else "",
    }


def _sentence(failed: Sequence[dict[str, str]], total: int, desired: Desired) -> str:
    """Return all failures in as few sentences as there are reasons."""
    by_reason: dict[str, list[str]] = {}
    for failure in failed:
        by_reason.setdefault(failure["reason"], []).append(f"{failure['context']}/{failure['namespace']}")
    parts = [f"Could not serve pull secret '{desired.name}' in {_places(places)}: {why}" for why, places in by_reason.items()]
    if len(failed) < total:
        parts.append(f"The other {total - len(failed)} of {total} namespaces are done.")
    return " ".join(parts)


def _places(places: Iterable[str]) -> str:
    listed = list(places)
    noun = "namespace" if len(listed) == 1 else f"{len(listed)} namespaces"
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return f"{noun} {', '.join(repr(place) for place in listed[:NAMED])}{more}"
