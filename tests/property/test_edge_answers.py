# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever an edge answers becomes a value or one family of errors: API server, ECR, SSO's cache, refresh.json, notes."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib.util
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.core.errors import WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.core.notes import Notes
from ansible_collections.laptop.containers.plugins.module_utils.ecr import credentials
from ansible_collections.laptop.containers.plugins.module_utils.ecr.failures import TokenRefused
from ansible_collections.laptop.containers.plugins.module_utils.ecr.session import ProgramFailed, _answer
from ansible_collections.laptop.containers.plugins.module_utils.ecr.tokens import token_from
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.model import config_in, current_from, holds
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.read import account_from
from ansible_collections.laptop.containers.plugins.module_utils.kube.answers import ApiError, is_object
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
# `make test-long` tries 50,000 answers in all.
EDGES = 6
MANY = 50_000 // EDGES + 1 if os.environ.get("LAPTOP_LONG") else 150
NOW = datetime(2026, 12, 1, tzinfo=UTC)
KEYS = st.sampled_from(
    [
        "kind",
        "apiVersion",
        "items",
        "metadata",
        "name",
        "namespace",
        "labels",
        "annotations",
        "managedFields",
        "finalizers",
        "deletionTimestamp",
        "data",
        "type",
        "status",
        "message",
        "reason",
        "details",
        "causes",
        "authorizationToken",
        "expiresAt",
        "accessToken",
        "refreshToken",
        "failures",
        "result",
        "last_failure",
        "last_skip",
        "time",
        "version",
        "notes",
        "Version",
        "AccessKeyId",
        "SecretAccessKey",
        "SessionToken",
        "Expiration",
        "imagePullSecrets",
        "laptop.containers/registries",
        ".dockerconfigjson",
        "auths",
        "fieldsV1",
        "manager",
        "f:data",
    ]
)
WORDS = st.sampled_from(
    ["SecretList", "Secret", "Status", "v1", "x", "", "2026-12-01T00:00:00Z", "QVdTOng=", "QVdTOnRva2Vu", "AWS", "\0"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=5)
ANSWERS = st.recursive(LEAVES, lambda one: st.lists(one, max_size=3) | st.dictionaries(KEYS, one, max_size=5), max_leaves=12)
MAPPINGS = st.dictionaries(KEYS, ANSWERS, max_size=6)
tried = settings(max_examples=MANY, suppress_health_check=list(HealthCheck), deadline=None)


def refresh() -> Any:
    spec = importlib.util.spec_from_file_location("refresh", ROOT / "roles/refresh_timer/files/refresh.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


REFRESH = refresh()


@tried
@given(ANSWERS)
def test_an_api_server(answer: Any) -> None:
    for path in ("/api/v1/secrets", "/api/v1/namespaces/x/secrets/x"):
        if not is_object(path, answer):
            continue
        parts = answer.get("items") or [] if "items" in answer or answer["kind"].endswith("List") else [answer]
        for part in parts if answer["kind"] != "Status" else []:
            current = current_from(part["metadata"])
            assert holds(part, current) in (True, False) and isinstance(config_in(part), dict)
            assert account_from(part).name == part["metadata"]["name"]
    error = ApiError(422, json.dumps(answer).encode())
    assert isinstance(error.text, str) and all(isinstance(cause, dict) for cause in error.causes)


@tried
@given(ANSWERS, st.datetimes(timezones=st.none() | st.sampled_from([UTC])), st.sampled_from(["token", " ", "a\nb", "", "\0"]))
def test_ecr(answer: Any, moment: datetime, password: str) -> None:
    item = {"authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(), "expiresAt": moment}
    for data in (answer, [answer], item, [{**item, "expiresAt": answer}]):
        try:
            token = token_from(data, NOW, "r.example")
        except TokenRefused:
            continue
        assert token.password == "token" and NOW < token.expires_at <= NOW + timedelta(hours=12)


@tried
@given(ANSWERS)
def test_a_credential_process(answer: Any) -> None:
    try:
        found = _answer(json.dumps(answer))
    except ProgramFailed:
        return
    assert found["Version"] == 1 and found["SecretAccessKey"]


@tried
@given(answer=ANSWERS)
def test_the_cache_of_sso(answer: Any, home: Path) -> None:
    place = home / ".aws/sso/cache"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{hashlib.sha1(b'corp', usedforsecurity=False).hexdigest()}.json").write_text(json.dumps(answer))
    ends, renews = credentials._sso_login("corp")
    assert ends is None or ends.tzinfo is not None
    assert renews in (True, False)


@tried
@given(MAPPINGS | ANSWERS, MAPPINGS, st.sampled_from([0, 2]))
def test_the_status_of_a_timer(answer: Any, result: dict[str, Any], code: int) -> None:
    place = Path(os.environ["HOME"]) / "refresh.json"
    place.write_text(json.dumps(answer))
    last = REFRESH.read_status(place)
    REFRESH.waits(last, NOW)
    row = json.dumps(
        {"failed": bool(code), "result": {"msg": "no", **{key: value for key, value in result.items() if key != "kind"}}}
    )
    ended = REFRESH.Ended(code, "ERROR no", REFRESH.results_in(row))
    status = REFRESH.shown(REFRESH.judge(ended, last, NOW))
    assert REFRESH.skipped("on battery", last, NOW).code == 0
    REFRESH.write_status(place, status)
    assert REFRESH.read_status(place)["failures"] >= 0


@tried
@given(MAPPINGS | ANSWERS)
def test_notes(answer: Any) -> None:
    notes = Notes("fuzz")
    notes.path.parent.mkdir(parents=True, exist_ok=True)
    notes.path.write_text(json.dumps(answer))
    with contextlib.suppress(WorkstationError):
        assert isinstance(notes.read(), dict)


def test_every_edge_has_its_share() -> None:
    edges = [name for name, value in globals().items() if name.startswith("test_") and hasattr(value, "hypothesis")]
    assert len(edges) == EDGES
