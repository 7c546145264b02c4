# SPDX-License-Identifier: GPL-3.0-or-later
"""Label and field selectors of list requests."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .status import bad_request

Object = dict[str, Any]
Test = Callable[[Object], bool]

SET = re.compile(r"^(\S+)\s+(in|notin)\s*\((.*)\)$")
FIELDS: dict[str, tuple[str, ...]] = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
}
KIND_FIELDS: dict[str, dict[str, tuple[str, ...]]] = {
    "Secret": {"type": ("type",)},
    "Namespace": {"status.phase": ("status", "phase")},
}


def label_test(selector: str) -> Test:
    """Return a test for objects from `a=1,b!=2,c in (x,y),!d`."""
    tests = [_requirement(part.strip()) for part in re.split(r",(?![^(]*\))", selector) if part.strip()]
    return lambda item: all(test(item["metadata"].get("labels") or {}) for test in tests)


def _requirement(text: str) -> Test:
    found = SET.match(text)
    if found:
        key, verb, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        if verb == "in":
            return lambda labels: key in labels and labels[key] in values
        return lambda labels: labels.get(key) not in values
    if "(" in text:
        raise bad_request("unable to parse requirement: found '', expected: ',', ')' or identifier")
    for sign in ("!=", "==", "=", ">", "<"):
        key, is_there, value = (part.strip() for part in text.partition(sign))
        if is_there:
            if not key:
                raise bad_request(f"found '{sign}', expected: !, identifier, or 'end of string'")
            return _comparison(key, sign, value)
    if text.startswith("!"):
        if text.startswith("!!"):
            raise bad_request("unable to parse requirement: found '!', expected: identifier")
        return lambda labels: text[1:].strip() not in labels
    return lambda labels: text in labels


def _comparison(key: str, sign: str, value: str) -> Test:
    if sign == "!=":
        return lambda labels: labels.get(key) != value
    if sign in (">", "<"):
        return lambda labels: key in labels and (int(labels[key]) > int(value)) == (sign == ">")
    return lambda labels: labels.get(key) == value


def field_test(selector: str, kind: str) -> Test:
    """Return a test for objects from `metadata.name=x,type!=y`."""
    known = {**FIELDS, **KIND_FIELDS.get(kind, {})}
    tests: list[Test] = []
    for part in selector.split(","):
        wanted = "!=" not in part
        key, is_there, value = part.replace("==", "=").partition("=" if wanted else "!=")
        if not is_there:
            raise bad_request(f"invalid selector: '{selector}'; can't understand '{part}'")
        if key not in known:
            raise bad_request(f"field label not supported: {key}")
        tests.append(_field(known[key], value, wanted))
    return lambda item: all(test(item) for test in tests)


def _field(path: tuple[str, ...], value: str, wanted: bool) -> Test:
    def test(item: Object) -> bool:
        found: Any = item
        for key in path:
            found = found.get(key, "") if isinstance(found, dict) else ""
        return bool((found == value) == wanted)

    return test
