# SPDX-License-Identifier: GPL-3.0-or-later
"""The task as a whole: options in, every cluster and login read, planned, written; one result that names what failed.

It decides nothing itself; it connects the parts, and loads the writing ones only when there is something to write.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..core.errors import InputError, WorkstationError
from ..ecr.lease import TokenLike, hours_left, threshold_from
from ..ecr.registries import Registry, registries_from
from ..kube.access import read_access
from ..kube.answers import Unreachable
from ..kube.entry import kubeconfig_paths
from ..kube.objects import Kube
from ..registry_login.plan import Clock
from ..registry_login.task import Logins, Wanted, read_logins, wanted_from
from .model import Desired, body_of, check_name
from .namespaces import Scope, choose, scope_from
from .plan import Item, Outcome, Policy, View, plan_cluster, untouched
from .read import read_view
from .result import Cluster, result_of

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "default": "ecr-creds"},
    "registries": {"type": "list", "elements": "raw", "default": []},
    "namespaces": {"type": "list", "elements": "str"},
    "namespace_selector": {"type": "str"},
    "exclude_namespaces": {"type": "list", "elements": "str", "default": []},
    "create_namespaces": {"type": "bool", "default": False},
    "service_accounts": {"type": "list", "elements": "str", "default": []},
    "contexts": {"type": "list", "elements": "str", "default": ["colima-k8s"]},
    "kubeconfig": {"type": "path"},
    "refresh_before": {"type": "str", "default": "half"},
    "adopt": {"type": "bool", "default": False},
    "force_conflicts": {"type": "bool", "default": False},
    "prune": {"type": "bool", "default": False},
    "docker_cred_helpers": {"type": "bool", "default": False},
    "docker_login": {"type": "bool", "default": False},
    "nerdctl_profiles": {"type": "list", "elements": "str", "default": []},
    "unreachable": {"type": "str", "choices": ["fail", "pending"], "default": "fail"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


@dataclass(frozen=True)
class Task:
    """What the options ask for."""

    desired: Desired
    registries: tuple[Registry, ...]
    scope: Scope
    policy: Policy
    contexts: tuple[str, ...]
    kubeconfig: str = ""
    wait: bool = False
    logins: Wanted = field(default_factory=dict)


def task_from(params: Mapping[str, Any], environment: Mapping[str, str]) -> Task:
    """Return the task of the module's options. Raises InputError for what can't be meant."""
    name = check_name(params["name"], "secret")
    absent = params["state"] == "absent"
    registries = registries_from(params["registries"] or ())
    if not registries and not absent:
        raise InputError(f"Could not build pull secret '{name}': no registries are given. List at least one.")
    accounts = tuple(sorted(set(params["service_accounts"] or ())))
    for account in accounts:
        if account != "*":
            check_name(account, "service account")
    contexts = tuple(dict.fromkeys(params["contexts"]))
    if not contexts:
        raise InputError(f"Could not place pull secret '{name}': no kube contexts are given. List at least one.")
    prints = {host: one.identity.fingerprint(environment) for one in registries for host in one.names}
    return Task(
        desired=Desired(name, prints, accounts),
        registries=registries,
        scope=scope_from(params["namespaces"], params["namespace_selector"] or "", params["exclude_namespaces"] or ()),
        policy=Policy(
            absent=absent,
            adopt=params["adopt"],
            force_conflicts=params["force_conflicts"],
            prune=params["prune"],
            create_namespaces=params["create_namespaces"],
            threshold=threshold_from(params["refresh_before"]),
        ),
        contexts=contexts,
        kubeconfig=params["kubeconfig"] or "",
        wait=params["unreachable"] == "pending",
        logins=wanted_from(params, registries, prints, environment),
    )


def read_clusters(task: Task, environment: Mapping[str, str], now: datetime) -> list[Cluster]:
    """Read and plan every cluster; what is wrong with one of them stops none of the others.

    One that can't be reached is planned blindly; reached later or never, it says so.
    """
    from ..kube.client import KubeHttp

    paths = kubeconfig_paths(task.kubeconfig, environment)
    clusters = []
    for context in task.contexts:
        kube = None
        try:
            kube = Kube(KubeHttp(read_access(context, paths)))
            view = read_view(kube, context, task.scope, task.desired, task.policy)
        except WorkstationError as error:
            if kube:
                kube.http.close()
            if task.wait and task.policy.absent and error.context.get("missing_context"):
                # No way leads to such a cluster: nothing of ours can wait there to be removed.
                continue
            view, kube = _blind(context, error, task), None
        clusters.append(Cluster(context, view, plan_cluster(view, task.desired, task.policy, now), kube))
    return clusters


def _blind(context: str, error: WorkstationError, task: Task) -> View:
    if not (isinstance(error, Unreachable) or error.context.get("missing_context")):
        return View(context, failed=error.message)
    # Patterns find nothing in a cluster that can't be asked; names are what will be there.
    wanted = () if task.policy.absent else choose(task.scope, (), ())
    return View(context, wanted, unreachable=error.message)


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do what the options ask for, or in check mode only say it. Raises WorkstationError, with what was done in its context."""
    return do(task_from(params, os.environ), os.environ, datetime.now(UTC), check_mode)


