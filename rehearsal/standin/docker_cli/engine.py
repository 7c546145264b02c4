# SPDX-License-Identifier: GPL-3.0-or-later
"""`docker version|info|ps|images|inspect`: what the CLI asks an engine, whichever engine answers."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from .config import Client
from .facts import info, version
from .flags import Command, Exit
from .http import Engine
from .template import Struct, Template, TemplateError, dumps, listing

SHORT_ID = 12
PS_FORMAT = "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
IMAGES_FORMAT = "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
PS_HEADERS = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "RunningFor": "CREATED",
    "Status": "STATUS",
    "State": "STATE",
    "Ports": "PORTS",
    "Names": "NAMES",
    "Labels": "LABELS",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
}
IMAGES_HEADERS = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
}
FORMAT = {"format": "string"}
LIST_FLAGS = {**FORMAT, "all": "bool", "quiet": "bool", "no-trunc": "bool", "filter": "list"}
LIST_SHORTS = {"a": "all", "q": "quiet", "f": "filter"}
PS = Command(
    "docker ps", "[OPTIONS]", {**LIST_FLAGS, "size": "bool", "last": "string"}, {**LIST_SHORTS, "s": "size", "n": "last"}
)
IMAGES = Command("docker images", "[OPTIONS] [REPOSITORY[:TAG]]", LIST_FLAGS, LIST_SHORTS, (0, 1))
VERSION = Command("docker version", "[OPTIONS]", FORMAT, {"f": "format"}, (0, 0))
INFO = Command("docker info", "[OPTIONS]", FORMAT, {"f": "format"}, (0, 0))
INSPECT = Command("docker inspect", "[OPTIONS] NAME|ID [NAME|ID...]", {**FORMAT, "type": "string"}, {"f": "format"}, (1, None))
GROUPS = {
    ("container", "ls"): "ps",
    ("container", "ps"): "ps",
    ("container", "list"): "ps",
    ("container", "inspect"): "inspect",
    ("image", "ls"): "images",
    ("image", "list"): "images",
    ("system", "info"): "info",
}


def run(client: Client, verb: str, argv: list[str]) -> int:
    """Run one command that reads from the engine of the chosen context."""
    if verb in ("container", "image", "system"):
        name = argv[0] if argv else ""
        if (verb, name) not in GROUPS:
            raise Command(f"docker {verb}").usage(f"docker: unknown command: docker {verb} {name}", 1)
        verb, argv = GROUPS[verb, name], argv[1:]
    engine = Engine(client.endpoint(), client.store.read_tls(client.current))
    command, function = COMMANDS[verb]
    options, args = command.parse(argv)
    command.check_count(args)
    try:
        function(client, engine, options, args)
    except TemplateError as error:
        text = str(error)
        raise Exit(f"{text if text.startswith('template parsing') else f'template parsing error: {text}'}\n") from error
    return 0


def _filters(options: dict[str, Any], path: str) -> str:
    from urllib.parse import quote

    wanted: dict[str, dict[str, bool]] = {}
    for given in options.get("filter") or []:
        key, is_pair, value = given.partition("=")
        if not is_pair:
            reason = "bad format of filter (expected name=value)"
            raise Command(path, "[OPTIONS]").usage(f'invalid argument "{given}" for "-f, --filter" flag: {reason}', 125)
        wanted.setdefault(key.lower(), {})[value] = True
    return "&filters=" + quote(json.dumps(wanted)) if wanted else ""


def _ps(_client: Client, engine: Engine, options: dict[str, Any], _args: list[str]) -> None:
    everything = options.get("all") or "last" in options
    found = engine.get(f"/containers/json?all={int(bool(everything))}{_filters(options, 'docker ps')}")
    if "last" in options:
        found = found[: int(options["last"])]
    rows = [_container(item, bool(options.get("no-trunc"))) for item in found]
    template = "{{.ID}}" if options.get("quiet") else str(options.get("format") or "")
    sys.stdout.write(listing(template, rows, PS_HEADERS, PS_FORMAT))


def _container(item: dict[str, Any], whole: bool) -> Struct:
    command = item["Command"] if whole or len(item["Command"]) <= 20 else item["Command"][:19] + "…"
    fields = {
        "Command": f'"{command}"',
        "CreatedAt": time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(item["Created"])),
        "ID": item["Id"] if whole else item["Id"][:SHORT_ID],
        "Image": item["Image"],
        "Labels": ",".join(f"{key}={value}" for key, value in sorted((item.get("Labels") or {}).items())),
        "LocalVolumes": str(sum(mount.get("Driver") == "local" for mount in item.get("Mounts") or [])),
        "Mounts": ",".join(mount.get("Name") or mount.get("Source", "") for mount in item.get("Mounts") or []),
        "Names": ",".join(name.lstrip("/") for name in item["Names"]),
        "Networks": ",".join((item.get("NetworkSettings") or {}).get("Networks") or {}),
        "Platform": None,
        "Ports": ", ".join(_port(port) for port in item.get("Ports") or []),
        "RunningFor": _ago(item["Created"]),
        "Size": "0B",
        "State": item["State"],
        "Status": item["Status"],
    }
    return Struct("*formatter.ContainerContext", fields)


def _port(port: dict[str, Any]) -> str:
    inside = f"{port['PrivatePort']}/{port['Type']}"
    return f"{port.get('IP', '0.0.0.0')}:{port['PublicPort']}->{inside}" if port.get("PublicPort") else inside


AGES = ((1, 0, "Less than a second"), (2, 0, "1 second"), (60, 1, "seconds"), (120, 0, "About a minute"), (3600, 60, "minutes"))
LONG_AGES = (
    (2, 0, "About an hour"),
    (48, 1, "hours"),
    (14 * 24, 24, "days"),
    (60 * 24, 7 * 24, "weeks"),
    (730 * 24, 30 * 24, "months"),
    (1 << 40, 365 * 24, "years"),
)


def _ago(created: int) -> str:
    seconds = max(0, int(time.time()) - created)
    ages, amount = (AGES, seconds) if seconds < 3600 else (LONG_AGES, round(seconds / 3600))
    _, unit, words = next(age for age in ages if amount < age[0])
    return f"{amount // unit} {words} ago" if unit else f"{words} ago"


def _images(_client: Client, engine: Engine, options: dict[str, Any], args: list[str]) -> None:
    if args:
        options = {**options, "filter": [*(options.get("filter") or []), f"reference={args[0]}"]}
    found = engine.get(f"/images/json?all={int(bool(options.get('all')))}{_filters(options, 'docker images')}")
    rows = [_image(item, tag, bool(options.get("no-trunc"))) for item in found for tag in item["RepoTags"] or ["<none>:<none>"]]
    template = "{{.ID}}" if options.get("quiet") else str(options.get("format") or "")
    sys.stdout.write(listing(template, rows, IMAGES_HEADERS, IMAGES_FORMAT))


def _image(item: dict[str, Any], reference: str, whole: bool) -> Struct:
    repository, _, tag = reference.rpartition(":")
    fields = {
        "Containers": "N/A",
        "CreatedAt": time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(item["Created"])),
        "CreatedSince": _ago(item["Created"]),
        "Digest": "<none>",
        "ID": item["Id"] if whole else item["Id"].removeprefix("sha256:")[:SHORT_ID],
        "Repository": repository,
        "SharedSize": "N/A",
        "Size": _size(item["Size"]),
        "Tag": tag,
        "UniqueSize": "N/A",
        "VirtualSize": _size(item["Size"]),
    }
    return Struct("*formatter.imageContext", fields)


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g}{unit}"
        count /= 1000
    return f"{count:.3g}TB"


def _inspect(_client: Client, engine: Engine, options: dict[str, Any], args: list[str]) -> None:
    template = str(options.get("format") or "")
    parsed = Template(template) if template not in ("", "json") else None
    found, errors = [], []
    for name in args:
        try:
            status, content = engine.send("GET", f"/containers/{name}/json")
        except Exit as error:
            errors.append(error.text)
            continue
        if status == 404:
            errors.append(f"Error: No such object: {name}\n")
        else:
            found.append(json.loads(content))
    if parsed:
        sys.stdout.write("".join(parsed.run(item) + "\n" for item in found) or "\n")
    else:
        sys.stdout.write(dumps(found, indent=None if template or not found else "    ") + "\n")
    if errors:
        raise Exit("".join(errors))


COMMANDS: dict[str, tuple[Command, Any]] = {
    "ps": (PS, _ps),
    "images": (IMAGES, _images),
    "version": (VERSION, version),
    "info": (INFO, info),
    "inspect": (INSPECT, _inspect),
}
