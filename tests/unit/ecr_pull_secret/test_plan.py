# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in each namespace: by the current state, the spec and the policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.ecr.renewal import Lease
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.model import (
    OWNER,
    PullSecretSpec,
    PullSecretState,
)
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.namespaces import Scope, choose, scope_from
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.plan import Policy, plan_cluster
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.show import plan_of
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.view import Account, View

HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DESIRED = PullSecretSpec("ecr-creds", {HOST: "abc"})
FRESH = PullSecretState("a", "uid", True, {HOST: Lease(NOW, NOW + timedelta(hours=12), "abc")}, "digest", (), (OWNER,))
OLD = replace(FRESH, leases={HOST: Lease(NOW - timedelta(hours=10), NOW + timedelta(hours=2), "abc")})
FOREIGN = PullSecretState("a", "uid", False, owners=("kubectl-create",))
EDITED = replace(FRESH, owners=("kubectl-edit",))


def view(current: PullSecretState | None = None, **changes: Any) -> View:
    return replace(View("colima-k8s", ("a",), secrets={"a": current} if current else {}), **changes)


@pytest.mark.parametrize(
    ("seen", "policy", "verb", "failure"),
    [
        pytest.param(view(), Policy(), "create", "", id="missing"),
        pytest.param(view(FRESH), Policy(), "", "", id="fresh"),
        pytest.param(view(OLD), Policy(), "renew", "", id="half its life is over"),
        pytest.param(view(FOREIGN), Policy(), "", "Set O(adopt=true)", id="foreign"),
        pytest.param(view(FOREIGN), Policy(adopt=True), "adopt", "", id="foreign, adopted"),
        pytest.param(view(EDITED), Policy(), "", "changed by kubectl-edit", id="edited"),
        pytest.param(view(EDITED), Policy(force_conflicts=True), "renew", "", id="edited, overwritten"),
        pytest.param(view(missing=frozenset("a")), Policy(), "", "does not exist", id="no namespace"),
        pytest.param(view(missing=frozenset("a")), Policy(create_namespaces=True), "create", "", id="no namespace, made"),
        pytest.param(view(FRESH, refused={"a": "forbidden."}), Policy(), "", "forbidden.", id="may not look"),
        pytest.param(view(unreachable="off"), Policy(), "create", "", id="planned blindly"),
        pytest.param(view(FRESH), Policy(absent=True), "delete", "", id="absent"),
        pytest.param(view(), Policy(absent=True), "", "", id="absent already"),
        pytest.param(view(FOREIGN), Policy(absent=True), "", "", id="absent, foreign stays"),
        pytest.param(view(missing=frozenset("a")), Policy(absent=True), "", "", id="absent, no namespace"),
    ],
)
def test_a_namespace_gets_what_its_state_needs(seen: View, policy: Policy, verb: str, failure: str) -> None:
    (item,) = plan_cluster(seen, DESIRED, policy, NOW).items
    assert item.verb == verb
    assert (failure in item.failure) if failure else not item.failure


def test_only_adoption_and_permission_force_a_conflict() -> None:
    def forced(current: PullSecretState, policy: Policy) -> bool:
        return plan_cluster(view(current), DESIRED, policy, NOW).items[0].force

    assert not forced(OLD, Policy())
    assert not forced(OLD, Policy(adopt=True))
    assert forced(OLD, Policy(force_conflicts=True))
    assert forced(FOREIGN, Policy(adopt=True))


def test_prune_removes_ours_where_it_is_no_longer_wanted_and_nothing_else() -> None:
    seen = view(FRESH, secrets={"a": FRESH, "b": replace(FRESH, namespace="b"), "c": replace(FOREIGN, namespace="c")})
    items = plan_cluster(seen, DESIRED, Policy(prune=True), NOW).items
    assert [(item.namespace, item.verb) for item in items] == [("a", ""), ("b", "delete")]
    assert len(plan_cluster(seen, DESIRED, Policy(), NOW).items) == 1


