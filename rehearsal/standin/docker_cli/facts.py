# SPDX-License-Identifier: GPL-3.0-or-later
"""`docker version` and `docker info`: what client and engine are, as text or through a template."""

from __future__ import annotations

import sys
import time
from typing import Any

from .config import Client
from .flags import Exit
from .http import Engine
from .template import Struct, Template, dumps

API_VERSION = "1.50"


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


def version(client: Client, engine: Engine, options: dict[str, Any], _args: list[str]) -> None:
    facts = _client_facts(client)
    server, failure = None, ""
    try:
        server = _with_build_time(engine.get("/version"))
        facts["ApiVersion"] = min(API_VERSION, server["ApiVersion"], key=_numbers)
    except Exit as error:
        failure = error.text
    template = str(options.get("format") or "")
    shadow = {"APIVersion": facts["ApiVersion"]}
    data = {"Client": Struct("system.clientVersion", facts, shadow), "Server": server and Struct("types.Version", server)}
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


def info(client: Client, engine: Engine, options: dict[str, Any], _args: list[str]) -> None:
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
