# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS credentials that renew the registries' tokens: whether there are any, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from ...core.errors import ToolMissing
from ...ecr.credentials import Credentials, find_credentials
from ..laptop import Laptop
from ..model import Check, CheckKind

CREDENTIALS = CheckKind("registries.credentials", "whether AWS credentials are there for each registry, and until when")
KINDS = (CREDENTIALS,)

_SOON = timedelta(hours=1)


def examine(laptop: Laptop) -> Iterator[Check]:
    """Yield the checks, one for each identity."""
    if not laptop.has("ecr_pull_secret"):
        return
    _subject, spec = laptop.pull_secrets()
    for identity in dict.fromkeys(registry.identity for registry in spec.registries):
        who = str(identity)
        try:
            yield _credentials(who, find_credentials(identity, laptop.environment))
        except ToolMissing as error:
            yield CREDENTIALS.broken(error.reason, error.remedy, who)


def _credentials(who: str, found: Credentials) -> Check:
    if not found.method or (found.method == "sso" and found.expires is None):
        return CREDENTIALS.broken(found.reason, found.login, who)
    if found.expires is None:
        return CREDENTIALS.ok(f"found ({found.method})", who)
    left = found.expires - datetime.now(UTC)
    when = f"{found.expires.astimezone():%Y-%m-%d %H:%M}"
    if left > timedelta() and (left > _SOON or found.renews):
        return CREDENTIALS.ok(f"logged in ({found.method}) until {when}", who)
    if found.renews:
        # The AWS client renews it by itself at its next use; only when that fails, a renewal of a secret says so.
        return CREDENTIALS.ok(f"logged in ({found.method}), renewed at the next use", who)
    if left > timedelta():
        return CREDENTIALS.warning(f"the login ends at {when}", found.login, who)
    return CREDENTIALS.broken(f"the login ended at {when}", found.login, who)
