# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets that a run has come to know, and every text without them: in any form, and a part of one.

Whoever gets a secret (a token of AWS, a credential of a kubeconfig, an option) calls learn() before anything else.
Every exit calls hidden(): results, errors, warnings, records, logs, the bundle. One process knows the secrets of one run.
"""

from __future__ import annotations

import base64
import contextlib
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from .patterns import SHORTEST, secrets_in

MASK = "********"
_SHORTEST_LOGIN = 3
# A part of a secret counts from 16 bytes on: blocks of 12 bytes, one for every fifth place.
_LONG, _BLOCK, _STRIDE = 16, 12, 5
_WORD = re.compile(rb"\S{12,}")
_RUN = re.compile(rb"[A-Za-z0-9+/_=-]{16,}")
# base64 that a tool has broken into lines, also inside of JSON.
_BROKEN = re.compile(rb"(?<=[A-Za-z0-9+/=_-])(?:\r?\n|\\r\\n|\\n|\\r)[ \t]*(?=[A-Za-z0-9+/=_-])")
# base64 of the base64 of a pair, as in a pull secret.
_DEPTH = 2


class Secrets:
    """What must not be told. Threads may share it."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        # Of which secret each block is a part, and at which place.
        self._blocks: dict[bytes, tuple[bytes, int]] = {}
        self._longest_first: list[str] = []

    def learn(self, *secrets: str, users: Iterable[str] = ("AWS",)) -> None:
        """Know secrets from now on. users: whose password each may be. One that is too short for a secret is passed over."""
        before = len(self._forms)
        for secret in {part for text in secrets for part in (text, text.strip()) if _is_worth_it(part)}:
            if secret not in self._forms:
                self._forms.update(_forms_of(secret, tuple(users)))
                if len(secret) >= _LONG:
                    raw = secret.encode(errors="surrogateescape")
                    places = range(0, len(raw) - _BLOCK + 1, _STRIDE)
                    self._blocks.update({raw[place : place + _BLOCK]: (raw, place) for place in places})
        if len(self._forms) != before:
            self._longest_first = sorted(self._forms, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Return a text without any of them."""
        for form in self._longest_first:
            if form in text:
                text = text.replace(form, MASK)
        return self._without_parts(text) if self._blocks else text

    def hidden(self, value: Any) -> Any:
        """Return a value of any shape without any of them, in names as well."""
        return self._hidden(value, {}) if self._forms else value

    def _hidden(self, value: Any, known: dict[str, str]) -> Any:
        """Return the value. known: what became of each text so far; names and states repeat a thousand times."""
        if isinstance(value, str):
            if value not in known:
                known[value] = self.hide(value)
            return known[value]
        if isinstance(value, bytes):
            return self.hide(value.decode(errors="replace")).encode()
        if isinstance(value, Mapping):
            return {self._hidden(key, known): self._hidden(item, known) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._hidden(item, known) for item in value]
        return self._number(value)

    def _number(self, value: Any) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return MASK if number and len(str(value)) >= SHORTEST and str(value) in self._forms else value

    def _without_parts(self, text: str) -> str:
        raw = text.encode(errors="surrogateescape")
        encoded = [run for run in _runs(raw) if self._holds_part(raw[slice(*run)])]
        kept, end = [], 0
        for start, stop in sorted([*encoded, *self._plain_parts(raw)]):
            if start >= end:
                kept += [raw[end:start], MASK.encode()]
            end = max(end, stop)
        return b"".join([*kept, raw[end:]]).decode(errors="surrogateescape") if kept else text

    def _plain_parts(self, raw: bytes) -> Iterator[tuple[int, int]]:
        """Yield where a part of a secret stands as it is, of whatever letters it is made."""
        for word in _WORD.finditer(raw):
            place = word.start()
            while place <= word.end() - _BLOCK:
                found = self._blocks.get(raw[place : place + _BLOCK])
                if found is None:
                    place += 1
                    continue
                start, stop = _stretched(raw, place, *found)
                # A shorter one may be a word, such as the region in a token.
                if stop - start >= _LONG:
                    yield start, stop
                place = stop

    def _holds_part(self, run: bytes, depth: int = _DEPTH) -> bool:
        if any(run[place : place + _BLOCK] in self._blocks for place in range(len(run) - _BLOCK + 1)):
            return True
        if not depth:
            return False
        words = (word for found in _RUN.findall(_BROKEN.sub(b"", run)) for word in found.split(b"="))
        return any(self._holds_part(inner, depth - 1) for word in words for inner in _decoded(word))


def _stretched(raw: bytes, place: int, secret: bytes, at: int) -> tuple[int, int]:
    """Return from where to where a text is as the secret is. place: of a block, which stands at this place of the secret."""
    before = 0
    while before < min(place, at) and raw[place - before - 1] == secret[at - before - 1]:
        before += 1
    after = _BLOCK
    while after < min(len(raw) - place, len(secret) - at) and raw[place + after] == secret[at + after]:
        after += 1
    return place - before, place + after


def _is_worth_it(secret: str) -> bool:
    return len(secret) >= SHORTEST or (":" in secret and len(secret) >= _SHORTEST_LOGIN)


def _runs(raw: bytes) -> Iterator[tuple[int, int]]:
    """Yield where a text may hold base64 or a token: long words, several lines of them as one."""
    start = stop = -1
    for found in _RUN.finditer(raw):
        broken = _BROKEN.match(raw, stop) if start >= 0 else None
        # The letter of an escaped line end looks like one of base64.
        if broken and broken.end() - found.start() in (0, 1):
            stop = found.end()
            continue
        if start >= 0:
            yield start, _with_rest(raw, stop)
        start, stop = found.span()
    if start >= 0:
        yield start, _with_rest(raw, stop)


def _with_rest(raw: bytes, stop: int) -> int:
    """Return the end of a run with its last line, which may be a short one."""
    rest = re.compile(rb"(?:\r?\n|\\n)[A-Za-z0-9+/_-]{1,15}={0,2}(?![A-Za-z0-9+/_=:. -])").match(raw, stop)
    return rest.end() if rest else stop


def _decoded(word: bytes) -> Iterator[bytes]:
    """Yield what base64 says that was cut at any place."""
    plain = word.replace(b"-", b"+").replace(b"_", b"/")
    for offset in range(4):
        yield base64.b64decode(plain[offset:][: (len(plain) - offset) // 4 * 4])


def _forms_of(secret: str, users: tuple[str, ...]) -> Iterator[str]:
    """Yield every form in which a whole secret may be met."""
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    plain = {
        secret,
        *escaped,
        *(json.dumps(one)[1:-1] for one in escaped),
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
    }
    raw = secret.encode(errors="surrogateescape")
    # In hexadecimal, and as Go prints bytes.
    plain |= {raw.hex(), raw.hex().upper(), " ".join(map(str, raw)), html.escape(secret)}
    # Another language's JSON hides these three.
    plain.add(secret.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
    pairs = [f"{user}:".encode() + raw for user in users if user]
    encoded = {form for one in (raw, *pairs) for form in _base64(one)}
    nested = {form for one in (raw, *pairs) for form in _base64(base64.b64encode(one))}
    yield secret
    yield from (form for form in plain | encoded | nested if len(form) >= SHORTEST)


def _base64(raw: bytes) -> Iterator[str]:
    """Yield base64 of a text alone, and as it is in the middle of a longer one: what depends on its neighbours is left out."""
    for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
        yield alphabet(raw).decode()
        yield alphabet(raw).decode().rstrip("=")
        for before in range(3):
            whole = alphabet(b"\0" * before + raw).decode()
            first = (0, 2, 3)[before]
            last = (before + len(raw)) * 8 // 6
            if last - first >= 2 * SHORTEST:
                yield whole[first:last]


_known = Secrets()


def begin(secrets: Iterable[str], environment: Mapping[str, str]) -> None:
    """Begin a run: forget what an earlier one knew; know secrets of the options, and those in the environment."""
    global _known  # noqa: PLW0603 - one run in one process
    _known = Secrets()
    learn(*secrets, *(one for one in secrets_in(dict(environment)) if not one.startswith("/")))


def learn(*secrets: str, users: Iterable[str] = ("AWS",)) -> None:
    """Know secrets from now on."""
    _known.learn(*secrets, users=users)


def learn_key(encoded: str) -> None:
    """Know a private key in PEM that stands as base64 in a kubeconfig: that, and each line of the key."""
    learn(encoded)
    with contextlib.suppress(ValueError):
        learn(*base64.b64decode(encoded).decode(errors="replace").splitlines()[1:-1])


def hide(text: str) -> str:
    """Return a text without what is known."""
    return _known.hide(text)


def hidden(value: Any) -> Any:
    """Return a value of any shape without what is known."""
    return _known.hidden(value)
