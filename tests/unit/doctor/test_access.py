# SPDX-License-Identifier: GPL-3.0-or-later
"""How long certificates are valid, where a registry is asked, and what AWS credentials there are."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.doctor.certificates import ends, ends_in_pem
from ansible_collections.laptop.containers.plugins.module_utils.doctor.registry_access import LoginRefused, endpoint_of, try_login
from ansible_collections.laptop.containers.plugins.module_utils.ecr.credentials import find_credentials
from ansible_collections.laptop.containers.plugins.module_utils.ecr.registries import Identity, registries_from
from cryptography import x509

from rehearsal.services.certificates import Authority
from rehearsal.services.ecr import Ecr

HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.mark.parametrize("days", [1, 400, 12000, 40000])
def test_the_end_of_a_certificate_is_read_whatever_its_form(tmp_path: Path, days: int) -> None:
    # From 2050 on, the year has four digits.
    pem = Authority(tmp_path).issue("me", valid=(timedelta(days=-1), timedelta(days=days))).certificate
    known = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    assert ends_in_pem(pem + (tmp_path / "ca.crt").read_bytes())[0] == known


@pytest.mark.parametrize("content", [b"", b"\x30", b"\x30\x03\x30\x01\x02", b"\x04\x00" * 9, bytes(range(200))])
def test_what_is_no_certificate_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a certificate"):
        ends(content)


def test_a_file_without_a_certificate_has_none() -> None:
    assert ends_in_pem(b"hello") == []


@pytest.mark.parametrize(
    ("entry", "environment", "asked"),
    [
        (HOST, {}, f"https://{HOST}"),
        ({"host": HOST, "endpoint_url": "http://localhost:4566"}, {}, "http://localhost:4566"),
        (HOST, {"AWS_ENDPOINT_URL": "http://127.0.0.1:5000/"}, "http://127.0.0.1:5000"),
        (HOST, {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_ECR": "http://b"}, "http://b"),
        ({"host": HOST, "endpoint_url": "https://vpce-1.api.ecr.eu-central-1.vpce.amazonaws.com"}, {}, f"https://{HOST}"),
        ({"host": HOST, "endpoint_url": "https://amazonaws.com.evil.example"}, {}, "https://amazonaws.com.evil.example"),
    ],
)
def test_a_token_goes_to_no_other_than_who_gave_it(entry: object, environment: dict[str, str], asked: str) -> None:
    (registry,) = registries_from([entry])
    assert endpoint_of(registry, environment) == asked


def test_a_registry_takes_its_token_and_no_other(aws: Ecr) -> None:
    (registry,) = registries_from([HOST])
    environment = {"AWS_ENDPOINT_URL": aws.url}
    password = aws.token()
    try_login(registry, {"username": "AWS", "password": password}, environment)
    try_login(registry, {"auth": base64.b64encode(f"AWS:{password}".encode()).decode()}, environment)
    aws.rotate()
    with pytest.raises(LoginRefused, match="401") as refused:
        try_login(registry, {"username": "AWS", "password": password}, environment)
    assert password not in repr(refused.value)
    for login in ({}, "text", {"username": "AWS"}):
        with pytest.raises(LoginRefused, match="no password"):
            try_login(registry, login, environment)
    with pytest.raises(OSError, match="refused"):
        try_login(registry, {"auth": "eA=="}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})


def _profile(home: Path, text: str) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(f"[profile dev]\nregion = eu-central-1\n{text}\n")


def test_credentials_are_told_by_how_they_were_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_credentials(Identity(), {}).reason == "there are none"
    assert "could not be found" in find_credentials(Identity("dev"), {}).reason
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert find_credentials(Identity(), {}).method == "env"


@pytest.mark.parametrize("hours", [-1, 5])
def test_an_sso_login_is_told_with_its_end(home: Path, hours: int) -> None:
    session = "[sso-session work]\nsso_start_url = https://x.example\nsso_region = eu-central-1"
    _profile(home, f"sso_session = work\nsso_account_id = 1\nsso_role_name = r\n{session}")
    assert find_credentials(Identity("dev"), {}).login == "aws sso login --profile dev"
    assert find_credentials(Identity("dev"), {}).expires is None
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    end = (datetime.now(UTC) + timedelta(hours=hours)).replace(microsecond=0)
    file = cache / f"{hashlib.sha1(b'work', usedforsecurity=False).hexdigest()}.json"
    file.write_text(json.dumps({"expiresAt": end.strftime("%Y-%m-%dT%H:%M:%SZ"), "accessToken": "secret", "refreshToken": "x"}))
    found = find_credentials(Identity("dev"), {})
    assert (found.method, found.expires, found.renews) == ("sso", end, True)
