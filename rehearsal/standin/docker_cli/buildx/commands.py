# SPDX-License-Identifier: GPL-3.0-or-later
"""`docker buildx create|inspect|ls|rm|stop|use` with buildx 0.38's words and exit codes."""

from __future__ import annotations

import base64
import os
import secrets
import shlex
import sys
from typing import Any

from ..config import DEFAULT_CONTEXT, Client
from ..flags import Command, Exit, split_csv
from . import USAGE, nodes, platforms, show, toml
from .nodes import Failure, Node
from .store import Group, Store, validate

NETWORK = "--allow-insecure-entitlement=network.host"
COMMON = {"builder": "string", "debug": "bool", "timeout": "string"}
SHORTS = {"D": "debug"}
BUILDING = ("bake", "build", "dial-stdio", "du", "history", "imagetools", "prune")


class Builder:
    """A builder, stored or made up for a docker context, with its nodes once they were loaded."""

    def __init__(self, client: Client, group: Group, activity: str = "", context: bool = False) -> None:
        self.client = client
        self.group = group
        self.activity = activity
        self.context = context
        self.driver = str(group["Driver"])
        self.nodes: list[Node] = []
        self.error = ""

    @property
    def name(self) -> str:
        return str(self.group["Name"])

    def load(self) -> Builder:
        """Find the state of every node."""
        if not self.driver:
            try:
                nodes.ask(nodes.engine_of(self.client, self.group["Nodes"][0]["Endpoint"]), "GET", "/_ping")
            except Failure as failure:
                self.error = str(failure)
                self.nodes = [Node({"Name": "", "Endpoint": ""}, "")]
                return self
            self.driver = "docker"
        self.nodes = [nodes.load(self.client, stored, self.driver) for stored in self.group["Nodes"]]
        return self

    def as_json(self, current: str) -> dict[str, Any]:
        fields = {
            "Current": self.name == current,
            "Driver": self.driver,
            "Dynamic": False,
            "LastActivity": self.activity,
            "Name": self.name,
            "Nodes": [node.as_json() for node in self.nodes],
        }
        return {**fields, "Err": self.error} if self.error else fields


def key_of(client: Client) -> str:
    """Return what the current builder is remembered by: the context's name, or the address of the default one."""
    return client.default_host if client.current == DEFAULT_CONTEXT else client.current


def find(client: Client, store: Store, name: str) -> Builder:
    """Return a builder by name, or the current one. Raises Exit when there is none."""
    group = store.current(key_of(client)) if not name else _stored(store, name)
    if group:
        return Builder(client, group, store.activity(group["Name"]))
    name = name or client.current
    if name != DEFAULT_CONTEXT and not client.store.exists(name):
        raise Exit(f'ERROR: no builder "{name}" found\n')
    node = {"Name": name, "Endpoint": name, "Platforms": None, "DriverOpts": None, "Flags": None, "Files": None}
    group = {"Name": name, "Driver": "", "Nodes": [node], "Dynamic": False}
    return Builder(client, group, store.activity(name), context=True)


def _stored(store: Store, name: str) -> Group | None:
    try:
        return store.find(name)
    except Exit as error:
        if "invalid name" in error.text:
            return None
        raise


def run(client: Client, builder: str, argv: list[str]) -> None:
    """Run one command of the plugin."""
    verb = argv[0]
    if verb in BUILDING:
        raise Exit(
            f"ERROR: the stand-in for buildx does not know `{verb}`: it builds nothing. Run 'make engines' for a real one\n"
        )
    if verb not in COMMANDS:
        sys.stdout.write(USAGE)
        raise Exit(f'ERROR: unknown command: "{verb}"\n')
    command, function = COMMANDS[verb]
    options, args = command.parse(argv[1:])
    try:
        command.check_count(args)
    except Exit as error:
        raise Exit(f"ERROR: {error.text}", error.code) from error
    options["builder"] = options.get("builder") or builder or os.environ.get("BUILDX_BUILDER", "")
    function(client, options, args)


def _create(client: Client, options: dict[str, Any], args: list[str]) -> None:
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


def _inspect(client: Client, options: dict[str, Any], args: list[str]) -> None:
    with Store(client.directory) as store:
        builder = find(client, store, args[0] if args else options["builder"])
    builder.load()
    if options.get("bootstrap") and nodes.boot(client, builder.nodes):
        builder.load()
    sys.stdout.write(show.inspected(builder))


