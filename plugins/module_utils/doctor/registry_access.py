# SPDX-License-Identifier: GPL-3.0-or-later
"""A request of its own to a registry with a stored login: the only proof that a pull would work. The login never shows."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from ..core.secrecy.patterns import without_logins
from ..core.system.home import authorities_file
from ..core.system.proxies import proxies_around, proxy_handler
from ..ecr.registries import Registry
from ..ecr.tokens import ENDPOINT_VARIABLES

SECONDS = 2.5
# AWS' own names, which serve the API alone: the registry itself is elsewhere.
_OF_AWS = re.compile(r"https://[^/]*\.(amazonaws\.(com|com\.cn|eu)|on\.aws|api\.aws)(:\d+)?(/|\Z)")


class LoginRefused(Exception):
    """A registry answered that it does not take the login."""


def endpoint_of(registry: Registry, environment: Mapping[str, str]) -> str:
    """Return where the registry itself is asked.

    Where an endpoint stands in for AWS (LocalStack, say), the token is that one's: AWS itself must not get it.
    """
    given = (registry.identity.endpoint_url, *(environment.get(name, "") for name in reversed(ENDPOINT_VARIABLES)))
    instead = next((url for url in given if url), "")
    return instead.rstrip("/") if instead and not _OF_AWS.match(instead) else f"https://{registry.host.name}"


def try_login(registry: Registry, login: Any, environment: Mapping[str, str]) -> None:
    """Ask the registry with a login of a docker config. Raises LoginRefused, and OSError where it can't be reached."""
    import ssl
    from urllib.error import HTTPError, URLError
    from urllib.request import HTTPSHandler, Request, build_opener

    url = f"{endpoint_of(registry, environment)}/v2/"
    headers = {"Authorization": f"Basic {_basic(login)}", "Host": registry.host.name, "User-Agent": "laptop.containers"}
    company = authorities_file()
    trust = ssl.create_default_context(cafile=environment.get("AWS_CA_BUNDLE") or (company if company.is_file() else None))
    opener = build_opener(proxy_handler(url, proxies_around()), HTTPSHandler(context=trust))
    try:
        opener.open(Request(url, headers=headers), timeout=SECONDS).close()  # noqa: S310 - http(s), see above
    except HTTPError as error:
        raise LoginRefused(f"{error.code} {error.reason}") from None
    except URLError as error:
        raise OSError(without_logins(str(error.reason))) from None


def _basic(login: Any) -> str:
    """Return the header's part of a login. Raises LoginRefused for an invalid login."""
    entry = login if isinstance(login, dict) else {}
    if entry.get("auth"):
        return str(entry["auth"])
    if entry.get("username") and entry.get("password"):
        return base64.b64encode(f"{entry['username']}:{entry['password']}".encode()).decode()
    raise LoginRefused("the secret holds no password for it")
