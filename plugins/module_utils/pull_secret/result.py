# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run tells its user: the state of every namespace and login, what was done, and what failed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..core.errors import WorkstationError
from ..core.plan import Pending, merge
from ..ecr.lease import hours_left, stamp
from ..kube.objects import Kube
from ..registry_login.plan import FORGET, Place
from ..registry_login.plan import Outcome as LoginOutcome
from ..registry_login.report import failures_of, pending_of
from ..registry_login.report import plan_of as login_plan_of
from ..registry_login.report import row as login_row
from ..registry_login.task import Logins
from .model import Desired
from .plan import MISSED, ClusterPlan, Outcome, View
from .show import plan_of

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
    refused: WorkstationError | None = None,
    absent: bool = False,
) -> dict[str, Any]:
    """Return the module's result. Raises PartlyFailed, with the same result as context, when something failed.

    refused is why AWS gave no tokens.
    """
    plan = merge(
        [
            plan_of([_done(cluster, check_mode) for cluster in clusters], desired, now),
            login_plan_of(logins.outcomes, check_mode),
        ]
    )
    pending, warnings = _open(clusters, logins, desired, check_mode=check_mode, wait=wait, absent=absent)
    lost, failed = _lost(clusters, patient=check_mode or wait), _failed_namespaces(clusters)
    rows = [row(cluster.context, outcome, desired, now) for cluster in clusters for outcome in cluster.outcomes]
    result = {
        "changed": plan.changed,
        "actions": plan.actions,
        "diff": plan.diff,
        "secrets": rows,
        "failed_namespaces": failed,
        "failed_contexts": [{"context": context, "reason": reason} for context, reason in lost.items()],
        "logins": [login_row(one, now) for one in sorted(logins.outcomes, key=_place) if not _only_note(one)],
        "pending": [item.public() for item in (*plan.pending, *pending)],
        "guess": check_mode and bool(_waiting_for(logins) or [one for one in clusters if one.view.unreachable]),
        "warnings": [*plan.warnings, *logins.plan.warnings, *warnings],
    }
    if check_mode and any(_only_note(one) for one in logins.outcomes):
        result["bookkeeping"] = True
    if logins.kept:
        result["backup_files"] = [str(path) for path in logins.kept]
    # That there is no token is said once, with the reason.
    told = [failure for failure in failed if refused is None or failure["reason"] != MISSED]
    said = [
        *dict.fromkeys(lost.values()),
        *([refused.message] if refused else []),
        *([_sentence(told, len(told) if refused else len(rows), desired)] if told else []),
        *failures_of(logins.outcomes, with_waiting=not (check_mode or wait)),
    ]
    if said:
        raise PartlyFailed(" ".join(said), **{**result, **(refused.context if refused else {})})
    return result


def _open(
    clusters: Sequence[Cluster], logins: Logins, desired: Desired, *, check_mode: bool, wait: bool, absent: bool
) -> tuple[list[Pending], list[str]]:
    """Return what waits for a cluster or a profile, or in check mode the warnings that the plan for it is a guess."""
    away = [cluster for cluster in clusters if cluster.view.unreachable]
    if check_mode:
        guesses = [f"The plan for cluster '{cluster.context}' is a guess. {cluster.view.unreachable}" for cluster in away]
        return [], [*guesses, *failures_of(_waiting_for(logins), with_waiting=True)]
    return [*(_waiting(cluster, desired, absent) for cluster in away), *pending_of(logins.outcomes)] if wait else [], []


def _waiting_for(logins: Logins) -> list[LoginOutcome]:
    return [one for one in logins.outcomes if one.state == "waiting"]


def _lost(clusters: Iterable[Cluster], patient: bool) -> dict[str, str]:
    """Return the clusters that could not be served as a whole, and why. For one that does not answer some have patience."""
    found = {cluster.context: cluster.plan.failure or ("" if patient else cluster.view.unreachable) for cluster in clusters}
    return {context: reason for context, reason in found.items() if reason}


def _failed_namespaces(clusters: Iterable[Cluster]) -> list[dict[str, str]]:
    return [
        {"context": cluster.context, "namespace": outcome.item.namespace, "reason": outcome.failure}
        for cluster in clusters
        for outcome in cluster.outcomes
        if outcome.failure
    ]


def _place(outcome: LoginOutcome) -> tuple[Place, str]:
    return outcome.item.place, outcome.item.host


def _only_note(outcome: LoginOutcome) -> bool:
    """Whether nothing but a note of ours is, or would be, forgotten."""
    return outcome.item.verb == FORGET and outcome.state != "failed"


def _done(cluster: Cluster, check_mode: bool) -> ClusterPlan:
    """Return the part of the plan that was carried out, or in check mode all of it."""
    if check_mode:
        return cluster.plan
    parts = [
        outcome.done or (None if outcome.failure else outcome.item) for outcome in cluster.outcomes if outcome.state != "gone"
    ]
    return replace(cluster.plan, items=tuple(part for part in parts if part is not None))


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
