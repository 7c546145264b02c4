# SPDX-License-Identifier: GPL-3.0-or-later
"""What else has a say in a cluster: quotas, policies, other managers and other people's log-ins. On a real API server."""

from __future__ import annotations

import base64
import itertools
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.model import PREFIX, current_from

from tests.support.ecr_pull_secret.api_server_proxy import Front
from tests.support.ecr_pull_secret.scenario import HOST, SECRET_RULE, age, content, read, run

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.ecr import Ecr

POLICIES = "/apis/admissionregistration.k8s.io/v1"
HUB = {"username": "me", "password": "hub-password", "auth": base64.b64encode(b"me:hub-password").decode()}
_number = itertools.count()

pytestmark = [pytest.mark.real("kubernetes"), pytest.mark.usefixtures("aws")]


@pytest.fixture
def namespace(apiserver: ApiServer) -> Iterator[str]:
    name = apiserver.namespace(f"refusal-{next(_number)}")
    yield name
    apiserver.remove_namespace(name)


def secret(config: Any, **metadata: Any) -> dict[str, Any]:
    data = base64.b64encode(json.dumps(config).encode()).decode()
    kind = "kubernetes.io/dockerconfigjson"
    metadata = {"name": "ecr-creds", **metadata}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": {".dockerconfigjson": data}}


def put(apiserver: ApiServer, namespace: str, body: dict[str, Any], manager: str = "helm") -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets?fieldManager={manager}"
    status, answer = apiserver.request("POST", path, body)
    assert status == 201, answer


# Refusals with words of their own


def test_a_quota_is_told_in_its_own_words(apiserver: ApiServer, namespace: str) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"secrets": "0"}}}
    apiserver.request("POST", f"/api/v1/namespaces/{namespace}/resourcequotas", quota)
    status = {**quota, "status": {"hard": {"secrets": "0"}, "used": {"secrets": "0"}}}
    assert apiserver.request("PUT", f"/api/v1/namespaces/{namespace}/resourcequotas/few/status", status)[0] == 200
    result = run(apiserver.kubeconfig, namespaces=[namespace])
    assert result.failed and "exceeded quota: few" in result.message and "limited: secrets=0" in result.message
    assert "may not" not in result.message and "Change the quota or the policy" in result.message


@pytest.mark.parametrize("reason", ["", "Forbidden"], ids=["default reason", "Forbidden"])
def test_a_policy_is_told_in_its_own_words(apiserver: ApiServer, namespace: str, reason: str) -> None:
    words = "pull secrets need a ticket number, see the handbook of the platform team; " * 4
    validation = {"expression": "false", "message": words.strip(), **({"reason": reason} if reason else {})}
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"], "operations": ["CREATE", "UPDATE"]}]
    policy = {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}, "validations": [validation]}
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    binding = {"policyName": namespace, "validationActions": ["Deny"], "matchResources": only}
    for kind, spec in (("ValidatingAdmissionPolicy", policy), ("ValidatingAdmissionPolicyBinding", binding)):
        plural = "validatingadmissionpolicies" if kind == "ValidatingAdmissionPolicy" else "validatingadmissionpolicybindings"
        body = {"apiVersion": POLICIES[6:], "kind": kind, "metadata": {"name": namespace}, "spec": spec}
        status, answer = apiserver.request("POST", f"{POLICIES}/{plural}", body)
        assert status == 201, answer
    try:
        wait_for_policy(apiserver, namespace)
        result = run(apiserver.kubeconfig, namespaces=[namespace])
        assert result.failed and words.strip() in result.message and "may not" not in result.message
    finally:
        for plural in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            apiserver.request("DELETE", f"{POLICIES}/{plural}/{namespace}")


def wait_for_policy(apiserver: ApiServer, namespace: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        path = f"/api/v1/namespaces/{namespace}/secrets?dryRun=All"
        if apiserver.request("POST", path, secret({}, name="probe"))[0] in (403, 422):
            return
    raise AssertionError("the policy never came into force")


def test_missing_rights_are_told_as_such(apiserver: ApiServer, namespace: str) -> None:
    limited = apiserver.kubeconfig_for("reader", [{"resources": ["secrets"], "verbs": ["get"]}], [namespace])
    result = run(limited, namespaces=[namespace])
    assert result.failed and "this kube user may not create or patch secret 'ecr-creds'" in result.message
    assert 'User "reader" cannot patch resource "secrets"' in result.message and "Ask for a role" in result.message


def test_a_warning_of_the_cluster_becomes_a_warning(apiserver: ApiServer, namespace: str, tmp_path: Path) -> None:
    with Front(apiserver, lambda *_: None) as front:
        front.headers["Warning"] = '299 - "this API server is retired next week"'
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=[namespace])
        front.shutdown()
    assert "Cluster 'colima-k8s' warns: this API server is retired next week" in str(result.data["warnings"])


