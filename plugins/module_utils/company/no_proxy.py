# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of NO_PROXY, beside those that a user names. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from .routes import cluster_ranges

# How a machine knows itself and the laptop.
NEAR = ("localhost", "127.0.0.1", "::1", "host.docker.internal")


def network_around(gateway: str) -> str:
    """Return the network that a guest shares with the laptop, such as 192.168.5.0/24."""
    return f"{gateway.rpartition('.')[0]}.0/24"


def no_proxy_of_guest(hostname: str, gateway: str, k3s_arguments: Iterable[object] | None) -> Iterator[str]:
    """Yield what a guest asks without a proxy: itself, the laptop, and what is in its cluster.

    gateway: the laptop's address in it; k3s_arguments: None for a guest without a cluster.
    """
    yield from (*NEAR, "host.lima.internal", "colima.internal", hostname, network_around(gateway))
    if k3s_arguments is not None:
        yield from (".svc", ".cluster.local", *chain.from_iterable(cluster_ranges(k3s_arguments).values()))
