# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run tells: rows, one sentence for many failures, clusters that are away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.ecr.lease import Lease
from ansible_collections.laptop.containers.plugins.module_utils.pull_secret.model import OWNER, Current, Desired
from ansible_collections.laptop.containers.plugins.module_utils.pull_secret.plan import (
    ClusterPlan,
    Item,
    Outcome,
    Policy,
    View,
    plan_cluster,
    untouched,
)
from ansible_collections.laptop.containers.plugins.module_utils.pull_secret.result import Cluster, PartlyFailed, result_of
from ansible_collections.laptop.containers.plugins.module_utils.registry_login.task import Logins

HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DESIRED = Desired("ecr-creds", {HOST: "abc"})
FRESH = Current("a", "uid", True, {HOST: Lease(NOW, NOW + timedelta(hours=12), "abc")}, "digest", (), (OWNER,))


def cluster(*outcomes: Outcome) -> Cluster:
    return Cluster("c", View("c"), ClusterPlan("c", tuple(outcome.item for outcome in outcomes)), outcomes=list(outcomes))


def result(*clusters: Cluster, check_mode: bool = False, wait: bool = False) -> dict[str, Any]:
    return result_of(list(clusters), Logins(), DESIRED, NOW, check_mode=check_mode, wait=wait)


def failed(namespace: str, reason: str) -> Outcome:
    return untouched(Item(namespace, failure=reason))


def test_a_row_shows_hours_per_registry_and_no_secret() -> None:
    (row,) = result(cluster(untouched(Item("a", current=FRESH))))["secrets"]
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
        result(cluster(*outcomes, untouched(Item("ok", current=FRESH))))
    assert caught.value.message == (
        "Could not serve pull secret 'ecr-creds' in 5 namespaces 'c/n0', 'c/n1', 'c/n2' and 2 more: no. "
        "The other 1 of 6 namespaces are done."
    )
    assert len(caught.value.context["failed_namespaces"]) == 5


def test_only_what_was_done_counts_as_changed() -> None:
    done = Outcome(Item("a", "create", "it is missing"), "created", FRESH)
    gone = Outcome(Item("b", "create", "it is missing"), "gone")
    assert result(cluster(done, gone))["actions"] == ["create pull secret c/a/ecr-creds (it is missing)"]
    assert not result(cluster(gone))["changed"]


def away(check_mode: bool = True) -> Cluster:
    view = View("c", ("a",), unreachable="Could not reach cluster 'c': off.")
    plan = plan_cluster(view, DESIRED, Policy(), NOW)
    return Cluster("c", view, plan, outcomes=[Outcome(item, "due") for item in plan.items] if check_mode else [])


def test_a_cluster_that_is_away_is_a_guess_a_failure_or_pending() -> None:
    guess = result(away(), check_mode=True)
    assert guess["changed"] and "is a guess" in guess["warnings"][0]
    with pytest.raises(PartlyFailed, match="Could not reach cluster 'c': off"):
        result(away(check_mode=False))
    waiting = result(away(check_mode=False), wait=True)
    assert not waiting["changed"] and waiting["pending"][0]["target"] == "cluster c"
