# SPDX-License-Identifier: GPL-3.0-or-later
"""ecr_pull_secret against a real API server and AWS' API on the loopback."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.ecr_pull_secret.registry_client import Images, Refused
from tests.support.ecr_pull_secret.scenario import HOST, SECRET_RULE, age, content, password, read, run

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.ecr import Ecr
    from rehearsal.services.registry import Registry

SECOND = "210987654321.dkr.ecr.eu-central-1.amazonaws.com"
ELSEWHERE = "210987654321.dkr.ecr.us-east-1.amazonaws.com"
_number = itertools.count()

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture(scope="module", params=["stand-in", pytest.param("real", marks=pytest.mark.real("kubernetes"))])
def apiserver(request: pytest.FixtureRequest, short_path: Path) -> Iterator[ApiServer]:
    """The light grade's API server and the real one; everything here must hold on both."""
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.standin.kube_api import KubeApi

    kind = ApiServer if request.param == "real" else KubeApi
    with kind(short_path / f"pull-secret-{request.param}") as running:
        yield running


@pytest.fixture
def namespace(apiserver: ApiServer) -> Iterator[str]:
    name = apiserver.namespace(f"pull-{next(_number)}")
    yield name
    apiserver.remove_namespace(name)


def test_check_then_apply_then_check_then_apply(apiserver: ApiServer, ecr: Ecr, namespace: str) -> None:
    options: dict[str, Any] = {"namespaces": [namespace]}
    calls = ecr.calls
    first = run(apiserver.kubeconfig, check=True, **options)
    assert (first.changed, first.states, ecr.calls) == (True, {namespace: "due"}, calls)
    assert read(apiserver, namespace) is None
    second = run(apiserver.kubeconfig, **options)
    assert (second.changed, second.states, ecr.calls) == (True, {namespace: "created"}, calls + 1)
    for check in (True, False):
        again = run(apiserver.kubeconfig, check=check, **options)
        assert (again.changed, again.states, ecr.calls) == (False, {namespace: "fresh"}, calls + 1)
    assert again.data["secrets"][0]["hours_left"] > 11.9


def test_the_secret_is_what_pods_need(apiserver: ApiServer, ecr: Ecr, namespace: str) -> None:
    run(apiserver.kubeconfig, namespaces=[namespace])
    found = read(apiserver, namespace)
    assert found is not None
    assert found["type"] == "kubernetes.io/dockerconfigjson"
    assert found["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "laptop.containers"}
    assert found["metadata"]["annotations"]["laptop.containers/hosts"] == HOST
    assert [entry["operation"] for entry in found["metadata"]["managedFields"]] == ["Apply"]
    assert password(apiserver, namespace) == ecr.token()


@pytest.mark.real("registry")
def test_an_image_is_pulled_with_the_secret_and_after_a_rotation_with_the_renewed_one(
    apiserver: ApiServer, ecr: Ecr, registry: Registry, namespace: str
) -> None:
    # As on a laptop whose registry is reached under another name.
    options: dict[str, Any] = {"namespaces": [namespace], "registries": [{"host": HOST, "aliases": [registry.address]}]}
    run(apiserver.kubeconfig, **options)
    first = Images(registry.address, content(apiserver, namespace))
    first.push("team/app", b"the layer of the image")
    assert first.pull("team/app") == b"the layer of the image"
    ecr.rotate()
    with pytest.raises(Refused, match="401"):
        first.pull("team/app")
    age(apiserver, namespace)
    assert run(apiserver.kubeconfig, **options).states == {namespace: "renewed"}
    renewed = Images(registry.address, content(apiserver, namespace))
    assert renewed.pull("team/app") == b"the layer of the image"


def test_one_token_serves_all_accounts_of_an_identity_and_region(apiserver: ApiServer, ecr: Ecr, namespace: str) -> None:
    calls = ecr.calls
    result = run(apiserver.kubeconfig, namespaces=[namespace], registries=[HOST, SECOND, ELSEWHERE])
    assert not result.failed, result.message
    assert ecr.calls == calls + 2
    assert sorted(request["region"] for request in ecr.requests[calls:]) == ["eu-central-1", "us-east-1"]
    assert password(apiserver, namespace, SECOND) == password(apiserver, namespace, HOST)
    assert password(apiserver, namespace, ELSEWHERE) != password(apiserver, namespace, HOST)
    assert sorted(result.data["secrets"][0]["hosts"]) == sorted([HOST, SECOND, ELSEWHERE])


def test_an_alias_is_one_more_name_with_the_same_password(apiserver: ApiServer, namespace: str) -> None:
    run(apiserver.kubeconfig, namespaces=[namespace], registries=[{"host": HOST, "aliases": ["localhost:5000"]}])
    assert password(apiserver, namespace, "localhost:5000") == password(apiserver, namespace)


def test_a_role_is_assumed_with_the_identity_of_the_profile(apiserver: ApiServer, ecr: Ecr, namespace: str, home: Path) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "credentials").write_text("[dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = x\n")
    plain = {"host": HOST, "profile": "dev"}
    role = {"host": ELSEWHERE, "profile": "dev", "role_arn": "arn:aws:iam::210987654321:role/pull", "external_id": "between-us"}
    before = len(ecr.requests)
    result = run(apiserver.kubeconfig, namespaces=[namespace], registries=[plain, role])
    assert not result.failed, result.message
    keys = {request["region"]: request["access_key"] for request in ecr.requests[before:]}
    assert keys["eu-central-1"] == "AKIADEV"
    assert keys["us-east-1"].startswith("ASIA")
    shown = {key: value for key, value in result.data.items() if key != "invocation"}
    assert "between-us" not in json.dumps(shown)