def test_prune_says_when_it_can_not_see_everything() -> None:
    plan = plan_cluster(view(FRESH, complete=False), DESIRED, Policy(prune=True), NOW)
    assert "may not list secrets" in plan.warnings[0]


@pytest.mark.parametrize(
    ("wanted", "link", "unlink", "absent"),
    [
        pytest.param(("default",), ["default"], ["marked"], (), id="one by name"),
        pytest.param(("*",), ["default", "own"], [], (), id="all"),
        pytest.param((), [], ["marked"], (), id="none any more"),
        pytest.param(("default", "missing"), ["default"], ["marked"], ("missing",), id="one that does not exist"),
    ],
)
def test_service_accounts_gain_and_lose_the_entry(
    wanted: tuple[str, ...], link: list[str], unlink: list[str], absent: tuple[str, ...]
) -> None:
    accounts = (
        Account("a", "default", "1", ("other",)),
        Account("a", "marked", "1", ("ecr-creds",), marks=("ecr-creds",)),
        Account("a", "own", "1"),
        Account("a", "theirs", "1", ("ecr-creds",)),
    )
    spec = replace(DESIRED, service_accounts=wanted)
    seen = view(replace(FRESH, service_accounts=wanted), accounts={"a": accounts})
    (item,) = plan_cluster(seen, spec, Policy(), NOW).items
    assert [account.name for account in item.link] == link
    assert [account.name for account in item.unlink] == unlink
    assert item.absent_accounts == absent
    assert item.verb == ""


@pytest.mark.parametrize(
    ("scope", "chosen"),
    [
        pytest.param(Scope(("default",)), ("default",), id="a name, existing or not"),
        pytest.param(Scope(("team-*",)), ("team-a", "team-b"), id="a glob"),
        pytest.param(Scope(("all",)), ("kube-system", "team-a", "team-b"), id="all"),
        pytest.param(Scope(("all",), excluded=("kube-*",)), ("team-a", "team-b"), id="all but some"),
        pytest.param(Scope(("default", "team-a"), excluded=("team-a",)), ("default",), id="a name that is excluded"),
        pytest.param(Scope((), selector="x=y"), ("team-b",), id="a selector"),
        pytest.param(Scope(("default",), selector="x=y"), ("default", "team-b"), id="a name and a selector"),
        pytest.param(Scope(("nothing-*",)), (), id="a glob that finds nothing"),
    ],
)
def test_namespaces_are_chosen(scope: Scope, chosen: tuple[str, ...]) -> None:
    labelled = ["team-b"] if scope.selector else []
    assert choose(scope, ["kube-system", "team-a", "team-b"], labelled) == chosen


def test_the_scope_defaults_to_default_unless_a_selector_is_given() -> None:
    assert scope_from(None, "", ()).namespaces == ("default",)
    assert scope_from(None, "a=b", ()).namespaces == ()
    assert not scope_from(None, "a=b", ()).explicit
    with pytest.raises(InputError, match="list is empty"):
        scope_from([], "", ())
    with pytest.raises(InputError, match="namespace 'Team A'"):
        scope_from(["Team A"], "", ())
    with pytest.raises(InputError, match="namespace 'Default': Kubernetes allows only lower case"):
        scope_from(["all"], "", ["kube-*", "Default"])
    with pytest.raises(InputError, match="allows at most 63 characters"):
        scope_from(["a" * 64], "", ())
    with pytest.raises(InputError, match="it is empty"):
        scope_from([""], "", ())


def test_the_plan_reads_as_english_and_shows_no_token() -> None:
    plan = plan_of([plan_cluster(view(OLD), DESIRED, Policy(), NOW)], DESIRED, NOW)
    assert plan.actions == ["renew pull secret colima-k8s/a/ecr-creds (2 h are left)"]
    assert plan.diff["before"]["colima-k8s/a"]["hours_left"] == 2.0
    assert plan.diff["after"]["colima-k8s/a"]["hosts"] == [HOST]


def test_a_failed_namespace_is_no_step() -> None:
    plan = plan_of([plan_cluster(view(FOREIGN), DESIRED, Policy(), NOW)], DESIRED, NOW)
    assert not plan.changed
