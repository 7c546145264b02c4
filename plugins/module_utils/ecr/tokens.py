# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask AWS for registry tokens, as the AWS CLI would: profiles, SSO, credential_process, roles, standard retries.

botocore is the part of boto3 that does this. It is imported here and nowhere else, inside the call: loading it costs about
as much time as a whole run in which no token is due.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ..core.errors import ToolMissing
from ..core.secrecy.known import learn
from .failures import TokenRefused, Unreadable, Unsendable, explain
from .registries import Registry, TokenKey
from .renewal import TOKEN_LIFE, hours_left
from .session import session_of, settings_of, uses_sso

TOKENS_AT_ONCE = 8
CONNECT_SECONDS, READ_SECONDS = 5, 10  # botocore asks three times
# From the first request to the token, a credential_process, SSO and a role included.
TOKEN_SECONDS = 180.0
# An ECR token is valid for 12 hours. One that is about to end is of no use.
SHORT_LIFE = timedelta(hours=1)
_PASSWORD = re.compile(r"[\x21-\x7e]+\Z")
_SENDABLE = re.compile(r"[\x20-\x7e]*\Z")
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL_ECR_PUBLIC")


@dataclass(frozen=True)
class Token:
    """A registry password and its life. The password never shows in a representation."""

    password: str = field(repr=False)
    issued_at: datetime
    expires_at: datetime


def fetch_tokens(registries: Sequence[Registry], environment: Mapping[str, str]) -> dict[TokenKey, Token]:
    """Return one token per key. Raises TokenRefused with every failure, after all keys were tried."""
    groups: dict[TokenKey, list[Registry]] = {}
    for registry in registries:
        groups.setdefault(registry.key, []).append(registry)
    tokens: dict[TokenKey, Token] = {}
    refused: list[TokenRefused] = []
    # Sessions of botocore may not be shared between threads; each key gets its own.
    waiting = {key: _Fetch(key, group, environment) for key, group in groups.items()}
    for some in _batches(list(waiting.values())):
        for one in some:
            one.start()
        until = time.monotonic() + TOKEN_SECONDS
        for one in some:
            one.join(max(until - time.monotonic(), 0.0))
    for key, fetch in waiting.items():
        if fetch.token is not None:
            tokens[key] = fetch.token
        elif isinstance(fetch.refused, TokenRefused):
            refused.append(fetch.refused)
        else:
            raise fetch.refused or AssertionError(key)
    if refused:
        more = " ".join(error.message for error in refused[1:])
        raise TokenRefused(refused[0].what, refused[0].reason, f"{refused[0].remedy} {more}".rstrip(), refused[0].kind)
    return tokens


def warnings_of(tokens: Mapping[TokenKey, Token]) -> list[str]:
    """Return what a user should know of tokens that serve only for a short time."""
    return [
        f"The token for region {key.region} of {key.identity} lives only {hours_left(token.expires_at, token.issued_at):g} h "
        "instead of 12. Look at the endpoint that gave it."
        for key, token in tokens.items()
        if token.expires_at - token.issued_at < SHORT_LIFE
    ]


class _Fetch(threading.Thread):
    """One token, asked for in a thread that no one waits for beyond its time."""

    def __init__(self, key: TokenKey, group: Sequence[Registry], environment: Mapping[str, str]) -> None:
        super().__init__(daemon=True)
        self.key, self.group, self.environment = key, group, environment
        self.token: Token | None = None
        what = f"get a token for registry '{group[0].host.name}'"
        reason = f"AWS and the log-in before it took longer than {TOKEN_SECONDS:g} s"
        self.refused: Exception | None = TokenRefused(what, reason, "Check the network, the VPN and the proxy.", "network")

    def run(self) -> None:
        """Ask."""
        try:
            self.token = _fetch(self.key, self.group, self.environment)
        except Exception as error:
            self.refused = error


def _batches(fetches: list[_Fetch]) -> list[list[_Fetch]]:
    return [fetches[first : first + TOKENS_AT_ONCE] for first in range(0, len(fetches), TOKENS_AT_ONCE)]


