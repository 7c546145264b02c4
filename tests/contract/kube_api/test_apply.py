# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-side apply: who owns what, when it is a conflict and with whom, alike on both servers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import APPLY, MERGE, METADATA

if TYPE_CHECKING:
    from .conftest import Cluster

DOCKER = "kubernetes.io/dockerconfigjson"


def config(text: str = '{"auths":{}}') -> str:
    return base64.b64encode(text.encode()).decode()


def wanted(data: str = config(), name: str = "ecr-creds", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, **metadata},
        "type": DOCKER,
        "data": {".dockerconfigjson": data},
    }


DATA: dict[str, Any] = {"f:data": {"f:.dockerconfigjson": {}}, "f:type": {}}


def test_apply_creates_and_owns_exactly_what_it_said(cluster: Cluster) -> None:
    body = wanted(labels={"a": "1"}, annotations={"x": "y"})
    answer = cluster.client.apply(cluster.secrets("ecr-creds"), body, "me")
    assert answer.code == 201
    metadata: dict[str, Any] = {"f:metadata": {"f:annotations": {"f:x": {}}, "f:labels": {"f:a": {}}}}
    assert answer.owners == {("me", "Apply"): {**DATA, **metadata}}


def test_applying_the_same_again_writes_nothing(cluster: Cluster) -> None:
    first = cluster.client.apply(cluster.secrets("ecr-creds"), wanted(), "me")
    second = cluster.client.apply(cluster.secrets("ecr-creds"), wanted(), "me")
    assert second.code == 200
    assert second.json["metadata"]["resourceVersion"] == first.json["metadata"]["resourceVersion"]


def test_apply_can_answer_with_metadata_only(cluster: Cluster) -> None:
    answer = cluster.client.apply(cluster.secrets("ecr-creds"), wanted(), "me", accept=METADATA)
    assert (answer.code, set(answer.json)) == (201, {"kind", "apiVersion", "metadata"})


def test_a_field_left_out_next_time_is_removed(cluster: Cluster) -> None:
    path = cluster.secrets("ecr-creds")
    cluster.client.apply(path, wanted(labels={"a": "1", "b": "2"}, annotations={"x": "y"}), "me")
    answer = cluster.client.apply(path, wanted(labels={"b": "2"}), "me")
    assert answer.json["metadata"]["labels"] == {"b": "2"}
    assert "annotations" not in answer.json["metadata"]


def test_a_field_of_two_owners_stays_until_both_leave_it_out(cluster: Cluster) -> None:
    path = cluster.secrets("ecr-creds")
    for manager in ("one", "two"):
        cluster.client.apply(path, wanted(labels={"a": "1"}), manager)
    assert cluster.client.apply(path, wanted(), "one").json["metadata"]["labels"] == {"a": "1"}
    assert "labels" not in cluster.client.apply(path, wanted(), "two").json["metadata"]


def test_changing_what_another_applied_is_a_conflict_with_its_name(cluster: Cluster) -> None:
    path = cluster.secrets("ecr-creds")
    cluster.client.apply(path, wanted(), "helm")
    answer = cluster.client.apply(path, wanted(config('{"auths":{"x":{}}}')), "me")
    assert (answer.code, answer.json["reason"]) == (409, "Conflict")
    assert answer.message == 'Apply failed with 1 conflict: conflict with "helm": .data..dockerconfigjson'
    assert answer.json["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "helm"', "field": ".data..dockerconfigjson"}
    ]


def test_changing_what_another_patched_names_the_api_version_too(cluster: Cluster) -> None:
    path = cluster.secrets("ecr-creds")
    cluster.client.apply(path, wanted(), "me")
    cluster.client("PATCH", f"{path}?fieldManager=hand", {"data": {".dockerconfigjson": config("{}")}}, MERGE)
    answer = cluster.client.apply(path, wanted(), "me")
    assert answer.code == 409
    assert answer.message == 'Apply failed with 1 conflict: conflict with "hand" using v1: .data..dockerconfigjson'


def test_several_conflicts_are_grouped_by_manager(cluster: Cluster) -> None:
    path = cluster.secrets("ecr-creds")
    cluster.client.apply(path, wanted(labels={"a": "1", "b": "1"}), "one")
    cluster.client.apply(path, wanted(labels={"c": "1"}), "two")
    answer = cluster.client.apply(path, wanted(config("{}"), labels={"a": "2", "c": "2"}), "me")
    assert answer.message == (
        'Apply failed with 4 conflicts: conflicts with "one":\n- .data..dockerconfigjson\n- .metadata.labels.a\n'
        'conflicts with "two":\n- .data..dockerconfigjson\n- .metadata.labels.c'
    )
    assert len(answer.json["details"]["causes"]) == 4


def test_agreeing_with_another_manager_is_no_conflict(cluster: Cluster) -> None:
    path = cluster.secrets("ecr-creds")
    cluster.client.apply(path, wanted(), "helm")
    answer = cluster.client.apply(path, wanted(), "me")
    assert answer.code == 200
    assert set(answer.owners) == {("helm", "Apply"), ("me", "Apply")}


