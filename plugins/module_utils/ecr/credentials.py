# SPDX-License-Identifier: GPL-3.0-or-later
"""Which AWS credentials an identity has, and until when, as far as that is known without asking AWS."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..core.errors import ToolMissing
from ..core.system.files import moved_away
from .failures import short
from .registries import Identity
from .session import session_of, settings_of, uses_sso


@dataclass(frozen=True)
class Credentials:
    """How credentials were found, and when a login behind them ends. login: the command that renews it.

    method: botocore's word (env, sso, assume-role, ...), empty where there are none; expires None: they don't, or it is unknown.
    renews: whether the login is renewed without the user.
    """

    method: str = ""
    expires: datetime | None = None
    renews: bool = False
    login: str = ""
    reason: str = ""


def find_credentials(identity: Identity, environment: Mapping[str, str]) -> Credentials:
    """Return the credentials of an identity. Raises ToolMissing without botocore."""
    profile = identity.profile_in(environment)
    option = f" --profile {profile}" if profile else ""
    try:
        import botocore.session  # noqa: F401 - whether it is there
        from botocore.exceptions import ConfigParseError
    except ImportError as error:
        raise ToolMissing("boto3", remedy="Install it into Ansible's Python: pip install boto3.") from error
    try:
        session = session_of(identity.profile)
        found = session.get_credentials()
        settings = settings_of(session, profile)
    except ConfigParseError as error:
        file = Path(str(error.kwargs.get("path") or "~/.aws/config")).expanduser()
        return Credentials(reason=short(error), login=f"Repair '{file}', or move it away: {moved_away(file)}")
    except Exception as error:
        return Credentials(reason=short(error), login=f"aws configure sso{option}")
    if found is None:
        return Credentials(reason="there are none", login=f"aws configure sso{option}")
    if uses_sso(settings):
        expires, renews = _sso_login(str(settings.get("sso_session") or settings.get("sso_start_url")))
        return Credentials("sso", expires, renews, f"aws sso login{option}", "" if expires else "no login was made yet")
    return Credentials(str(found.method), login=f"aws configure{option}")


def _sso_login(key: str) -> tuple[datetime | None, bool]:
    """Return when the login that the AWS command has cached ends, and whether it can be renewed without the user."""
    name = hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        cached = json.loads((Path("~/.aws/sso/cache").expanduser() / f"{name}.json").read_text(encoding="utf-8"))
        ends = datetime.fromisoformat(str(cached["expiresAt"]).replace("UTC", "+00:00"))
        return (ends if ends.tzinfo else ends.replace(tzinfo=UTC)), bool(cached.get("refreshToken"))
    return None, False
