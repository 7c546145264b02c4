# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings as people may see them: without credentials, in a few words, with their units. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from .settings import BY_OPTION, UNKNOWN

NOT_SHOWN = "(not shown)"
# What users put secrets into, whatever the names in it.
CLOSED = ("env", "script")
_NAME = re.compile(r"token|passw|passphrase|secret|credential|key|auth(?!or)", re.IGNORECASE)
# Up to the last @ of an address: a password may hold one itself.
_IN_URL = re.compile(r"(?<=//)[^/\s]+(?=@)")
# Shorter ones and words like these stay: hidden everywhere, they would make messages unreadable.
_SHORTEST = 6
_OPTIONS = ("env", "docker", "provision")
_WORDS = ("disabled", "enabled", "optional", "required")


def secrets_in(params: Mapping[str, Any]) -> set[str]:
    """Return the texts in a module's options that must not be seen in anything that the module says."""
    listed = params.get("profiles")
    profiles = [params, *(listed if isinstance(listed, list) else ())]
    settings = (profile.get(option) for profile in profiles if isinstance(profile, Mapping) for option in _OPTIONS)
    return {secret for value in settings for secret in _secrets_of(value) if len(secret) >= _SHORTEST and secret not in _WORDS}


def _secrets_of(value: Any, named: bool = False) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secrets_of(item, named or bool(_NAME.search(str(key))))
    elif isinstance(value, list):
        for item in value:
            yield from _secrets_of(item, named)
    elif isinstance(value, str):
        if named:
            yield value
        for found in _IN_URL.findall(value):
            password = found.partition(":")[2] or found
            yield from (found, password, unquote(password))


def hidden(value: Any, named: bool = False) -> Any:
    """Return a setting with all credentials in it left out."""
    if isinstance(value, Mapping):
        return {key: hidden(item, named or bool(_NAME.search(str(key)))) for key, item in value.items()}
    if isinstance(value, list):
        return [hidden(item, named) for item in value]
    if not isinstance(value, str):
        return value
    return NOT_SHOWN if named else _IN_URL.sub(NOT_SHOWN, value)


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
