# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a company as a value: its authorities, proxy, mirrors and name servers, checked as a whole."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import InputError
from ..core.secrecy.patterns import without_logins
from .authorities import Authority, authorities_from, local_authorities

OPTIONS: dict[str, Any] = {
    "authorities": {"type": "list", "elements": "path", "default": []},
    "local_authorities": {"type": "bool", "default": False},
    "http_proxy": {"type": "str", "default": ""},
    "https_proxy": {"type": "str", "default": ""},
    "no_proxy": {"type": "list", "elements": "str", "default": []},
    "mirrors": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"registry": {"type": "str", "required": True}, "url": {"type": "str", "required": True}},
    },
    "dns_servers": {"type": "list", "elements": "str", "default": []},
    "dns_domains": {"type": "dict", "default": {}},
}
# The laptop's loopback as a guest of Lima reaches it, where colima's network.gateway_address says no other.
GATEWAY = "192.168.5.2"
_LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|::1")
_DOMAIN = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\Z")
# Names and addresses as Go, curl and Python read them in NO_PROXY.
_EXCEPTION = re.compile(r"[*.A-Za-z0-9_:/\[\]-]+\Z")
_SPAN = re.compile(r"\d+(\.\d+){3}-[\d.]+\Z")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(:\d{1,5})?\Z")
_HOST_OR_ADDRESS = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?\Z")
_PROXY = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}/?\Z")
_MIRROR = re.compile(r"https?://[A-Za-z0-9._-]+(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?\Z")


@dataclass(frozen=True)
class Proxy:
    """A proxy by the scheme of what is asked for, and the hosts that are asked without it. Empty: none."""

    http: str = ""
    https: str = ""
    no_proxy: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.http or self.https)

    def seen_from(self, gateway: str, no_proxy: Sequence[str]) -> Proxy:
        """Return the proxy for a guest: gateway is the laptop's address there, no_proxy what a guest asks without a proxy."""
        return Proxy(_at(self.http, gateway), _at(self.https, gateway), tuple(dict.fromkeys((*no_proxy, *self.no_proxy))))

    def by_scheme(self) -> dict[str, str]:
        """Return it in the form of urllib; empty for no proxy."""
        return {"http": self.http, "https": self.https, "no": ",".join(self.no_proxy)} if self else {}

    def variables(self) -> dict[str, str]:
        """Return the variables of the environment, as both spellings, since programs read one or the other."""
        known = {"http_proxy": self.http, "https_proxy": self.https, "no_proxy": ",".join(self.no_proxy) if self else ""}
        return {name: value for key, value in known.items() if value for name in (key, key.upper())}


@dataclass(frozen=True)
class Mirror:
    """Where images of a registry are asked for first. registry: host, with a port if it has one; url: http or https."""

    registry: str
    url: str


@dataclass(frozen=True)
class CompanyNetwork:
    """What a company's network wants of everything that asks something outside. dns_domains: servers by domain."""

    authorities: tuple[Authority, ...] = ()
    proxy: Proxy = Proxy()
    mirrors: tuple[Mirror, ...] = ()
    dns_servers: tuple[str, ...] = ()
    dns_domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def seen_from(self, gateway: str, no_proxy: Sequence[str]) -> CompanyNetwork:
        """Return it for a guest: gateway is the laptop's address there, no_proxy what a guest asks without a proxy."""
        mirrors = tuple(replace(mirror, url=_at(mirror.url, gateway)) for mirror in self.mirrors)
        return replace(self, proxy=self.proxy.seen_from(gateway, no_proxy), mirrors=mirrors)

    def __bool__(self) -> bool:
        return bool(self.authorities or self.proxy or self.mirrors or self.dns_servers or self.dns_domains)


def company_from(given: Mapping[str, Any], system: str) -> CompanyNetwork:
    """Return the network of a company from its options, with the authorities read. Raises InputError with every problem."""
    given = {option: value for option, value in given.items() if value}
    wrong = [InputError(*problem) for problem in _problems(given)]
    authorities: tuple[Authority, ...] = ()
    try:
        authorities = authorities_from(given.get("authorities", ()), now=datetime.now(UTC))
    except InputError as error:
        wrong.append(error)
    if wrong:
        sentences = [sentence for error in wrong for sentence in error.context.get("refusals", [error.message])]
        raise wrong[0] if len(wrong) == 1 else InputError(" ".join(sentences), refusals=sentences)
    if "local_authorities" in given:
        known = {authority.fingerprint for authority in authorities}
        authorities += tuple(authority for authority in local_authorities(system) if authority.fingerprint not in known)
    proxy = Proxy(given.get("http_proxy", ""), given.get("https_proxy", ""), tuple(given.get("no_proxy", ())))
    mirrors = tuple(Mirror(one["registry"], one["url"].rstrip("/")) for one in given.get("mirrors", ()))
    domains = {domain.lower(): tuple(_listed(servers)) for domain, servers in given.get("dns_domains", {}).items()}
    return CompanyNetwork(authorities, proxy, mirrors, tuple(given.get("dns_servers", ())), domains)


def _listed(servers: object) -> Sequence[str]:
    return [servers] if isinstance(servers, str) else list(servers) if isinstance(servers, list) else []


