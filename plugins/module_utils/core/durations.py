# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as people write them, and how much of a life must be left: 7d, 1h30m, half, 40%. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from .errors import InputError

_DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?\Z")


@dataclass(frozen=True)
class Threshold:
    """How much life must be left: a fraction of the whole, or a fixed time."""

    fraction: float = 0.5
    fixed: timedelta | None = None

    def of(self, life: timedelta) -> timedelta:
        """Return the remaining life below which something is due."""
        return self.fixed if self.fixed is not None else life * self.fraction


def threshold_from(text: str, life: timedelta) -> Threshold:
    """Return the threshold of 'half', '40%', '6h' or '1h30m'. Raises InputError, also for a time that is too long."""
    bare = text.strip().lower()
    if bare == "half":
        return Threshold()
    percent = re.fullmatch(r"(\d{1,2})%", bare)
    if percent and int(percent[1]) > 0:
        return Threshold(fraction=int(percent[1]) / 100)
    fixed = _time_in(bare)
    if fixed is not None and timedelta() < fixed < life:
        return Threshold(fixed=fixed)
    raise InputError(
        f"read O(refresh_before) '{text}'",
        f"it is neither half, nor a percentage like 40%, nor a time below {life.total_seconds() / 3600:g} hours (the life of a "
        "token) like 6h or 1h30m",
        "Correct it.",
    )


def duration_from(text: str, option: str) -> timedelta:
    """Return the time of '7d', '2h' or '1h30m', as the option of that name gives it. Raises InputError for none, or one of 0."""
    found = _time_in(text.strip().lower())
    if not found:
        raise InputError(f"use '{text}' as O({option})", "it is not a time such as 7d, 2h or 1h30m", "Correct it.")
    return found


def _time_in(text: str) -> timedelta | None:
    match = _DURATION.match(text)
    if match is None or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
