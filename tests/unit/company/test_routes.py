# SPDX-License-Identifier: GPL-3.0-or-later
"""Routing tables of laptops, and which range of a VM hides what of them."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.company.routes import (
    DEFAULTS,
    PRIVATE,
    OwnerKind,
    Range,
    Route,
    collisions,
    free,
    in_linux_table,
    in_netstat,
    routes,
)
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed
from ansible_collections.laptop.containers.plugins.module_utils.core.system.command import Cli
from hypothesis import example, given
from hypothesis import strategies as st

# Lines of /proc/net/route: interface, destination, gateway, flags, three counters, mask, three more; the first has the names.
FIRST = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT   \n"
HOME = (
    FIRST
    + """\
wlan0	00000000	01B2A8C0	0003	0	0	600	00000000	0	0	0
wlan0	00B2A8C0	00000000	0001	0	0	600	00FFFFFF	0	0	0
"""
)
DOCKER = (
    FIRST
    + """\
wlan0	00000000	01B2A8C0	0003	0	0	600	00000000	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
br-293cf0386986	000012AC	00000000	0001	0	0	0	0000FFFF	0	0	0
wlan0	00B2A8C0	00000000	0001	0	0	600	00FFFFFF	0	0	0
"""
)
OPENVPN = (
    FIRST
    + """\
eth0	00000000	011E140A	0003	0	0	100	00000000	0	0	0
tun0	0000000A	0100080A	0003	0	0	50	000000FF	0	0	0
tun0	0000080A	00000000	0001	0	0	50	00FFFFFF	0	0	0
eth0	001E140A	00000000	0001	0	0	100	00FFFFFF	0	0	0
"""
)
CISCO_SPLIT = (
    FIRST
    + """\
eth0	00000000	017100CB	0003	0	0	0	00000000	0	0	0
cscotun0	000010AC	00000000	0001	0	0	0	0000F0FF	0	0	0
eth0	007100CB	00000000	0001	0	0	0	00FFFFFF	0	0	0
eth0	097100CB	017100CB	0007	0	0	0	FFFFFFFF	0	0	0
"""
)
OFFICE = (
    FIRST
    + """\
eth0	00000000	0105A8C0	0003	0	0	100	00000000	0	0	0
eth0	0000FEA9	00000000	0001	0	0	1000	0000FFFF	0	0	0
eth0	0005A8C0	00000000	0001	0	0	100	00FFFFFF	0	0	0
"""
)
WIREGUARD = (
    FIRST
    + """\
wg0	00000000	00000000	0001	0	0	0	00000080	0	0	0
eth0	00000000	017100CB	0003	0	0	0	00000000	0	0	0
wg0	00072A0A	00000000	0001	0	0	0	00FFFFFF	0	0	0
wg0	00000080	00000000	0001	0	0	0	00000080	0	0	0
eth0	007100CB	00000000	0001	0	0	0	00FFFFFF	0	0	0
"""
)
REJECTED = (
    FIRST
    + """\
eth0	00000000	017100CB	0003	0	0	0	00000000	0	0	0
*	0000000A	00000000	0201	0	0	0	000000FF	0	0	0
eth1	000014AC	00000000	0000	0	0	0	0000FFFF	0	0	0
eth0	007100CB	00000000	0001	0	0	0	00FFFFFF	0	0	0
"""
)

# As macOS 15 prints it.
MAC_HOME = """\
Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            192.168.1.1        UGScg                 en0
127                127.0.0.1          UCS                   lo0
127.0.0.1          127.0.0.1          UH                    lo0
169.254            link#11            UCS                   en0      !
192.168.1          link#11            UCS                   en0      !
192.168.1.1/32     link#11            UCS                   en0      !
192.168.1.1        a4:2b:b0:1d:2b:f4  UHLWIir               en0   1195
192.168.1.103/32   link#11            UCS                   en0      !
224.0.0/4          link#11            UmCS                  en0      !
255.255.255.255/32 link#11            UCS                   en0      !
"""
# Cisco takes everything with two halves, and reaches its own gateway around them.
MAC_FULL_TUNNEL = """\
Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
0/1                10.33.0.1          UGSc                utun4
default            172.20.10.1        UGScg                 en0
10.33.0.1          10.33.0.1          UH                  utun4
127                127.0.0.1          UCS                   lo0
128.0/1            10.33.0.1          UGSc                utun4
172.20.10/28       link#11            UCS                   en0      !
172.20.10.1        a4:2b:b0:1d:2b:f4  UHLWIir               en0   1195
198.51.100.7/32    172.20.10.1        UGSc                  en0
192.168.5.77       10.33.0.1          UGHW3Ig             utun4     40
"""
# GlobalProtect with two networks and the name servers of the company; before macOS 11, netstat had Refs and Use.
MAC_SPLIT_TUNNEL = """\
Routing tables

