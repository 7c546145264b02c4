# SPDX-License-Identifier: GPL-3.0-or-later
"""`docker buildx create`: new builders, and nodes that are changed, appended or taken away."""

from __future__ import annotations

import base64
import os
import secrets
import shlex
import sys
from typing import Any

from ..config import DEFAULT_CONTEXT, Client
from ..flags import Exit, split_csv
from . import nodes, platforms, toml
from .builders import Builder, key_of
from .store import Group, Store, validate

NETWORK = "--allow-insecure-entitlement=network.host"


def create(client: Client, options: dict[str, Any], args: list[str]) -> None:
    with Store(client.directory) as store:
        if options.get("leave"):
            _leave(store, options)
            return
        builder = _store_builder(client, store, options, args[0] if args else "")
        if options.get("use"):
            store.set_current(key_of(client), builder.name)
        store.release()
        if options.get("bootstrap"):
            nodes.boot(client, builder.nodes)
        sys.stdout.write(f"{builder.name}\n")


def _leave(store: Store, options: dict[str, Any]) -> None:
    name, node = options.get("name"), options.get("node")
    if not name or not node:
        raise Exit(f"ERROR: leave requires {'node' if name else 'instance'} name\n")
    group = store.find(str(name))
    if group is None:
        raise Exit(f'ERROR: failed to find instance "{name}" for leave\n')
    kept = [item for item in group["Nodes"] if item["Name"] != node]
    if len(kept) == len(group["Nodes"]):
        raise Exit(f'ERROR: node "{node}" not found for {name}\n')
    if not kept:
        raise Exit("ERROR: can not leave last node, do you want to rm instance instead?\n")
    store.save({**group, "Nodes": kept})


def _store_builder(client: Client, store: Store, options: dict[str, Any], endpoint: str) -> Builder:
    name, append = str(options.get("name") or ""), bool(options.get("append"))
    if name == "default":
        raise Exit("ERROR: default is a reserved name and cannot be used to identify builder instance\n")
    if append and not name:
        raise Exit("ERROR: append requires a builder name\n")
    if not append and client.store.exists(name):
        raise Exit(f'ERROR: instance name "{name}" already exists as context builder\n')
    name = name or f"builder_{secrets.token_hex(3)}"
    group = store.find(name)
    if group is None and append:
        raise Exit(f'ERROR: failed to find instance "{name}" for append\n')
    driver = _driver(options, group, endpoint)
    if group and not options.get("node") and not append:
        raise Exit(
            f'ERROR: existing instance for "{name}" but no append mode, '
            "specify the node name to make changes for existing instances\n"
        )
    if group and driver != group["Driver"]:
        raise Exit(f'ERROR: existing instance for "{name}" but has mismatched driver "{group["Driver"]}"\n')
    changed = _update(client, group or {"Name": name, "Driver": driver, "Nodes": [], "Dynamic": False}, options, endpoint)
    store.save(changed)
    builder = Builder(client, changed, store.activity(changed["Name"])).load()
    for node in builder.nodes:
        if node.error:
            _roll_back(store, name, group)
            raise Exit(f"ERROR: failed to initialize builder {name} ({node.stored['Name']}): {node.error}\n")
    return builder


def _roll_back(store: Store, name: str, group: Group | None) -> None:
    if group is None:
        store.remove(name)
        return
    # The real one copies into empty slices here: a failed change costs every node its platforms and flags.
    emptied = [{**node, "Platforms": [], "Flags": []} for node in group["Nodes"]]
    store.save({**group, "Nodes": emptied})


def _driver(options: dict[str, Any], group: Group | None, endpoint: str) -> str:
    driver = str(options.get("driver") or "")
    if not driver and group:
        return str(group["Driver"])
    if not driver:
        remote = endpoint.partition("://")[0] in nodes.SCHEMES and "://" in endpoint
        return "remote" if remote or (not endpoint and os.environ.get("BUILDKIT_HOST")) else "docker-container"
    if driver == "docker":
        raise Exit('ERROR: additional instances of driver "docker" cannot be created\n')
    if driver not in ("docker-container", "remote", "kubernetes", "cloud"):
        raise Exit(f'ERROR: failed to find driver "{driver}"\n')
    return driver


