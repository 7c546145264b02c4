# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of settings as a playbook gives them, checked for what YAML may have made of them before colima sees them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.errors import InputError


def texts_of(option: str, given: Mapping[Any, Any], profile: str) -> dict[str, str]:
    """Return a mapping of texts. Raises InputError for a value whose text nobody can tell: 1.10 is read as 1.1, null as nothing.

    The message never shows the value: env may hold what is nobody's business.
    """
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise InputError(
                f"Could not set '{option}' of profile '{profile}': the value of '{key}' is {_kind(value)}, not text, and how it "
                "was written is lost. Put it in quotes."
            )
    return {str(key): str(value) for key, value in given.items()}


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true or false"
    return "a number with a fraction" if isinstance(value, float) else "a list or a mapping"
