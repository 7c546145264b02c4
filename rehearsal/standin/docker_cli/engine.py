# SPDX-License-Identifier: GPL-3.0-or-later
"""`docker version|info|ps|images|inspect`: what the CLI asks an engine, whichever engine answers."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from .config import Client
from .flags import Command, Exit
from .http import Engine
from .template import Struct, Template, TemplateError, dumps, listing

API_VERSION = "1.50"
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


def _client_facts(client: Client) -> dict[str, Any]:
    return {
        "Version": "28.2.2",
        "ApiVersion": API_VERSION,
        "DefaultAPIVersion": API_VERSION,
        "GitCommit": "e6534b4",
        "GoVersion": "go1.24.3",
        "Os": "linux",
        "Arch": "amd64",
        "BuildTime": "Fri May 30 12:07:14 2025",
        "Context": client.current,
    }


def _version(client: Client, engine: Engine, options: dict[str, Any], _args: list[str]) -> None:
    facts = _client_facts(client)
    server, failure = None, ""
    try:
        server = _with_build_time(engine.get("/version"))
        facts["ApiVersion"] = min(API_VERSION, server["ApiVersion"], key=_numbers)
    except Exit as error:
        failure = error.text
    template = str(options.get("format") or "")
    data = {"Client": Struct("system.clientVersion", facts), "Server": server and Struct("types.Version", server)}
    if template == "json":
        sys.stdout.write(dumps(data) + "\n")
    elif template:
        sys.stdout.write(_partial(Template(template), Struct("system.versionInfo", data), bool(failure)))
    else:
        sys.stdout.write(_version_text(facts, server))
    if failure:
        raise Exit(failure)


def _with_build_time(server: dict[str, Any]) -> dict[str, Any]:
    # The CLI rewrites the time in the engine's details, and there only.
    for component in server.get("Components") or []:
        details = component.get("Details") or {}
        built = str(details.get("BuildTime", ""))
        try:
            moment = time.strptime(built[:19], "%Y-%m-%dT%H:%M:%S")
        except ValueError:
            continue
        details["BuildTime"] = time.strftime("%a %b ", moment) + f"{moment.tm_mday:2} " + time.strftime("%H:%M:%S %Y", moment)
    return server


def _partial(template: Template, data: Struct, quiet: bool) -> str:
    # Without an engine a template ends where it asks for one: what stood before that is printed, and the reason after.
    text = template.run(data)
    return (text.split("<no value>")[0] if quiet else text) + "\n"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _version_text(facts: dict[str, Any], server: dict[str, Any] | None) -> str:
    api = facts["ApiVersion"]
    if api != facts["DefaultAPIVersion"]:
        api = f"{api} (downgraded from {facts['DefaultAPIVersion']})"
    rows = [
        ["Client:"],
        [" Version:", facts["Version"]],
        [" API version:", api],
        [" Go version:", facts["GoVersion"]],
        [" Git commit:", facts["GitCommit"]],
        [" Built:", facts["BuildTime"]],
        [" OS/Arch:", f"{facts['Os']}/{facts['Arch']}"],
        [" Context:", facts["Context"]],
    ]
    if server:
        platform = (server.get("Platform") or {}).get("Name", "")
        rows += [[""], [f"Server: {platform}".rstrip()], *_component_rows(server)]
    lines = [row[0] if len(row) == 1 else row[0].ljust(20) + row[1] for row in rows]
    return "\n".join(lines) + "\n"


def _component_rows(server: dict[str, Any]) -> list[list[str]]:
    rows: list[list[str]] = []
    for component in server.get("Components") or []:
        details = component.get("Details") or {}
        rows += [[f" {component['Name']}:"], ["  Version:", component["Version"]]]
        if component["Name"] != "Engine":
            rows += [[f"  {key}:", details[key]] for key in sorted(details)]
            continue
        rows += [
            ["  API version:", f"{details['ApiVersion']} (minimum version {details['MinAPIVersion']})"],
            ["  Go version:", details["GoVersion"]],
            ["  Git commit:", details["GitCommit"]],
            ["  Built:", details["BuildTime"]],
            ["  OS/Arch:", f"{details['Os']}/{details['Arch']}"],
            ["  Experimental:", details["Experimental"]],
        ]
    return rows


def _info(client: Client, engine: Engine, options: dict[str, Any], _args: list[str]) -> None:
    from .plugins import listed

    facts = {key: value for key, value in _client_facts(client).items() if key != "ApiVersion"}
    facts = {"Debug": False, **facts, "Plugins": listed(client), "Warnings": None}
    server: dict[str, Any] = {}
    failure = ""
    try:
        server = engine.get("/info")
    except Exit as error:
        failure = error.text
    template = str(options.get("format") or "")
    empty = {
        "ID": "",
        "Containers": 0,
        "ServerVersion": "",
        "Name": "",
        "NCPU": 0,
        "MemTotal": 0,
        "OSType": "",
        "Architecture": "",
    }
    data = {**(server or empty), "ClientInfo": Struct("system.clientInfo", facts)}
    if template == "json":
        sys.stdout.write(dumps(data) + "\n")
    elif template:
        sys.stdout.write(_partial(Template(template), Struct("system.dockerInfo", data), bool(failure)))
    else:
        sys.stdout.write(_info_text(facts, server))
    if failure:
        raise Exit(failure)


def _info_text(facts: dict[str, Any], server: dict[str, Any]) -> str:
    lines = ["Client:", f" Version:    {facts['Version']}", f" Context:    {facts['Context']}", " Debug Mode: false"]
    if facts["Plugins"]:
        lines.append(" Plugins:")
    for plugin in facts["Plugins"]:
        lines += [f"  {plugin['Name']}: {plugin['ShortDescription']} ({plugin['Vendor']})"]
        lines += [f"    Version:  {plugin['Version']}", f"    Path:     {plugin['Path']}"]
    lines += ["", "Server:"]
    if server:
        lines += [
            f" Containers: {server['Containers']}",
            f"  Running: {server['ContainersRunning']}",
            f"  Paused: {server['ContainersPaused']}",
            f"  Stopped: {server['ContainersStopped']}",
            f" Images: {server['Images']}",
        ]
        shown = {**server, "MemTotal": f"{server['MemTotal'] / 2**30:.4g}GiB"}
        lines += [f" {name}: {shown[key]}" for name, key in INFO_LINES if shown.get(key)]
        mirrors = (server.get("RegistryConfig") or {}).get("Mirrors") or []
        lines += [" Registry Mirrors:", *(f"  {mirror}" for mirror in mirrors)] if mirrors else []
        lines += [f" Live Restore Enabled: {str(server.get('LiveRestoreEnabled', False)).lower()}", ""]
    return "\n".join(lines) + "\n"


INFO_LINES = (
    ("Server Version", "ServerVersion"),
    ("Storage Driver", "Driver"),
    ("Logging Driver", "LoggingDriver"),
    ("Cgroup Driver", "CgroupDriver"),
    ("Cgroup Version", "CgroupVersion"),
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
    ("Total Memory", "MemTotal"),
    ("Name", "Name"),
    ("ID", "ID"),
    ("Docker Root Dir", "DockerRootDir"),
)


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
    "version": (VERSION, _version),
    "info": (INFO, _info),
    "inspect": (INSPECT, _inspect),
}
