# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull secrets as a subject: options, every cluster and login read, planned, written; failures are raised at the end.

It decides nothing itself; it connects the parts, and loads the writing ones only when there is something to write.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from ..colima_paths import parse_name, resolve
from ..core.errors import WorkstationError
from ..core.plan import Plan
from ..core.subject import Result as Finished
from ..core.subject import Subject
from ..ecr.registries import Registry
from ..ecr.renewal import Threshold, TokenLike, hours_left
from ..kube.answers import Unreachable
from ..kube.entry import kubeconfig_paths
from ..kube.objects import Kube
from ..registry_login.model import planned_outcome
from ..registry_login.plan import Clock
from ..registry_login.task import Logins, carry_out, read_logins
from .namespaces import choose
from .options import SPEC, PullSecretsSpec, spec_from
from .plan import NamespacePlan, Outcome, left, plan_cluster, untouched, view_after
from .read import BUILT_IN, read_view
from .result import Cluster, PartlyFailed, Run, result_of
from .view import View


@dataclass(frozen=True)
class PullSecretsState:
    """What was found: the clusters, and the logins beyond them."""

    views: tuple[View, ...]
    logins: Logins = field(default_factory=Logins)


@dataclass(frozen=True)
class _Whole(Plan):
    """The plan with the parts that are carried out."""

    run: Run = field(kw_only=True)


