# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known to be a secret is in no text any more, in no form, and no part of it."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.secrecy.known import MASK, Secrets
from hypothesis import given
from hypothesis import strategies as st

from tests.support.ecr_pull_secret.canaries import told_of

TOKEN = base64.b64encode(bytes(range(7, 250)) * 7).decode()
PAIR = base64.b64encode(f"AWS:{TOKEN}".encode()).decode()
CONFIG = json.dumps({"auths": {"r.example": {"username": "AWS", "password": TOKEN, "auth": PAIR}}})
WHOLE = base64.b64encode(CONFIG.encode()).decode()
# What is left may be as long as this, in characters of the token itself.
LEFT = 16


def decoded(text: str) -> Iterator[bytes]:
    """Yield what the words of a text say as base64, from each of four places on."""
    for word in re.findall(r"[A-Za-z0-9+/_-]+", text):
        for offset in range(4):
            plain = word[offset:].replace("-", "+").replace("_", "/")
            yield base64.b64decode(plain[: len(plain) // 4 * 4])


def known(*secrets: str) -> Secrets:
    found = Secrets()
    found.learn(*secrets)
    return found


@pytest.mark.parametrize(
    "secret", ["s3cr&t/+pass", "hunter2-canary", 'with "quotes" and \\', "zwölf Böxer", "two\nlines-of-it", TOKEN]
)
@pytest.mark.parametrize("before", ["", "A", "AB", "ABC", '{"auth":"'])
def test_no_form_of_a_secret_is_left(secret: str, before: str) -> None:
    raw = secret.encode()
    forms = [
        secret,
        json.dumps(secret),
        json.dumps(json.dumps(secret)),
        repr(secret.encode().decode()),
        quote(secret, safe=""),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(f"AWS:{secret}".encode()).decode(),
        base64.b64encode(base64.b64encode(f"AWS:{secret}".encode())).decode(),
        base64.b64encode(before.encode() + raw + b"-after").decode(),
    ]
    for form in forms:
        shown = known(secret).hide(f"said: {form}.")
        assert MASK in shown and secret[1:-1] not in shown, form
        assert not any(secret[2:-2].encode() in text for text in decoded(shown)), form


@given(start=st.integers(0, len(WHOLE)), length=st.integers(24, 400))
def test_no_piece_of_base64_is_left_wherever_it_is_cut(start: int, length: int) -> None:
    piece = WHOLE[start : start + length]
    shown = known(TOKEN).hide(f'admission denied: "{piece}"')
    if MASK in shown:
        assert piece not in shown
        return
    # Only a piece that says nothing of the token may stay.
    told = [inner for text in decoded(piece) for inner in (text, *decoded(text.decode("latin-1")))]
    for text in told:
        for place in range(max(len(text) - LEFT + 1, 0)):
            assert text[place : place + LEFT].decode("latin-1") not in TOKEN


@given(start=st.integers(0, len(TOKEN) - LEFT), length=st.integers(LEFT, 60))
def test_no_part_of_a_token_is_left(start: int, length: int) -> None:
    assert TOKEN[start : start + length] not in known(TOKEN).hide(f"password {TOKEN[start : start + length]} was refused")


def test_base64_that_is_broken_into_lines_is_hidden() -> None:
    wrapped = base64.encodebytes(CONFIG.encode()).decode()
    for text in (wrapped, json.dumps(wrapped)):
        shown = known(TOKEN).hide(text)
        assert not any(TOKEN[place : place + 16] in shown for place in range(len(TOKEN) - 16))
        told = list(decoded(shown.replace("\\n", "").replace("\n", "")))
        assert not any(TOKEN[place : place + 16].encode() in text for place in range(len(TOKEN) - 16) for text in told)


def test_names_numbers_and_every_shape_are_looked_into() -> None:
    value = {"hunter22": [("x hunter22", b"hunter22", 12345678), {"a": None, "b": True}]}
    assert known("hunter22", "12345678").hidden(value) == {MASK: [[f"x {MASK}", MASK.encode(), MASK], {"a": None, "b": True}]}


def test_what_is_no_secret_stays() -> None:
    text = "123456789012.dkr.ecr.eu-central-1.amazonaws.com of account 123456789012 in eu-central-1"
    assert known("tok1-0011223344556677-123456789012-eu-central-1").hide(text) == text
    assert known("short", "").hide("short") == "short"


def test_many_tokens_and_a_long_text_take_little_time() -> None:
    tokens = [base64.b64encode(f"{number:04}".encode() * 430).decode() for number in range(100)]
    began = time.process_time()
    found = known(*tokens)
    found.hide("harmless words of a log with paths like /usr/local/lib/python3.11/site-packages/x.py\n" * 3000)
    assert time.process_time() - began < 10


# Passwords of options and proxies are of any letters, and shorter than a token.
ODD = [
    "correct-Horse_battery",
    "p@ss;w{o}rd|with<odd>&letters!of=any?kind",
    "ünïcödé-pässwört-of-a-prøxy",
    "0123456789abcdef01234567",
]


@pytest.mark.parametrize("secret", ODD)
@pytest.mark.parametrize("width", [40, 64, 76])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n    ", "\\n"])
def test_a_short_password_in_a_file_in_broken_base64_is_hidden(secret: str, width: int, end: str) -> None:
    login = base64.b64encode(f"AWS:{secret}".encode()).decode()
    encoded = base64.b64encode(json.dumps({"auths": {"h": {"password": secret, "auth": login}}}).encode()).decode()
    broken = end.join(encoded[place : place + width] for place in range(0, len(encoded), width))
    shown = known(secret).hide(f"data: {broken}")
    assert told_of(secret, shown.replace(end, "")) == []


@pytest.mark.parametrize("secret", [one for one in ODD if len(one) >= 32])
def test_a_part_of_a_password_of_any_letters_is_hidden(secret: str) -> None:
    for start in range(len(secret) - 16):
        for stop in range(start + 16, len(secret)):
            shown = known(secret).hide(f"value '{secret[start:stop]}' at 7")
            assert told_of(secret, shown) == [], (start, stop)
            assert shown.startswith("value '") and shown.endswith("' at 7")


@pytest.mark.parametrize("secret", ODD)
def test_hexadecimal_and_what_go_prints_of_bytes_are_hidden(secret: str) -> None:
    raw = secret.encode()
    for form in (raw.hex(), raw.hex().upper(), str(list(raw)).replace(",", "")):
        assert form.strip("[]") not in known(secret).hide(f"got {form}")


@pytest.mark.parametrize(
    "text",
    [
        "profile 'correct-Horse' has no battery",
        "dkr.ecr.eu-central-1.amazonaws.com",
        "0123456789ab is an image, and 01234567 a container",
    ],
)
def test_a_word_that_a_password_begins_with_stays(text: str) -> None:
    assert known(*ODD, "x-eu-central-1-0011223344").hide(text) == text
