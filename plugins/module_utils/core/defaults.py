# SPDX-License-Identifier: GPL-3.0-or-later
"""Options as a subject gets them from Ansible: defaults filled in, texts turned into what they stand for. Pure.

For a subject that looks at the options of others. Values that no option can take are for core/options.py to find before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from .entries import kind_of
from .errors import InputError

Spec = Mapping[str, Any]
_TRUE = frozenset(("y", "yes", "on", "1", "true", "t", "1.0"))


def complete(spec: Mapping[str, Spec], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value for every option: the given one in its type, else the default, else None. Raises InputError."""
    return {option: _value(option_spec, _given(option, option_spec, given), option) for option, option_spec in spec.items()}


def _given(option: str, spec: Spec, given: Mapping[str, Any]) -> Any:
    names = (option, *spec.get("aliases", ()))
    value = next((given[name] for name in names if given.get(name) is not None), None)
    if value is None and spec.get("required"):
        raise InputError(f"use option '{option}'", "it has no value", "Give it one.")
    return spec.get("default") if value is None else value


def _value(spec: Spec, value: Any, option: str) -> Any:
    if value is None:
        return None
    kind = spec.get("type", "str")
    if kind == "dict":
        return complete(spec["options"], _mapping(value, option)) if "options" in spec else value
    if kind == "list":
        items = value if isinstance(value, list | tuple) else str(value).split(",") if value != "" else []
        return [_value({**spec, "type": spec.get("elements", "str")}, item, option) for item in items]
    try:
        return _PLAIN[kind](value)
    except (TypeError, ValueError):
        raise InputError(f"use '{value}' as '{option}'", f"it is not of type {kind}", "Correct it.") from None


def _mapping(value: Any, option: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"use '{option}'", f"it is {kind_of(value)}, not a mapping", "Correct it.")
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


_PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "str": _text,
    "int": int,
    "float": float,
    "bool": lambda value: value if isinstance(value, bool) else str(value).lower() in _TRUE,
    "path": lambda value: os.path.expanduser(os.path.expandvars(_text(value))),  # noqa: PTH111 - also where it is not a path
    "raw": lambda value: value,
}
