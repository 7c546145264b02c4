# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries with the identity that opens each of them, as the user declared them. Pure.

AWS issues a token per identity and region: it opens the registries of every account that lets the identity in, and of no
other region. So the unit of work is the token key, not the registry.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ..core.errors import InputError, WorkstationError, refused
from ..core.options import suggestion
from .hosts import ACCOUNT, EXAMPLE, EcrHost, host_of, parse_host

ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+\Z")
ALIAS = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?\Z")
Read = TypeVar("Read")
KEYS = (
    "account_id",
    "aliases",
    "duration",
    "endpoint_url",
    "external_id",
    "host",
    "profile",
    "region",
    "role_arn",
    "session_name",
    "sts_endpoint_url",
)
SHORTEST_ROLE, LONGEST_ROLE = 900, 43200  # seconds; the limits of sts:AssumeRole


@dataclass(frozen=True)
class Identity:
    """Who asks for a token. Empty fields mean: as the AWS CLI would without that option."""

    profile: str = ""
    role_arn: str = ""
    external_id: str = ""
    duration: int = 0
    session_name: str = ""
    endpoint_url: str = ""
    sts_endpoint_url: str = ""

    def fingerprint(self, environment: Mapping[str, str]) -> str:
        """Return a short digest that changes when another identity is meant.

        Of the environment only the name of the profile counts: keys in it change with every login of the same person.
        """
        parts = (self.profile_in(environment), self.role_arn, self.external_id, self.endpoint_url)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    def profile_in(self, environment: Mapping[str, str]) -> str:
        """Return the profile that the AWS client takes; empty where neither the identity nor the environment names one."""
        return self.profile or environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or ""

    def __str__(self) -> str:
        """Return the identity in words, without the external id."""
        base = f"profile '{self.profile}'" if self.profile else "the default identity"
        return f"role {self.role_arn} of {base}" if self.role_arn else base


@dataclass(frozen=True)
class TokenKey:
    """What one token is good for."""

    identity: Identity
    region: str
    public: bool = False


@dataclass(frozen=True)
class Registry:
    """One registry, its further names, and who opens it."""

    host: EcrHost
    identity: Identity
    aliases: tuple[str, ...] = ()

    @property
    def key(self) -> TokenKey:
        """The token that opens it."""
        return TokenKey(self.identity, self.host.region, self.host.public)

    @property
    def names(self) -> tuple[str, ...]:
        """Every host name that the pull secret lists for it."""
        return (self.host.name, *self.aliases)


def registries_from(params: Iterable[Any]) -> tuple[Registry, ...]:
    """Return the declared registries in order of their names. Raises InputError."""
    wrong = list[WorkstationError]()
    registries = [found for item in params if (found := _tried(_registry, wrong, item))]
    seen: set[str] = set()
    for name in (name for registry in registries for name in registry.names):
        if name in seen:
            wrong.append(InputError(f"read registry '{name}'", "it is listed twice", "Keep one entry, with one identity."))
        seen.add(name)
    if wrong:
        raise refused(wrong)
    return tuple(sorted(registries, key=lambda registry: registry.host.name))


def _registry(item: Any) -> Registry:
    if isinstance(item, str):
        return Registry(parse_host(item), Identity())
    if not isinstance(item, Mapping):
        raise InputError(f"read registry '{item}'", "it is neither a host nor a mapping with 'host'", EXAMPLE)
    given = {key: value for key, value in item.items() if value is not None and value != ""}
    shown = given.get("host") or given.get("account_id") or "(no host)"
    wrong = list(_unknown_keys(given, shown))
    host, identity = _tried(_host, wrong, given, shown), _tried(_identity, wrong, given, shown)
    aliases = _tried(_aliases, wrong, given, shown)
    if wrong or host is None or identity is None or aliases is None:
        raise refused(wrong)
    return Registry(host, identity, aliases)


