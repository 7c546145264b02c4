# SPDX-License-Identifier: GPL-3.0-or-later
"""The address ranges that a profile takes, by its options, and what helps where a route has one of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import Any

from ..company.routes import DEFAULTS, Collision, OwnerKind, Range, Route, cluster_ranges, free
from .reach import Finding

# The lengths of the prefixes of new ranges.
_LENGTHS = {OwnerKind.BRIDGE: 24, OwnerKind.POOLS: 16, OwnerKind.PODS: 16, OwnerKind.SERVICES: 16, OwnerKind.VM: 24}
_REMEDIES = {
    OwnerKind.BRIDGE: "Set docker: {{bip: {first}/{length}}} of the profile.",
    OwnerKind.POOLS: "Set docker: {{default-address-pools: [{{base: {network}, size: 24}}]}} of the profile.",
    OwnerKind.PODS: "Before its cluster is made, add --cluster-cidr={network} to kubernetes.k3s_args of the profile.",
    OwnerKind.SERVICES: "Before its cluster is made, add --service-cidr={network} to kubernetes.k3s_args of the profile.",
    OwnerKind.VM: "Set network.gateway_address of all profiles to {second}.",
}


def ranges_of(profile: Mapping[str, Any]) -> Iterator[Range]:
    """Yield the ranges of a profile, docker's and the cluster's only where it has them."""
    network = profile.get("network") or {}
    found = {OwnerKind.VM: _given([network.get("gateway_address")], 24), **_of_docker(profile), **_of_cluster(profile)}
    if network.get("address"):
        found[OwnerKind.ADDRESS] = ()
    for owner, networks in found.items():
        yield from (Range(one, owner, str(profile.get("name") or "")) for one in networks or DEFAULTS[owner])


def _of_docker(profile: Mapping[str, Any]) -> dict[OwnerKind, tuple[IPv4Network, ...]]:
    if profile.get("runtime", "docker") != "docker":
        return {}
    docker = profile.get("docker") or {}
    pools = docker.get("default-address-pools")
    bases = [pool.get("base") for pool in pools] if isinstance(pools, list) else []
    return {OwnerKind.BRIDGE: _given([docker.get("bip")]), OwnerKind.POOLS: _given(bases)}


def _of_cluster(profile: Mapping[str, Any]) -> dict[OwnerKind, tuple[IPv4Network, ...]]:
    kubernetes = profile.get("kubernetes") or {}
    if not kubernetes.get("enabled"):
        return {}
    return {owner: _given(texts) for owner, texts in cluster_ranges(kubernetes.get("k3s_args") or ()).items()}


def _given(values: Sequence[object], length: int | None = None) -> tuple[IPv4Network, ...]:
    """Return the networks of texts such as 172.20.0.1/16. What is none is docker's or k3s' to refuse."""
    found = []
    for value in values:
        try:
            found.append(IPv4Network(f"{value}/{length}" if length else str(value), strict=False))
        except (AddressValueError, NetmaskValueError, ValueError):
            continue
    return tuple(found)


def _remedy(collision: Collision, routes: Sequence[Route], ranges: Sequence[Range]) -> str:
    """Return what to set, with a range that is free; empty where nothing of ours can move it."""
    owner = collision.range.owner
    if owner not in _REMEDIES:
        return ""
    found = free(routes, [_LENGTHS[owner]], taken=[one.network for one in ranges])
    if found is None:
        return "No private range is free."
    network = found[0]
    return _REMEDIES[owner].format(network=network, first=network[1], second=network[2], length=network.prefixlen)


def finding(collision: Collision, routes: Sequence[Route], ranges: Sequence[Range]) -> Finding:
    """Return a collision in words."""
    taken, route = collision.range, collision.route
    owner = f"{taken.owner.value} of profile '{taken.profile}'"
    found = f"{taken.network} ({owner}) hides {route.network}, which {route.interface} leads to"
    return Finding(found, _remedy(collision, routes, ranges))
