# SPDX-License-Identifier: GPL-3.0-or-later
"""What is recorded on a pull secret, and when it is due."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.ecr.renewal import TOKEN_LIFE, Lease, Threshold, threshold_from
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.model import (
    OWNER,
    PullSecretSpec,
    PullSecretState,
    body_of,
    current_from,
    due,
)
from ansible_collections.laptop.containers.plugins.module_utils.kube.objects import check_name

HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DESIRED = PullSecretSpec("ecr-creds", {HOST: "abc"})
PASSWORD = "tok-of-a-test"


@dataclass(frozen=True)
class Token:
    password: str
    issued_at: datetime
    expires_at: datetime


def written(**changes: Any) -> PullSecretState:
    """One of our secrets, six minutes old."""
    lease = Lease(NOW - timedelta(minutes=6), NOW + timedelta(hours=11, minutes=54), "abc")
    return replace(PullSecretState("default", "uid", True, {HOST: lease}, "digest", (), (OWNER,)), **changes)


def aged(hours: float, life: float = 12) -> PullSecretState:
    issued = NOW - timedelta(hours=hours)
    return written(leases={HOST: Lease(issued, issued + timedelta(hours=life), "abc")})


@pytest.mark.parametrize(
    ("current", "reason"),
    [
        pytest.param(written(), "", id="fresh"),
        pytest.param(None, "missing", id="missing"),
        pytest.param(aged(5.9), "", id="just before half of its lifetime"),
        pytest.param(aged(6.1), "5.9 h are left", id="just after half of its lifetime"),
        pytest.param(aged(12), "has expired", id="expired"),
        pytest.param(aged(300), "has expired", id="expired long ago"),
        pytest.param(aged(0.6, life=1), "0.4 h are left", id="half of a short life"),
        pytest.param(aged(-1), "issued in the future", id="from a clock that was ahead"),
        pytest.param(written(leases={}), "records no expiry", id="record lost"),
        pytest.param(
            written(leases={**written().leases, "other": written().leases[HOST]}), "registries differ", id="host dropped"
        ),
        pytest.param(
            written(leases={HOST: replace(written().leases[HOST], identity="xyz")}), "identity differs", id="other identity"
        ),
        pytest.param(written(service_accounts=("default",)), "service accounts differ", id="account dropped"),
        pytest.param(written(owners=("kubectl-edit",)), "changed by kubectl-edit", id="edited by hand"),
        pytest.param(
            written(meddlers=("kubectl-annotate",)), "annotations were changed by kubectl-annotate", id="annotated by hand"
        ),
        pytest.param(aged(1, life=13), "more than the 12 hours", id="a life that no token has"),
        pytest.param(written(owners=()), "changed by an unknown manager", id="owner unknown"),
    ],
)
def test_a_secret_is_due_for_a_reason(current: PullSecretState | None, reason: str) -> None:
    said = due(current, DESIRED, Threshold(), NOW)
    assert (reason in said) if reason else not said


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("half", Threshold(0.5)),
        ("25%", Threshold(0.25)),
        ("6h", Threshold(fixed=timedelta(hours=6))),
        ("1h30m", Threshold(fixed=timedelta(minutes=90))),
        ("90m", Threshold(fixed=timedelta(minutes=90))),
        ("45s", Threshold(fixed=timedelta(seconds=45))),
    ],
)
def test_thresholds_are_read(text: str, threshold: Threshold) -> None:
    assert threshold_from(text, TOKEN_LIFE) == threshold


@pytest.mark.parametrize("text", ["", "0%", "100%", "12h", "0h", "soon", "-1h", "1d", "6", "50 %"])
def test_other_thresholds_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="refresh_before"):
        threshold_from(text, TOKEN_LIFE)


def test_what_is_written_reads_back_as_fresh() -> None:
    spec = replace(DESIRED, service_accounts=("builder", "default"))
    body, after = body_of(spec, {HOST: Token(PASSWORD, NOW, NOW + timedelta(hours=12))})
    document = json.loads(body)
    managed = [{"manager": OWNER, "fieldsV1": {"f:data": {"f:.dockerconfigjson": {}}}}]
    read = current_from({**document["metadata"], "namespace": "default", "managedFields": managed})
    assert (read.leases, read.digest) == (after.leases, after.digest)
    assert due(read, spec, Threshold(), NOW) == ""


def test_the_content_is_what_docker_and_the_kubelet_read() -> None:
    body, _ = body_of(DESIRED, {HOST: Token(PASSWORD, NOW, NOW + timedelta(hours=12))})
    document = json.loads(body)
    assert document["type"] == "kubernetes.io/dockerconfigjson"
    entry = json.loads(base64.b64decode(document["data"][".dockerconfigjson"]))["auths"][HOST]
    assert (entry["username"], entry["password"]) == ("AWS", PASSWORD)
    assert base64.b64decode(entry["auth"]).decode() == f"AWS:{PASSWORD}"


def test_the_metadata_holds_hosts_expiry_and_digest_and_never_the_token() -> None:
    body, after = body_of(DESIRED, {HOST: Token(PASSWORD, NOW, NOW + timedelta(hours=12))})
    metadata = json.dumps(json.loads(body)["metadata"])
    assert "2026-11-24T00:00:00Z" in metadata
    assert after.digest in metadata
    assert PASSWORD not in metadata + repr(after)
    assert base64.b64encode(PASSWORD.encode()).decode() not in metadata


def test_a_secret_that_the_cluster_would_not_take_is_refused() -> None:
    hosts = {f"{number:012d}.dkr.ecr.eu-central-1.amazonaws.com": "abc" for number in range(200)}
    tokens = {host: Token("x" * 3000, NOW, NOW + timedelta(hours=12)) for host in hosts}
    with pytest.raises(InputError, match="1024 KiB"):
        body_of(PullSecretSpec("ecr-creds", hosts), tokens)


@pytest.mark.parametrize("garbage", ["", "null", "[]", "{", '{"h": 1}', '{"h": {"issued": "x"}}', '{"h": {"issued": 5}}'])
def test_an_unreadable_record_counts_as_none(garbage: str) -> None:
    assert current_from({"annotations": {"laptop.containers/registries": garbage}}).leases == {}


@pytest.mark.parametrize("name", ["Default", "a_b", "", "-a", "a/b", "a" * 64, "a.b", "../x"])
def test_names_that_kubernetes_refuses_are_refused_first(name: str) -> None:
    with pytest.raises(InputError):
        check_name(name, "namespace")
