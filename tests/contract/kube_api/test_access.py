# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what: certificates, RBAC and the words of a refusal, alike on both servers; tokens and k3s.yaml of the stand-in."""

from __future__ import annotations

import stat
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from rehearsal.processes.daemon import Daemon
from rehearsal.processes.system import free_port
from rehearsal.standin import kube_api

from .conftest import METADATA_LIST, Client

if TYPE_CHECKING:
    from rehearsal.standin.kube_api import KubeApi

    from .conftest import Answer, Cluster


def user_of(cluster: Cluster, *rules: dict[str, Any], everywhere: bool = False) -> tuple[str, Client]:
    name = f"user-{uuid.uuid4().hex[:8]}"
    namespaces = () if everywhere else (cluster.namespace,)
    return name, Client(cluster.server.kubeconfig_for(name, rules, namespaces))


def secret(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque"}


def refused(answer: Answer, message: str) -> None:
    assert (answer.code, answer.json["reason"]) == (403, "Forbidden")
    assert answer.message == message


def test_an_anonymous_user_may_only_ask_for_health(cluster: Cluster) -> None:
    answer = Client(cluster.server.kubeconfig, anonymous=True)("GET", "/api/v1/namespaces")
    who = 'User "system:anonymous" cannot list resource "namespaces" in API group ""'
    refused(answer, f"namespaces is forbidden: {who} at the cluster scope")


def test_an_unknown_token_is_401(cluster: Cluster) -> None:
    answer = Client(cluster.server.kubeconfig, token="nobody")("GET", "/api/v1/namespaces")
    assert (answer.code, answer.json["reason"], answer.message) == (401, "Unauthorized", "Unauthorized")


def test_a_user_without_rules_is_told_verb_resource_and_place(cluster: Cluster) -> None:
    name, client = user_of(cluster)
    where = f'in API group "" in the namespace "{cluster.namespace}"'
    who = f'User "{name}" cannot'
    listed = client("GET", cluster.secrets(), accept=METADATA_LIST)
    refused(listed, f'secrets is forbidden: {who} list resource "secrets" {where}')
    assert listed.json["details"] == {"kind": "secrets"}
    got = client("GET", cluster.secrets("x"))
    refused(got, f'secrets "x" is forbidden: {who} get resource "secrets" {where}')
    assert got.json["details"] == {"name": "x", "kind": "secrets"}
    refused(client("POST", cluster.secrets(), secret("x")), f'secrets is forbidden: {who} create resource "secrets" {where}')
    refused(client("DELETE", cluster.secrets("x")), f'secrets "x" is forbidden: {who} delete resource "secrets" {where}')
    applied = client.apply(cluster.secrets("x"), secret("x"), "me")
    refused(applied, f'secrets "x" is forbidden: {who} patch resource "secrets" {where}')


def test_a_user_without_rules_may_not_see_namespaces_or_all_secrets(cluster: Cluster) -> None:
    name, client = user_of(cluster)
    who = f'User "{name}" cannot'
    everywhere = 'in API group "" at the cluster scope'
    refused(client("GET", "/api/v1/namespaces"), f'namespaces is forbidden: {who} list resource "namespaces" {everywhere}')
    refused(client("GET", "/api/v1/secrets"), f'secrets is forbidden: {who} list resource "secrets" {everywhere}')
    inside = f'in API group "" in the namespace "{cluster.namespace}"'
    found = client("GET", f"/api/v1/namespaces/{cluster.namespace}")
    refused(found, f'namespaces "{cluster.namespace}" is forbidden: {who} get resource "namespaces" {inside}')


def test_applying_something_new_needs_create_beside_patch(cluster: Cluster) -> None:
    name, client = user_of(cluster, {"resources": ["secrets"], "verbs": ["get", "patch"]})
    answer = client.apply(cluster.secrets("new"), secret("new"), "me")
    who = f'User "{name}" cannot create resource "secrets" in API group "" in the namespace "{cluster.namespace}"'
    refused(answer, f'secrets "new" is forbidden: {who}')
    cluster.client("POST", cluster.secrets(), secret("old"))
    assert client.apply(cluster.secrets("old"), {**secret("old"), "data": {"a": "MQ=="}}, "me").code == 200


def test_a_rule_for_one_name_allows_apply_but_not_post(cluster: Cluster) -> None:
    rule = {"resources": ["secrets"], "verbs": ["get", "patch", "create"], "resourceNames": ["ecr-creds"]}
    _, client = user_of(cluster, rule)
    assert client.apply(cluster.secrets("ecr-creds"), secret("ecr-creds"), "me").code == 201
    assert client("POST", cluster.secrets(), secret("ecr-creds")).code == 403
    assert client.apply(cluster.secrets("other"), secret("other"), "me").code == 403


def test_a_role_of_one_namespace_does_not_reach_another(cluster: Cluster) -> None:
    _, client = user_of(cluster, {"resources": ["secrets"], "verbs": ["*"]})
    assert client("GET", cluster.secrets()).code == 200
    assert client("GET", cluster.secrets(namespace="default")).code == 403


def test_a_cluster_role_reaches_all_namespaces(cluster: Cluster) -> None:
    _, client = user_of(cluster, {"resources": ["secrets"], "verbs": ["list"]}, everywhere=True)
    assert client("GET", "/api/v1/secrets", accept=METADATA_LIST).code == 200
    assert client("GET", cluster.secrets(namespace="kube-system")).code == 200


def test_discovery_is_open_to_every_user_but_metrics_are_not(cluster: Cluster) -> None:
    name, client = user_of(cluster)
    assert client("GET", "/api/v1").code == 200
    refused(client("GET", "/metrics"), f'forbidden: User "{name}" cannot get path "/metrics"')


def test_roles_are_forbidden_with_their_group(cluster: Cluster) -> None:
    name, client = user_of(cluster)
    group = "rbac.authorization.k8s.io"
    who = f'User "{name}" cannot list resource "clusterroles" in API group "{group}" at the cluster scope'
    answer = client("GET", f"/apis/{group}/v1/clusterroles")
    refused(answer, f"clusterroles.{group} is forbidden: {who}")
    assert answer.json["details"] == {"group": group, "kind": "clusterroles"}


def test_a_known_token_is_its_user(stand_in_api: KubeApi) -> None:
    administrator = Client(stand_in_api.kubeconfig, token=stand_in_api.token_for("boss", ("system:masters",)))
    assert administrator("GET", "/api/v1/secrets").code == 200
    other = Client(stand_in_api.kubeconfig, token=stand_in_api.token_for("jane"))
    assert 'User "jane" cannot list' in other("GET", "/api/v1/secrets").message


def test_the_lab_gets_a_kubeconfig_as_k3s_writes_it(short_path: Path) -> None:
    directory, port = short_path / "k3s", free_port()
    daemon = Daemon("kube-api", directory)
    try:
        config = yaml.safe_load(kube_api.start_in_lab(daemon, directory / "data", port))
        assert config["clusters"][0]["cluster"]["server"] == f"https://127.0.0.1:{port}"
        assert [config[part][0]["name"] for part in ("clusters", "contexts", "users")] == ["default"] * 3
        assert config["current-context"] == "default"
        file = directory / "data" / "k3s.yaml"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        client = Client(file)
        client("POST", "/api/v1/namespaces", {"metadata": {"name": "team"}})
        accounts = client("GET", "/api/v1/namespaces/team/serviceaccounts")
        assert accounts.names == ["default"]
        client("DELETE", "/api/v1/namespaces/team")
        assert client("GET", "/api/v1/namespaces/team").code == 404
    finally:
        daemon.stop()


@pytest.mark.parametrize("file", ["ca.key", "server.key", "tokens.json", "objects.jsonl"])
def test_what_is_secret_is_readable_by_its_owner_only(stand_in_api: KubeApi, file: str) -> None:
    stand_in_api.token_for("another-user")
    assert stat.S_IMODE((stand_in_api.data / file).stat().st_mode) == 0o600