def test_another_identity_is_a_reason_to_renew(
    apiserver: ApiServer, namespace: str, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    run(apiserver.kubeconfig, namespaces=[namespace])
    result = run(apiserver.kubeconfig, check=True, namespaces=[namespace], registries=[{"host": HOST, "profile": "other"}])
    assert result.data["actions"] == [f"renew pull secret colima-k8s/{namespace}/ecr-creds (its identity differs)"]


def test_namespaces_by_glob_selector_and_all(apiserver: ApiServer) -> None:
    names = [
        apiserver.namespace(name, labels)
        for name, labels in (("glob-a", {}), ("glob-b", {"pull": "yes"}), ("other", {"pull": "yes"}))
    ]
    try:

        def chosen(**options: Any) -> set[str]:
            return set(run(apiserver.kubeconfig, check=True, **options).states)

        assert chosen(namespaces=["glob-*"]) == {"glob-a", "glob-b"}
        assert chosen(namespaces=["glob-*"], exclude_namespaces=["*-a"]) == {"glob-b"}
        assert chosen(namespace_selector="pull=yes") == {"glob-b", "other"}
        assert chosen(namespaces=["default"], namespace_selector="pull=yes") == {"default", "glob-b", "other"}
        assert {"default", "kube-system", *names} <= chosen(namespaces=["all"])
        assert "kube-system" not in chosen(namespaces=["all"], exclude_namespaces=["kube-*"])
        bad = run(apiserver.kubeconfig, check=True, namespace_selector="=,=")
        assert "namespace_selector" in bad.message
    finally:
        for name in names:
            apiserver.remove_namespace(name)


def test_a_missing_namespace_is_a_failure_and_the_others_are_served(apiserver: ApiServer, namespace: str) -> None:
    result = run(apiserver.kubeconfig, namespaces=["nowhere", namespace])
    assert result.failed
    assert "'colima-k8s/nowhere': the namespace does not exist" in result.message
    assert "The other namespace is done." in result.message
    assert result.states == {"nowhere": "failed", namespace: "created"}
    assert [entry["namespace"] for entry in result.data["failed_namespaces"]] == ["nowhere"]


def test_a_missing_namespace_is_made_when_told(apiserver: ApiServer) -> None:
    try:
        result = run(apiserver.kubeconfig, namespaces=["made"], create_namespaces=True)
        assert result.states == {"made": "created"}
        assert result.data["actions"][0] == "create namespace colima-k8s/made"
    finally:
        apiserver.remove_namespace("made")


def foreign(apiserver: ApiServer, namespace: str, kind: str = "kubernetes.io/dockerconfigjson") -> None:
    content = "e30=" if kind.endswith("json") else "eA=="
    key = ".dockerconfigjson" if kind.endswith("json") else "x"
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ecr-creds"}, "type": kind, "data": {key: content}}
    status, _ = apiserver.request("POST", f"/api/v1/namespaces/{namespace}/secrets?fieldManager=kubectl-create", body)
    assert status == 201


def test_a_foreign_secret_is_refused_until_it_is_adopted(apiserver: ApiServer, namespace: str) -> None:
    foreign(apiserver, namespace)
    before = read(apiserver, namespace)
    refused = run(apiserver.kubeconfig, namespaces=[namespace])
    assert refused.failed and "made by kubectl-create" in refused.message and "adopt" in refused.message
    assert read(apiserver, namespace) == before
    adopted = run(apiserver.kubeconfig, namespaces=[namespace], adopt=True)
    assert adopted.states == {namespace: "adopted"}
    assert not run(apiserver.kubeconfig, namespaces=[namespace], adopt=True).changed


def test_a_secret_of_another_type_can_not_be_adopted(apiserver: ApiServer, namespace: str) -> None:
    foreign(apiserver, namespace, "Opaque")
    before = read(apiserver, namespace)
    refused = run(apiserver.kubeconfig, namespaces=[namespace], adopt=True)
    assert refused.failed and "another type" in refused.message
    assert read(apiserver, namespace) == before


def test_a_hand_edit_is_seen_without_reading_the_content_and_taken_back_only_when_told(
    apiserver: ApiServer, ecr: Ecr, namespace: str
) -> None:
    run(apiserver.kubeconfig, namespaces=[namespace])
    found = read(apiserver, namespace)
    assert found is not None
    del found["metadata"]["managedFields"]
    found["data"][".dockerconfigjson"] = "e30="
    status, _ = apiserver.request("PUT", f"/api/v1/namespaces/{namespace}/secrets/ecr-creds?fieldManager=kubectl-edit", found)
    assert status == 200
    refused = run(apiserver.kubeconfig, namespaces=[namespace])
    assert refused.failed and "changed by kubectl-edit" in refused.message and "force_conflicts" in refused.message
    taken = run(apiserver.kubeconfig, namespaces=[namespace], force_conflicts=True)
    assert taken.changed and password(apiserver, namespace) == ecr.token()
    assert not run(apiserver.kubeconfig, namespaces=[namespace]).changed


def test_fields_of_others_on_our_secret_survive_a_renewal(apiserver: ApiServer, namespace: str) -> None:
    run(apiserver.kubeconfig, namespaces=[namespace])
    age(apiserver, namespace)
    found = read(apiserver, namespace)
    assert found is not None
    del found["metadata"]["managedFields"]
    found["metadata"]["annotations"]["team/owner"] = "me"
    apiserver.request("PUT", f"/api/v1/namespaces/{namespace}/secrets/ecr-creds?fieldManager=me", found)
    assert run(apiserver.kubeconfig, namespaces=[namespace], force_conflicts=True).states == {namespace: "renewed"}
    after = read(apiserver, namespace)
    assert after is not None and after["metadata"]["annotations"]["team/owner"] == "me"


def pulls_with(apiserver: ApiServer, namespace: str, account: str = "default") -> list[str]:
    found = read(apiserver, namespace, account, "serviceaccounts")
    assert found is not None
    return [entry["name"] for entry in found.get("imagePullSecrets", [])]


def test_service_accounts_gain_the_entry_and_lose_it_again(apiserver: ApiServer, namespace: str) -> None:
    apiserver.request(
        "POST",
        f"/api/v1/namespaces/{namespace}/serviceaccounts",
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "builder"}, "imagePullSecrets": [{"name": "theirs"}]},
    )
    both = run(apiserver.kubeconfig, namespaces=[namespace], service_accounts=["*"])
    assert both.changed
    assert pulls_with(apiserver, namespace) == ["ecr-creds"]
    assert pulls_with(apiserver, namespace, "builder") == ["theirs", "ecr-creds"]
    assert not run(apiserver.kubeconfig, namespaces=[namespace], service_accounts=["*"]).changed
    one = run(apiserver.kubeconfig, namespaces=[namespace], service_accounts=["default"])
    assert one.changed
    assert pulls_with(apiserver, namespace, "builder") == ["theirs"]
    none = run(apiserver.kubeconfig, namespaces=[namespace])
    assert none.changed and pulls_with(apiserver, namespace) == []
    assert not run(apiserver.kubeconfig, namespaces=[namespace]).changed