def _update(client: Client, group: Group, options: dict[str, Any], endpoint: str) -> Group:
    """Return the builder with one node changed or added."""
    driver = group["Driver"]
    driver_options = _pairs(options.get("driver-opt") or [])
    config = str(options.get("buildkitd-config") or options.get("config") or "")
    flags = _flags(str(options.get("buildkitd-flags") or ""), driver, driver_options)
    address, is_given = _endpoint(client, driver, endpoint)
    wanted = platforms.parse(options.get("platform") or [])
    files = toml.load(config) if config else None
    name = str(options.get("node") or "")
    found = [dict(node) for node in group["Nodes"]]
    at = next((position for position, node in enumerate(found) if node["Name"] == name), -1)
    if at < 0 and found and not options.get("append"):
        raise Exit(f"ERROR: node {name} not found, did you mean to append?\n")
    encoded = None if files is None else {key: base64.b64encode(value).decode() for key, value in files.items()}
    if at >= 0:
        node = found[at]
        news = {"Endpoint": address if is_given else None, "Flags": flags, "DriverOpts": driver_options}
        news = {key: value for key, value in news.items() if value is not None}
        node.update(news, **({"Platforms": wanted} if wanted else {}))
        if encoded:
            node["Files"] = {**(node["Files"] or {}), **encoded}
        if news or encoded:
            sys.stderr.write("WARNING: new settings may not be used until builder is restarted\n")
    else:
        taken = {node["Name"] for node in found}
        name = name or next(name for name in (f"{group['Name']}{number}" for number in range(999)) if name not in taken)
        node = {"Name": validate(name), "Endpoint": address, "Platforms": wanted}
        found.append({**node, "DriverOpts": driver_options, "Flags": flags, "Files": encoded})
        at = len(found) - 1
    return {**group, "Nodes": _without_duplicates(found, at, address)}


def _without_duplicates(found: list[dict[str, Any]], at: int, address: str) -> list[dict[str, Any]]:
    if sum(node["Endpoint"] == address for node in found) > 1:
        raise Exit(f"ERROR: invalid duplicate endpoint {address}\n")
    mine = [platforms.key(item) for item in found[at]["Platforms"] or []]
    for position, node in enumerate(found):
        if position != at:
            node["Platforms"] = [item for item in node["Platforms"] or [] if platforms.key(item) not in mine]
    return found


def _pairs(given: list[str]) -> dict[str, str] | None:
    pairs: dict[str, str] = {}
    for text in given:
        for pair in split_csv(text):
            key, is_pair, value = pair.partition("=")
            if not is_pair:
                raise Exit(f'ERROR: invalid value "{pair}", expecting k=v\n')
            pairs[key] = value
    return dict(sorted(pairs.items())) if given else None


def _flags(text: str, driver: str, driver_options: dict[str, str] | None) -> list[str] | None:
    flags = shlex.split(text) if text else []
    entitled = [flag for flag in flags if "allow-insecure-entitlement" in flag]
    if driver == "docker-container":
        host_network = (driver_options or {}).get("network") == "host"
        if (host_network and not any("network.host" in flag for flag in entitled)) or not entitled:
            flags.append(NETWORK)
    elif driver == "kubernetes" and not entitled:
        flags.append(NETWORK)
    return flags or None


def _endpoint(client: Client, driver: str, given: str) -> tuple[str, bool]:
    if driver == "kubernetes":
        raise Exit("ERROR: the stand-in for buildx does not know the kubernetes driver\n")
    if driver == "remote":
        address = given or os.environ.get("BUILDKIT_HOST", "")
        if not address:
            raise Exit("ERROR: no remote endpoint provided\n")
        if address.partition("://")[0] not in nodes.SCHEMES:
            raise Exit(f"ERROR: unrecognized url scheme {address.partition('://')[0]}\n")
        return address, True
    if not given:
        return key_of(client), False
    if given == DEFAULT_CONTEXT:
        return client.default_host, True
    if client.store.exists(given) or "://" in given:
        return given, True
    return f"tcp://{given}:2375", True
