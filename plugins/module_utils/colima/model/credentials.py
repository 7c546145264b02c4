# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials in the settings of a profile: which texts are some, and the settings with them left out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

NOT_SHOWN = "(not shown)"
_NAME = re.compile(r"token|passw|passphrase|secret|credential|key|auth(?!or)", re.IGNORECASE)
# Up to the last @ of an address: a password may hold one itself.
_IN_URL = re.compile(r"(?<=//)[^/\s]+(?=@)")
# Hidden wherever they stand, shorter ones and words like these would make rubble of what a user shall read.
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
