# SPDX-License-Identifier: GPL-3.0-or-later
"""Label and field selectors of list requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import label_selector
from .http.status import bad_request

Object = dict[str, Any]
Test = Callable[[Object], bool]

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
    holds = label_selector.parse(selector)
    return lambda item: holds(item["metadata"].get("labels") or {})


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
