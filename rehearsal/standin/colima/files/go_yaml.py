# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML decoded into Go's types, with Go's errors: a value of the wrong type stays zero and the rest counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

GO_NAMES = {"int": "int", "float": "float32", "bool": "bool", "bool?": "bool", "list": "[]string", "map": "map[string]string"}
GO_NAMES |= {"any": "map[string]interface {}", "records": "[]config.Provision", "mounts": "[]config.Mount"}

_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)")
_OCTAL = re.compile(r"[-+]?0[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ANCHOR = re.compile(r"&(\w+)")


def decode(text: str, kinds: Mapping[str, str], config: dict[str, Any]) -> str:
    """Decode a file's text into config, whose keys are dotted. Returns what Go would complain of, or ''."""
    try:
        # The nodes, not the values: colima tells a number from a word by the YAML tag and names the line.
        # Go reads the first document only.
        root = next(yaml.compose_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), None)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        return f"yaml: {where}{getattr(error, 'problem', None) or error}"
    if root is None:
        return ""
    if circle := _circle(root, ()):
        return f"yaml: anchor '{_anchor(text, circle)}' value contains itself"
    problems: list[str] = []
    decoder = _Decoder(kinds, problems)
    if twice := _twice(root):
        return "\n  ".join(["yaml: unmarshal errors:", *twice])
    if not decoder.is_mapping(root):
        return f"yaml: unmarshal errors:\n  {decoder.complain(root, 'config.Config')}"
    for name, node in decoder.items(root):
        if name in ("kubernetes", "network"):
            if decoder.is_mapping(node):
                for inner, value in decoder.items(node):
                    decoder.take(config, f"{name}.{inner}", value)
            elif not decoder.is_null(node):
                problems.append(decoder.complain(node, f"config.{name.capitalize()}"))
        else:
            decoder.take(config, name, node)
    return "\n  ".join(["yaml: unmarshal errors:", *problems]) if problems else ""


def _circle(node: Any, above: tuple[Any, ...]) -> Any:
    """Return a node that contains itself."""
    if any(node is one for one in above):
        return node
    inner = node.value if node.id == "sequence" else [one for pair in node.value for one in pair] if node.id == "mapping" else []
    return next((found for one in inner if (found := _circle(one, (*above, node)))), None)


def _anchor(text: str, node: Any) -> str:
    found = _ANCHOR.search(text.splitlines()[node.start_mark.line])
    return found[1] if found else ""


def _twice(node: Any) -> list[str]:
    """Return Go's words for keys that a mapping names twice."""
    if node.id != "mapping":
        return []
    seen: dict[str, int] = {}
    problems = []
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.value in seen:
            problems.append(f'line {line}: mapping key "{key.value}" already defined at line {seen[key.value]}')
        seen.setdefault(key.value, line)
        problems += _twice(value)
    return problems


class Invalid(Exception):
    """A value that makes Go stop reading the file."""


class _Wrong(Exception):
    """A value of another type than wanted; kept is what could be understood of a list or a map."""

    def __init__(self, node: Any = None, wanted: str = "", kept: Any = None) -> None:
        super().__init__()
        self.node = node
        self.wanted = wanted
        self.kept = kept


