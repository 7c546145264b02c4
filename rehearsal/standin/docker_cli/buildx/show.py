# SPDX-License-Identifier: GPL-3.0-or-later
"""How `buildx ls` and `buildx inspect` print builders."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from ..flags import Exit
from ..template import Struct, Template, TemplateError, dumps, table
from . import platforms

if TYPE_CHECKING:
    from .builders import Builder
    from .nodes import Node

ZERO_TIME = "0001"
HEADS = ["NAME/NODE", "DRIVER/ENDPOINT", "STATUS", "BUILDKIT", "PLATFORMS"]
HEAD_NAMES = ("Name", "DriverEndpoint", "Status", "Buildkit", "Platforms")
TABLE = "{{.Name}}\t{{.DriverEndpoint}}\t{{.Status}}\t{{.Buildkit}}\t{{.Platforms}}"


def _aligned(rows: list[tuple[str, str]]) -> list[str]:
    """Return `Name:  value` lines, the values of one block under each other."""
    width = max((len(name) for name, _ in rows), default=0) + 1
    return [f"{name.ljust(width)}{value}" for name, value in rows]


def inspected(builder: Builder) -> str:
    head = [("Name:", builder.name), ("Driver:", builder.driver)]
    if not builder.activity.startswith(ZERO_TIME):
        head.append(("Last Activity:", f"{builder.activity[:10]} {builder.activity[11:19]} +0000 UTC"))
    if builder.error:
        head.append(("Error:", builder.error))
        return "\n".join(_aligned(head)) + "\n"
    lines = [*_aligned(head), "", "Nodes:"]
    for number, node in enumerate(builder.nodes):
        lines += ([""] if number else []) + _aligned(_node_rows(node)) + _files(node)
    return "\n".join(lines) + "\n"


def _node_rows(node: Node) -> list[tuple[str, str]]:
    stored = node.stored
    rows = [("Name:", stored["Name"]), ("Endpoint:", stored["Endpoint"])]
    if stored.get("DriverOpts"):
        rows.append(("Driver Options:", " ".join(f'{key}="{value}"' for key, value in stored["DriverOpts"].items())))
    if node.error:
        return [*rows, ("Error:", node.error)]
    rows.append(("Status:", node.status))
    if stored.get("Flags"):
        rows.append(("BuildKit daemon flags:", " ".join(stored["Flags"])))
    if node.version:
        rows.append(("BuildKit version:", node.version))
    offered = platforms.groups(stored.get("Platforms") or [], node.platforms)
    return [*rows, ("Platforms:", ", ".join(offered))] if offered else rows


def _files(node: Node) -> list[str]:
    lines = []
    for name, content in ({} if node.error else node.stored.get("Files") or {}).items():
        lines.append(f"File#{name}:")
        lines += [f" > {line}" for line in base64.b64decode(content).decode(errors="replace").split("\n")]
    return lines


def _row(builder: Builder, node: Node | None, current: str, as_table: bool, whole: bool) -> Struct:
    if node is None:
        name = builder.name + ("*" if as_table and builder.name == current else "")
        status = "error" if builder.error else ""
        values: dict[str, Any] = dict(zip(HEAD_NAMES, (name, builder.driver, status, "", ""), strict=True))
    else:
        indent = " \\_ " if as_table else ""
        names = platforms.groups(node.stored.get("Platforms") or [], node.platforms)
        offered = platforms.shortened(names) if as_table and not whole else ", ".join(names)
        status = "error" if node.error else node.status
        cells = (indent + node.stored["Name"], indent + node.stored["Endpoint"], status, node.version, offered)
        values = dict(zip(HEAD_NAMES, cells, strict=True))
    activity = "" if node or builder.activity.startswith(ZERO_TIME) else builder.activity
    error = (node.error if node else "") or builder.error
    return Struct("*commands.lsContext", {**values, "LastActivity": activity, "Error": error})


def listed(builders: list[Builder], current: str, template: str, whole: bool) -> tuple[str, str]:
    """Return the listing, and what is to be said about the builders that could not be loaded."""
    if template == "json":
        return "".join(dumps(builder.as_json(current), sort=True) + "\n" for builder in builders), ""
    as_table = template == "table" or template.startswith("table ")
    source = (TABLE if template == "table" else template.removeprefix("table ")).replace("\\t", "\t").replace("\\n", "\n")
    rows: list[Struct] = []
    lines: list[str] = []
    complaints: list[str] = []
    for builder in builders:
        shown: list[Node | None] = [None, *(() if builder.error else builder.nodes)]
        rows += [_row(builder, node, current, as_table, whole) for node in shown]
        if source == "{{json .}}":
            lines += [dumps(builder.as_json(current), sort=True)] * len(shown)
        if builder.error:
            complaints.append(f"Cannot load builder {builder.name}: {builder.error}\n")
        complaints += [
            f"Failed to get status for {builder.name} ({node.stored['Name']}): {node.error}\n"
            for node in builder.nodes
            if node.error and not builder.error
        ]
    try:
        parsed = Template(source)
        lines = lines or [parsed.run(row) for row in rows]
    except TemplateError as error:
        raise Exit(f"ERROR: template parsing error: {error}\n") from error
    if not as_table:
        return "".join(f"{line}\n" for line in lines), ""
    heads = parsed.run({**dict(zip(HEAD_NAMES, HEADS, strict=True)), "LastActivity": "LAST ACTIVITY", "Error": "ERROR"})
    text = table([heads.split("\t"), *(line.split("\t") for line in lines)])
    return text, "\n" + "".join(complaints) if complaints else ""
