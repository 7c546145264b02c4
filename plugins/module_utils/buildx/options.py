# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of buildx_builder, and what they ask for."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..colima_paths import parse_name, resolve
from ..company.network import OPTIONS
from ..core.entries import STATE
from ..core.errors import InputError
from ..docker.context.model import BUILT_IN
from .config import config_from
from .health import OWN_HOST
from .model import Builder, BuilderNetwork, BuilderSpec, Node, check_endpoint, known_platform

_NODE_OPTIONS: dict[str, Any] = {
    "endpoint": {"type": "str"},
    "driver_opts": {"type": "dict"},
    "buildkitd_flags": {"type": "list", "elements": "str"},
}
_PLATFORMS: dict[str, Any] = {"type": "list", "elements": "str"}
_BUILDER_OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "driver": {"type": "str", "choices": ["docker-container", "docker", "remote", "kubernetes"]},
    "profile": {"type": "str"},
    "nodes": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str"}, "platforms": _PLATFORMS, **_NODE_OPTIONS},
    },
    "platforms": {**_PLATFORMS, "default": []},
    "buildkitd_config": {"type": "dict"},
    "default": {"type": "bool", "default": False},
    "bootstrap": {"type": "bool", "default": False},
    "keep_state": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **_NODE_OPTIONS,
}
SPEC: dict[str, Any] = {
    "builders": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": _BUILDER_OPTIONS,
        "mutually_exclusive": [("endpoint", "nodes", "profile")],
    },
    "company_network": {"type": "dict", "options": OPTIONS},
    "state": STATE,
    "recreate": {"type": "str", "choices": ["always", "if_idle", "never"], "default": "if_idle"},
    "prune_stale": {"type": "str", "choices": ["never", "gone", "unreachable"], "default": "never"},
    "timeout": {"type": "float", "default": 3.0},
}


def wanted_from(options: Mapping[str, Any], current_context: str, network: BuilderNetwork | None = None) -> BuilderSpec:
    """Return what the user asks of one builder, in a company's network."""
    if options["profile"] is not None:
        options = {**options, **_of_profile(options)}
    options = {**options, "driver": options["driver"] or "docker-container"}
    name, driver = options["name"].lower(), options["driver"]
    listed = options["nodes"] or [{"name": None, "platforms": None, **{key: options[key] for key in _NODE_OPTIONS}}]
    # Of a builder that goes, certificates may have gone before.
    configured = options["buildkitd_config"] is not None and options["state"] == "present"
    config = config_from(options["buildkitd_config"]) if configured else None
    nodes = [
        _node(options, {**item, "name": item["name"] or f"{name}{number}"}, current_context) for number, item in enumerate(listed)
    ]
    return BuilderSpec(
        Builder(name, driver, tuple(replace(node, config=config) for node in nodes)),
        present=options["state"] == "present",
        offers=tuple(map(known_platform, options["platforms"])),
        default=options["default"],
        bootstrap=options["bootstrap"],
        keep_state=options["keep_state"],
        network=network,
    )


def _of_profile(options: Mapping[str, Any]) -> dict[str, str]:
    """Return driver and endpoint of a builder that is the BuildKit of a colima profile."""
    driver = options["driver"] or "remote"
    if driver != "remote":
        reason = f"driver {driver} starts a BuildKit of its own, and the profile's runs already"
        raise InputError(f"plan builder '{options['name']}'", reason, "Leave out driver, or profile.")
    paths = resolve(os.environ, platform.system())
    return {"driver": driver, "endpoint": paths.socket(parse_name(options["profile"]), "buildkitd")}


def _node(options: Mapping[str, Any], item: Mapping[str, Any], current_context: str) -> Node:
    """Return one node; what it does not state is the builder's."""
    driver = options["driver"]
    endpoint = item["endpoint"] or {"docker-container": current_context, "docker": options["name"]}.get(driver, "")
    check_endpoint(options["name"].lower(), endpoint)
    opts = options["driver_opts"] if item["driver_opts"] is None else item["driver_opts"]
    flags = options["buildkitd_flags"] if item["buildkitd_flags"] is None else item["buildkitd_flags"]
    return Node(
        name=item["name"].lower(),
        # buildx records its address instead of the name of docker's own context.
        endpoint=OWN_HOST if endpoint == BUILT_IN and driver == "docker-container" else endpoint,
        platforms=None if item["platforms"] is None else tuple(map(known_platform, item["platforms"])),
        driver_opts=None if opts is None else {key: _option_text(value) for key, value in opts.items()},
        flags=None if flags is None else tuple(flags),
    )


def _option_text(value: object) -> str:
    """Return a driver option as buildx writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