def test_a_due_secret_is_renewed_though_service_accounts_may_not_be_listed(apiserver: ApiServer, namespace: str) -> None:
    limited = apiserver.kubeconfig_for("no-accounts", [SECRET_RULE], [namespace])
    options: dict[str, Any] = {"namespaces": [namespace], "service_accounts": ["default"]}
    result = run(limited, **options)
    assert result.failed and "may not list service accounts" in result.message
    assert result.data["actions"] == [f"create pull secret colima-k8s/{namespace}/ecr-creds (it is missing)"]
    again = run(limited, **options)
    assert again.failed and not again.changed


# Log-ins of other registries in a secret that is adopted


def test_an_adopted_secret_keeps_the_logins_of_other_registries(apiserver: ApiServer, ecr: Ecr, namespace: str) -> None:
    put(apiserver, namespace, secret({"auths": {"docker.io": HUB, HOST: HUB}, "HttpHeaders": {"X": "y"}}))
    planned = run(apiserver.kubeconfig, namespaces=[namespace], adopt=True, check=True)
    result = run(apiserver.kubeconfig, namespaces=[namespace], adopt=True)
    for one in (planned, result):
        (before,), (after,) = (one.data["diff"][side].values() for side in ("before", "after"))
        assert (before["other_registries"], after["other_registries"], after["hosts"]) == (["docker.io"], ["docker.io"], [HOST])
        assert "hub-password" not in one.text and HUB["auth"] not in one.text
    found = content(apiserver, namespace)
    assert found["auths"]["docker.io"] == HUB and found["HttpHeaders"] == {"X": "y"}
    assert found["auths"][HOST]["username"] == "AWS"
    ecr.rotate()
    age(apiserver, namespace)
    assert run(apiserver.kubeconfig, namespaces=[namespace]).states == {namespace: "renewed"}
    renewed = content(apiserver, namespace)
    assert renewed["auths"]["docker.io"] == HUB and renewed["auths"][HOST] != found["auths"][HOST]
    assert not run(apiserver.kubeconfig, namespaces=[namespace]).changed


def test_a_login_that_is_added_during_the_adoption_stays(apiserver: ApiServer, namespace: str, tmp_path: Path) -> None:
    put(apiserver, namespace, secret({"auths": {}}))
    added: list[str] = []

    def meddle(method: str, path: str) -> Any:
        if method == "PATCH" and not added:
            added.append(path)
            body = secret({"auths": {"docker.io": HUB}})
            status, _ = apiserver.request("PUT", f"/api/v1/namespaces/{namespace}/secrets/ecr-creds?fieldManager=helm", body)
            assert status == 200
        return None

    with Front(apiserver, meddle) as front:
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=[namespace], adopt=True)
        front.shutdown()
    assert result.states == {namespace: "adopted"}, result.message
    assert set(content(apiserver, namespace)["auths"]) == {HOST, "docker.io"}


def test_an_adopted_secret_that_holds_no_docker_config_is_taken_over(apiserver: ApiServer, namespace: str) -> None:
    put(apiserver, namespace, secret({"auths": {}}))
    assert run(apiserver.kubeconfig, namespaces=[namespace], adopt=True).states == {namespace: "adopted"}


# Records that other programs changed


def annotate(apiserver: ApiServer, namespace: str, manager: str = "kubectl-annotate", **notes: str) -> None:
    found = read(apiserver, namespace)
    assert found is not None
    found["metadata"]["annotations"] |= {PREFIX + key.replace("_", "-"): text for key, text in notes.items()}
    path = f"/api/v1/namespaces/{namespace}/secrets/ecr-creds?fieldManager={manager}"
    status, answer = apiserver.request("PUT", path, found)
    assert status == 200, answer