def do(task: Task, environment: Mapping[str, str], now: datetime, check_mode: bool) -> dict[str, Any]:
    """Do the task, as run does."""
    clusters = read_clusters(task, environment, now)
    refused = None
    try:
        logins = read_logins(task.logins, task.desired.name, Clock(now, task.policy.threshold), environment)
        if check_mode:
            logins.foresee()
            for cluster in clusters:
                cluster.outcomes = [_foreseen(item) for item in cluster.plan.items]
        else:
            refused = _apply(clusters, logins, task, environment, now)
    finally:
        for cluster in clusters:
            if cluster.kube:
                cluster.kube.http.close()
    return result_of(
        clusters,
        logins,
        task.desired,
        now,
        check_mode=check_mode,
        wait=task.wait,
        absent=task.policy.absent,
        refused=refused,
    )


def _foreseen(item: Item) -> Outcome:
    outcome = untouched(item)
    return Outcome(item, "due", item.current) if item.verb and not item.failure else outcome


def _apply(
    clusters: Sequence[Cluster], logins: Logins, task: Task, environment: Mapping[str, str], now: datetime
) -> WorkstationError | None:
    """Fetch the tokens if any is needed, then write cluster by cluster, and the logins last.

    Returns why there are no tokens, if so. What takes none is done all the same.
    """
    reached = [cluster for cluster in clusters if cluster.kube]
    full = any(cluster.plan.needs_token for cluster in reached)
    needed = [one for one in task.registries if full or logins.plan.hosts.intersection(one.names)]
    tokens: dict[str, TokenLike] = {}
    body, after, refused = b"", None, None
    try:
        tokens = _tokens(needed, reached, environment, now) if needed else {}
        body, after = body_of(task.desired, tokens) if full else (b"", None)
    except WorkstationError as error:
        refused = error
    for cluster in reached:
        if cluster.kube is None or all(item.idle or item.failure for item in cluster.plan.items):
            cluster.outcomes = [untouched(item) for item in cluster.plan.items]
            continue
        from .apply import apply_plan

        cluster.outcomes = apply_plan(cluster.kube, cluster.plan, task.desired, body, after)
    logins.apply(tokens, task.desired.hosts, environment)
    return refused


def _tokens(
    registries: Sequence[Registry], clusters: Iterable[Cluster], environment: Mapping[str, str], now: datetime
) -> dict[str, TokenLike]:
    """Return new tokens by host. Raises TokenRefused, with what that means for the secrets that are there."""
    from ..ecr.failures import TokenRefused
    from ..ecr.tokens import fetch_tokens

    try:
        tokens = fetch_tokens(registries, environment)
    except TokenRefused as error:
        raise TokenRefused(f"{error.message} {_what_stays(clusters, now)}", error.kind) from error
    return {host: tokens[registry.key] for registry in registries for host in registry.names}


def _what_stays(clusters: Iterable[Cluster], now: datetime) -> str:
    """Say how long the secrets that are there will still do."""
    lives = [item.current.expires_at for cluster in clusters for item in cluster.plan.items if item.current]
    known = [life for life in lives if life is not None]
    if not known:
        return "No secret was written."
    stay = "The secrets in the cluster stay as they are;"
    over = sum(life <= now for life in known)
    if over:
        return f"{stay} {over} of {len(known)} {'has' if over == 1 else 'have'} expired already."
    return f"{stay} the first of them expires in {hours_left(min(known), now):g} h."
