# SPDX-License-Identifier: GPL-3.0-or-later
"""When a part can't be done: the rest is, the steps done are reported, and the next run completes. On a real API server."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from rehearsal.services.certificates import Authority
from tests.support.ecr_pull_secret.api_server_proxy import Front
from tests.support.ecr_pull_secret.scenario import HOST, SECRET_RULE, Result, age, password, read, run

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.ecr import Ecr

LOOK_AT_ACCOUNTS = {"resources": ["serviceaccounts"], "verbs": ["list", "get"]}
CHANGE_ACCOUNTS = {"resources": ["serviceaccounts"], "verbs": ["list", "get", "patch"]}
_number = itertools.count()

pytestmark = [pytest.mark.real("kubernetes"), pytest.mark.usefixtures("aws")]


@pytest.fixture
def namespace(apiserver: ApiServer) -> Iterator[str]:
    name = apiserver.namespace(f"partly-{next(_number)}")
    yield name
    apiserver.remove_namespace(name)


@pytest.fixture
def pair(apiserver: ApiServer) -> Iterator[list[str]]:
    names = [apiserver.namespace(f"pair-{next(_number)}-{letter}") for letter in "ab"]
    yield names
    for name in names:
        apiserver.remove_namespace(name)


def pulls_with(apiserver: ApiServer, namespace: str) -> list[str]:
    account = read(apiserver, namespace, "default", "serviceaccounts")
    assert account is not None
    return [entry["name"] for entry in account.get("imagePullSecrets", [])]


# Several clusters


def second(apiserver: ApiServer, path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> Path:
    """Return a kubeconfig with a context 'second' before the good one."""
    document = yaml.safe_load(apiserver.kubeconfig.read_text())
    document["clusters"].append({"name": "second", "cluster": cluster})
    document["users"].append({"name": "second", "user": user})
    document["contexts"].insert(0, {"name": "second", "context": {"cluster": "second", "user": "second"}})
    path.write_text(json.dumps(document))
    return path


def limited(apiserver: ApiServer) -> tuple[dict[str, Any], dict[str, Any]]:
    document = yaml.safe_load(apiserver.kubeconfig_for("second", [SECRET_RULE], ["default"]).read_text())
    return document["clusters"][0]["cluster"], document["users"][0]["user"]


EXEC = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/proc/nowhere/login", "interactiveMode": "Never"}}
NO_AUTHORITY = {"server": "https://127.0.0.1:9", "certificate-authority-data": "eA=="}
BAD = [
    pytest.param(({"server": "https://127.0.0.1:9"}, EXEC, "Could not log in to kube context 'second'"), id="login program"),
    pytest.param(({"server": "https://h:port"}, {}, "its server 'https://h:port' is not an address"), id="address"),
    pytest.param((NO_AUTHORITY, {}, "certificates can't be read"), id="authority"),
    pytest.param((None, None, "may not list namespaces"), id="rights"),
    pytest.param(({"server": ""}, {}, "its certificate at"), id="authority of another cluster"),
]


@pytest.mark.parametrize("unreachable", ["fail", "pending"])
@pytest.mark.parametrize("bad", BAD)
def test_what_is_wrong_with_one_cluster_stops_none_of_the_others(
    apiserver: ApiServer, namespace: str, tmp_path: Path, bad: Any, unreachable: str
) -> None:
    cluster, user, said = bad
    if cluster is None:
        cluster, user = limited(apiserver)
    if not cluster["server"]:
        authority = base64.b64encode(Authority(tmp_path / "other").certificate_file.read_bytes()).decode()
        cluster = {"server": apiserver.url, "certificate-authority-data": authority}
    kubeconfig = second(apiserver, tmp_path / "config", cluster, user)
    options: dict[str, Any] = {"contexts": ["second", "colima-k8s"], "namespaces": [f"{namespace}*"], "unreachable": unreachable}
    planned = run(kubeconfig, check=True, **options)
    assert planned.failed and planned.states == {namespace: "due"} and said in planned.message
    result = run(kubeconfig, **options)
    assert result.failed and said in result.message and result.message.count("Could not") == 1
    assert result.changed and result.states == {namespace: "created"}
    assert result.data["actions"] == [f"create pull secret colima-k8s/{namespace}/ecr-creds (it is missing)"]
    assert [(one["context"], one["reason"]) for one in result.data["failed_contexts"]] == [("second", result.message)]
    assert not run(kubeconfig, **{**options, "contexts": ["colima-k8s"]}).changed


def test_a_context_that_does_not_exist_fails_after_all_else_was_served(apiserver: ApiServer, namespace: str) -> None:
    options: dict[str, Any] = {"contexts": ["nope", "colima-k8s"], "namespaces": [namespace]}
    result = run(apiserver.kubeconfig, **options)
    assert result.failed and "Could not find kube context 'nope'" in result.message
    assert result.changed and result.states == {namespace: "created"}
    waiting = run(apiserver.kubeconfig, unreachable="pending", **options)
    assert not waiting.failed and [one["target"] for one in waiting.data["pending"]] == ["cluster nope"]


# Parts of one namespace


def test_a_secret_that_was_written_counts_though_its_service_account_was_refused(apiserver: ApiServer, namespace: str) -> None:
    user = apiserver.kubeconfig_for("no-patch", [SECRET_RULE, LOOK_AT_ACCOUNTS], [namespace])
    options: dict[str, Any] = {"namespaces": [namespace], "service_accounts": ["default"]}
    result = run(user, **options)
    assert result.failed and "this kube user may not patch service account 'default'" in result.message
    assert result.changed and result.data["actions"] == [f"create pull secret colima-k8s/{namespace}/ecr-creds (it is missing)"]
    found, row = read(apiserver, namespace), result.data["secrets"][0]
    assert found is not None and row["digest"] == found["metadata"]["annotations"]["laptop.containers/digest"]
    assert (row["state"], row["hours_left"]) == ("failed", 12.0)
    again = run(user, **options)
    assert again.failed and not again.changed
    assert run(apiserver.kubeconfig, **options).changed and pulls_with(apiserver, namespace) == ["ecr-creds"]


def test_a_namespace_that_was_made_counts_though_its_secret_was_refused(apiserver: ApiServer) -> None:
    rules = [
        {"resources": ["namespaces"], "verbs": ["get", "list", "create"]},
        {"resources": ["secrets"], "verbs": ["get", "list"]},
    ]
    user = apiserver.kubeconfig_for("maker", rules)
    try:
        result = run(user, namespaces=["partly-made"], create_namespaces=True)
        assert result.failed and "may not create or patch secret 'ecr-creds'" in result.message
        assert result.changed and result.data["actions"] == ["create namespace colima-k8s/partly-made"]
    finally:
        apiserver.remove_namespace("partly-made")


def test_an_account_that_can_not_be_unlinked_is_not_forgotten_and_does_not_keep_the_secret_from_being_renewed(
    apiserver: ApiServer, ecr: Ecr, namespace: str
) -> None:
    run(apiserver.kubeconfig, namespaces=[namespace], service_accounts=["default"])
    user = apiserver.kubeconfig_for("no-unlink", [SECRET_RULE, LOOK_AT_ACCOUNTS], [namespace])
    for _ in range(2):
        ecr.rotate()
        result = run(user, namespaces=[namespace])
        assert result.failed and "may not patch service account 'default'" in result.message
        assert [action.split(" (")[0] for action in result.data["actions"]] == [
            f"renew pull secret colima-k8s/{namespace}/ecr-creds"
        ]
        assert password(apiserver, namespace) == ecr.token() and pulls_with(apiserver, namespace) == ["ecr-creds"]
    assert run(apiserver.kubeconfig, namespaces=[namespace]).changed
    assert pulls_with(apiserver, namespace) == []
    assert not run(apiserver.kubeconfig, namespaces=[namespace]).changed


# No tokens


def test_without_a_token_what_takes_none_is_done_and_told(apiserver: ApiServer, ecr: Ecr, pair: list[str]) -> None:
    kept, dropped = pair
    run(apiserver.kubeconfig, namespaces=pair, name="tokenless")
    age(apiserver, kept, name="tokenless")
    before = read(apiserver, kept, "tokenless")
    ecr.configure(fail="AccessDeniedException", times=20)
    result = run(apiserver.kubeconfig, namespaces=[kept], name="tokenless", prune=True)
    ecr.configure()
    assert result.failed and result.data["kind"] == "access_denied"
    assert result.message.count("Could not") == 1 and "1 of 2 has expired already" in result.message
    assert result.states == {kept: "failed", dropped: "deleted"}
    assert result.data["actions"] == [f"delete pull secret colima-k8s/{dropped}/tokenless (no longer wanted there)"]
    assert [(one["namespace"], one["reason"]) for one in result.data["failed_namespaces"]] == [
        (kept, "there is no token for it.")
    ]
    assert read(apiserver, kept, "tokenless") == before and read(apiserver, dropped, "tokenless") is None
    assert run(apiserver.kubeconfig, namespaces=[kept], name="tokenless").states == {kept: "renewed"}


# What was chosen


def test_a_glob_or_selector_that_finds_nothing_is_said(apiserver: ApiServer, namespace: str) -> None:
    result = run(apiserver.kubeconfig, namespaces=[namespace, "taem-*"], namespace_selector="pull=missing")
    assert result.states == {namespace: "created"} and not result.failed
    assert [text.split(" is found by ")[1].split(". ")[0] for text in warnings(result)] == [
        "'taem-*'",
        "the selector 'pull=missing'",
    ]
    assert not warnings(run(apiserver.kubeconfig, namespaces=[f"{namespace}*"]))
    everything = run(apiserver.kubeconfig, namespaces=[namespace], exclude_namespaces=["*"])
    assert not everything.failed and "exclude_namespaces leaves out every namespace" in warnings(everything)[0]


def warnings(result: Result) -> list[str]:
    return [str(text) for text in result.data.get("warnings", [])]


@pytest.mark.parametrize(
    "choice",
    [{"namespaces": ["taem-*"]}, {"namespace_selector": "pull=missing"}, {"namespaces": ["taem"]}, {"exclude_namespaces": ["*"]}],
    ids=["glob", "selector", "name", "exclusion"],
)
def test_prune_does_not_take_all_away_because_nothing_was_chosen(apiserver: ApiServer, pair: list[str], choice: Any) -> None:
    run(apiserver.kubeconfig, namespaces=pair, name="pruned")
    for check in (True, False):
        result = run(apiserver.kubeconfig, check=check, name="pruned", prune=True, **choice)
        assert result.failed and "Could not prune pull secret 'pruned' in cluster 'colima-k8s'" in result.message
        assert "all 2 would go" in result.message and not result.changed
    assert all(read(apiserver, name, "pruned") for name in pair)


def test_prune_with_nothing_chosen_and_nothing_to_prune_is_no_failure(apiserver: ApiServer) -> None:
    result = run(apiserver.kubeconfig, namespaces=["taem-*"], name="never-made", prune=True)
    assert not result.failed and "'taem-*'" in warnings(result)[0]


@pytest.mark.parametrize("others", [[], ["partly-*"], [f"gone-{number}" for number in range(10)]], ids=["names", "glob", "many"])
@pytest.mark.parametrize("create", [False, True], ids=["as it is", "create_namespaces"])
def test_a_namespace_that_is_being_deleted_is_gone_however_it_was_looked_for(
    apiserver: ApiServer, namespace: str, others: list[str], create: bool
) -> None:
    dying = apiserver.namespace("dying")
    apiserver.request("DELETE", f"/api/v1/namespaces/{dying}")
    made = [apiserver.namespace(name) for name in others if "*" not in name]
    try:
        result = run(apiserver.kubeconfig, namespaces=[namespace, dying, *others], create_namespaces=create)
        assert not result.failed, result.message
        assert result.states[dying] == "gone" and result.states[namespace] == "created"
        assert not any(dying in action for action in result.data["actions"])
    finally:
        for name in [dying, *made]:
            apiserver.remove_namespace(name)


# Service accounts whose secret was deleted


@pytest.fixture
def orphaned(apiserver: ApiServer, namespace: str) -> str:
    """A namespace whose account names one of our secrets that is gone."""
    run(apiserver.kubeconfig, namespaces=[namespace], service_accounts=["default"])
    apiserver.request("DELETE", f"/api/v1/namespaces/{namespace}/secrets/ecr-creds")
    assert pulls_with(apiserver, namespace) == ["ecr-creds"]
    return namespace


@pytest.mark.parametrize("limit", [False, True], ids=["administrator", "user of the namespace"])
def test_absent_takes_our_entry_out_though_the_secret_is_gone(apiserver: ApiServer, orphaned: str, limit: bool) -> None:
    user = apiserver.kubeconfig_for("orphan", [SECRET_RULE, CHANGE_ACCOUNTS], [orphaned]) if limit else apiserver.kubeconfig
    planned = run(user, check=True, namespaces=[orphaned], state="absent", registries=[])
    assert planned.changed
    done = run(user, namespaces=[orphaned], state="absent", registries=[])
    assert done.data["actions"] == planned.data["actions"]
    assert done.states == {orphaned: "absent"} and pulls_with(apiserver, orphaned) == []
    assert not run(user, namespaces=[orphaned], state="absent", registries=[]).changed


def test_an_account_that_is_dropped_while_the_secret_is_gone_loses_the_entry(apiserver: ApiServer, orphaned: str) -> None:
    assert run(apiserver.kubeconfig, namespaces=[orphaned]).states == {orphaned: "created"}
    assert pulls_with(apiserver, orphaned) == []


def test_who_may_not_see_accounts_is_served_and_removed_all_the_same(apiserver: ApiServer, namespace: str) -> None:
    user = apiserver.kubeconfig_for("blind", [SECRET_RULE], [namespace])
    assert run(user, namespaces=[namespace]).states == {namespace: "created"}
    for state in ("deleted", "absent"):
        assert run(user, namespaces=[namespace], state="absent", registries=[]).states == {namespace: state}


def test_a_fresh_run_still_asks_nothing_about_accounts(apiserver: ApiServer, namespace: str, tmp_path: Path) -> None:
    run(apiserver.kubeconfig, namespaces=[namespace])
    with Front(apiserver, lambda *_: None) as front:
        assert not run(front.kubeconfig(tmp_path / "config"), namespaces=[namespace], registries=[HOST]).changed
        front.shutdown()
    assert [path for _, path, _ in front.seen if "serviceaccounts" in path] == []