Internet:
Destination        Gateway            Flags        Refs      Use   Netif Expire
default            10.0.0.1           UGSc           66        0     en0
10                 172.31.12.27       UGSc            3        0   utun2
10.0.0/24          link#6             UCSI            4        0     en0      !
10.0.0.1           60:de:f3:17:84:25  UHLWIir        67       40     en0   1187
127.0.0.1          127.0.0.1          UH             17   261841     lo0
172.16/12          172.31.12.27       UGSc            0        0   utun2
172.31.12.27/32    127.0.0.1          UGSc            1        0     lo0
"""
MAC_NAME_SERVER = """\
Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            192.0.2.1          UGScg                 en0
172.24.33.143      10.9.0.1           UGHS                utun4
192.0.2            link#11            UCS                   en0      !
"""
MAC_TAILSCALE = """\
Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            192.0.2.1          UGScg                 en0
default            link#24            UCSIg               utun5
100.64/10          link#24            UCS                 utun5
100.100.100.100/32 link#24            UCS                 utun5
100.101.4.5        100.101.4.5        UH                  utun5
10.43.8/22         link#24            UCS                 utun5
192.0.2            link#11            UCS                   en0      !
"""
# The VMs' own network, by vmnet.
MAC_ADDRESS = """\
Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            192.0.2.1          UGScg                 en0
default            link#26            UCSIg           bridge100      !
192.0.2            link#11            UCS                   en0      !
192.168.64         link#26            UC              bridge100      !
192.168.64.2       52:55:55:1c:2d:3e  UHLWIi          bridge100   1102
192.168.106        link#27            UC              bridge101      !
"""
MAC_OFFICE = """\
Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            192.168.5.1        UGScg                 en7
192.168.5          link#13            UCS                   en7      !
192.168.64/18      192.168.5.9        UGSc                  en7
"""
MAC_WITHOUT_IPV4 = "Routing tables\n"

EVERYTHING = [Range(network, kind, "docker") for kind, networks in DEFAULTS.items() for network in networks]
# Each table, and what collides.
TABLES: dict[str, tuple[tuple[Route, ...], set[str]]] = {
    "Linux: at home": (
        in_linux_table(HOME),
        {"docker's networks after the first fourteen: 192.168.178.0/24 on wlan0"},
    ),
    "Linux: docker beside it": (
        in_linux_table(DOCKER),
        {"docker's networks after the first fourteen: 192.168.178.0/24 on wlan0"},
    ),
    "Linux: OpenVPN with 10/8": (
        in_linux_table(OPENVPN),
        {"pods: 10.0.0.0/8 on tun0", "services: 10.0.0.0/8 on tun0"},
    ),
    "Linux: Cisco with 172.16/12": (
        in_linux_table(CISCO_SPLIT),
        {"docker's bridge: 172.16.0.0/12 on cscotun0", "docker's networks: 172.16.0.0/12 on cscotun0"},
    ),
    "Linux: an office in 192.168.5": (
        in_linux_table(OFFICE),
        {
            "the VM's network: 192.168.5.0/24 on eth0",
            "docker's networks after the first fourteen: 192.168.5.0/24 on eth0",
        },
    ),
    "Linux: WireGuard takes everything, and has one network in 10.42": (
        in_linux_table(WIREGUARD),
        {"pods: 10.42.7.0/24 on wg0"},
    ),
    "Linux: routes that are down or rejected": (in_linux_table(REJECTED), set()),
    "Linux: IPv6 alone": (in_linux_table(FIRST), set()),
    "macOS: at home": (
        in_netstat(MAC_HOME),
        {"docker's networks after the first fourteen: 192.168.1.0/24 on en0"},
    ),
    "macOS: a full tunnel from a telephone's network": (
        in_netstat(MAC_FULL_TUNNEL),
        {"docker's networks: 172.20.10.0/28 on en0"},
    ),
    "macOS: GlobalProtect with 10/8 and 172.16/12": (
        in_netstat(MAC_SPLIT_TUNNEL),
        {
            "docker's bridge: 172.16.0.0/12 on utun2",
            "docker's networks: 172.16.0.0/12 on utun2",
            "pods: 10.0.0.0/8 on utun2",
            "services: 10.0.0.0/8 on utun2",
        },
    ),
    "macOS: a name server of the company": (
        in_netstat(MAC_NAME_SERVER),
        {"docker's networks: 172.24.33.143/32 on utun4"},
    ),
    "macOS: Tailscale, and a network of a colleague": (
        in_netstat(MAC_TAILSCALE),
        {"services: 10.43.8.0/22 on utun5"},
    ),
    "macOS: VMs with addresses": (in_netstat(MAC_ADDRESS), set()),
    "macOS: an office in 192.168.5, and one behind it": (
        in_netstat(MAC_OFFICE),
        {
            "the VM's network: 192.168.5.0/24 on en7",
            "docker's networks after the first fourteen: 192.168.5.0/24 on en7",
            "the VM's reachable address: 192.168.64.0/18 on en7",
            "docker's networks after the first fourteen: 192.168.64.0/18 on en7",
        },
    ),
    "macOS: IPv6 alone": (in_netstat(MAC_WITHOUT_IPV4), set()),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_range_hides_what_a_route_leads_to(name: str) -> None:
    found, known = TABLES[name]
    said = {f"{one.range.owner.value}: {one.route.network} on {one.route.interface}" for one in collisions(found, EVERYTHING)}
    assert said == known


def test_collisions_come_by_range_and_name_the_profile() -> None:
    found = in_linux_table(OPENVPN)
    pods, services = (Range(DEFAULTS[kind][0], kind, "k8s") for kind in (OwnerKind.PODS, OwnerKind.SERVICES))
    assert [one.range for one in collisions(found, [services, pods])] == [services, pods]


def test_which_interfaces_are_ones_own_is_asked() -> None:
    found = [Route(IPv4Network("172.17.0.0/16"), name) for name in ("docker0", "br-lan", "tun0")]
    bridge = [Range(DEFAULTS[OwnerKind.BRIDGE][0], OwnerKind.BRIDGE, "docker")]
    assert [one.route.interface for one in collisions(found, bridge)] == ["br-lan", "tun0"]
    assert [one.route.interface for one in collisions(found, bridge, own=["tun*"])] == ["docker0", "br-lan"]


@pytest.mark.parametrize(
    ("form", "network"),
    [
        ("default", "0.0.0.0/0"),
        ("0/1", "0.0.0.0/1"),
        ("128.0/1", "128.0.0.0/1"),
        ("10", "10.0.0.0/8"),
        ("10.8/16", "10.8.0.0/16"),
        ("10.244/14", "10.244.0.0/14"),
        ("10.253/21", "10.253.0.0/21"),
        ("172.16", "172.16.0.0/16"),
        ("172.32.252/27", "172.32.252.0/27"),
        ("192.168.1", "192.168.1.0/24"),
        ("192.168.0/16", "192.168.0.0/16"),
        ("100.100.100.100/32", "100.100.100.100/32"),
        ("198.51.100.7", "198.51.100.7/32"),
        ("127", None),
        ("169.254", None),
        ("224.0.0/4", None),
        ("255.255.255.255/32", None),
        ("10.1&0xffff00ff", None),
    ],
)
def test_short_forms_are_completed(form: str, network: str | None) -> None:
    text = f"{MAC_WITHOUT_IPV4}\nInternet:\nDestination  Gateway  Flags  Netif Expire\n{form}  link#1  UCS  en0  !\n"
    assert [str(route.network) for route in in_netstat(text)] == ([network] if network else [])


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc/net/route: run the tests on Linux")
def test_this_machines_table_is_read(tmp_path: Path) -> None:
    assert routes("Linux") == in_linux_table(Path("/proc/net/route").read_text())
    (tmp_path / "route").write_text(HOME)
    known = (Route(IPv4Network("0.0.0.0/0"), "wlan0"), Route(IPv4Network("192.168.178.0/24"), "wlan0"))
    assert routes("Linux", table=tmp_path / "route") == known
    # A kernel without IPv4.
    assert routes("Linux", table=tmp_path / "none") == ()


def netstat(place: Path, script: str) -> Cli:
    """Return a program that answers as netstat(1) of macOS does."""
    (place / "netstat").write_text(f"#!/bin/sh\n{script}\n")
    (place / "netstat").chmod(0o755)
    return Cli("netstat", environment={"PATH": f"{place}:/usr/bin:/bin"})


def test_netstat_is_asked_on_a_mac(tmp_path: Path) -> None:
    (tmp_path / "table").write_text(MAC_NAME_SERVER)
    asked = netstat(tmp_path, f'test "$*" = "-rn -f inet" && cat "{tmp_path}/table"')
    assert routes("Darwin", asked.run) == in_netstat(MAC_NAME_SERVER)
    with pytest.raises(CommandFailed, match="Could not run 'netstat -rn -f inet'"):
        routes("Darwin", netstat(tmp_path, "exit 1").run)


def networks(*texts: str) -> tuple[IPv4Network, ...]:
    return tuple(map(IPv4Network, texts))


def via(*texts: str) -> list[Route]:
    return [Route(network, "utun4") for network in networks(*texts)]


@pytest.mark.parametrize(
    ("found", "wanted", "taken", "given"),
    [
        (via(), [16], (), ["172.31.0.0/16"]),
        (via("0.0.0.0/1", "128.0.0.0/1"), [16], (), ["172.31.0.0/16"]),
        (via("172.16.0.0/12"), [16, 24], (), ["192.168.0.0/16", "10.255.255.0/24"]),
        (via("172.31.7.0/24"), [16, 24], (), ["172.30.0.0/16", "172.31.255.0/24"]),
        (via("172.31.255.9/32"), [24], (), ["172.31.254.0/24"]),
        (via("172.16.0.0/12", "192.168.0.0/16"), [16], (), ["10.255.0.0/16"]),
        (via("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"), [16, 16], (), ["100.127.0.0/16", "100.126.0.0/16"]),
        (via("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"), [24], (), None),
        (via("10.0.0.0/8"), [8], (), None),
        (via(), [24, 16, 24], DEFAULTS[OwnerKind.POOLS], ["172.16.255.0/24", "172.17.0.0/16", "172.16.254.0/24"]),
        (via("10.0.0.0/8", "192.168.0.0/16", "100.64.0.0/10"), [13, 12], (), None),
        (via("10.0.0.0/8", "192.168.0.0/16", "100.80.0.0/12", "100.96.0.0/11"), [24, 12, 12], (), None),
        # The small one leaves the only place for the large one.
        (
            via("10.0.0.0/8", "192.168.0.0/16", "100.72.0.0/13", "100.80.0.0/12", "100.96.0.0/11"),
            [24, 12],
            (),
            ["100.71.255.0/24", "172.16.0.0/12"],
        ),
        (via(), [], (), []),
    ],
)
def test_free_ranges(found: list[Route], wanted: list[int], taken: Sequence[IPv4Network], given: list[str] | None) -> None:
    assert free(found, wanted, taken=taken) == (None if given is None else networks(*given))


def some_network(shortest: int) -> st.SearchStrategy[IPv4Network]:
    def cut(within: IPv4Network, length: int, number: int) -> IPv4Network:
        address = int(within.network_address) + number % within.num_addresses
        return IPv4Network((address, max(length, within.prefixlen)), strict=False)

    return st.builds(cut, st.sampled_from(PRIVATE), st.integers(shortest, 32), st.integers(0, 2**24))


@given(st.lists(some_network(8), max_size=12), st.lists(some_network(12), max_size=4), st.lists(st.integers(8, 30), max_size=6))
@example([*PRIVATE[:3]], [], [16, 10, 16])
def test_a_free_range_collides_with_nothing(routed: list[IPv4Network], taken: list[IPv4Network], wanted: list[int]) -> None:
    found = [Route(network, "utun4") for network in routed]
    given = free(found, wanted, taken=taken)
    assert given == free(found[::-1], wanted, taken=taken[::-1])
    if given is not None:
        assert [network.prefixlen for network in given] == wanted
        assert all(any(network.subnet_of(block) for block in PRIVATE) for network in given)
        assert collisions(found, [Range(network, OwnerKind.PODS, "k8s") for network in given]) == ()
        assert not [pair for pair in itertools.combinations(given, 2) if pair[0].overlaps(pair[1])]
        assert not [pair for pair in itertools.product(given, taken) if pair[0].overlaps(pair[1])]


@given(st.lists(some_network(9), max_size=20), st.lists(st.integers(9, 16), max_size=5))
def test_ranges_are_found_where_there_is_room(routed: list[IPv4Network], wanted: list[int]) -> None:
    # A larger one takes as many places of a smaller one, wherever it is.
    room = all(sum(1 << (length - one) for one in wanted if one <= length) <= places(routed, length) for length in wanted)
    assert (free([Route(network, "utun4") for network in routed], wanted) is not None) == room


def places(used: Sequence[IPv4Network], length: int) -> int:
    """Return how many private networks of a length overlap nothing, by looking at each."""
    blocks = [block for block in PRIVATE if block.prefixlen <= length]
    return sum(not any(map(one.overlaps, used)) for block in blocks for one in block.subnets(new_prefix=length))