def network_variables(argument_spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the role's variable of each setting that a module takes within its option company_network; none without it."""
    return {option: f"network_{option}" for option in argument_spec.get("company_network", {}).get("options", {})}


def buildkit_registries(mirrors: Sequence[Mirror]) -> dict[str, dict[str, Any]]:
    """Return the tables [registry."..."] of a buildkitd.toml by their hosts: a host has one, and BuildKit ends at a second."""
    tables: dict[str, dict[str, Any]] = {}
    for mirror in mirrors:
        scheme, _separator, address = mirror.url.partition("://")
        tables.setdefault(mirror.registry, {})["mirrors"] = [address]
        if scheme == "http":
            tables.setdefault(address.partition("/")[0], {})["http"] = True
    return tables


Problem = tuple[str, str, str]


def _problems(given: Mapping[str, Any]) -> Iterator[Problem]:
    proxies = [option for option in ("http_proxy", "https_proxy") if option in given]
    for option in proxies:
        yield from _of_proxy(option, given[option])
    if "no_proxy" in given and not proxies:
        yield "use O(no_proxy)", "there is no proxy", "Set O(http_proxy) or O(https_proxy) with it."
    for host in given.get("no_proxy", ()):
        if not _EXCEPTION.match(host) or _SPAN.match(host) or ("/" in host and not is_range(host)):
            remedy = "Use one such as .example.com or 10.0.0.0/8."
            yield f"use '{without_logins(host)}' in O(no_proxy)", "it is not a name, an address or a range", remedy
    yield from _of_mirrors(given.get("mirrors", ()))
    yield from _of_names(given.get("dns_servers", ()), given.get("dns_domains", {}))


def _of_names(servers: Sequence[str], domains: Mapping[str, object]) -> Iterator[Problem]:
    for server in servers:
        yield from _of_server(server, "O(dns_servers)")
    for domain, own in domains.items():
        if not _DOMAIN.match(str(domain)):
            yield f"use '{domain}' in O(dns_domains)", "it is not a domain", "Use one such as corp.example.com."
        if not _listed(own):
            yield f"use domain '{domain}' of O(dns_domains)", "it has no server", "Give the address of its name server."
        for server in _listed(own):
            yield from _of_server(server, f"domain '{domain}' of O(dns_domains)")


def _of_proxy(option: str, url: str) -> Iterator[Problem]:
    """Tell what is wrong with the address of a proxy; a log-in in it is never repeated."""
    what, address = f"use O({option})", url.partition("://")[2] or url
    if "@" in address:
        remedy = "Let a proxy on the laptop log in, such as cntlm or px, and give its address: http://127.0.0.1:3128."
        yield what, "it has a log-in, which every user of the laptop and of the VMs could read", remedy
    elif address.partition("?")[0].endswith((".pac", ".dat")):
        yield what, "it is a file that chooses a proxy (PAC)", "Give the address of the proxy that it chooses."
    elif not _PROXY.match(url) or not _port(url):
        yield what, "it is not the address of a proxy", "Use one such as http://proxy.example.com:3128."


def _port(url: str) -> int | None:
    """Return the port of an address, 0 where it names none; None where its host or port is none (70000, [::::])."""
    try:
        parts = urlsplit(url)
        return (parts.port or 0) if parts.hostname else None
    except ValueError:
        return None


def is_insecure_registry(text: str) -> bool:
    """Whether a text names what docker may ask without TLS: a host with its port if it has one, an address or a range."""
    return bool(_HOST_OR_ADDRESS.match(text) and _port(f"//{text}") is not None) or is_range(text) or is_address(text)


def is_mirror(url: str) -> bool:
    """Whether a text is the address of a mirror."""
    return bool(_MIRROR.match(url)) and _port(url) is not None


def is_range(text: str) -> bool:
    """Whether a text is a range of addresses, such as 10.0.0.0/8."""
    address, _slash, length = text.partition("/")
    return length.isdecimal() and is_address(address) and int(length) <= ipaddress.ip_address(address).max_prefixlen


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _of_mirrors(mirrors: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for mirror in mirrors:
        registry, url = mirror["registry"], mirror["url"]
        what = f"use the mirror of '{registry}'"
        if not _HOST.match(registry):
            yield what, "that is not the host of a registry", "Use one such as docker.io or ghcr.io."
        if registry in seen:
            yield what, "the registry has another one", "Name each registry once."
        seen.add(registry)
        if "@" in url:
            yield what, "its address has a log-in", "Leave it out, and log in with 'docker login' or 'nerdctl login'."
        elif not is_mirror(url):
            yield what, f"'{url}' is not an address", "Use one such as https://mirror.example.com."


def _of_server(server: object, where: str) -> Iterator[Problem]:
    # The zone of an address, after %, may be anything, and a VM has others.
    if not is_address(str(server).replace("%", " ")):
        yield f"use '{server}' in {where}", "it is not an IP address", "Use the address of a name server."


def _at(url: str, gateway: str) -> str:
    """Return an address as a guest reaches it: gateway instead of the laptop's loopback, which is another one there."""
    parts = urlsplit(url)
    if not _LOOPBACK.fullmatch(parts.hostname or ""):
        return url
    return parts._replace(netloc=f"{gateway}:{parts.port}" if parts.port else gateway).geturl()