def _ls(client: Client, options: dict[str, Any], _args: list[str]) -> None:
    with Store(client.directory) as store:
        current = find(client, store, "").name
        stored = [Builder(client, group, store.activity(group["Name"])) for group in store.all()]
        names = {builder.name for builder in stored}
        contexts = sorted(context["Name"] for context in client.store.all())
        found = [*stored, *(find(client, store, name) for name in contexts if name not in names)]
    found = sorted((builder.load() for builder in found), key=lambda builder: bool(builder.error))
    text, complaints = show.listed(found, current, str(options.get("format") or "table"), bool(options.get("no-trunc")))
    sys.stdout.write(text)
    sys.stdout.flush()
    sys.stderr.write(complaints)


def _rm(client: Client, options: dict[str, Any], args: list[str]) -> None:
    if options.get("all-inactive"):
        if args:
            raise Exit("ERROR: cannot specify builder name when --all-inactive is set\n")
        if not options.get("force"):
            question = "This will remove all builders that are not in running state. Are you sure you want to continue?"
            sys.stdout.write(f"WARNING! {question} [y/N] ")
            sys.stdout.flush()
            if sys.stdin.readline().strip().lower() != "y":
                return
        args = _inactive(client)
    failed = False
    with Store(client.directory) as store:
        for name in args if options.get("all-inactive") else args or [options["builder"]]:
            try:
                _remove(client, store, name, options)
                sys.stderr.write(f"{name} removed\n")
            except Exit as error:
                failed = True
                sys.stderr.write(f"failed to remove {name}: {error.text.removeprefix('ERROR: ')}")
    if failed:
        raise Exit("ERROR: failed to remove one or more builders\n")


def _inactive(client: Client) -> list[str]:
    with Store(client.directory) as store:
        found = [Builder(client, group).load() for group in store.all()]
    return [builder.name for builder in found if all(node.status != "running" for node in builder.nodes)]


def _remove(client: Client, store: Store, name: str, options: dict[str, Any]) -> None:
    builder = find(client, store, name)
    if builder.context:
        raise Exit(f"context builder cannot be removed, run `docker context rm {builder.name}` to remove this context\n")
    errors = []
    if not options.get("keep-daemon"):
        for stored in builder.group["Nodes"]:
            errors += nodes.remove(client, Node(stored, builder.driver), bool(options.get("keep-state")))
    # It is forgotten even when its daemon could not be removed.
    store.remove(builder.name)
    if errors:
        raise Exit("\n".join(errors) + "\n")


def _stop(client: Client, options: dict[str, Any], args: list[str]) -> None:
    with Store(client.directory) as store:
        builder = find(client, store, args[0] if args else options["builder"])
    for node in builder.load().nodes:
        if node.status == "running":
            nodes.stop(client, node)


def _use(client: Client, options: dict[str, Any], args: list[str]) -> None:
    name = args[0] if args else options["builder"]
    with Store(client.directory) as store:
        if store.find(name) is None:
            if name == DEFAULT_CONTEXT and name != client.current:
                raise Exit("ERROR: run `docker context use default` to switch to default context\n")
            if name == client.current:
                store.set_current(key_of(client), "")
                return
            if client.store.exists(name):
                raise Exit(f"ERROR: run `docker context use {name}` to switch to context {name}\n")
            path = store.directory / "instances" / name
            raise Exit(f'ERROR: failed to find instance "{name}": open {path}: no such file or directory\n')
        store.set_current(key_of(client), name, bool(options.get("global")), bool(options.get("default")))


CREATE = {
    **COMMON,
    **dict.fromkeys(("name", "driver", "node", "buildkitd-flags", "buildkitd-config", "config"), "string"),
    **dict.fromkeys(("platform", "driver-opt"), "list"),
    **dict.fromkeys(("append", "leave", "use", "bootstrap"), "bool"),
}
RM = {**COMMON, **dict.fromkeys(("keep-state", "keep-daemon", "all-inactive", "force"), "bool")}
LS = {**COMMON, "format": "string", "no-trunc": "bool"}
USE = {**COMMON, "global": "bool", "default": "bool"}
COMMANDS: dict[str, tuple[Command, Any]] = {
    "create": (Command("docker buildx create", "[OPTIONS] [CONTEXT|ENDPOINT]", CREATE, SHORTS, (0, 1)), _create),
    "inspect": (Command("docker buildx inspect", "[NAME]", {**COMMON, "bootstrap": "bool"}, SHORTS, (0, 1)), _inspect),
    "ls": (Command("docker buildx ls", "", LS, SHORTS, (0, 0)), _ls),
    "rm": (Command("docker buildx rm", "[OPTIONS] [NAME...]", RM, {**SHORTS, "f": "force"}), _rm),
    "stop": (Command("docker buildx stop", "[NAME]", COMMON, SHORTS, (0, 1)), _stop),
    "use": (Command("docker buildx use", "[OPTIONS] NAME", USE, SHORTS, (0, 1)), _use),
}
