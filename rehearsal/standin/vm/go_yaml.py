# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML decoded into Go's types, with Go's complaints: a wrongly typed value is left at zero and the rest is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import yaml

GO_NAMES = {"int": "int", "float": "float32", "bool": "bool", "bool?": "bool", "list": "[]string", "map": "map[string]string"}
GO_NAMES |= {"any": "map[string]interface {}", "records": "[]config.Provision", "mounts": "[]config.Mount"}


def decode(text: str, kinds: Mapping[str, str], config: dict[str, Any]) -> str:
    """Decode a file's text into config, whose keys are dotted. Returns what Go would complain of, or ''."""
    try:
        # The nodes, not the values: colima tells a number from a word by the YAML tag and names the line.
        root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        return f"yaml: {where}{getattr(error, 'problem', None) or error}"
    if root is None:
        return ""
    problems: list[str] = []
    decoder = _Decoder(kinds, problems)
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
        return [(key.value, value) for key, value in node.value]

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
            "ip": self._text,
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
        except ValueError:
            self.problems.append(self.complain(node, GO_NAMES.get(kind, "string")))

    def _text(self, node: Any) -> str:
        if node.id != "scalar":
            raise ValueError
        return str(node.value)

    def _number(self, node: Any) -> float:
        if node.id != "scalar" or node.tag not in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
            raise ValueError
        value = float(node.value)
        return int(value) if value == int(value) else value

    def _integer(self, node: Any) -> int:
        return int(self._number(node))

    def _truth(self, node: Any) -> bool:
        if node.id != "scalar" or node.tag != "tag:yaml.org,2002:bool":
            raise ValueError
        return node.value.lower() in ("true", "yes", "on", "y")

    def _texts(self, node: Any) -> list[str]:
        if node.id != "sequence":
            raise ValueError
        return [self._text(item) for item in node.value]

    def _map(self, node: Any) -> dict[str, str]:
        if node.id != "mapping":
            raise ValueError
        return {key: "" if self.is_null(value) else self._text(value) for key, value in self.items(node)}

    def _anything(self, node: Any) -> dict[str, Any]:
        if node.id != "mapping":
            raise ValueError
        return {key: self._value(value) for key, value in self.items(node)}

    def _value(self, node: Any) -> Any:
        if node.id == "mapping":
            return self._anything(node)
        if node.id == "sequence":
            return [self._value(item) for item in node.value]
        kind = node.tag.rsplit(":", 1)[-1]
        if kind in ("int", "float"):
            return self._number(node)
        if kind == "bool":
            return self._truth(node)
        return None if kind == "null" else str(node.value)

    def _records(self, node: Any) -> list[dict[str, Any]]:
        if node.id != "sequence":
            raise ValueError
        found = [self._anything(item) for item in node.value]
        return [{"mode": one.get("mode") or "", "script": one.get("script") or ""} for one in found]

    def _mounts(self, node: Any) -> list[dict[str, Any]]:
        if node.id != "sequence":
            raise ValueError
        mounts = []
        for one in (self._anything(item) for item in node.value):
            mount: dict[str, Any] = {"location": one.get("location") or ""}
            if one.get("mountPoint"):
                mount["mountPoint"] = one["mountPoint"]
            mounts.append({**mount, "writable": bool(one.get("writable"))})
        return mounts
