# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the API: list, get, create, replace, patch, delete, and what is refused, alike on both servers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from .conftest import APPLY, JSON_PATCH, MERGE, METADATA, METADATA_LIST, STRATEGIC, Client

if TYPE_CHECKING:
    from .conftest import Cluster


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(name: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, **fields.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", **fields}


@pytest.mark.parametrize("path", ["/readyz", "/livez", "/healthz"])
def test_health_is_open_to_everybody(cluster: Cluster, path: str) -> None:
    answer = Client(cluster.server.kubeconfig, anonymous=True)("GET", path)
    assert (answer.code, answer.content) == (200, b"ok")


def test_version_names_major_and_minor(cluster: Cluster) -> None:
    answer = cluster.client("GET", "/version")
    assert answer.code == 200
    assert {"major", "minor", "gitVersion"} <= set(answer.json)


def test_discovery_lists_what_pull_secrets_need(cluster: Cluster) -> None:
    assert cluster.client("GET", "/api").json["versions"] == ["v1"]
    found = {entry["name"]: entry for entry in cluster.client("GET", "/api/v1").json["resources"]}
    for name, kind, namespaced in (("secrets", "Secret", True), ("namespaces", "Namespace", False)):
        assert (found[name]["kind"], found[name]["namespaced"]) == (kind, namespaced)
        assert {"create", "get", "list", "patch", "update", "delete"} <= set(found[name]["verbs"])


def test_an_unknown_resource_and_an_unknown_path_differ(cluster: Cluster) -> None:
    resource = cluster.client("GET", "/api/v1/bogus")
    assert (resource.code, resource.message) == (404, "the server could not find the requested resource")
    path = cluster.client("GET", "/bogus")
    assert (path.code, path.content.strip()) == (404, b"404 page not found")


def test_a_created_namespace_is_active_and_labelled_with_its_name(cluster: Cluster) -> None:
    found = cluster.client("GET", f"/api/v1/namespaces/{cluster.namespace}").json
    assert found["status"] == {"phase": "Active"}
    assert found["spec"] == {"finalizers": ["kubernetes"]}
    assert found["metadata"]["labels"]["kubernetes.io/metadata.name"] == cluster.namespace


MISSING = [("GET", "nope"), ("DELETE", "nope"), ("PATCH", "nope")]


@pytest.mark.parametrize(("method", "name"), MISSING, ids=[case[0] for case in MISSING])
def test_what_is_not_there_is_404_with_kind_and_name(cluster: Cluster, method: str, name: str) -> None:
    answer = cluster.client(method, cluster.secrets(name), {} if method == "PATCH" else None, MERGE)
    assert answer.code == 404
    assert (answer.message, answer.json["reason"]) == ('secrets "nope" not found', "NotFound")
    assert answer.json["details"] == {"name": "nope", "kind": "secrets"}


def test_writing_into_a_namespace_that_is_not_there_names_the_namespace(cluster: Cluster) -> None:
    path = cluster.secrets(namespace="not-there")
    created = cluster.client("POST", path, secret("x"))
    applied = cluster.client.apply(f"{path}/x", secret("x"), "me")
    for answer in (created, applied):
        assert (answer.code, answer.message) == (404, 'namespaces "not-there" not found')
        assert answer.json["details"] == {"name": "not-there", "kind": "namespaces"}


def test_listing_a_namespace_that_is_not_there_is_empty(cluster: Cluster) -> None:
    answer = cluster.client("GET", cluster.secrets(namespace="not-there"))
    assert (answer.code, answer.json["items"]) == (200, [])


def test_creating_encodes_plain_strings_and_fills_in_the_type(cluster: Cluster) -> None:
    body = {"metadata": {"name": "plain"}, "stringData": {"a": "b"}}
    answer = cluster.client("POST", cluster.secrets(), body)
    assert answer.code == 201
    assert answer.json["data"] == {"a": encoded("b")}
    assert answer.json["type"] == "Opaque"
    assert "stringData" not in answer.json
    assert answer.owners == {("contract-test", "Update"): {"f:data": {".": {}, "f:a": {}}, "f:type": {}}}


def test_creating_twice_is_409_already_exists(cluster: Cluster) -> None:
    cluster.client("POST", cluster.secrets(), secret("twice"))
    answer = cluster.client("POST", cluster.secrets(), secret("twice"))
    assert (answer.code, answer.json["reason"]) == (409, "AlreadyExists")
    assert answer.message == 'secrets "twice" already exists'


def test_a_dry_run_creates_nothing(cluster: Cluster) -> None:
    answer = cluster.client("POST", f"{cluster.secrets()}?dryRun=All", secret("dry"))
    assert answer.code == 201
    assert "resourceVersion" not in answer.json["metadata"]
    assert cluster.client("GET", cluster.secrets("dry")).code == 404


DOCKER = "kubernetes.io/dockerconfigjson"
INVALID = [
    ("name", secret("Bad_"), "metadata.name", "FieldValueInvalid"),
    ("no name", {"metadata": {}}, "metadata.name", "FieldValueRequired"),
    ("label key", secret("x", metadata={"labels": {"a b": "1"}}), "metadata.labels", "FieldValueInvalid"),
    ("label value", secret("x", metadata={"labels": {"a": "b c"}}), "metadata.labels", "FieldValueInvalid"),
    ("annotation", secret("x", metadata={"annotations": {"a b": "1"}}), "metadata.annotations", "FieldValueInvalid"),
    ("data key", secret("x", data={"a b": encoded("1")}), "data[a b]", "FieldValueInvalid"),
    ("pull secret without data", secret("x", type=DOCKER), "data[.dockerconfigjson]", "FieldValueRequired"),
    (
        "pull secret without json",
        secret("x", type=DOCKER, data={".dockerconfigjson": encoded("no")}),
        "data[.dockerconfigjson]",
        "FieldValueInvalid",
    ),
]


@pytest.mark.parametrize(("body", "field", "reason"), [case[1:] for case in INVALID], ids=[case[0] for case in INVALID])
def test_an_invalid_object_is_422_with_field_and_reason(cluster: Cluster, body: dict[str, Any], field: str, reason: str) -> None:
    answer = cluster.client("POST", cluster.secrets(), body)
    assert (answer.code, answer.json["reason"]) == (422, "Invalid")
    assert [(cause["field"], cause["reason"]) for cause in answer.json["details"]["causes"]] == [(field, reason)]
    assert answer.json["details"]["kind"] == "Secret"


def test_the_content_of_a_bad_pull_secret_is_not_repeated(cluster: Cluster) -> None:
    body = secret("x", type=DOCKER, data={".dockerconfigjson": encoded("nothing-to-see")})
    answer = cluster.client("POST", cluster.secrets(), body)
    assert b"nothing-to-see" not in answer.content
    assert "<secret contents redacted>" in answer.message


@pytest.mark.parametrize("name", ["Bad_Name", "a" * 64, "a.b"])
def test_a_bad_namespace_name_is_422(cluster: Cluster, name: str) -> None:
    answer = cluster.client("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert answer.code == 422
    assert answer.json["details"]["causes"][0]["field"] == "metadata.name"


MALFORMED = [
    ("broken json", b'{"a":'),
    ("another kind", {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x"}}),
    ("another namespace", secret("x", metadata={"namespace": "elsewhere"})),
    ("no base64", secret("x", data={"a": "***"})),
]


@pytest.mark.parametrize("body", [case[1] for case in MALFORMED], ids=[case[0] for case in MALFORMED])
def test_a_malformed_object_is_400(cluster: Cluster, body: Any) -> None:
    answer = cluster.client("POST", cluster.secrets(), body)
    assert (answer.code, answer.json["reason"]) == (400, "BadRequest")


def test_an_unknown_field_is_a_warning_or_an_error_when_asked_to_be_strict(cluster: Cluster) -> None:
    loose = cluster.client("POST", cluster.secrets(), secret("loose", bogus=1))
    assert loose.code == 201
    assert loose.headers["Warning"] == '299 - "unknown field \\"bogus\\""'
    strict = cluster.client("POST", f"{cluster.secrets()}?fieldValidation=Strict", secret("strict", bogus=1))
    assert (strict.code, strict.json["reason"]) == (400, "BadRequest")
    assert 'strict decoding error: unknown field "bogus"' in strict.message


def test_the_type_of_a_secret_is_immutable(cluster: Cluster) -> None:
    cluster.client("POST", cluster.secrets(), secret("kept"))
    answer = cluster.client("PATCH", cluster.secrets("kept"), {"type": "other"}, MERGE)
    assert answer.code == 422
    assert answer.json["details"]["causes"] == [
        {"reason": "FieldValueInvalid", "message": 'Invalid value: "other": field is immutable', "field": "type"}
    ]


@pytest.mark.parametrize("change", [{"data": {"a": encoded("2")}}, {"immutable": False}], ids=["data", "immutable"])
def test_an_immutable_secret_stays_as_it_is(cluster: Cluster, change: dict[str, Any]) -> None:
    cluster.client("POST", cluster.secrets(), secret("fixed", data={"a": encoded("1")}, immutable=True))
    answer = cluster.client("PATCH", cluster.secrets("fixed"), change, MERGE)
    assert answer.code == 422
    assert "field is immutable when `immutable` is set" in answer.message


def test_a_merge_patch_sets_changes_and_removes(cluster: Cluster) -> None:
    cluster.client("POST", cluster.secrets(), secret("merged", data={"a": encoded("1"), "b": encoded("2")}))
    change = {"data": {"a": None, "c": encoded("3")}, "metadata": {"labels": {"x": "y"}}}
    answer = cluster.client("PATCH", f"{cluster.secrets('merged')}?fieldManager=hand", change, MERGE)
    assert answer.code == 200
    assert answer.json["data"] == {"b": encoded("2"), "c": encoded("3")}
    assert answer.json["metadata"]["labels"] == {"x": "y"}
    assert answer.owners[("hand", "Update")] == {"f:data": {"f:c": {}}, "f:metadata": {"f:labels": {".": {}, "f:x": {}}}}


@pytest.mark.parametrize("media", [MERGE, STRATEGIC])
def test_pull_secrets_of_an_account_are_replaced_as_a_whole(cluster: Cluster, media: str) -> None:
    body = {"metadata": {"name": "worker"}, "imagePullSecrets": [{"name": "one"}]}
    cluster.client("POST", cluster.accounts(), body)
    answer = cluster.client("PATCH", cluster.accounts("worker"), {"imagePullSecrets": [{"name": "two"}]}, media)
    assert answer.json["imagePullSecrets"] == [{"name": "two"}]
    cleared = cluster.client("PATCH", cluster.accounts("worker"), {"imagePullSecrets": None}, media)
    assert "imagePullSecrets" not in cleared.json


def test_a_json_patch_adds_by_path(cluster: Cluster) -> None:
    cluster.client("POST", cluster.secrets(), secret("pathed", metadata={"labels": {"a": "1"}}))
    change = [{"op": "add", "path": "/metadata/labels/b", "value": "2"}, {"op": "remove", "path": "/metadata/labels/a"}]
    answer = cluster.client("PATCH", cluster.secrets("pathed"), change, JSON_PATCH)
    assert answer.json["metadata"]["labels"] == {"b": "2"}


PATCH_REFUSED = [
    ("wrong name", {"metadata": {"name": "zz"}}, MERGE, "", 400),
    ("broken", b"{", MERGE, "", 400),
    ("media type", {}, "text/plain", "", 415),
    ("old version", {"metadata": {"resourceVersion": "1"}, "data": {}}, MERGE, "", 409),
    ("force without apply", {}, MERGE, "?fieldManager=m&force=true", 422),
    ("dry run word", {}, MERGE, "?dryRun=Some", 422),
]


@pytest.mark.parametrize(("body", "media", "query", "code"), [c[1:] for c in PATCH_REFUSED], ids=[c[0] for c in PATCH_REFUSED])
def test_a_bad_patch_is_refused(cluster: Cluster, body: Any, media: str, query: str, code: int) -> None:
    cluster.client("POST", cluster.secrets(), secret("here"))
    assert cluster.client("PATCH", f"{cluster.secrets('here')}{query}", body, media).code == code


def test_a_stale_version_is_told_in_full(cluster: Cluster) -> None:
    cluster.client("POST", cluster.secrets(), secret("here"))
    answer = cluster.client("PUT", cluster.secrets("here"), secret("here", metadata={"resourceVersion": "1"}))
    reason = "the object has been modified; please apply your changes to the latest version and try again"
    assert (answer.code, answer.json["reason"]) == (409, "Conflict")
    assert answer.message == f'Operation cannot be fulfilled on secrets "here": {reason}'


def test_a_patch_that_changes_nothing_keeps_the_version(cluster: Cluster) -> None:
    first = cluster.client("POST", cluster.secrets(), secret("same", data={"a": encoded("1")}))
    again = cluster.client("PATCH", cluster.secrets("same"), {"data": {"a": encoded("1")}}, MERGE)
    assert again.json["metadata"]["resourceVersion"] == first.json["metadata"]["resourceVersion"]


def test_replacing_keeps_identity_and_drops_what_is_left_out(cluster: Cluster) -> None:
    first = cluster.client("POST", cluster.secrets(), secret("whole", data={"a": encoded("1")}, metadata={"labels": {"a": "b"}}))
    again = cluster.client("PUT", cluster.secrets("whole"), secret("whole", data={"b": encoded("2")}))
    assert again.json["metadata"]["uid"] == first.json["metadata"]["uid"]
    assert again.json["data"] == {"b": encoded("2")}
    assert "labels" not in again.json["metadata"]


def test_delete_answers_with_the_uid_and_respects_a_precondition(cluster: Cluster) -> None:
    uid = cluster.client("POST", cluster.secrets(), secret("gone")).json["metadata"]["uid"]
    refused = cluster.client("DELETE", cluster.secrets("gone"), {"preconditions": {"uid": "other"}})
    assert (refused.code, refused.json["reason"]) == (409, "Conflict")
    assert f"the UID in the precondition (other) does not match the UID in record ({uid})" in refused.message
    done = cluster.client("DELETE", cluster.secrets("gone"), {"preconditions": {"uid": uid}})
    assert (done.code, done.json["status"]) == (200, "Success")
    assert done.json["details"] == {"name": "gone", "kind": "secrets", "uid": uid}
    assert cluster.client("GET", cluster.secrets("gone")).code == 404


@pytest.mark.parametrize(("method", "name"), [("POST", "x"), ("PATCH", ""), ("PUT", "")])
def test_a_verb_that_an_address_does_not_have_is_405(cluster: Cluster, method: str, name: str) -> None:
    answer = cluster.client(method, cluster.secrets(name), {}, MERGE)
    assert (answer.code, answer.json["reason"]) == (405, "MethodNotAllowed")


def test_metadata_only_answers_carry_no_content(cluster: Cluster) -> None:
    cluster.client("POST", cluster.secrets(), secret("hidden", data={"a": encoded("1")}))
    one = cluster.client("GET", cluster.secrets("hidden"), accept=METADATA).json
    assert set(one) == {"kind", "apiVersion", "metadata"}
    assert (one["kind"], one["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    many = cluster.client("GET", cluster.secrets(), accept=METADATA_LIST).json
    assert many["kind"] == "PartialObjectMetadataList"
    assert [set(item) for item in many["items"]] == [{"kind", "apiVersion", "metadata"}]


def test_an_empty_metadata_list_has_null_for_items(cluster: Cluster) -> None:
    assert cluster.client("GET", cluster.secrets(), accept=METADATA_LIST).json["items"] is None


SELECTORS = [
    ("labelSelector", "a=1", ["one"]),
    ("labelSelector", "a", ["one", "two"]),
    ("labelSelector", "!a", ["zero"]),
    ("labelSelector", "a!=1", ["two", "zero"]),
    ("labelSelector", "a in (1,2),b=x", ["two"]),
    ("labelSelector", "a notin (1)", ["two", "zero"]),
    ("labelSelector", "a notin ()", ["one", "two", "zero"]),
    ("labelSelector", "a in (2,)", ["two"]),
    ("labelSelector", "a>1", ["two"]),
    ("labelSelector", "b<1", []),
    ("labelSelector", "a=", []),
    ("labelSelector", "! a", ["zero"]),
    ("labelSelector", " a == 2 , b ", ["two"]),
    ("labelSelector", " ", ["one", "two", "zero"]),
    ("labelSelector", "in in (in)", []),
    ("labelSelector", "gt=1", []),
    ("fieldSelector", "metadata.name=two", ["two"]),
    ("fieldSelector", "metadata.name!=two", ["one", "zero"]),
    ("fieldSelector", "type=Opaque,metadata.name=one", ["one"]),
]


@pytest.mark.parametrize(("option", "text", "names"), SELECTORS, ids=[case[1] for case in SELECTORS])
def test_selectors_choose(cluster: Cluster, option: str, text: str, names: list[str]) -> None:
    for name, labels in (("one", {"a": "1"}), ("two", {"a": "2", "b": "x"}), ("zero", {})):
        cluster.client("POST", cluster.secrets(), secret(name, metadata={"labels": labels}))
    assert cluster.client("GET", f"{cluster.secrets()}?{option}={quote(text)}").names == names


@pytest.mark.parametrize(
    "query", ["labelSelector=!!", "labelSelector=%3Dx", "fieldSelector=bogus%3D1", "limit=abc", "limit=1&continue=zzz"]
)
def test_a_bad_list_option_is_400(cluster: Cluster, query: str) -> None:
    answer = cluster.client("GET", f"{cluster.secrets()}?{query}")
    assert (answer.code, answer.json["reason"]) == (400, "BadRequest")


UNREAD = "unable to parse requirement: "
OPERATORS = "in, notin, =, ==, !=, gt, lt"
BAD_SELECTORS = [
    ("=x", "found '=', expected: !, identifier, or 'end of string'"),
    (",a", "found ',', expected: !, identifier, or 'end of string'"),
    ("(a)", "found '(', expected: !, identifier, or 'end of string'"),
    ("a=b=c", "found '=', expected: ',' or 'end of string'"),
    ("a=b c", "found 'c', expected: ',' or 'end of string'"),
    ("a=b!", "found '!', expected: ',' or 'end of string'"),
    ("!a=b", "found '=', expected: ',' or 'end of string'"),
    ("a in (a,b) c", "found 'c', expected: ',' or 'end of string'"),
    ("a,", "found '', expected: identifier after ','"),
    ("a,,b", "found ',', expected: identifier after ','"),
    ("a b c!!", UNREAD + "found 'b', expected: " + OPERATORS),
    ("!!", UNREAD + "found '!', expected: identifier"),
    ("a!", UNREAD + "found '!', expected: " + OPERATORS),
    ("a!b", UNREAD + "found '!', expected: " + OPERATORS),
    ("a=!b", UNREAD + "found '!', expected: identifier"),
    ("a)", UNREAD + "found ')', expected: " + OPERATORS),
    ("a gt 1", UNREAD + "found 'gt', expected: " + OPERATORS),
    ("a in", UNREAD + "found '' expected: '('"),
    ("a in b", UNREAD + "found 'b' expected: '('"),
    ("a in (", UNREAD + "found '', expected: ',', ')' or identifier"),
    ("a in (x", UNREAD + "found '', expected: ',' or ')'"),
    ("a notin (x y)", UNREAD + "found 'y', expected: ',' or ')'"),
    ("a>x", UNREAD + "values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"),
    ("-a=b", UNREAD + '<nil>: Invalid value: "-a": name part must consist of alphanumeric'),
    ("é=b", UNREAD + '<nil>: Invalid value: "é": name part must consist of'),
    ("a/b/c=d", UNREAD + '<nil>: Invalid value: "a/b/c": a valid label key must consist of alphanumeric'),
    ("a_b.c/d=e", UNREAD + '<nil>: Invalid value: "a_b.c/d": prefix part a lowercase RFC 1123 subdomain must consist'),
    ("a=-b", UNREAD + 'values[0][a]: Invalid value: "-b": a valid label must be an empty string or consist of'),
    ("a=='b'", UNREAD + "values[0][a]: Invalid value: \"'b'\": a valid label must be"),
    ("x" * 70, UNREAD + '<nil>: Invalid value: "' + "x" * 70 + '": name part must be no more than 63 bytes'),
    (f"a={'x' * 70}", UNREAD + 'values[0][a]: Invalid value: "' + "x" * 70 + '": must be no more than 63 bytes'),
]


@pytest.mark.parametrize(("text", "said"), BAD_SELECTORS, ids=[text for text, _ in BAD_SELECTORS])
def test_a_label_selector_that_can_not_be_read_is_refused_in_these_words(cluster: Cluster, text: str, said: str) -> None:
    answer = cluster.client("GET", f"{cluster.secrets()}?labelSelector={quote(text)}")
    assert (answer.code, answer.json["reason"]) == (400, "BadRequest")
    assert answer.message.startswith(said)


def test_a_limited_list_goes_on_where_it_stopped(cluster: Cluster) -> None:
    for name in ("a", "b", "c"):
        cluster.client("POST", cluster.secrets(), secret(name))
    first = cluster.client("GET", f"{cluster.secrets()}?limit=2", accept=METADATA_LIST)
    assert (first.names, first.json["metadata"]["remainingItemCount"]) == (["a", "b"], 1)
    token = quote(first.json["metadata"]["continue"])
    second = cluster.client("GET", f"{cluster.secrets()}?limit=2&continue={token}", accept=METADATA_LIST)
    assert second.names == ["c"]
    assert "continue" not in second.json["metadata"]


def test_a_list_over_all_namespaces_pages_through_them(cluster: Cluster) -> None:
    for name in ("a", "b"):
        cluster.client("POST", cluster.secrets(), secret(name, metadata={"labels": {"of": cluster.namespace}}))
    query = f"/api/v1/secrets?limit=1&labelSelector=of%3D{cluster.namespace}"
    first = cluster.client("GET", query)
    second = cluster.client("GET", f"{query}&continue={quote(first.json['metadata']['continue'])}")
    assert (first.names, second.names) == (["a"], ["b"])
    assert "remainingItemCount" not in first.json["metadata"]


def test_items_of_a_list_do_not_repeat_their_kind(cluster: Cluster) -> None:
    cluster.client("POST", cluster.secrets(), secret("one"))
    found = cluster.client("GET", cluster.secrets()).json
    assert (found["kind"], found["apiVersion"]) == ("SecretList", "v1")
    assert "kind" not in found["items"][0]


def test_a_namespace_that_is_being_deleted_takes_nothing_new(cluster: Cluster) -> None:
    deleted = cluster.client("DELETE", f"/api/v1/namespaces/{cluster.namespace}")
    assert (deleted.code, deleted.json["status"]) == (200, {"phase": "Terminating"})
    created = cluster.client("POST", cluster.secrets(), secret("late"))
    applied = cluster.client("PATCH", f"{cluster.secrets('late')}?fieldManager=m", secret("late"), APPLY)
    for answer in (created, applied):
        assert answer.code == 403
        assert [cause["reason"] for cause in answer.json["details"]["causes"]] == ["NamespaceTerminating"]
        assert "because it is being terminated" in answer.message


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_the_first_namespaces_can_not_be_deleted(cluster: Cluster, name: str) -> None:
    answer = cluster.client("DELETE", f"/api/v1/namespaces/{name}")
    assert (answer.code, answer.json["reason"]) == (403, "Forbidden")
    assert answer.message == f'namespaces "{name}" is forbidden: this namespace may not be deleted'


def test_deleting_a_collection_answers_with_what_went(cluster: Cluster) -> None:
    for name in ("a", "b"):
        cluster.client("POST", cluster.secrets(), secret(name))
    assert cluster.client("DELETE", cluster.secrets()).names == ["a", "b"]
    assert cluster.client("GET", cluster.secrets()).json["items"] == []


def test_a_restart_loses_nothing(cluster: Cluster) -> None:
    made = cluster.client("POST", cluster.secrets(), secret("lasting", data={"a": encoded("1")}))
    cluster.server.restart()
    assert cluster.client("GET", cluster.secrets("lasting")).json == made.json