def test_an_annotation_that_another_program_changed_is_restored_at_once(apiserver: ApiServer, namespace: str) -> None:
    run(apiserver.kubeconfig, namespaces=[namespace])
    annotate(apiserver, namespace, digest="0000")
    result = run(apiserver.kubeconfig, namespaces=[namespace])
    assert result.states == {namespace: "renewed"}, result.message
    assert "(its annotations were changed by kubectl-annotate)" in result.data["actions"][0]
    assert not run(apiserver.kubeconfig, namespaces=[namespace]).changed


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59Z"])
def test_a_date_at_the_end_of_the_calendar_is_due_and_stops_no_other_namespace(
    apiserver: ApiServer, namespace: str, moment: str
) -> None:
    other = apiserver.namespace(f"{namespace}-b")
    run(apiserver.kubeconfig, namespaces=[namespace, other])
    record = {HOST: {"issued": "2026-01-01T00:00:00Z", "expires": moment, "identity": "me"}}
    annotate(apiserver, namespace, manager="laptop.containers", registries=json.dumps(record))
    age(apiserver, other)
    result = run(apiserver.kubeconfig, namespaces=[namespace, other])
    assert result.states == {namespace: "renewed", other: "renewed"}, result.message
    # Also where the namespace was not chosen at all.
    annotate(apiserver, namespace, manager="laptop.containers", registries=json.dumps(record))
    pruned = run(apiserver.kubeconfig, namespaces=[other], prune=True)
    assert pruned.states[namespace] == "deleted" and not pruned.failed
    apiserver.remove_namespace(other)


def test_no_annotation_whatsoever_ends_a_run() -> None:
    chance = random.Random(7)  # noqa: S311
    moments = ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "2026-11-23T12:00:00Z", "now", "", "20261123", "1e400"]
    values: list[Any] = [*moments, None, 5, 10**400, [], {}, [[]], {"x": {}}, "\u0000", "[" * 5000]
    for _ in range(5000):
        entry = {key: chance.choice(values) for key in ("issued", "expires", "identity") if chance.random() < 0.9}
        record = chance.choice([json.dumps({HOST: entry}), json.dumps(chance.choice(values)), chance.choice(moments)])
        notes = {PREFIX + key: chance.choice(moments) for key in ("digest", "service-accounts", "other-registries")}
        fields: Any = chance.choice([None, [], {}, {"f:data": 5}, {"f:metadata": {"f:annotations": []}}, {"f:data": {"f:x": {}}}])
        current = current_from(
            {
                "namespace": "a",
                "annotations": {**notes, f"{PREFIX}registries": record},
                "managedFields": chance.choice([None, [], [{"manager": "x", "fieldsV1": fields}], ["x"], 5]),
            }
        )
        assert all(lease.expires_at.tzinfo is not None for lease in current.leases.values())


# Requests


def methods(front: Front) -> list[str]:
    return [method for method, _, _ in front.seen]


def test_a_renewal_costs_one_request_for_each_namespace_and_a_link_no_read(
    apiserver: ApiServer, ecr: Ecr, tmp_path: Path
) -> None:
    names = [apiserver.namespace(f"count-{number}") for number in range(12)]
    options: dict[str, Any] = {"namespaces": ["count-*"], "service_accounts": ["default"]}
    ecr.configure(hours=11)
    with Front(apiserver, lambda *_: None) as front:
        kubeconfig = front.kubeconfig(tmp_path / "config")
        assert set(run(kubeconfig, **options).states.values()) == {"created"}
        assert (methods(front).count("GET"), methods(front).count("PATCH")) == (3, 24)
        front.seen.clear()
        assert not run(kubeconfig, **options).changed
        assert methods(front) == ["GET"] * 3
        front.seen.clear()
        ecr.configure(hours=12)
        assert set(run(kubeconfig, **options, refresh_before="11h30m").states.values()) == {"renewed"}
        assert sorted(methods(front)) == ["GET"] * 3 + ["PATCH"] * 12
        front.shutdown()
    for name in names:
        apiserver.remove_namespace(name)


def test_tokens_that_live_shorter_than_asked_for_are_no_failure(apiserver: ApiServer, ecr: Ecr, namespace: str) -> None:
    ecr.configure(hours=1)
    assert run(apiserver.kubeconfig, namespaces=[namespace], refresh_before="6h").states == {namespace: "created"}
    ecr.configure(hours=12)
