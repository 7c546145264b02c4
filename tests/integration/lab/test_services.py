# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's real engines do what the rest of the tests take for granted."""

from __future__ import annotations

import base64
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.containerd import Containerd
    from rehearsal.services.dockerd import Dockerd
    from rehearsal.services.ecr import Ecr
    from rehearsal.services.registry import Registry


def test_dockerd_answers_the_docker_cli_and_touches_no_network_of_the_host(dockerd: Dockerd) -> None:
    done = subprocess.run(
        ["docker", "--host", dockerd.host, "network", "ls", "--format", "{{.Name}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert sorted(done.stdout.split()) == ["host", "none"], done.stderr


def test_containerd_answers_nerdctl(containerd: Containerd) -> None:
    done = subprocess.run(containerd.nerdctl(["ps", "-q"]), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_ecr_tokens_are_valid_for_twelve_hours_or_until_a_rotation(ecr: Ecr, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ecr.environment.items():
        monkeypatch.setenv(name, value)
    import boto3

    answer = boto3.client("ecr").get_authorization_token()["authorizationData"][0]
    assert base64.b64decode(answer["authorizationToken"]).decode() == f"AWS:{ecr.token()}"
    assert timedelta(hours=11, minutes=59) < answer["expiresAt"] - datetime.now(UTC) <= timedelta(hours=12)
    before = ecr.token()
    ecr.rotate()
    assert ecr.token() != before
    assert ecr.token(region="us-east-1") != ecr.token()


def test_ecr_answers_a_scripted_failure_once(ecr: Ecr, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ecr.environment.items():
        monkeypatch.setenv(name, value)
    import boto3
    from botocore.exceptions import ClientError

    client = boto3.client("ecr")
    ecr.configure(fail="AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDeniedException"):
        client.get_authorization_token()
    assert client.get_authorization_token()["authorizationData"]


def test_the_registry_serves_only_the_current_token(ecr: Ecr, registry: Registry) -> None:
    old = ecr.token()
    assert registry.status("AWS", old) == 200
    assert registry.status("AWS", "wrong") == 401
    ecr.rotate()
    assert registry.status("AWS", old) == 401
    assert registry.status("AWS", ecr.token()) == 200


def test_the_api_server_limits_users_to_their_rules(apiserver: ApiServer) -> None:
    from kubernetes import client, config

    apiserver.namespace("limited")
    file = apiserver.kubeconfig_for("lab-reader", [{"resources": ["secrets"], "verbs": ["list"]}], namespaces=["limited"])
    api = client.CoreV1Api(config.new_client_from_config(str(file), context="colima-k8s"))
    assert api.list_namespaced_secret("limited").items == []
    with pytest.raises(client.ApiException) as refusal:
        api.list_namespaced_secret("default")
    assert refusal.value.status == 403


def test_a_namespace_of_the_api_server_can_be_removed(apiserver: ApiServer) -> None:
    apiserver.namespace("short-lived")
    apiserver.remove_namespace("short-lived")
    assert apiserver.request("GET", "/api/v1/namespaces/short-lived")[0] == 404
