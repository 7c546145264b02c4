# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle hides, and what it leaves readable."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.secrecy.patterns import HIDDEN
from ansible_collections.laptop.containers.plugins.module_utils.support.redact import Owner, redact

OWNER = Owner("/Users/jane", "jane", "janes-mac.local")
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
LONG = "dGhpcyBpcyBhIHZlcnkgbG9uZyBzZWNyZXQgdGV4dCBvZiBuby1vbmU"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("proxy http://jane:hunt@er2@proxy:3128 used", "hunt@er2"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"),
        ("key AKIAIOSFODNN7EXAMPLE is used", "AKIAIOSFODNN7EXAMPLE"),
        (f"Authorization: Bearer {JWT}", "sdWIi"),
        ("Authorization: Basic QVdTOmFiYw==", "QVdTOmFiYw"),
        ('{"password": "two words, \\"quoted\\""}', "two words"),
        ("MY_TOKEN='a b c'", "a b c"),
        ("passphrase=short", "short"),
        ('"auths": {"r": {"auth": "QVdTOmFiYw=="}}', "QVdTOmFiYw"),
        (f"the answer was {LONG}", LONG),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\ndef\n-----END OPENSSH PRIVATE KEY-----", "abc"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", "cut off"),
        ("token ghp_abcdefghijklmnopqrst", "ghp_abc"),
    ],
)
def test_a_secret_is_hidden_by_its_form_or_its_name(text: str, secret: str) -> None:
    shown = redact(text, OWNER)
    assert secret not in shown and HIDDEN in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/Users/jane/.colima/k8s", "~/.colima/k8s"),
        ("ssh jane@192.168.5.1", "ssh user@192.168.5.1"),
        ("host Janes-Mac is up", "host laptop is up"),
        ("janet is another user", "janet is another user"),
        ("/Users/janet/x", "/Users/janet/x"),
    ],
)
def test_names_of_people_and_laptops_are_replaced(text: str, shown: str) -> None:
    assert redact(text, OWNER) == shown


@pytest.mark.parametrize(
    "text",
    [
        "sha256:" + "0123456789abcdef" * 4,
        "commit 7421704f1b2c3d4e5f60718293a4b5c6d7e8f901",
        'time=2026-11-26T19:00:00Z level=fatal msg="error starting vm: exit status 1"',
        "author: the team",
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com/app:dev",
    ],
)
def test_what_helps_stays(text: str) -> None:
    assert redact(text, OWNER) == text
