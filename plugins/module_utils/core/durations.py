# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as people write them: 7d, 1h30m. Pure."""

from __future__ import annotations

import re
from datetime import timedelta

from .errors import InputError

_DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?\Z")


def duration_from(text: str, option: str) -> timedelta:
    """Return the time of '7d', '2h' or '1h30m', as the option of that name gives it. Raises InputError for none, or one of 0."""
    found = time_in(text.strip().lower())
    if not found:
        raise InputError(f"use '{text}' as O({option})", "it is not a time such as 7d, 2h or 1h30m", "Correct it.")
    return found


def time_in(text: str) -> timedelta | None:
    """Return the time that is written so; None where it is none."""
    match = _DURATION.match(text)
    if match is None or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
