# SPDX-License-Identifier: GPL-3.0-or-later
"""`docker buildx create|inspect|ls|rm|stop|use` with buildx 0.38's words and exit codes."""

from __future__ import annotations

import os
import sys
from typing import Any

from ..config import DEFAULT_CONTEXT, Client
from ..flags import Command, Exit
from . import nodes, show
from .builders import Builder, find, key_of
from .create import create
from .nodes import Node
from .store import Store

USAGE = """Usage:  docker buildx [OPTIONS] COMMAND

Extended build capabilities with BuildKit

Run 'docker buildx COMMAND --help' for more information on a command.
"""

COMMON = {"builder": "string", "debug": "bool", "timeout": "string"}
SHORTS = {"D": "debug"}
BUILDING = ("bake", "build", "dial-stdio", "du", "history", "imagetools", "prune")


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
    "create": (Command("docker buildx create", "[OPTIONS] [CONTEXT|ENDPOINT]", CREATE, SHORTS, (0, 1)), create),
    "inspect": (Command("docker buildx inspect", "[NAME]", {**COMMON, "bootstrap": "bool"}, SHORTS, (0, 1)), _inspect),
    "ls": (Command("docker buildx ls", "", LS, SHORTS, (0, 0)), _ls),
    "rm": (Command("docker buildx rm", "[OPTIONS] [NAME...]", RM, {**SHORTS, "f": "force"}), _rm),
    "stop": (Command("docker buildx stop", "[NAME]", COMMON, SHORTS, (0, 1)), _stop),
    "use": (Command("docker buildx use", "[OPTIONS] NAME", USE, SHORTS, (0, 1)), _use),
}
