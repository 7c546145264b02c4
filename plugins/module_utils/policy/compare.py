# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two values are the same, or one is above the other, as modules read them: 4, 4.0 and "4" are one. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

_TRUE = frozenset(("y", "yes", "on", "true", "t"))
_FALSE = frozenset(("n", "no", "off", "false", "f"))


def number_of(value: Any) -> float | None:
    """Return a finite number; None for anything else, truth values among it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same."""
    if isinstance(one, bool) or isinstance(other, bool):
        return _truth(one) is not None and _truth(one) == _truth(other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    numbers = number_of(one), number_of(other)
    return numbers[0] == numbers[1] if None not in numbers else one == other


def contains(value: Any, part: Any) -> bool:
    """Whether a list has an entry, a mapping a key, or a text a part."""
    if isinstance(value, Mapping):
        return any(same(key, part) for key in value)
    if isinstance(value, list | tuple):
        return any(same(item, part) for item in value)
    return isinstance(value, str) and str(part) in value


def holds_anywhere(value: Any, part: Any) -> bool:
    """Whether something is a key, an entry or part of a text, at any depth and in capitals or not: what reads it may not mind."""
    word = str(part).casefold()
    return any(word == text.casefold() if is_key else word in text.casefold() for text, is_key in _texts(value))


def _texts(value: Any) -> Iterator[tuple[str, bool]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key), True
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    else:
        yield str(value), False


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None
