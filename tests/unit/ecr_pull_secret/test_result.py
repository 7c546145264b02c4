# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run tells: rows, one sentence for many failures, clusters that are away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.ecr.renewal import Lease
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.model import (
    OWNER,
    PullSecretSpec,
    PullSecretState,
)
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.plan import (
    ClusterPlan,
    NamespacePlan,
    Outcome,
    Policy,
    plan_cluster,
    untouched,
)
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.result import (
    Cluster,
    PartlyFailed,
    Run,
    result_of,
)
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.view import View

HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DESIRED = PullSecretSpec("ecr-creds", {HOST: "abc"})
FRESH = PullSecretState("a", "uid", True, {HOST: Lease(NOW, NOW + timedelta(hours=12), "abc")}, "digest", (), (OWNER,))


def cluster(*outcomes: Outcome) -> Cluster:
    return Cluster(View("c"), ClusterPlan("c", tuple(outcome.item for outcome in outcomes)), outcomes)


def run_of(*clusters: Cluster, check_mode: bool = False, wait: bool = False) -> Run:
    return Run(DESIRED, NOW, clusters, is_planned=check_mode, check_mode=check_mode, wait=wait)


def result(*clusters: Cluster, check_mode: bool = False, wait: bool = False) -> dict[str, Any]:
    return result_of(run_of(*clusters, check_mode=check_mode, wait=wait))


def failed(namespace: str, reason: str) -> Outcome:
    return untouched(NamespacePlan(namespace, failure=reason))


def test_a_row_shows_hours_per_registry_and_no_secret() -> None:
    (row,) = result(cluster(untouched(NamespacePlan("a", current=FRESH))))["secrets"]
    assert row == {
        "context": "c",
        "namespace": "a",
        "name": "ecr-creds",
        "state": "fresh",
        "reason": "",
        "hosts": {HOST: 12.0},
        "expires_at": "2026-11-24T00:00:00Z",
        "hours_left": 12.0,
        "digest": "digest",
    }


def test_many_failures_of_one_reason_are_one_sentence() -> None:
    outcomes = [failed(f"n{number}", "no.") for number in range(5)]
    with pytest.raises(PartlyFailed) as caught:
        result(cluster(*outcomes, untouched(NamespacePlan("ok", current=FRESH))))
    assert caught.value.message == (
        "Could not place pull secret 'ecr-creds' in 5 namespaces 'c/n0', 'c/n1', 'c/n2' and 2 more: no. "
        "The other namespace is done."
    )
    assert len(caught.value.context["failed_namespaces"]) == 5


def test_only_what_was_done_counts_as_changed() -> None:
    done = Outcome(NamespacePlan("a", "create", "it is missing"), "created", FRESH)
    gone = Outcome(NamespacePlan("b", "create", "it is missing"), "gone")
    assert run_of(cluster(done, gone)).shown.actions == ["create pull secret c/a/ecr-creds (it is missing)"]
    assert not run_of(cluster(gone)).shown.changed


def test_many_namespaces_are_a_few_lines() -> None:
    reasons = ["5.4 h are left", "5.3 h are left"]
    items = [NamespacePlan(f"n{number}", "renew", reasons[number % 2], FRESH) for number in range(1000)]
    plan = run_of(cluster(*[Outcome(item, "renewed", FRESH) for item in items])).shown
    assert plan.actions == [
        "renew pull secret 'ecr-creds' in 500 namespaces 'n0', 'n2', 'n4' and 497 more of cluster 'c' (5.4 h are left)",
        "renew pull secret 'ecr-creds' in 500 namespaces 'n1', 'n3', 'n5' and 497 more of cluster 'c' (5.3 h are left)",
    ]
    assert list(plan.before) == list(plan.after) == ["c: 1,000 namespaces 'n0', 'n1', 'n2' and 997 more"]


def test_a_refusal_that_names_its_namespace_is_one_sentence_for_all() -> None:
    outcomes = [failed(f"n{number}", f'it can not create resource in the namespace "n{number}".') for number in range(5)]
    with pytest.raises(PartlyFailed) as caught:
        result(cluster(*outcomes))
    assert caught.value.message.count("Could not") == 1


def away(check_mode: bool = True) -> Cluster:
    view = View("c", ("a",), unreachable="Could not reach cluster 'c': off.")
    plan = plan_cluster(view, DESIRED, Policy(), NOW)
    return Cluster(view, plan, tuple(Outcome(item, "due") for item in plan.items) if check_mode else ())


def test_a_cluster_that_the_same_run_makes_is_no_guess_to_warn_of() -> None:
    comes = "the cluster does not exist yet; this run creates it"
    view = View("c", ("default", "team"), frozenset({"team"}), unreachable="Could not find kube context 'c': x.", comes=comes)
    plan = plan_cluster(view, DESIRED, Policy(create_namespaces=True), NOW)
    run = run_of(Cluster(view, plan, tuple(Outcome(item, "due") for item in plan.items)), check_mode=True)
    assert run.shown.actions == [
        f"create pull secret c/default/{DESIRED.name} ({comes})",
        "create namespace c/team",
        f"create pull secret c/team/{DESIRED.name} ({comes})",
    ]
    assert run.shown.warnings == ()
    (warning,) = plan_cluster(view, DESIRED, Policy(), NOW).warnings
    assert warning.startswith("Namespace 'team' does not exist in a new cluster such as 'c'.")


def test_a_cluster_that_is_away_is_a_guess_a_failure_or_pending() -> None:
    guess = result(away(), check_mode=True)
    assert run_of(away(), check_mode=True).shown.changed and "is a guess" in guess["warnings"][0]
    with pytest.raises(PartlyFailed, match="Could not reach cluster 'c': off"):
        result(away(check_mode=False))
    (waiting,) = run_of(away(check_mode=False), wait=True).shown.pending
    assert waiting.target == "cluster c"
