# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a token lives, and how much of that must be left: wherever it was written to, the same rule says when. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from ..core.errors import InputError

TOKEN_LIFE = timedelta(hours=12)
CLOCK_TOLERANCE = timedelta(minutes=5)
DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?\Z")


class TokenLike(Protocol):
    """What a token is to this file."""

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
class Threshold:
    """How much life must be left: a fraction of the whole, or a fixed time."""

    fraction: float = 0.5
    fixed: timedelta | None = None

    def of(self, lease: Lease) -> timedelta:
        """Return the remaining life below which a lease is due."""
        return self.fixed if self.fixed is not None else (lease.expires_at - lease.issued_at) * self.fraction


@dataclass(frozen=True)
class Lease:
    """The recorded life of one host's token, and the fingerprint of who asked for it."""

    issued_at: datetime
    expires_at: datetime
    identity: str

    def public(self) -> dict[str, str]:
        """Return the form that is written down."""
        return {"issued": stamp(self.issued_at), "expires": stamp(self.expires_at), "identity": self.identity}


def threshold_from(text: str) -> Threshold:
    """Return the threshold of 'half', '40%', '6h' or '1h30m'. Raises InputError."""
    bare = text.strip().lower()
    if bare == "half":
        return Threshold()
    percent = re.fullmatch(r"(\d{1,2})%", bare)
    if percent and int(percent[1]) > 0:
        return Threshold(fraction=int(percent[1]) / 100)
    match = DURATION.match(bare)
    if match and any(match.groups()):
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        fixed = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        if timedelta() < fixed < TOKEN_LIFE:
            return Threshold(fixed=fixed)
    raise InputError(
        f"Could not read refresh_before '{text}': it is neither half, nor a percentage like 40%, nor a time below 12 hours "
        "(the life of a token) like 6h or 1h30m. Correct it."
    )


def longest_wait(threshold: Threshold) -> timedelta:
    """Return how far apart two looks may be so that no token can expire between them, whenever it was issued."""
    issued = datetime.fromtimestamp(0, UTC)
    return threshold.of(Lease(issued, issued + TOKEN_LIFE, ""))


def due_by_time(leases: Iterable[Lease], threshold: Threshold, now: datetime) -> str:
    """Return why tokens of such an age have to be renewed. Returns '' while they are fresh."""
    for lease in leases:
        if lease.issued_at > now + CLOCK_TOLERANCE:
            return "it was issued in the future"
        if lease.expires_at <= now:
            return "it has expired"
        if lease.expires_at - now < threshold.of(lease):
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
    """Return the lease that was written down. Raises ValueError, TypeError or KeyError for what is none."""
    return Lease(_moment(entry["issued"]), _moment(entry["expires"]), str(entry["identity"]))


def _moment(text: object) -> datetime:
    moment = datetime.fromisoformat(str(text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
