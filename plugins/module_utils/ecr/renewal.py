# SPDX-License-Identifier: GPL-3.0-or-later
"""When a token is due for renewal: one rule, wherever it was written to. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from ..core.durations import time_in
from ..core.errors import InputError

TOKEN_LIFE = timedelta(hours=12)
CLOCK_TOLERANCE = timedelta(minutes=5)


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
    fixed = time_in(bare)
    if fixed is not None and timedelta() < fixed < life:
        return Threshold(fixed=fixed)
    raise InputError(
        f"read O(refresh_before) '{text}'",
        f"it is neither half, nor a percentage like 40%, nor a time below {life.total_seconds() / 3600:g} hours (the life of a "
        "token) like 6h or 1h30m",
        "Correct it.",
    )


class TokenLike(Protocol):
    """A token, as far as it matters here."""

    @property
    def password(self) -> str:
        """The secret part."""

    @property
    def issued_at(self) -> datetime:
        """When it was asked for."""

    @property
    def expires_at(self) -> datetime:
        """When AWS stops taking it."""


@dataclass(frozen=True)
class Lease:
    """The recorded life of one host's token, and the fingerprint of who asked for it."""

    issued_at: datetime
    expires_at: datetime
    identity: str

    def public(self) -> dict[str, str]:
        """Return the form that is written down."""
        return {"issued": stamp(self.issued_at), "expires": stamp(self.expires_at), "identity": self.identity}


def due_by_time(leases: Iterable[Lease], threshold: Threshold, now: datetime) -> str:
    """Return why tokens of such an age have to be renewed. Returns '' while they are fresh."""
    for lease in leases:
        if lease.issued_at > now + CLOCK_TOLERANCE:
            return "it was issued in the future"
        if lease.expires_at - lease.issued_at > TOKEN_LIFE + CLOCK_TOLERANCE:
            return "its record promises more than the 12 hours of a token"
        if lease.expires_at <= now:
            return "it has expired"
        if lease.expires_at - now < threshold.of(lease.expires_at - lease.issued_at):
            return f"{hours_left(lease.expires_at, now):g} h are left"
    return ""


def hours_left(expires_at: datetime, now: datetime) -> float:
    """Return the hours until then, never below zero, with one digit."""
    return round(max((expires_at - now).total_seconds(), 0.0) / 3600, 1)


def stamp(moment: datetime) -> str:
    """Return a moment as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def lease_of(token: TokenLike, identity: str) -> Lease:
    """Return the lease of a token, in whole seconds, as it is written down."""
    return Lease(_second(token.issued_at), _second(token.expires_at), identity)


def lease_from(entry: Mapping[str, object]) -> Lease:
    """Return the lease that was written down. Raises ValueError, TypeError or KeyError for an invalid one."""
    return Lease(_moment(entry["issued"]), _moment(entry["expires"]), str(entry["identity"]))


def _moment(text: object) -> datetime:
    moment = datetime.fromisoformat(str(text))
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(str(text)) from error


def _second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
