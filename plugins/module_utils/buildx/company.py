# SPDX-License-Identifier: GPL-3.0-or-later
"""A company's network for a builder in a container, which has neither the authorities nor the variables of its machine. Pure.

buildx carries certificates of a registry into the container, so the authorities are those of a registry that is never asked. A
variable of the container notes which options were added, so that they come out again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..company.network import GATEWAY, CompanyNetwork, buildkit_registries
from ..company.no_proxy import NEAR, network_around
from .config import BuildkitConfig, config_from
from .model import Builder, BuilderNetwork, Node

_OURS = "laptop.containers"
_NOTE = "env.LAPTOP_CONTAINERS_NETWORK"
_TRUST = "env.SSL_CERT_FILE"


def network_of(company: CompanyNetwork, bundle: str) -> BuilderNetwork:
    """Return what a company's network adds. bundle: the file with its authorities and the usual ones; empty: none."""
    company = company.seen_from(GATEWAY, (*NEAR, network_around(GATEWAY)))
    options = {f"env.{name}": value for name, value in company.proxy.variables().items()}
    if not (bundle or company.mirrors):
        return BuilderNetwork(options)
    if bundle:
        options[_TRUST] = f"/etc/buildkit/certs/{_OURS}/{bundle.rpartition('/')[2]}"
    ours = {"ca": [bundle]} if bundle else {"http": False}
    return BuilderNetwork(options, config_from({"registry": {**buildkit_registries(company.mirrors), _OURS: ours}}))


def in_company(wanted: Builder, current: Builder | None, network: BuilderNetwork | None) -> Builder:
    """Return a builder as it is wanted in a company's network; None: its network stays as it is."""
    if network is None or wanted.driver != "docker-container":
        return wanted
    old = {node.name: node for node in current.nodes} if current else {}
    return replace(wanted, nodes=tuple(_with(node, old.get(node.name), network) for node in wanted.nodes))


def _with(node: Node, was: Node | None, network: BuilderNetwork) -> Node:
    before = _options(was)
    if network == BuilderNetwork() and _NOTE not in before:
        return node
    base = _without_ours(before) if node.driver_opts is None else node.driver_opts
    # A configuration of the user's stays as it is: of ours, the authorities and mirrors are not in it then.
    theirs = node.config or _theirs(was)
    kept = {*base, _TRUST} if theirs else {*base}
    added = {key: value for key, value in network.options.items() if key not in kept}
    note = {} if network == BuilderNetwork() else {_NOTE: ",".join(sorted(added))}
    return replace(node, driver_opts={**base, **added, **note}, config=theirs or network.config or BuildkitConfig({}))


def _options(was: Node | None) -> Mapping[str, str]:
    return (was.driver_opts if was else None) or {}


def _without_ours(options: Mapping[str, str]) -> dict[str, str]:
    noted = (_NOTE, *options.get(_NOTE, "").split(","))
    return {key: value for key, value in options.items() if key not in noted}


def _theirs(was: Node | None) -> BuildkitConfig | None:
    """Return a node's configuration that is not ours."""
    settings = was.config.settings if was and was.config else {}
    return was.config if was and settings and _OURS not in settings.get("registry", {}) else None
