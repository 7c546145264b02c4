# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML read as colima's Go reads it: a value means what the type that it is for makes of it.

1.30 is the text '1.30' for a version, and yes is true for a switch but a word for a variable. Python's loader would change
such values, and the next write would keep that. Knows nothing of colima's settings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)")
_OCTAL = re.compile(r"[-+]?0[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
# Far beyond any settings, and well within the stack.
_DEEPEST = 100
_MOST = 100_000
# Go reads larger whole numbers as floating-point ones.
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_LONGEST = 70
_NULL = ("", "~", "null", "Null", "NULL")
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
# Words that only a switch takes for true or false.
_YES, _NO = ("y", "Y", "yes", "on"), ("n", "N", "no", "off")


class Unreadable(ValueError):
    """Go would refuse the whole document."""


class WrongType(ValueError):
    """Go would leave the value at zero, and take the rest."""


class Scalar(NamedTuple):
    """A value as it is written; plain (unquoted) ones may be numbers, switches or nothing."""

    text: str
    plain: bool


def load(text: str) -> Any:
    """Return the first document as mappings, lists and scalars; None for none. Raises Unreadable."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_depth(yaml.parse(text, Loader=loader))
        node = next(yaml.compose_all(text, Loader=loader), None)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise error if isinstance(error, Unreadable) else Unreadable("is not YAML") from error
    return None if node is None else _Builder().built(node, ())


def _check_depth(events: Iterable[Any]) -> None:
    """Raise Unreadable for a document whose nesting would exhaust the stack."""
    depth = 0
    for event in events:
        kind = type(event).__name__
        depth += kind in ("MappingStartEvent", "SequenceStartEvent")
        depth -= kind in ("MappingEndEvent", "SequenceEndEvent")
        if depth > _DEEPEST:
            raise Unreadable(f"nests values more than {_DEEPEST} levels deep")


class _Builder:
    """Builds plain values of one document. Aliases expand, so it counts what it builds."""

    def __init__(self) -> None:
        self.count = 0

    def built(self, node: Any, above: tuple[Any, ...]) -> Any:
        self.count += 1
        if self.count > _MOST or len(above) > _DEEPEST:
            raise Unreadable("expands to more than settings can be")
        if any(node is parent for parent in above):
            raise Unreadable("is not YAML: a value contains itself")
        above = (*above, node)
        if node.id == "scalar":
            return Scalar(node.value, _is_plain(node))
        if node.id == "sequence":
            return [self.built(item, above) for item in node.value]
        return self._mapping(node, above)

    def _mapping(self, node: Any, above: tuple[Any, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if key.id != "scalar":
                raise Unreadable("is not YAML: a key is not text")
            if key.value == "<<" and _is_plain(key):
                for item in value.value if value.id == "sequence" else [value]:
                    other = self.built(item, above)
                    if not isinstance(other, dict):
                        raise Unreadable("is not YAML: only mappings can be merged")
                    merged = {**other, **merged}
            elif key.value in result:
                raise Unreadable(f"names '{key.value}' twice")
            else:
                result[key.value] = self.built(value, above)
        return {**merged, **result}


def _is_plain(node: Any) -> bool:
    return node.style in (None, "")


def is_null(value: Any) -> bool:
    """Whether the value is missing."""
    return value is None or (isinstance(value, Scalar) and value.plain and value.text in _NULL)


def text(value: Any) -> str:
    """Return a value that is for text, as it is written."""
    if is_null(value):
        return ""
    if not isinstance(value, Scalar):
        raise WrongType
    return value.text


def number(value: Any) -> float:
    """Return a value that is for a number; a whole one is an int. 010 is eight, and 12:30 not a number."""
    if isinstance(value, Scalar) and value.plain:
        digits = value.text.replace("_", "")
        if _INTEGER.fullmatch(digits) and len(digits) <= _LONGEST:
            found = int(digits, 8 if _OCTAL.fullmatch(digits) else 0)
            if _SMALLEST <= found <= _LARGEST:
                return found
        if _FLOAT.fullmatch(digits) and math.isfinite(float(digits)):
            return float(digits)
    raise WrongType


def whole(value: Any) -> int:
    """Return a value that is for a whole number; a fraction is cut off."""
    found = number(value)
    if abs(found) >= 2**63:
        raise WrongType
    return int(found)


def switch(value: Any) -> bool:
    """Return a value that is for true or false."""
    if isinstance(value, Scalar):
        if value.text in _YES or (value.plain and value.text in _TRUE):
            return True
        if value.text in _NO or (value.plain and value.text in _FALSE):
            return False
    raise WrongType


def anything(value: Any) -> Any:
    """Return a value that is for no type."""
    if isinstance(value, dict):
        return {key: anything(item) for key, item in value.items()}
    if isinstance(value, list):
        return [anything(item) for item in value]
    if is_null(value):
        return None
    if value.plain and value.text in (*_TRUE, *_FALSE):
        return value.text in _TRUE
    try:
        return number(value)
    except WrongType:
        return value.text
