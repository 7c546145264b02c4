# SPDX-License-Identifier: GPL-3.0-or-later
"""Address ranges of VMs and containers against the routes of a VPN or an office. Knows the defaults of colima, docker and k3s.

A VM sends everything but its own ranges through the laptop, so an address of the company within one of them is out of reach.
"""

from __future__ import annotations

import contextlib
import enum
import fnmatch
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from ..core.system.command import Cli, Output
from ..core.system.files import text_of

# Interfaces of docker (its bridge, its networks), of macOS' vmnet, which makes the networks of VMs, of Lima and colima. A VPN or
# an office never has one, and a range meets itself there.
OWN = ("docker0", "docker_gwbridge", "br-" + "[0-9a-f]" * 12, "bridge1[0-9][0-9]", "lima*", "col0")
LINUX_TABLE = Path("/proc/net/route")
_SECONDS = 30.0
# RTF_UP and RTF_REJECT of Linux.
_UP, _REJECT = 0x0001, 0x0200
# netstat's letters: cloned from another route for one address, rejected, discarded, multicast.
_LEFT_OUT = frozenset("WRBm")
# How long the prefix of netstat's short forms is: the network of a class is written without it.
_CLASSES = {1: 8, 2: 16, 3: 24}
# The largest private range. What is larger stands for all addresses: a full tunnel often has 0/1 and 128/1 for a default route.
_LARGEST = 8


class OwnerKind(enum.Enum):
    """What has an address range."""

    BRIDGE = "docker's bridge"
    POOLS = "docker's networks"
    # Nearly every home has a part of it.
    LAST_POOLS = "docker's networks after the first fourteen"
    PODS = "pods"
    SERVICES = "services"
    VM = "the VM's network"
    ADDRESS = "the VM's reachable address"


def _networks(*texts: str) -> tuple[IPv4Network, ...]:
    return tuple(map(IPv4Network, texts))


# dockerd (libnetwork), k3s, colima and Lima (user-v2); an address is of vmnet with vz and of socket_vmnet with QEMU.
DEFAULTS: Mapping[OwnerKind, tuple[IPv4Network, ...]] = {
    OwnerKind.BRIDGE: _networks("172.17.0.0/16"),
    OwnerKind.POOLS: _networks("172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/14", "172.24.0.0/14", "172.28.0.0/14"),
    OwnerKind.LAST_POOLS: _networks("192.168.0.0/16"),
    OwnerKind.PODS: _networks("10.42.0.0/16"),
    OwnerKind.SERVICES: _networks("10.43.0.0/16"),
    OwnerKind.VM: _networks("192.168.5.0/24"),
    OwnerKind.ADDRESS: _networks("192.168.64.0/24", "192.168.106.0/24"),
}
# k3s' arguments for the ranges of a cluster: https://docs.k3s.io/cli/server.
_ARGUMENTS = {OwnerKind.PODS: "--cluster-cidr", OwnerKind.SERVICES: "--service-cidr"}
# Where a range is looked for, the best first: companies route 10/8 most, and 100.64/10 belongs to providers and to Tailscale.
PRIVATE = _networks("172.16.0.0/12", "192.168.0.0/16", "10.0.0.0/8", "100.64.0.0/10")


@dataclass(frozen=True)
class Route:
    """A network that this laptop reaches through an interface."""

    network: IPv4Network
    interface: str


@dataclass(frozen=True)
class Range:
    """The addresses that something takes in the VM of a profile."""

    network: IPv4Network
    owner: OwnerKind
    profile: str


@dataclass(frozen=True)
class Collision:
    """A range that hides addresses of a route from a VM."""

    route: Route
    range: Range


def cluster_ranges(arguments: Iterable[object]) -> dict[OwnerKind, tuple[str, ...]]:
    """Return the address ranges of a cluster as k3s' arguments write them, of both families; where they don't, its defaults."""
    words = [str(argument).replace(" ", "=", 1).partition("=") for argument in arguments]
    return {
        owner: tuple(part for word, _equals, value in words if word == name for part in value.split(",") if part)
        or tuple(map(str, DEFAULTS[owner]))
        for owner, name in _ARGUMENTS.items()
    }


def routes(system: str, run: Callable[..., Output] | None = None, *, table: Path = LINUX_TABLE) -> tuple[Route, ...]:
    """Return the IPv4 routes of this laptop without those of loopback, link-local and multicast addresses.

    run: runs netstat, as Cli("netstat").run does. table: where Linux has its main table; those of policy rules are not in it.
    """
    if system == "Darwin":
        return in_netstat((run or Cli("netstat").run)("-rn", "-f", "inet", timeout=_SECONDS).stdout)
    return in_linux_table(text_of(table) or "")


