# SPDX-License-Identifier: GPL-3.0-or-later
"""The way out: proxies, certificate authorities and names, on the laptop and in the VMs."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ...colima.model.state import RUNNING
from ...colima_paths import Name
from ...config_maps import ConfigMapStep
from ...core.errors import CommandFailed, RefusedStep
from ...core.plan import Plan
from ...core.secrecy.patterns import without_logins
from ...core.system.macos import asks_host
from ...network.reach import ReachKind, unreached
from ..certificates import ends_in_pem
from ..guest import OUTSIDE
from ..laptop import ENDS, SOCKET_SECONDS, Laptop
from ..model import Check, CheckKind
from ..registry_access import endpoint_of

PROXY = CheckKind("network.proxy", "whether the proxy of the environment answers")
AUTHORITY = CheckKind(
    "network.authority", "whether files of certificate authorities that variables name are there, readable and valid"
)
NAMES = CheckKind("network.names", "whether the laptop resolves the names of the registries, where no proxy does it")
GUEST_NAMES = CheckKind("network.guest_names", "whether a VM resolves names, asked in it")
GUEST_AUTHORITY = CheckKind("network.guest_authority", "whether a VM has a custom CA where the laptop needs one")
REACH = CheckKind("network.reach", "whether the laptop, VMs, docker, the kubelet, BuildKit and pods reach what they have to")
ROUTES = CheckKind("network.routes", "whether address ranges of VMs and containers collide with routes of a VPN or an office")
PODS = CheckKind("network.pods", "whether namespaces have the authorities and the proxy that their pods were to get")
KINDS = (PROXY, AUTHORITY, NAMES, GUEST_NAMES, GUEST_AUTHORITY, REACH, ROUTES, PODS)

_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_AUTHORITIES = ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def examine(laptop: Laptop) -> Iterator[Check]:
    """Yield the checks."""
    proxies = {name: laptop.environment[name] for name in _PROXIES if laptop.environment.get(name)}
    yield from _proxies(proxies)
    files = {name: laptop.environment[name] for name in _AUTHORITIES if laptop.environment.get(name)}
    for name, file in files.items():
        yield _authority(name, file)
    if not files:
        yield AUTHORITY.ok("no variable names one")
    if not proxies:
        yield from _names(laptop)
    if laptop.has("network"):
        yield from _company(laptop)
    if laptop.has("colima_profile"):
        for name, current in laptop.profiles().items():
            if current.health == RUNNING:
                yield from _guest(laptop, name, current.name, bool(files))


def _company(laptop: Laptop) -> Iterator[Check]:
    """Yield how far each consumer comes, those of one VM that fail alike as one check."""
    reading = laptop.look("network")
    if not reading.spec.company:
        yield REACH.ok("no network of a company is set")
        return
    current = reading.current
    for cell in current.reaches:
        if cell.kind is ReachKind.REACHED:
            yield REACH.ok(f"{cell.consumer.value} reaches {cell.url}", cell.profile)
    again = laptop.converge("colima,network")
    for failure in unreached(current.reaches):
        if failure.kind is ReachKind.UNKNOWN:
            yield REACH.unknown(failure.found, about=failure.profile)
        else:
            yield REACH.broken(failure.found, f"{reading.words(failure.remedy)} Then run: {again}", failure.profile)
    for collision in current.collisions:
        yield ROUTES.warning(collision.found, f"{reading.words(collision.remedy)} Then run: {again}" if collision.remedy else "")
    if not current.collisions:
        yield ROUTES.ok("none")
    if reading.spec.pod_namespaces:
        yield from _pods(reading.plan, laptop.converge("network"))


def _pods(plan: Plan, again: str) -> Iterator[Check]:
    waiting = [PODS.warning(f"{one.target}: {one.reason}", one.remedy) for one in plan.pending]
    writes = [PODS.warning(f"a run would {step}", again) for step in plan.steps if isinstance(step, ConfigMapStep)]
    refused = [PODS.broken(error.complaint, error.remedy) for error in plan.refusals if isinstance(error, RefusedStep)]
    yield from (*refused, *waiting, *writes) or (PODS.ok("they have"),)


def _proxies(proxies: Mapping[str, str]) -> Iterator[Check]:
    # Of several variables for one proxy the first.
    variables = {address: name for name, address in reversed([*proxies.items()])}
    for address in dict.fromkeys(proxies.values()):
        variable = variables[address]
        shown, parts = without_logins(address), urlsplit(address if "://" in address else f"http://{address}")
        try:
            with socket.create_connection((parts.hostname or "", parts.port or 8080), timeout=SOCKET_SECONDS):
                yield PROXY.ok(f"{shown} answers", variable)
        except (OSError, ValueError) as error:
            reason = str(getattr(error, "strerror", None) or error).lower()
            yield PROXY.broken(f"{shown} does not answer: {reason}", f"unset {variable}", variable)
    if not proxies:
        yield PROXY.ok("none")


def _authority(variable: str, file: str) -> Check:
    path = Path(file).expanduser()
    if path.is_dir():
        return AUTHORITY.ok(f"{file} is a directory", variable)
    try:
        listed = ends_in_pem(path.read_bytes())
    except OSError as error:
        return AUTHORITY.broken(f"{file}: {(error.strerror or '').lower()}", f"unset {variable}", variable)
    except ValueError:
        return AUTHORITY.broken(f"{file} holds a certificate that can't be read", f"unset {variable}", variable)
    if not listed:
        return AUTHORITY.broken(f"{file} holds no certificate", f"unset {variable}", variable)
    if max(listed) < datetime.now(UTC):
        return AUTHORITY.broken(f"every certificate in {file} has expired", f"unset {variable}", variable)
    return AUTHORITY.ok(f"{len(listed)} certificates", variable)


def _names(laptop: Laptop) -> Iterator[Check]:
    if not laptop.has("ecr_pull_secret"):
        return
    _subject, spec = laptop.pull_secrets()
    hosts = [urlsplit(endpoint_of(registry, laptop.environment)).hostname or "" for registry in spec.registries]
    for host in dict.fromkeys(hosts):
        try:
            socket.getaddrinfo(host, 443)
        except OSError as error:
            ask = asks_host(host) if laptop.system == "Darwin" else f"nslookup {host}"
            yield NAMES.warning(f"it is unknown here ({(error.strerror or str(error)).lower()})", ask, host)
        else:
            yield NAMES.ok("known", host)


def _guest(laptop: Laptop, name: str, profile: Name, has_authority: bool) -> Iterator[Check]:
    # That the VM does not answer, the group profiles says.
    with contextlib.suppress(CommandFailed):
        guest = laptop.guest(profile)
        if guest is None:
            return
        restart = f"colima restart {name}"
        lost = "" if guest.resolves else "it resolves no name"
        if not lost and not guest.resolves_outside and laptop.resolves(OUTSIDE):
            lost = f"it does not resolve {OUTSIDE}, and the laptop does"
        yield GUEST_NAMES.ok("it does", name) if not lost else GUEST_NAMES.broken(f"{lost}{ENDS}", restart, name)
        if has_authority and not guest.authorities:
            found = (
                "the laptop trusts a company's certificates, and the VM does not: behind a proxy that decrypts TLS, pulls fail"
            )
            remedy = f"Set network_authorities to their file, then run: {laptop.converge('colima')}"
            yield GUEST_AUTHORITY.warning(found, remedy, name)
        elif has_authority:
            yield GUEST_AUTHORITY.ok(f"{len(guest.authorities)} of its own", name)