class _Decoder:
    """Decodes YAML nodes into Go's types, as far as colima's settings need them."""

    def __init__(self, kinds: Mapping[str, str], problems: list[str]) -> None:
        self.kinds = kinds
        self.problems = problems

    @staticmethod
    def is_mapping(node: Any) -> bool:
        return bool(node.id == "mapping")

    @staticmethod
    def is_null(node: Any) -> bool:
        return bool(node.tag == "tag:yaml.org,2002:null")

    @staticmethod
    def items(node: Any) -> list[tuple[str, Any]]:
        """The pairs of a mapping, the merged ones first."""
        found: dict[str, Any] = {}
        for key, value in node.value:
            if key.value == "<<":
                found = {**dict(_Decoder.items(value)), **found}
        return list({**found, **{key.value: value for key, value in node.value if key.value != "<<"}}.items())

    @staticmethod
    def complain(node: Any, wanted: str) -> str:
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        shown = f" `{node.value[:10]}`" if node.id == "scalar" else ""
        return f"line {node.start_mark.line + 1}: cannot unmarshal {tag}{shown} into {wanted}"

    def take(self, config: dict[str, Any], key: str, node: Any) -> None:
        """Decode one known key; unknown keys are dropped."""
        kind = self.kinds.get(key)
        if kind is None or self.is_null(node):
            return
        decode: dict[str, Callable[[Any], Any]] = {
            "str": self._text,
            "ip": self._address,
            "ips": lambda node: [self._address(item) for item in self._items(node)],
            "int": self._integer,
            "float": self._number,
            "bool": self._truth,
            "bool?": self._truth,
            "list": self._texts,
            "map": self._map,
            "any": self._anything,
            "records": self._records,
            "mounts": self._mounts,
        }
        try:
            config[key] = decode[kind](node)
        except _Wrong as error:
            # What could be understood of a list or a map is kept.
            config[key] = error.kept if error.kept is not None else config[key]
            self.problems.append(self.complain(error.node or node, error.wanted or GO_NAMES.get(kind, "string")))

    def _text(self, node: Any) -> str:
        if node.id != "scalar":
            raise _Wrong(node, "string")
        return str(node.value)

    def _address(self, node: Any) -> str:
        import ipaddress

        text = self._text(node)
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise Invalid(f"invalid IP address: {text}") from None
        return text

    def _number(self, node: Any) -> float:
        text = str(node.value).replace("_", "") if node.id == "scalar" and node.style in (None, "") else ""
        if _INTEGER.fullmatch(text):
            return int(text, 8 if _OCTAL.fullmatch(text) else 0)
        if not _FLOAT.fullmatch(text):
            raise _Wrong
        value = float(text)
        return int(value) if value == int(value) else value

    def _integer(self, node: Any) -> int:
        value = int(self._number(node))
        if abs(value) >= 2**63:
            raise _Wrong
        return value

    def _truth(self, node: Any) -> bool:
        plain = node.id == "scalar" and node.style in (None, "")
        words = {"y": True, "Y": True, "yes": True, "on": True, "n": False, "N": False, "no": False, "off": False}
        if plain:
            words |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
        if node.id != "scalar" or node.value not in words:
            raise _Wrong
        return words[node.value]

    def _items(self, node: Any) -> list[Any]:
        if node.id != "sequence":
            raise _Wrong
        return [item for item in node.value if not self.is_null(item)]

    def _texts(self, node: Any) -> list[str]:
        return [self._text(item) for item in self._items(node)]

    def _map(self, node: Any) -> dict[str, str]:
        if node.id != "mapping":
            raise _Wrong
        pairs = self.items(node)
        kept = {key: "" if self.is_null(value) else str(value.value) for key, value in pairs if value.id == "scalar"}
        for _, value in pairs:
            if value.id != "scalar":
                raise _Wrong(value, "string", kept)
        return kept

    def _anything(self, node: Any) -> dict[str, Any]:
        if node.id != "mapping":
            raise _Wrong
        return {key: self._value(value) for key, value in self.items(node)}

    def _value(self, node: Any) -> Any:
        if node.id == "mapping":
            return self._anything(node)
        if node.id == "sequence":
            return [self._value(item) for item in node.value]
        if self.is_null(node):
            return None
        if node.style in (None, "") and node.value.lower() in ("true", "false"):
            return node.value.lower() == "true"
        try:
            return self._number(node)
        except _Wrong:
            return str(node.value)

    def _mappings(self, node: Any, wanted: str, build: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]]:
        kept = [build(item) for item in self._items(node) if item.id == "mapping"]
        for item in self._items(node):
            if item.id != "mapping":
                raise _Wrong(item, wanted, kept)
        return kept

    def _records(self, node: Any) -> list[dict[str, Any]]:
        def build(item: Any) -> dict[str, Any]:
            one = dict(self.items(item))
            return {key: self._text(one[key]) if key in one else "" for key in ("mode", "script")}

        return self._mappings(node, "config.Provision", build)

    def _mounts(self, node: Any) -> list[dict[str, Any]]:
        def build(item: Any) -> dict[str, Any]:
            one = dict(self.items(item))
            texts: dict[str, Any] = {key: self._text(one[key]) for key in ("location", "mountPoint") if key in one}
            return {"location": "", **texts, "writable": "writable" in one and self._truth(one["writable"])}

        return self._mappings(node, "config.Mount", build)