def _fetch(key: TokenKey, group: Sequence[Registry], environment: Mapping[str, str]) -> Token:
    try:
        import botocore.config
    except ImportError as error:
        raise ToolMissing("boto3", remedy="Install it into Ansible's Python: pip install boto3.") from error
    profile = key.identity.profile_in(environment)
    session = None
    try:
        session = session_of(key.identity.profile)
        _know(session.get_credentials())
        config: dict[str, Any] = {
            "retries": {"mode": "standard"},
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
        }
        # An explicit endpoint decides alone; AWS' rules refuse it together with the two switches.
        if not key.identity.endpoint_url and not any(environment.get(name) for name in ENDPOINT_VARIABLES):
            config["use_fips_endpoint"] = any(registry.host.fips for registry in group) or None
            config["use_dualstack_endpoint"] = any(registry.host.dual_stack for registry in group) or None
        client = session.create_client(
            "ecr-public" if key.public else "ecr",
            region_name=key.region,
            endpoint_url=key.identity.endpoint_url or None,
            config=botocore.config.Config(**config),
            **_role_credentials(session, key, botocore.config.Config(**config)),
        )
        answer = _answer_of(client)
    except Exception as error:
        hosts = tuple(registry.host.name for registry in group)
        # The cause stays out: the library's own text may hold more than a log should.
        raise explain(error, key, hosts, profile, sso=_uses_sso(session, profile)) from None
    data = answer.get("authorizationData") if isinstance(answer, dict) else None
    return token_from(data, datetime.now(UTC), group[0].host.name)


def _answer_of(client: Any) -> Any:
    """Return what ECR answers. Raises Unreadable where the client can't read it: it has no exception of its own for that."""
    try:
        return client.get_authorization_token()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unreadable from error


def _know(credentials: Any) -> None:
    """Learn what requests are signed with. Raises Unsendable for what no request can carry: the client would quote it."""
    if credentials is None:
        return
    keys = credentials.get_frozen_credentials()
    learn(*(text for text in (keys.secret_key, keys.token) if text))
    if not all(_SENDABLE.match(text or "") for text in (keys.access_key, keys.secret_key, keys.token)):
        raise Unsendable("a key or the session token holds a line break or another character that no request can carry")


def _uses_sso(session: Any, profile: str) -> bool:
    try:
        return uses_sso(settings_of(session, profile))
    except Exception:
        # Nothing is known of the profile: what was wrong with the files has been said.
        return False


def _role_credentials(session: Any, key: TokenKey, config: Any) -> dict[str, str]:
    """Return the temporary keys of the role, or nothing when no role is asked for."""
    identity = key.identity
    if not identity.role_arn:
        return {}
    sts = session.create_client("sts", region_name=key.region, endpoint_url=identity.sts_endpoint_url or None, config=config)
    request: dict[str, Any] = {
        "RoleArn": identity.role_arn,
        "RoleSessionName": identity.session_name or "laptop.containers",
    }
    if identity.external_id:
        request["ExternalId"] = identity.external_id
    if identity.duration:
        request["DurationSeconds"] = identity.duration
    given = sts.assume_role(**request)["Credentials"]
    learn(given["SecretAccessKey"], given["SessionToken"])
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }


def token_from(data: Any, now: datetime, host: str) -> Token:
    """Return the token of an answer (a list from ecr, one item from ecr-public). Raises TokenRefused when it has none."""
    what = f"get a token for registry '{host}'"
    item = (data[0] if data else {}) if isinstance(data, list) else data
    try:
        user, _colon, password = base64.b64decode(item["authorizationToken"], validate=True).decode().partition(":")
        learn(password, item["authorizationToken"])
    except (KeyError, TypeError, ValueError, binascii.Error):
        user, password = "", ""
    expires_at = _moment(item.get("expiresAt")) if isinstance(item, dict) else None
    if user != "AWS" or not _PASSWORD.match(password) or expires_at is None:
        raise TokenRefused(what, "AWS' answer holds none", "Check that the endpoint is ECR's.", "aws") from None
    if expires_at <= now:
        remedy = "Set the clock of this machine (turn on automatic time) and run again."
        raise TokenRefused(what, "the one that AWS gave has already expired", remedy, "clock_skew")
    # What promises more would be due on each run.
    return Token(password, now, min(expires_at, now + TOKEN_LIFE))


def _moment(value: Any) -> datetime | None:
    """Return a time of AWS, which is one of UTC where it names no zone. Returns None for none."""
    if not isinstance(value, datetime):
        return None
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if value.year > 1 else datetime.min.replace(tzinfo=UTC)
