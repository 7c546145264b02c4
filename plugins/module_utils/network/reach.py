# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer, or a failure, says of the way to an address: its name, the proxy, the authority, the other side. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Consumer(Enum):
    """Who asks for something outside."""

    LAPTOP = "laptop"
    GUEST = "VM"
    DOCKER = "docker"
    KUBELET = "kubelet"
    BUILDKIT = "BuildKit"
    POD = "pod"


class ReachKind(Enum):
    """How far a request came. REACHED: the other side answered, whatever it said."""

    REACHED = "reached"
    NAME = "name"
    PROXY = "proxy"
    AUTHORITY = "authority"
    CERTIFICATE = "certificate"
    PORTAL = "portal"
    SILENT = "silent"
    UNKNOWN = "unknown"


# A program of the VM's own that failed before it asked anything.
_NOT_ASKED = r"^(\S*sh|sudo): .*not found$|executable file not found|dial unix"
_NOT_VALID = r"has expired|not yet valid|is (not )?valid for|hostname mismatch|no alternative certificate|does not match target"
_NOT_TRUSTED = r"x509:|CERTIFICATE_VERIFY_FAILED|certificate verify failed|unable to get local issuer|self.signed|^curl: .77."
_NO_ANSWER = (
    r"connection refused|[Tt]imed? ?out|deadline exceeded|unreachable|no route to host|reset by peer|"
    r"Failed to connect|Couldn't connect"
)
_ANSWERED = (
    r"unauthorized|(?<!permission )denied|not found|manifest unknown|(?<![\d.])(200|401|403|404)(?![\d.])|"
    r"NAME_UNKNOWN|insufficient_scope"
)
# In this order: an unknown name of a proxy concerns the proxy, and a proxy that TLS refuses concerns the authority.
_SIGNS = (
    (ReachKind.UNKNOWN, _NOT_ASKED),
    (ReachKind.CERTIFICATE, _NOT_VALID),
    (ReachKind.AUTHORITY, _NOT_TRUSTED),
    (ReachKind.PROXY, r"proxyconnect|Proxy Authentication|Could not resolve proxy|CONNECT tunnel failed|Tunnel connection"),
    (ReachKind.NAME, r"no such host|[Nn]ame (or service not known|resolution)|server misbehaving|Could not resolve|nodename nor"),
    (ReachKind.SILENT, _NO_ANSWER),
    (ReachKind.REACHED, _ANSWERED),
)
# Of what a tool said of a failure.
_LONGEST = 300
_MEANINGS = {
    ReachKind.REACHED: "reached",
    ReachKind.NAME: "the name is unknown",
    ReachKind.PROXY: "the proxy does not let it through",
    ReachKind.AUTHORITY: "the authority of its certificate is unknown",
    ReachKind.CERTIFICATE: "its certificate is not valid for it",
    ReachKind.PORTAL: "a page that wants a log-in answers in its place",
    ReachKind.SILENT: "nothing answers",
    ReachKind.UNKNOWN: "it could not be asked",
}
_REMEDIES = {
    ReachKind.NAME: "Set O(dns_domains) to the company's name servers, or O(https_proxy) where only a proxy knows it.",
    ReachKind.PROXY: "See whether the proxy runs, and whether it wants a log-in; its address is O(https_proxy).",
    ReachKind.AUTHORITY: "Add the certificate of the company's authority to O(authorities), or set O(local_authorities=true).",
    ReachKind.CERTIFICATE: "See whether the clock is right, and whether a page of the network wants a log-in first.",
    ReachKind.PORTAL: "Log in to the network with a browser.",
    ReachKind.SILENT: "See whether the VPN is up; where a proxy is the only way out, set O(https_proxy).",
}


@dataclass(frozen=True)
class Reach:
    """One cell of the matrix: who asked for what, and how far it came. profile: empty for the laptop; detail: of the tool."""

    consumer: Consumer
    profile: str
    url: str
    kind: ReachKind
    detail: str = ""

    def public(self) -> dict[str, str]:
        """Return the result form."""
        shown = {"consumer": self.consumer.value, "profile": self.profile, "url": self.url, "reach": self.kind.value}
        return {**shown, "meaning": _MEANINGS[self.kind], "detail": self.detail}


@dataclass(frozen=True)
class Finding:
    """What is wrong in a network, and what helps. found: without a full stop; remedy: whole sentences, empty for none."""

    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.found}. {self.remedy}".rstrip()


@dataclass(frozen=True)
class Unreached(Finding):
    """Who does not reach an address: consumers of one VM that fail for one reason. profile: empty for the laptop."""

    profile: str
    kind: ReachKind


def unreached(reaches: Sequence[Reach]) -> list[Unreached]:
    """Return who does not reach what."""
    failed: dict[tuple[str, str, ReachKind], list[Reach]] = {}
    for reach in reaches:
        if reach.kind is not ReachKind.REACHED:
            failed.setdefault((reach.profile, reach.url, reach.kind), []).append(reach)
    return [
        Unreached(_found(profile, url, kind, found), _REMEDIES.get(kind, ""), profile, kind)
        for (profile, url, kind), found in failed.items()
    ]


def _found(profile: str, url: str, kind: ReachKind, found: Sequence[Reach]) -> str:
    *others, last = [reach.consumer.value for reach in found]
    askers = f"{', '.join(others)} and {last} do" if others else f"{last} does"
    of_profile = f"Of profile '{profile}' " if profile else "The "
    detail = next((f" ({reach.detail})" for reach in found if reach.detail), "")
    return f"{of_profile}{askers} not reach {url}: {_MEANINGS[kind]}{detail}"


def judged(text: str, *, has_proxy: bool = False) -> tuple[ReachKind, str]:
    """Return how far a request came by the words of docker, containerd, BuildKit, curl or Python, and the line that says it.

    has_proxy: it went through a proxy, so that no other side was connected to.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for kind, signs in _SIGNS:
        if said := next((line for line in lines if re.search(signs, line, re.IGNORECASE)), ""):
            reached = kind is ReachKind.REACHED
            return (ReachKind.PROXY if kind is ReachKind.SILENT and has_proxy else kind), "" if reached else said[:_LONGEST]
    return ReachKind.UNKNOWN, lines[-1][:_LONGEST] if lines else ""
