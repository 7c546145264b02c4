# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a token in AWS' answer."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.ecr.failures import TokenRefused
from ansible_collections.laptop.containers.plugins.module_utils.ecr.tokens import token_from

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=12)


def data(pair: str = "AWS:hidden", expires: Any = LATER) -> dict[str, Any]:
    return {"authorizationToken": base64.b64encode(pair.encode()).decode(), "expiresAt": expires}


@pytest.mark.parametrize("answer", [[data()], data()], ids=["private", "public gallery"])
def test_both_services_answers_are_read(answer: Any) -> None:
    token = token_from(answer, NOW, "host")
    assert (token.password, token.issued_at, token.expires_at) == ("hidden", NOW, LATER)
    assert "hidden" not in repr(token)


@pytest.mark.parametrize(
    "answer",
    [[], None, {}, [{}], [data("other:x")], [data("AWS:")], [data(expires=None)], [{**data(), "authorizationToken": "%"}]],
)
def test_an_answer_without_a_token_writes_nothing(answer: Any) -> None:
    with pytest.raises(TokenRefused, match="AWS' answer holds none"):
        token_from(answer, NOW, "host")


def test_a_token_that_has_expired_is_a_matter_of_the_clock() -> None:
    with pytest.raises(TokenRefused, match="Set the clock"):
        token_from([data(expires=NOW - timedelta(minutes=1))], NOW, "host")


# urllib as on a Mac: without variables for proxies it asks the system by this module, and a forked process dies of that.
ON_A_MAC = """
import json, sys, types
asked, system = [], types.ModuleType("_scproxy")
system._get_proxy_settings = lambda: asked.append("settings") or {}
system._get_proxies = lambda: asked.append("proxies") or {}
sys.modules["_scproxy"], sys.platform, real = system, "darwin", sys.platform
import urllib.request
sys.platform = real
from ansible_collections.laptop.containers.plugins.module_utils.ecr import registries, tokens
from ansible_collections.laptop.containers.plugins.module_utils.ecr.failures import TokenRefused
given = [{"host": "123456789012.dkr.ecr.eu-central-1.amazonaws.com", "endpoint_url": "http://127.0.0.1:1"}]
try:
    tokens.fetch_tokens(registries.registries_from(given), {})
except TokenRefused as refused:
    kind = refused.kind
from ansible_collections.laptop.containers.plugins.module_utils.core.system.proxies import proxy_handler
try:
    urllib.request.build_opener(proxy_handler("http://a.example/", {"http": "http://127.0.0.1:1"})).open("http://a.example/")
except OSError:
    print(json.dumps([kind, asked]))
"""


def test_a_forked_process_does_not_ask_macos_for_proxies() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B", "AWS_MAX_ATTEMPTS": "1"}
    around = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    around |= keys | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, ("collections", ".")))}
    done = subprocess.run([sys.executable, "-c", ON_A_MAC], env=around, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ('["network", []]\n', "")