def test_force_takes_the_field_over(cluster: Cluster) -> None:
    path = cluster.secrets("ecr-creds")
    cluster.client.apply(path, wanted(labels={"a": "1"}), "helm")
    answer = cluster.client.apply(path, wanted(labels={"a": "2"}), "me", "&force=true")
    assert answer.code == 200
    assert answer.json["metadata"]["labels"] == {"a": "2"}
    assert answer.owners[("helm", "Apply")] == DATA
    assert answer.owners[("me", "Apply")] == {**DATA, "f:metadata": {"f:labels": {"f:a": {}}}}


def test_a_dry_run_of_apply_changes_nothing(cluster: Cluster) -> None:
    path = cluster.secrets("ecr-creds")
    cluster.client.apply(path, wanted(labels={"a": "1"}), "me")
    answer = cluster.client.apply(path, wanted(labels={"a": "2"}), "me", "&dryRun=All")
    assert answer.json["metadata"]["labels"] == {"a": "2"}
    assert cluster.client("GET", path).json["metadata"]["labels"] == {"a": "1"}
    assert cluster.client.apply(cluster.secrets("new"), wanted(name="new"), "me", "&dryRun=All").code == 201
    assert cluster.client("GET", cluster.secrets("new")).code == 404


def test_another_manager_may_patch_beside_what_was_applied(cluster: Cluster) -> None:
    path = cluster.secrets("ecr-creds")
    cluster.client.apply(path, wanted(labels={"a": "1"}), "me")
    cluster.client("PATCH", f"{path}?fieldManager=hand", {"metadata": {"labels": {"z": "9"}}}, MERGE)
    answer = cluster.client.apply(path, wanted(labels={"a": "2"}), "me")
    assert answer.code == 200
    assert answer.json["metadata"]["labels"] == {"a": "2", "z": "9"}


def test_a_patch_takes_ownership_of_what_it_changes(cluster: Cluster) -> None:
    path = cluster.secrets("ecr-creds")
    cluster.client.apply(path, wanted(labels={"a": "1"}), "me")
    answer = cluster.client("PATCH", f"{path}?fieldManager=hand", {"metadata": {"labels": {"a": "9"}}}, MERGE)
    assert answer.owners[("me", "Apply")] == DATA
    assert answer.owners[("hand", "Update")] == {"f:metadata": {"f:labels": {"f:a": {}}}}


def test_apply_of_another_type_is_422(cluster: Cluster) -> None:
    path = cluster.secrets("ecr-creds")
    cluster.client.apply(path, wanted(), "me")
    answer = cluster.client.apply(path, {**wanted(), "type": "Opaque"}, "me", "&force=true")
    assert answer.code == 422
    assert answer.json["details"]["causes"][0]["field"] == "type"


def test_an_applied_pull_secret_of_an_account_is_owned_as_a_whole(cluster: Cluster) -> None:
    cluster.client("POST", cluster.accounts(), {"metadata": {"name": "worker"}, "imagePullSecrets": [{"name": "one"}]})
    body = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "worker"},
        "imagePullSecrets": [{"name": "two"}],
    }
    refused = cluster.client.apply(cluster.accounts("worker"), body, "me")
    assert refused.message == 'Apply failed with 1 conflict: conflict with "contract-test" using v1: .imagePullSecrets'
    forced = cluster.client.apply(cluster.accounts("worker"), body, "me", "&force=true")
    assert forced.json["imagePullSecrets"] == [{"name": "two"}]


REFUSED = [
    ("no manager", wanted(), "", 422, "Required value: is required for apply patch"),
    ("long manager", wanted(), "?fieldManager=" + "a" * 129, 422, "Too long: may not be more than 128 bytes"),
    ("other name", wanted(name="other"), "?fieldManager=me", 400, "does not match the name on the URL"),
    (
        "other kind",
        {"apiVersion": "v1", "kind": "ConfigMap"},
        "?fieldManager=me",
        400,
        "invalid object type: /v1, Kind=ConfigMap",
    ),
    ("no kind", {"metadata": {"name": "ecr-creds"}}, "?fieldManager=me", 400, "invalid object type: /, Kind="),
    ("no yaml", b"{", "?fieldManager=me", 400, "error decoding YAML"),
    ("unknown field", {**wanted(), "bogus": 1}, "?fieldManager=me", 500, ".bogus: field not declared in schema"),
    ("no base64", wanted("***"), "?fieldManager=me", 500, "illegal base64 data at input byte 0"),
    ("other namespace", wanted(namespace="elsewhere"), "?fieldManager=me", 400, "the namespace of the provided object"),
]


@pytest.mark.parametrize(("body", "query", "code", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_bad_apply_is_refused(cluster: Cluster, body: Any, query: str, code: int, words: str) -> None:
    answer = cluster.client("PATCH", f"{cluster.secrets('ecr-creds')}{query}", body, APPLY)
    assert answer.code == code
    assert words in answer.message
    assert cluster.client("GET", cluster.secrets("ecr-creds")).code == 404
