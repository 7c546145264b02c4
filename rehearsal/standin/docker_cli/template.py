# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of Go's text/template, encoding/json and tabwriter that docker's --format options need."""

from __future__ import annotations

import json
from typing import Any


class Struct(dict[str, Any]):
    """A Go struct: an unknown field is an error, where an unknown key of a map is only empty.

    shadow holds fields whose value in a template differs from the one in JSON (an embedded struct, say).
    """

    def __init__(self, go_type: str, fields: dict[str, Any], shadow: dict[str, Any] | None = None) -> None:
        super().__init__(fields)
        self.go_type = go_type
        self.shadow = shadow or {}


class TemplateError(Exception):
    """Go's words for what is wrong with a template."""


def escape_html(text: str) -> str:
    for char, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(char, escaped)
    return text


def dumps(value: Any, indent: str | None = None, html: bool = True, sort: bool = False) -> str:
    """Return JSON as Go writes it: no blanks, non-ASCII kept, <, > and & escaped."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False, sort_keys=sort)
    return escape_html(text) if html else text


def show(value: Any) -> str:
    """Return a value as Go's fmt prints it."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Struct):
        return "{" + " ".join(show(item) for item in value.values()) + "}"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{show(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(show(item) for item in value) + "]"
    return str(value)


FUNCTIONS: dict[str, Any] = {
    "json": lambda value: dumps(value, html=False),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "title": lambda text: text.title(),
    "split": lambda text, separator: text.split(separator),
    "join": lambda items, separator: separator.join(items),
    "println": lambda *items: " ".join(show(item) for item in items) + "\n",
    "print": lambda *items: "".join(show(item) for item in items),
    "len": len,
    "not": lambda value: not value,
    "eq": lambda first, *others: any(first == other for other in others),
    "ne": lambda first, other: first != other,
    "or": lambda *items: next((item for item in items if item), items[-1]),
    "and": lambda *items: next((item for item in items if not item), items[-1]),
}


class Template:
    """A parsed template; run() applies it to one value."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.parts = self._cut()
        self.nodes, rest = self._block(0, ())
        if rest < len(self.parts):
            raise TemplateError(f"template: :1: unexpected {{{{{self.parts[rest][0]}}}}}")

    def run(self, data: Any) -> str:
        return self._run(self.nodes, data, data)

    def _cut(self) -> list[tuple[str | None, str, int]]:
        """Cut the source in (None, text, 0) and (keyword, action, offset)."""
        parts: list[tuple[str | None, str, int]] = []
        at, trim = 0, False
        while True:
            start = self.source.find("{{", at)
            text = self.source[at:] if start < 0 else self.source[at:start]
            if trim:
                text = text.lstrip()
            if start < 0:
                return [*parts, (None, text, 0)]
            end = self.source.find("}}", start)
            if end < 0:
                raise TemplateError("template: :1: unclosed action")
            action, offset = self.source[start + 2 : end], start + 2
            if action.startswith("- "):
                text, action, offset = text.rstrip(), action[2:], offset + 2
            trim = action.endswith(" -")
            action = action.removesuffix(" -")
            offset += len(action) - len(action.lstrip())
            action = action.strip()
            parts.append((None, text, 0))
            word = action.split(" ", 1)[0]
            keyword = word if word in ("if", "else", "end", "range", "with") else ""
            parts.append((keyword, action.removeprefix(keyword).strip() if keyword else action, offset))
            at = end + 2

    def _block(self, at: int, until: tuple[str, ...]) -> tuple[list[Any], int]:
        nodes: list[Any] = []
        while at < len(self.parts):
            kind, text, offset = self.parts[at]
            if kind is None:
                nodes.append(text)
            elif kind in until:
                return nodes, at
            elif kind in ("if", "with", "range"):
                body, at = self._block(at + 1, ("else", "end"))
                other: list[Any] = []
                if at < len(self.parts) and self.parts[at][0] == "else":
                    other, at = self._block(at + 1, ("end",))
                nodes.append((kind, Expression(text, offset), body, other))
            elif kind == "":
                nodes.append(("", Expression(text, offset), [], []))
            else:
                return nodes, at
            at += 1
        if until:
            raise TemplateError("template: :1: unexpected EOF")
        return nodes, at

    def _run(self, nodes: list[Any], data: Any, root: Any) -> str:
        out: list[str] = []
        for node in nodes:
            if isinstance(node, str):
                out.append(node)
                continue
            kind, expression, body, other = node
            value = expression.value(data, root)
            if kind == "":
                out.append(show(value))
            elif kind == "range":
                items = list(value.values()) if isinstance(value, dict) else value or []
                out += [self._run(body, item, root) for item in items] or [self._run(other, data, root)]
            else:
                inside = value if kind == "with" and value else data
                out.append(self._run(body if value else other, inside, root))
        return "".join(out)


class Expression:
    """One action's pipeline, such as `json .Endpoints` or `(index .Endpoints "docker").Host | upper`."""

    def __init__(self, text: str, offset: int) -> None:
        self.text = text
        self.offset = offset
        self.at = 0
        if not text:
            raise TemplateError("template: :1: missing value for command")
        self.pipeline = self._pipeline("")

    def _pipeline(self, closing: str) -> list[list[Any]]:
        commands: list[list[Any]] = [[]]
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == closing:
                break
            if char == " ":
                self.at += 1
            elif char == "|":
                self.at += 1
                commands.append([])
            else:
                commands[-1].append(self._operand())
        return commands

    def _operand(self) -> Any:
        char = self.text[self.at]
        if char == "(":
            self.at += 1
            inner = self._pipeline(")")
            self.at += 1
            return ("group", inner, self._fields())
        if char in '"`':
            end = self.text.index(char, self.at + 1)
            word = self.text[self.at + 1 : end]
            self.at = end + 1
            return ("literal", json.loads(f'"{word}"') if char == '"' else word)
        if char in ".$":
            self.at += char == "$"
            return ("root" if char == "$" else "dot", self._fields())
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in " |()":
            self.at += 1
        word = self.text[start : self.at]
        if word in ("true", "false"):
            return ("literal", word == "true")
        if word.lstrip("-").isdigit():
            return ("literal", int(word))
        if word != "index" and word not in FUNCTIONS:
            raise TemplateError(f'template: :1: function "{word}" not defined')
        return ("function", word)

    def _fields(self) -> tuple[int, list[tuple[str, int]], str]:
        start, names = self.at, []
        while self.at < len(self.text) and self.text[self.at] == ".":
            dot = self.at
            self.at += 1
            while self.at < len(self.text) and (self.text[self.at].isalnum() or self.text[self.at] == "_"):
                self.at += 1
            if self.at > dot + 1:
                names.append((self.text[dot + 1 : self.at], dot))
        return start, names, self.text[start : self.at]

    def value(self, data: Any, root: Any) -> Any:
        return self._evaluate(self.pipeline, data, root)

    def _evaluate(self, pipeline: list[list[Any]], data: Any, root: Any) -> Any:
        piped: list[Any] = []
        for command in pipeline:
            head, *others = command
            values = [self._resolve(operand, data, root) for operand in others] + piped
            called = head[0] == "function"
            piped = [self._call(head[1], values) if called else self._resolve(head, data, root)]
        return piped[0]

    def _call(self, name: str, values: list[Any]) -> Any:
        if name != "index":
            return FUNCTIONS[name](*values)
        value, *keys = values
        for key in keys:
            value = value[key] if isinstance(value, list) else (value or {}).get(key)
        return value

    def _resolve(self, operand: Any, data: Any, root: Any) -> Any:
        kind = operand[0]
        if kind == "literal":
            return operand[1]
        if kind == "function":
            return self._call(operand[1], [])
        if kind == "group":
            return self._walk(self._evaluate(operand[1], data, root), operand[2])
        return self._walk(root if kind == "root" else data, operand[1])

    def _walk(self, value: Any, fields: tuple[int, list[tuple[str, int]], str]) -> Any:
        for name, dot in fields[1]:
            if isinstance(value, Struct):
                if name in value.shadow:
                    value = value.shadow[name]
                elif name in value:
                    value = value[name]
                else:
                    where = f':1:{self.offset + dot}: executing "" at <{fields[2]}>'
                    raise TemplateError(f"template: {where}: can't evaluate field {name} in type {value.go_type}")
            elif isinstance(value, dict):
                value = value.get(name)
            else:
                value = None
        return value


def table(rows: list[list[str]], gap: int = 3, least: int = 10) -> str:
    """Return rows as Go's tabwriter sets them: every cell but the last of a row padded to its column."""
    widths: dict[int, int] = {}
    for row in rows:
        for column, cell in enumerate(row[:-1]):
            widths[column] = max(widths.get(column, least), len(cell) + gap)
    lines = []
    for row in rows:
        padded = [cell.ljust(widths[column]) for column, cell in enumerate(row[:-1])]
        lines.append("".join([*padded, row[-1]]))
    return "\n".join(lines) + "\n"


def listing(template: str, items: list[Struct], headers: dict[str, str], default: str) -> str:
    """Return a list as docker's formatter writes it for --format: table, json, or a template per item."""
    source = {"": default, "table": default, "json": "{{json .}}"}.get(template, template)
    as_table = source.startswith("table ")
    if as_table:
        source = source.removeprefix("table ")
    if source == "{{json .}}":
        # An item's own MarshalJSON escapes <, > and &, which the function json on a plain value does not.
        return "".join(f"{dumps(item)}\n" for item in items)
    source = source.replace("\\t", "\t").replace("\\n", "\n")
    try:
        parsed = Template(source)
        rows = [parsed.run(item) for item in items]
        if not as_table:
            return "".join(f"{row}\n" for row in rows)
        head = parsed.run(headers)
    except TemplateError as error:
        raise TemplateError(f"template parsing error: {error}") from error
    return table([row.split("\t") for row in [head, *rows]])
