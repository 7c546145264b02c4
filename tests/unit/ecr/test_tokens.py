# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a token in AWS' answer."""

from __future__ import annotations

import base64
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