class PullSecrets(Subject[PullSecretsSpec, PullSecretsState]):
    """The pull secret in namespaces, and the same tokens as logins of docker and nerdctl."""

    argument_spec = SPEC
    work = "converge the pull secrets"

    def __init__(self) -> None:
        self.environment: Mapping[str, str] = {}
        self.kubes: dict[str, Kube] = {}
        self.done: Run | None = None

    def preload(self) -> None:
        """Import what asks clusters."""
        with contextlib.suppress(ImportError):
            import kubernetes.client  # noqa: F401

            from ..kube import access, client  # noqa: F401

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> PullSecretsSpec:
        """Return the spec of the options. Raises InputError."""
        self.environment = dict(os.environ)
        return spec_from(params, self.environment, check_mode)

    def read(self, spec: PullSecretsSpec) -> PullSecretsState:
        """Return what is in the clusters and at the logins; after a run, as the API servers' answers to it tell."""
        logins = read_logins(spec.logins, spec.secret.name, self.environment)
        if self.done is not None:
            return PullSecretsState(
                tuple(view_after(one.view, one.outcomes, spec.secret.name) for one in self.done.clusters), logins
            )
        paths = kubeconfig_paths(spec.kubeconfig, self.environment)
        views = (self._view(spec, context, paths) for context in spec.contexts)
        return PullSecretsState(tuple(view for view in views if view is not None), logins)

    def _view(self, spec: PullSecretsSpec, context: str, paths: Sequence[Path]) -> View | None:
        """Return what one cluster has. What is wrong with it stops no other; one that can't be reached is planned blindly."""
        from ..kube.access import read_access
        from ..kube.client import KubeHttp

        try:
            kube = self.kubes[context] = Kube(KubeHttp(read_access(context, paths)))
            return read_view(kube, context, spec.scope, spec.secret, spec.policy)
        except WorkstationError as error:
            if spec.wait and spec.policy.absent and error.context.get("missing_context"):
                # No way leads to such a cluster: nothing that was made here can wait there to be removed.
                return None
            has_vm = (resolve(self.environment, os.uname().sysname).lima / context).is_dir()
            return _blind(context, error, spec, has_vm=has_vm)

    def plan(self, spec: PullSecretsSpec, current: PullSecretsState) -> Plan:
        """Return the plan of all clusters and logins. A cluster that can't be reached is not served, only guessed at."""
        # A second look asks whether all is written; how long AWS lets it live is not for us to choose.
        policy = spec.policy if self.done is None else replace(spec.policy, threshold=Threshold(fixed=timedelta()))
        plans = [plan_cluster(view, spec.secret, policy, spec.now) for view in current.views]
        served = [
            plan if spec.check_mode or not view.unreachable else replace(plan, items=())
            for view, plan in zip(current.views, plans, strict=True)
        ]
        # A profile that stopped meanwhile is waited for, whatever its files say.
        away = {one.item.place: one.item.waiting for one in self.done.logins if one.item.waiting} if self.done else {}
        logins = current.logins.plan(Clock(spec.now, policy.threshold))
        places = {item.place for item in logins.items if item.place.kind == "nerdctl"}
        comes = {place: "" for place in places if parse_name(place.where).id in spec.expected}
        logins = logins.without(away | comes)
        run = Run(
            spec=spec.secret,
            now=spec.now,
            clusters=tuple(
                Cluster(view, plan, tuple(map(_planned, plan.items)), self._warnings(view.context))
                for view, plan in zip(current.views, served, strict=True)
            ),
            logins=tuple(map(planned_outcome, logins.items)),
            login_plan=logins,
            registries=spec.registries,
            is_planned=True,
            check_mode=spec.check_mode,
            wait=spec.wait,
            absent=spec.policy.absent,
        )
        shown = run.shown
        return _Whole(shown.steps, shown.before, shown.after, shown.pending, shown.warnings, run=run)

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Fetch the tokens if any is needed, then write cluster by cluster, and the logins last.

        Raises PartlyFailed at the end. What takes no token is done also without.
        """
        run = cast(_Whole, plan).run
        outcomes: dict[str, dict[str, Outcome]] = {one.context: {} for one in run.clusters}
        done = replace(run, is_planned=False, logins=())
        try:
            tokens, refused, notes = self._tokens(run)
            done = replace(done, refused=refused, notes=notes)
            self._write(run, tokens, outcomes)
            logins, kept = list(run.logins), list[Path]()
            if not all(item.nothing_to_do for item in run.login_plan.items):
                logins, kept = carry_out(run.login_plan, tokens, run.spec.hosts, run.spec.name, self.environment)
            done = replace(done, logins=tuple(logins), kept=tuple(kept))
        finally:
            clusters = (self._finished(cluster, outcomes[cluster.context]) for cluster in run.clusters)
            self.done = replace(done, clusters=tuple(clusters))
            for step in self.done.shown.steps:
                if not step.silent:
                    report(str(step))
        result_of(self.done)

    def _tokens(self, run: Run) -> tuple[dict[str, TokenLike], WorkstationError | None, tuple[str, ...]]:
        """Return new tokens by host, as far as they are needed, or none and why AWS refuses them; and what is odd about them."""
        full = any(cluster.plan.needs_token for cluster in run.clusters)
        needed = [one for one in run.registries if full or run.login_plan.hosts.intersection(one.names)]
        try:
            tokens, notes = _tokens(needed, run, self.environment) if needed else ({}, ())
            return tokens, None, notes
        except WorkstationError as error:
            return {}, error, ()

    def _write(self, run: Run, tokens: Mapping[str, TokenLike], outcomes: Mapping[str, dict[str, Outcome]]) -> None:
        """Carry out the plans of the clusters, as far as there are tokens for it."""
        busy = [one for one in run.clusters if not all(item.nothing_to_do or item.failure for item in one.plan.items)]
        if not busy:
            return
        from .apply import Writer, apply_plan, writer_for

        whole = run.spec.hosts.keys() <= tokens.keys() and any(one.plan.needs_token for one in busy)
        writer = writer_for(run.spec, tokens) if whole else Writer(run.spec)
        for cluster in busy:
            apply_plan(self.kubes[cluster.context], cluster.plan, writer, outcomes[cluster.context])

    def _finished(self, cluster: Cluster, outcomes: Mapping[str, Outcome]) -> Cluster:
        rows = tuple(outcomes.get(item.namespace) or left(item) for item in cluster.plan.items)
        return replace(cluster, outcomes=rows, warnings=self._warnings(cluster.context))

    def _warnings(self, context: str) -> tuple[str, ...]:
        return tuple(self.kubes[context].http.warnings) if context in self.kubes else ()

    def public(self, outcome: Finished[PullSecretsSpec, PullSecretsState]) -> dict[str, Any]:
        """Return the state of all namespaces and logins. Raises PartlyFailed."""
        return result_of(self.done or cast(_Whole, outcome.plan).run)

    def so_far(self) -> dict[str, Any]:
        """Return the rows and states of a run that was ended in between."""
        if self.done is None:
            return {}
        try:
            found = result_of(self.done)
        except PartlyFailed as error:
            found = error.context
        return {key: found[key] for key in ("secrets", "failed_namespaces", "failed_contexts", "logins") if key in found}

    def close(self) -> None:
        """Close every connection."""
        for kube in self.kubes.values():
            kube.http.close()


def _blind(context: str, error: WorkstationError, spec: PullSecretsSpec, *, has_vm: bool) -> View:
    if not (isinstance(error, Unreachable) or error.context.get("missing_context")):
        return View(context, failed=error.message)
    expected = context in spec.expected
    if expected and has_vm:
        comes = "this run makes the cluster answer"
        return View(context, unreachable=error.message, comes=comes, seen_later=not spec.policy.absent)
    # Patterns find nothing in a cluster that can't be asked, except what every new one has; names are what will be there.
    own = sorted(BUILT_IN) if expected else []
    wanted = () if spec.policy.absent else choose(spec.scope, own, ())
    if not expected:
        return View(context, wanted, unreachable=error.message)
    comes = "the cluster does not exist yet; this run creates it"
    return View(context, wanted, frozenset(wanted) - BUILT_IN, unreachable=error.message, comes=comes)


def _planned(item: NamespacePlan) -> Outcome:
    outcome = untouched(item)
    return Outcome(item, "due", item.current) if item.verb and not item.failure else outcome


def _tokens(
    registries: Sequence[Registry], run: Run, environment: Mapping[str, str]
) -> tuple[dict[str, TokenLike], tuple[str, ...]]:
    """Return new tokens by host, and warnings. Raises TokenRefused, with what that means for the secrets that are there."""
    from ..ecr.failures import TokenRefused
    from ..ecr.tokens import fetch_tokens, warnings_of

    try:
        tokens = fetch_tokens(registries, environment)
    except TokenRefused as error:
        remedy = f"{error.remedy} {_what_stays(run.clusters, run.now)}"
        raise TokenRefused(error.what, error.reason, remedy, error.kind) from error
    return {host: tokens[registry.key] for registry in registries for host in registry.names}, tuple(warnings_of(tokens))


def _what_stays(clusters: Iterable[Cluster], now: datetime) -> str:
    """Say how long the secrets that are there are still good for."""
    ends = [item.current.expires_at for cluster in clusters for item in cluster.plan.items if item.current]
    known = [life for life in ends if life is not None]
    if not known:
        return "No secret was written."
    stay = "The secrets in the cluster stay as they are;"
    over = sum(life <= now for life in known)
    if over:
        return f"{stay} {over} of {len(known)} {'has' if over == 1 else 'have'} expired already."
    return f"{stay} the first of them expires in {hours_left(min(known), now):g} h."


SUBJECT = PullSecrets