def _unknown_keys(given: Mapping[str, Any], shown: object) -> Iterator[WorkstationError]:
    for key in sorted(str(key) for key in given if key not in KEYS):
        help_ = suggestion(key, KEYS).strip() or f"Known are {', '.join(KEYS)}."
        yield InputError(f"read registry '{shown}'", f"unknown key '{key}'", help_)


def _tried(read: Callable[..., Read], wrong: list[WorkstationError], *given: Any) -> Read | None:
    """Return what is read of an entry; None where it is wrong, which is added to the list."""
    try:
        return read(*given)
    except WorkstationError as error:
        wrong += map(InputError, error.context["refusals"]) if "refusals" in error.context else [error]
        return None


def _host(given: Mapping[str, Any], shown: object) -> EcrHost:
    if not {"host", "account_id"} & set(given):
        raise InputError(f"read registry '{shown}'", "it has neither host nor account_id", EXAMPLE)
    if "host" not in given:
        return host_of(_account(given, shown), str(given.get("region", "")))
    host = parse_host(str(given["host"]))
    if "account_id" in given and _account(given, shown) != host.account:
        raise InputError(f"read registry '{shown}'", f"its account is not {given['account_id']}", "Leave one of them out.")
    if str(given.get("region", host.region)) != host.region:
        raise InputError(f"read registry '{shown}'", f"its region is not {given['region']}", "Leave one of them out.")
    return host


def _account(given: Mapping[str, Any], shown: object) -> str:
    """Return the account as it was written. A number that lost digits is refused: they can't be known."""
    value = given.get("account_id", "")
    if not isinstance(value, str) and not ACCOUNT.match(str(value)):
        raise InputError(
            f"read registry '{shown}'",
            f"its account_id is read as {value}, which is not 12 digits",
            "Put it in quotes: YAML takes a number that begins with zero for an octal one.",
        )
    return str(value)


def _identity(given: Mapping[str, Any], shown: object) -> Identity:
    role = str(given.get("role_arn", ""))
    if role and not ROLE_ARN.match(role):
        raise InputError(
            f"read registry '{shown}'", f"'{role}' is not the ARN of a role", "Write it as arn:aws:iam::123456789012:role/name."
        )
    for key in ("external_id", "duration", "session_name", "sts_endpoint_url"):
        if key in given and not role:
            raise InputError(f"read registry '{shown}'", f"'{key}' needs 'role_arn'", "Name the role or leave it out.")
    for key in ("endpoint_url", "sts_endpoint_url"):
        if key in given and not str(given[key]).startswith(("https://", "http://")):
            raise InputError(f"read registry '{shown}'", f"'{key}' must begin with https:// or http://", "Correct it.")
    return Identity(
        profile=str(given.get("profile", "")),
        role_arn=role,
        external_id=str(given.get("external_id", "")),
        duration=_duration(given["duration"], shown) if "duration" in given else 0,
        session_name=str(given.get("session_name", "")),
        endpoint_url=str(given.get("endpoint_url", "")),
        sts_endpoint_url=str(given.get("sts_endpoint_url", "")),
    )


def _duration(value: Any, shown: object) -> int:
    try:
        seconds = int(value)
    except (TypeError, ValueError):
        seconds = 0
    if not SHORTEST_ROLE <= seconds <= LONGEST_ROLE:
        raise InputError(
            f"read registry '{shown}'",
            f"duration '{value}' is not a number of seconds from {SHORTEST_ROLE} to {LONGEST_ROLE}",
            "Correct it.",
        )
    return seconds


def _aliases(given: Mapping[str, Any], shown: object) -> tuple[str, ...]:
    aliases = given.get("aliases", ())
    if isinstance(aliases, str) or not isinstance(aliases, (list, tuple)):
        raise InputError(f"read registry '{shown}'", "'aliases' must be a list of host names", "Correct it.")
    for alias in aliases:
        if not isinstance(alias, str) or not ALIAS.match(alias):
            raise InputError(f"read registry '{shown}'", f"alias '{alias}' is not host or host:port", "Correct it.")
    return tuple(dict.fromkeys(aliases))