def test_an_entry_that_another_program_made_stays(apiserver: ApiServer, namespace: str) -> None:
    found = read(apiserver, namespace, "default", "serviceaccounts")
    assert found is not None
    found["imagePullSecrets"] = [{"name": "ecr-creds"}]
    apiserver.request("PUT", f"/api/v1/namespaces/{namespace}/serviceaccounts/default", found)
    run(apiserver.kubeconfig, namespaces=[namespace], service_accounts=["default"])
    run(apiserver.kubeconfig, namespaces=[namespace])
    assert pulls_with(apiserver, namespace) == ["ecr-creds"]


def test_a_service_account_that_is_not_there_yet_is_pending(apiserver: ApiServer, namespace: str) -> None:
    result = run(apiserver.kubeconfig, namespaces=[namespace], service_accounts=["later"])
    assert not result.failed
    assert result.data["pending"][0]["target"] == f"service account colima-k8s/{namespace}/later"


def test_prune_and_absent_remove_ours_and_only_ours(apiserver: ApiServer) -> None:
    names = [apiserver.namespace(name) for name in ("prune-a", "prune-b", "prune-c")]
    try:
        run(apiserver.kubeconfig, namespaces=["prune-a", "prune-b"], service_accounts=["default"])
        foreign(apiserver, "prune-c")
        kept = run(apiserver.kubeconfig, namespaces=["prune-a"], service_accounts=["default"])
        assert not kept.changed and read(apiserver, "prune-b") is not None
        pruned = run(apiserver.kubeconfig, namespaces=["prune-a"], service_accounts=["default"], prune=True)
        assert pruned.data["actions"][0].startswith("delete pull secret colima-k8s/prune-b/ecr-creds")
        assert read(apiserver, "prune-b") is None and pulls_with(apiserver, "prune-b") == []
        assert read(apiserver, "prune-c") is not None
        gone = run(apiserver.kubeconfig, namespaces=["prune-*"], state="absent", registries=[])
        assert gone.changed and read(apiserver, "prune-a") is None and pulls_with(apiserver, "prune-a") == []
        assert read(apiserver, "prune-c") is not None
        assert not run(apiserver.kubeconfig, namespaces=["prune-*"], state="absent", registries=[]).changed
    finally:
        for name in names:
            apiserver.remove_namespace(name)


