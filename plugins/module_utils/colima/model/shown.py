# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings as people may see them: without credentials, in a few words, with their units. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...core.secrecy.patterns import NOT_SHOWN, hidden
from .settings import BY_OPTION, UNKNOWN

# What users put secrets into, whatever the names in it.
CLOSED = ("env", "script")


def without_secrets(value: Any) -> Any:
    """Return the settings of a role as they may be printed: also without what users put secrets into, whatever its name."""
    if isinstance(value, Mapping):
        return {key: _closed(item) if key in CLOSED else without_secrets(item) for key, item in hidden(value).items()}
    return [without_secrets(item) for item in value] if isinstance(value, list) else hidden(value)


def _closed(value: Any) -> Any:
    return dict.fromkeys(value, NOT_SHOWN) if isinstance(value, Mapping) else NOT_SHOWN


def shown(option: str, value: Any) -> Any:
    """Return a setting's value as it may be printed: without what could be a secret."""
    if option == "env":
        return dict.fromkeys(value or {}, NOT_SHOWN)
    if option in ("docker", UNKNOWN):
        return hidden(value or {})
    if option == "provision":
        return [f"{item.get('mode')}: {len(str(item.get('script') or '').splitlines())} lines" for item in value or []]
    if option == "mounts":
        return "none" if value is None else (value or "home directory, writable")
    return value


def worded(option: str, value: Any) -> str:
    """Return a setting's value in a few words, with its unit, for a line of the plan."""
    value = shown(option, value)
    unit = BY_OPTION[option].unit
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        value = f"{value:g}"
    if isinstance(value, list | dict):
        return json.dumps(value) if value else "none"
    return counted(value, unit) if value != "" else "unset"


def counted(value: Any, unit: str) -> str:
    """Return '4 CPUs', '1 CPU' or '2 GiB'."""
    return f"{value} {unit.removesuffix('s') if value == 1 else unit}".strip()
