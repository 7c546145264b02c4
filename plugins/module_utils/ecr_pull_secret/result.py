# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a run: the state of every namespace and login, what failed, and what waits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ..core.errors import WorkstationError
from ..core.plan import Pending, Plan, merge
from ..ecr.registries import Registry
from ..ecr.renewal import hours_left, stamp
from ..registry_login.model import LoginPlan, LoginVerb, Place
from ..registry_login.model import Outcome as LoginOutcome
from ..registry_login.report import failures_of, pending_of
from ..registry_login.report import plan_of as login_plan_of
from ..registry_login.report import row as login_row
from .model import PullSecretSpec
from .plan import MISSED, ClusterPlan, Outcome
from .show import places, plan_of
from .view import View


@dataclass(frozen=True)
class Cluster:
    """One cluster of a run: what was found, the plan, and what became of its items."""

    view: View
    plan: ClusterPlan
    outcomes: tuple[Outcome, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def context(self) -> str:
        """The kube context."""
        return self.plan.context


@dataclass(frozen=True)
class Run:
    """A run as a whole, planned or carried out.

    refused is why AWS gave no tokens; notes are about them; kept are docker's files as they were.
    """

    spec: PullSecretSpec
    now: datetime
    clusters: tuple[Cluster, ...] = ()
    logins: tuple[LoginOutcome, ...] = ()
    login_plan: LoginPlan = field(default_factory=LoginPlan)
    registries: tuple[Registry, ...] = ()
    kept: tuple[Path, ...] = ()
    is_planned: bool = False
    check_mode: bool = False
    wait: bool = False
    absent: bool = False
    refused: WorkstationError | None = None
    notes: tuple[str, ...] = ()

    # Each is made once: a run shows them up to three times, and of a thousand namespaces each takes as long as fifty requests.
    @cached_property
    def shown(self) -> Plan:
        """What is planned as a printable plan, or what was done; with what waits, and warnings."""
        clusters = [_part(cluster, self.is_planned) for cluster in self.clusters]
        plan = merge([plan_of(clusters, self.spec, self.now), login_plan_of(self.logins, self.is_planned)])
        pending, warnings = _open(self)
        said = (f"Cluster '{cluster.context}' warns: {text}" for cluster in self.clusters for text in cluster.warnings)
        return replace(
            plan,
            pending=(*plan.pending, *pending),
            warnings=tuple(dict.fromkeys([*plan.warnings, *self.login_plan.warnings, *warnings, *self.notes, *said])),
        )

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """What a user sees of each namespace."""
        return [row(cluster.context, one, self.spec, self.now) for cluster in self.clusters for one in cluster.outcomes]


class PartlyFailed(WorkstationError):
    """Some namespaces or clusters could not be served; the others were."""


def result_of(run: Run) -> dict[str, Any]:
    """Return the result keys of a run. Raises PartlyFailed, with the same keys as context, when something failed."""
    plan, rows = run.shown, run.rows
    failed, lost = _failed_namespaces(run.clusters), _lost(run)
    result: dict[str, Any] = {
        "secrets": rows,
        "failed_namespaces": failed,
        "failed_contexts": [{"context": context, "reason": reason} for context, reason in lost.items()],
        "logins": [login_row(one, run.now) for one in sorted(run.logins, key=_place) if not _only_note(one)],
        "guess": run.check_mode and bool(_waiting_for(run) or _away(run)),
        "pending": [item.public() for item in plan.pending],
        "warnings": list(plan.warnings),
    }
    if run.kept:
        result["backup_files"] = [str(path) for path in run.kept]
    said = _failures(run, failed, lost, len(rows))
    if said:
        shown: dict[str, Any] = {"diff": plan.diff}
        shown |= {"changed": plan.changed, "actions": plan.actions} if run.check_mode else {}
        raise PartlyFailed(" ".join(said), **{**result, **shown, **(run.refused.context if run.refused else {})})
    return result


def _failures(run: Run, failed: Sequence[dict[str, str]], lost: dict[str, str], total: int) -> list[str]:
    # A missing token is reported once, with the reason.
    shown = [failure for failure in failed if run.refused is None or failure["reason"] != MISSED]
    return [
        *dict.fromkeys(lost.values()),
        *([run.refused.message] if run.refused else []),
        *([_sentence(shown, len(shown) if run.refused else total, run)] if shown else []),
        *failures_of(run.logins, with_waiting=not (run.check_mode or run.wait)),
    ]


def _open(run: Run) -> tuple[list[Pending], list[str]]:
    """Return what waits for a cluster or a profile, or in check mode the warnings that the plan for it is a guess."""
    away = _away(run)
    if run.check_mode:
        lost = [cluster for cluster in away if not cluster.view.comes]
        guesses = [f"The plan for cluster '{cluster.context}' is a guess. {cluster.view.unreachable}" for cluster in lost]
        later = [
            f"What is due in cluster '{cluster.context}' is known once it answers: this run sees to that, and renews it then."
            for cluster in away
            if cluster.view.seen_later
        ]
        return [], [*guesses, *later, *failures_of(_waiting_for(run), with_waiting=True)]
    return [*(_waiting(cluster, run) for cluster in away), *pending_of(run.logins)] if run.wait else [], []


def _away(run: Run) -> list[Cluster]:
    return [cluster for cluster in run.clusters if cluster.view.unreachable]


def _waiting_for(run: Run) -> list[LoginOutcome]:
    return [one for one in run.logins if one.state == "waiting"]


def _lost(run: Run) -> dict[str, str]:
    """Return the clusters that could not be served as a whole, and why. Check mode and timers bear one that does not answer."""
    patient = run.check_mode or run.wait
    found = {cluster.context: cluster.plan.failure or ("" if patient else cluster.view.unreachable) for cluster in run.clusters}
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
    """Whether nothing but a note is, or would be, forgotten."""
    return outcome.item.verb == LoginVerb.FORGET and outcome.state != "failed"


def _part(cluster: Cluster, is_planned: bool) -> ClusterPlan:
    """Return the part of the plan that was carried out, or where it is only planned all of it."""
    if is_planned:
        return cluster.plan
    parts = [
        outcome.done or (None if outcome.failure else outcome.item) for outcome in cluster.outcomes if outcome.state != "gone"
    ]
    return replace(cluster.plan, items=tuple(part for part in parts if part is not None))


def _waiting(cluster: Cluster, run: Run) -> Pending:
    return Pending(
        target=f"cluster {cluster.context}",
        change=f"{'removing' if run.absent else 'renewing'} pull secret '{run.spec.name}'",
        reason="the cluster can't be reached",
        remedy=cluster.view.unreachable,
        kind="cluster",
    )


def row(context: str, outcome: Outcome, spec: PullSecretSpec, now: datetime) -> dict[str, Any]:
    """Return what a user sees of one namespace."""
    current = None if outcome.state in ("deleted", "gone") else outcome.current
    leases = current.leases if current else {}
    expires_at = min((lease.expires_at for lease in leases.values()), default=None)
    return {
        "context": context,
        "namespace": outcome.item.namespace,
        "name": spec.name,
        "state": outcome.state,
        "reason": outcome.failure or outcome.item.reason,
        "hosts": {host: hours_left(lease.expires_at, now) for host, lease in sorted(leases.items())},
        "expires_at": stamp(expires_at) if expires_at else None,
        "hours_left": hours_left(expires_at, now) if expires_at else None,
        "digest": current.digest if current else "",
    }


def _is_placed(outcome: Outcome) -> bool:
    """Whether the secret itself is as wanted, and only its service accounts are not."""
    if outcome.done is not None:
        return (
            bool(outcome.done.verb)
            and outcome.done.verb == outcome.item.verb
            and bool(outcome.current and outcome.current.leases)
        )
    return bool(outcome.item.unlinked) and not outcome.item.failure and not outcome.item.verb


def _sentence(failed: Sequence[dict[str, str]], total: int, run: Run) -> str:
    """Return all failures in as few sentences as there are reasons."""
    by_reason: dict[tuple[bool, str], list[dict[str, str]]] = {}
    placed = {
        (cluster.context, outcome.item.namespace)
        for cluster in run.clusters
        for outcome in cluster.outcomes
        if outcome.failure and _is_placed(outcome)
    }
    for failure in failed:
        # A cluster names the namespace in its refusal.
        reason = failure["reason"].replace(f'"{failure["namespace"]}"', '"..."')
        by_reason.setdefault(((failure["context"], failure["namespace"]) in placed, reason), []).append(failure)
    parts, verb = [], "remove" if run.absent else "place"
    for (is_placed, reason), group in by_reason.items():
        where = places([f"{one['context']}/{one['namespace']}" for one in group])
        why = group[0]["reason"] if len(group) == 1 else reason
        what = "change the service accounts of" if is_placed else verb
        parts.append(f"Could not {what} pull secret '{run.spec.name}' in {where}: {why}")
    others = total - len(failed)
    if others > 0:
        parts.append("The other namespace is done." if others == 1 else f"The other {others} of {total} namespaces are done.")
    return " ".join(parts)
