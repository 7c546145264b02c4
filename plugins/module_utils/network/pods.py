# SPDX-License-Identifier: GPL-3.0-or-later
"""A company's network for pods: two ConfigMaps in each namespace that asks for them. Pure.

The authorities are a file, and the proxy is variables; a pod takes either by name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..colima_paths import parse_name
from ..company.network import GATEWAY, Proxy
from ..company.no_proxy import no_proxy_of_guest
from ..config_maps import ConfigMapPlace, ConfigMapsState
from ..core.errors import InputError
from ..core.secrecy.patterns import without_logins

AUTHORITIES, PROXY = "company-authorities", "company-proxy"
FILE = "ca.crt"
# A cluster takes ConfigMaps of up to 1 MiB.
_MOST_BYTES = 1_000_000


def config_maps(
    context: str, namespaces: Collection[str], bundle: str, proxy: Proxy, profiles: Sequence[Mapping[str, Any]]
) -> dict[ConfigMapPlace, dict[str, str]]:
    """Return what is to be in which ConfigMap. bundle: PEM, empty for none. Raises InputError for one that is too large."""
    if namespaces and len(bundle) > _MOST_BYTES:
        reason = f"they take {len(bundle) >> 10} KiB, and a ConfigMap holds {_MOST_BYTES >> 10}"
        raise InputError(
            "give the authorities to pods", reason, "Leave O(pod_namespaces) empty, or name fewer in O(authorities)."
        )
    contents = {AUTHORITIES: {FILE: bundle} if bundle else {}, PROXY: _seen_from_pods(proxy, context, profiles).variables()}
    return {ConfigMapPlace(context, namespace, name): data for namespace in namespaces for name, data in contents.items() if data}


def written(wanted: Mapping[ConfigMapPlace, Mapping[str, str]], current: ConfigMapsState) -> list[ConfigMapPlace]:
    """Return the ConfigMaps of namespaces that have everything that they are to get."""
    lacking = {place.namespace for place, data in wanted.items() if not data.items() <= (current.found[place].data or {}).items()}
    return [place for place in wanted if place.namespace not in lacking]


def shown(data: Mapping[str, str] | None) -> dict[str, str]:
    """Return a ConfigMap of ours for a diff: a number of certificates instead of them."""
    count = f"{(data or {}).get(FILE, '').count('BEGIN CERTIFICATE')} certificates"
    return {key: count if key == FILE else without_logins(value) for key, value in (data or {}).items()}


def _seen_from_pods(proxy: Proxy, context: str, profiles: Sequence[Mapping[str, Any]]) -> Proxy:
    """Return the proxy for pods: as for the VM of their cluster. A cluster without a profile has the ranges of k3s."""
    profile = next((one for one in profiles if parse_name(str(one.get("name") or "")).id == context), {})
    gateway = (profile.get("network") or {}).get("gateway_address") or GATEWAY
    arguments = (profile.get("kubernetes") or {}).get("k3s_args") or ()
    return proxy.seen_from(gateway, list(no_proxy_of_guest(context, gateway, arguments)))
