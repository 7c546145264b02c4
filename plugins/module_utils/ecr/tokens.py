# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask AWS for registry tokens, as the AWS CLI would: profiles, SSO, credential_process, roles, standard retries.

botocore is the part of boto3 that does this. It is imported here and nowhere else, inside the call: loading it costs about
as much time as a whole run in which no token is due.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..core.errors import ToolMissing
from .failures import TokenRefused, explain
from .registries import Registry, TokenKey

TOKENS_AT_ONCE = 8
CONNECT_SECONDS, READ_SECONDS = 5, 10  # botocore asks three times
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL_ECR_PUBLIC")


@dataclass(frozen=True)
class Token:
    """A registry password and its life. The password never shows in a representation."""

    password: str = field(repr=False)
    issued_at: datetime
    expires_at: datetime


def fetch_tokens(registries: Sequence[Registry], environment: Mapping[str, str]) -> dict[TokenKey, Token]:
    """Return one token per key. Raises TokenRefused with every failure, after all keys were tried."""
    from concurrent.futures import ThreadPoolExecutor

    groups: dict[TokenKey, list[Registry]] = {}
    for registry in registries:
        groups.setdefault(registry.key, []).append(registry)
    tokens: dict[TokenKey, Token] = {}
    refused: list[TokenRefused] = []
    # Sessions of botocore may not be shared between threads; each key gets its own.
    with ThreadPoolExecutor(max_workers=TOKENS_AT_ONCE) as pool:
        futures = {key: pool.submit(_fetch, key, group, environment) for key, group in groups.items()}
    for key, future in futures.items():
        try:
            tokens[key] = future.result()
        except TokenRefused as error:
            refused.append(error)
    if refused:
        more = " ".join(error.message for error in refused[1:])
        raise TokenRefused(refused[0].what, refused[0].reason, f"{refused[0].remedy} {more}".rstrip(), refused[0].kind)
    return tokens


def _fetch(key: TokenKey, group: Sequence[Registry], environment: Mapping[str, str]) -> Token:
    try:
        import botocore.config
    except ImportError as error:
        raise ToolMissing("boto3", remedy="Install it into Ansible's Python: pip install boto3.") from error
    try:
        session = _session(key.identity.profile)
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
        answer = client.get_authorization_token()
    except Exception as error:
        hosts = tuple(registry.host.name for registry in group)
        profile = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or ""
        # The cause stays out: the library's own text may hold more than a log should.
        raise explain(error, key, hosts, profile) from None
    return token_from(answer["authorizationData"], datetime.now(UTC), group[0].host.name)


def _session(profile: str) -> Any:
    """Return a session that also takes the roles which the AWS command has assumed and saved: an MFA code was typed for them."""
    import urllib.request

    import botocore.session
    import botocore.utils

    # Where no variable names a proxy, botocore asks macOS for one, and a forked process, as Ansible's workers are, dies of that.
    library: Any = botocore.utils
    around: Any = urllib.request
    library.getproxies, library.proxy_bypass = around.getproxies_environment, around.proxy_bypass_environment

    class Saved(dict[str, Any]):
        """What the AWS command saved is read; what is asked for here stays in memory."""

        files = botocore.utils.JSONFileCache(str(Path("~/.aws/cli/cache").expanduser()))

        def __contains__(self, key: object) -> bool:
            return super().__contains__(key) or key in self.files

        def __missing__(self, key: str) -> Any:
            return self.files[key]

    session = botocore.session.Session(profile=profile or None)
    session.get_component("credential_provider").get_provider("assume-role").cache = Saved()
    return session


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
    except (KeyError, TypeError, ValueError, binascii.Error):
        user, password = "", ""
    expires_at = item.get("expiresAt") if isinstance(item, dict) else None
    if user != "AWS" or not password or not isinstance(expires_at, datetime):
        raise TokenRefused(what, "AWS' answer holds none", "Check that the endpoint is ECR's.", "aws") from None
    if expires_at <= now:
        remedy = "Set the clock of this machine (turn on automatic time) and run again."
        raise TokenRefused(what, "the one that AWS gave has already expired", remedy, "clock_skew")
    return Token(password, now, expires_at.astimezone(UTC))
