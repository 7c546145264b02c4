# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a token, and when it is due: the same rule wherever the token was written to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from ..core.durations import Threshold

TOKEN_LIFE = timedelta(hours=12)
CLOCK_TOLERANCE = timedelta(minutes=5)


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
