# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy of this collection's own requests: that of the environment, else the company's, which the role network writes.

Proxies have the form of urllib: addresses by scheme, and under "no" what is asked without a proxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .files import read_file
from .home import lock_directory

_MOST_BYTES = 64 << 10
_SCHEMES = ("http", "https")


def proxy_file() -> Path:
    """Return the file with the company's proxy, one variable of the environment a line; it is there where there is a proxy."""
    return lock_directory() / "proxy.env"


def proxies_around(company: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the proxies of the environment; where it has none, the company's. company: None for what its file says."""
    found: dict[str, str] = _request().getproxies_environment()
    if any(found.get(scheme) for scheme in _SCHEMES):
        return found
    if company is None:
        lines = (line.partition("=") for line in read_file(proxy_file(), _MOST_BYTES).text.splitlines() if "_proxy=" in line)
        company = {name.removesuffix("_proxy"): value for name, _equals, value in lines}
    without = ",".join(filter(None, (company.get("no"), found.get("no"))))
    return {**found, **company, **({"no": without} if without else {})}


def passes_by(host: str, proxies: Mapping[str, str] | None = None) -> bool:
    """Return whether a host, with its port if it has one, is asked without a proxy.

    Python knows names in no_proxy; curl, Go and docker read ranges of addresses, too. proxies: None for those around.
    """
    known = dict(proxies_around() if proxies is None else proxies)
    if _request().proxy_bypass_environment(host, known):
        return True
    try:
        address = ipaddress.ip_address(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
    return any(_holds(word.strip(), address) for word in known.get("no", "").split(",") if "/" in word)


def _holds(words: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether a range has an address; a text that is not a range has none."""
    try:
        return address in ipaddress.ip_network(words, strict=False)
    except ValueError:
        return False


def proxy_handler(url: str, proxies: Mapping[str, str]) -> Any:
    """Return urllib's handler for one request to an address."""
    # It would ask macOS whether a host needs its proxy, and a forked process, as Ansible's workers are, dies of that.
    _request().proxy_bypass = lambda _host: False
    used = {} if passes_by(urlsplit(url).netloc, proxies) else {key: value for key, value in proxies.items() if key in _SCHEMES}
    return _request().ProxyHandler({scheme: used[scheme] for scheme in used if used[scheme]})


def _request() -> Any:
    """Return the module, whose helpers for proxies are not in every stub; it is imported where something is asked."""
    import urllib.request

    return urllib.request