def in_linux_table(text: str) -> tuple[Route, ...]:
    """Return the routes in the text of /proc/net/route, whose addresses are numbers in the processor's order of bytes."""
    found = []
    for line in text.splitlines()[1:]:
        interface, destination, _gateway, flags, _refs, _uses, _metric, mask, *_rest = line.split()
        if int(flags, 16) & (_UP | _REJECT) == _UP:
            network, netmask = (IPv4Address(struct.pack("=I", int(number, 16))) for number in (destination, mask))
            found.append(Route(IPv4Network(f"{network}/{netmask}"), interface))
    return tuple(filter(_leads_out, found))


def in_netstat(text: str) -> tuple[Route, ...]:
    """Return the routes in what `netstat -rn -f inet` of macOS prints; before macOS 11 it had two columns more."""
    return tuple(dict.fromkeys(filter(_leads_out, _rows(text))))


def _rows(text: str) -> Iterator[Route]:
    column = 0
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["Destination"]:
            column = words.index("Netif")
        elif 0 < column < len(words) and not _LEFT_OUT & set(words[2]):
            # A mask with gaps has its own form, and no network uses it.
            with contextlib.suppress(ValueError):
                yield Route(_network(words[0]), words[column])


def _network(text: str) -> IPv4Network:
    """Return the network of one of netstat's forms: default, 10, 10.8/16, 192.168.1, 10.0.0.1. Raises ValueError."""
    if text == "default":
        return IPv4Network("0.0.0.0/0")
    address, _slash, length = text.partition("/")
    parts = address.split(".")
    filled = ".".join(parts + ["0"] * (4 - len(parts)))
    return IPv4Network(f"{filled}/{length or _CLASSES.get(len(parts), 32)}")


def _leads_out(route: Route) -> bool:
    network = route.network
    # 255.255.255.255 is reserved; a VPN's own address may lead to lo0.
    local = network.is_loopback or network.is_link_local or network.is_multicast or network.is_reserved
    return not local and route.interface not in ("lo", "lo0")


def collisions(found: Sequence[Route], ranges: Sequence[Range], *, own: Collection[str] = OWN) -> tuple[Collision, ...]:
    """Return which range hides what of which route. own: patterns of interfaces whose routes do not count."""
    counted = [route for route in found if _counts(route, found) and not _is_own(route, own)]
    return tuple(Collision(route, one) for one in ranges for route in counted if route.network.overlaps(one.network))


def _counts(route: Route, found: Sequence[Route]) -> bool:
    """Whether a route says that something is there.

    A default route says nothing of single addresses, and would collide with everything. A route to one host within a network
    of the same interface (a neighbour, a router, the laptop itself) says nothing that the network does not say.
    """
    if _is_default(route.network):
        return False
    return route.network.prefixlen < route.network.max_prefixlen or not any(
        other.interface == route.interface and _is_wider(other.network, route.network) for other in found
    )


def _is_default(network: IPv4Network) -> bool:
    return network.prefixlen < _LARGEST


def _is_wider(network: IPv4Network, host: IPv4Network) -> bool:
    return network != host and not _is_default(network) and network.supernet_of(host)


def _is_own(route: Route, own: Collection[str]) -> bool:
    return any(fnmatch.fnmatchcase(route.interface, pattern) for pattern in own)


def free(found: Sequence[Route], wanted: Sequence[int], *, taken: Collection[IPv4Network] = ()) -> tuple[IPv4Network, ...] | None:
    """Return a private range for each wanted length of a prefix, none overlapping another, a route or what is taken.

    The same routes give the same ranges. Returns None where there is not room for all.
    """
    used = [*taken, *(route.network for route in found if not _is_default(route.network))]
    placed: dict[int, IPv4Network] = {}
    # The largest first: then a smaller one never takes the last room of a larger one.
    for index in sorted(range(len(wanted)), key=lambda index: wanted[index]):
        place = next((one for block in PRIVATE if (one := _last_free(block, wanted[index], used))), None)
        if place is None:
            return None
        placed[index] = place
        used.append(place)
    return tuple(placed[index] for index in range(len(wanted)))


def _last_free(block: IPv4Network, length: int, used: Sequence[IPv4Network]) -> IPv4Network | None:
    """Return the last network of this length in a block that overlaps nothing: people and programs take the first ones."""
    size = 1 << (32 - length)
    start = int(block.broadcast_address) + 1 - size
    while start >= int(block.network_address):
        candidate = IPv4Network((start, length))
        met = [int(network.network_address) for network in used if network.overlaps(candidate)]
        if not met:
            return candidate
        # The next network below the lowest of them.
        start = (min(*met, start) - size) // size * size
    return None