def test_a_user_of_single_namespaces_is_served_by_their_names(apiserver: ApiServer) -> None:
    names = [apiserver.namespace(name) for name in ("mine-a", "mine-b")]
    try:
        limited = apiserver.kubeconfig_for("limited", [SECRET_RULE], names)
        result = run(limited, namespaces=names)
        assert result.states == dict.fromkeys(names, "created")
        assert not run(limited, namespaces=names).changed
        everywhere = run(limited, namespaces=["all"])
        assert everywhere.failed
        assert "may not list namespaces" in everywhere.message and "one by one" in everywhere.message
        half = run(limited, namespaces=[*names, "default"])
        assert half.failed and "may not" in half.message
        assert half.states == {"default": "failed", "mine-a": "fresh", "mine-b": "fresh"}
    finally:
        for name in names:
            apiserver.remove_namespace(name)


def test_several_clusters_in_one_run_and_one_that_is_down(apiserver: ApiServer, namespace: str, tmp_path: Path) -> None:
    document = yaml.safe_load(apiserver.kubeconfig.read_text())
    dead = json.loads(json.dumps(document["clusters"][0]))
    dead["name"], dead["cluster"]["server"] = "dead", "https://127.0.0.1:9"
    document["clusters"].append(dead)
    for name, cluster in (("second", document["clusters"][0]["name"]), ("dead", "dead")):
        document["contexts"].append({"name": name, "context": {"cluster": cluster, "user": document["users"][0]["name"]}})
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(json.dumps(document))
    calls = run(kubeconfig, namespaces=[namespace], contexts=["colima-k8s", "dead"])
    assert calls.failed
    assert "Could not reach cluster 'dead': connection refused at https://127.0.0.1:9." in calls.message
    assert calls.states == {namespace: "created"}
    waiting = run(kubeconfig, namespaces=[namespace], contexts=["second", "dead"], unreachable="pending")
    assert not waiting.failed
    assert waiting.data["pending"][0]["target"] == "cluster dead"
    assert not waiting.changed


@pytest.mark.parametrize("check", [True, False], ids=["check mode", "for real"])
def test_a_cluster_that_is_not_there_yet_is_planned_in_check_mode_only(home: Path, check: bool) -> None:
    result = run("", check=check)
    assert result.failed is not check
    if check:
        assert result.changed and result.states == {"default": "due"}
    else:
        assert "Could not find kube context 'colima-k8s'" in result.message


def test_a_fresh_run_does_not_load_boto(apiserver: ApiServer, namespace: str) -> None:
    import subprocess

    run(apiserver.kubeconfig, namespaces=[namespace])
    code = (
        "import sys, json; from tests.support.ecr_pull_secret.scenario import run; "
        f"result = run({str(apiserver.kubeconfig)!r}, namespaces=[{namespace!r}]); "
        "print(result.changed, [name for name in ('boto3', 'botocore')"
        " if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[3]
    path = f"{root}:{root / 'collections'}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root, env={"PYTHONPATH": path, "HOME": "/"}
    )
    assert done.stdout.strip() == "False []"


def test_no_token_in_what_the_module_prints(apiserver: ApiServer, ecr: Ecr, namespace: str) -> None:
    token = ecr.token()
    for options in ({"check": True}, {}, {}, {"state": "absent"}):
        result = run(apiserver.kubeconfig, namespaces=[namespace], **options)
        assert token not in result.text


def test_expiry_and_hours_left_are_those_of_the_token(apiserver: ApiServer, ecr: Ecr, namespace: str) -> None:
    ecr.configure(hours=3)
    result = run(apiserver.kubeconfig, namespaces=[namespace])
    row = result.data["secrets"][0]
    left = (datetime.fromisoformat(row["expires_at"]) - datetime.now(UTC)).total_seconds() / 3600
    assert 2.9 < left < 3.01 and 2.9 <= row["hours_left"] <= 3.0
    assert not run(apiserver.kubeconfig, namespaces=[namespace]).changed
    assert run(apiserver.kubeconfig, namespaces=[namespace], refresh_before="4h", check=True).changed
