# SPDX-License-Identifier: GPL-3.0-or-later
"""One entry of a kubeconfig changed in its text: only the lines of that entry change, all others stay byte for byte. Pure.

It works on the places that the YAML parser reports. It does not prove its result: the caller reads the text back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

LISTS = {"clusters": "cluster", "users": "user", "contexts": "context"}
# Words and numbers that YAML 1.1 or 1.2 reads as anything but text never match, all others are quoted.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9+/=._@-]*(:[A-Za-z0-9+/=._@-]+)*\Z")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_REFERENCE = re.compile(r"(?<=\s)\*[^\s,\]}]+")
_DASH = re.compile(r"(?m)^( *)-(?=\s)")


class CannotEdit(Exception):
    """The text is written in a way that this file can't change. The message says which."""


class Editor:
    """Collects changes to a text and makes them at the end. root is the document's node from the YAML parser."""

    def __init__(self, text: str, root: Any) -> None:
        self.text, self.root = text, root
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self._changes: list[tuple[int, int, str]] = []
        self._at_end: list[str] = []
        if root is not None and root.flow_style:
            if root.value:
                raise CannotEdit("it is written in braces, as JSON is")
            self._replace(root, "")
            self.root = None
        for key in ("current-context", *LISTS):
            if sum(_text(name) == key for name, _value in self._pairs(root)) > 1:
                raise CannotEdit(f"it has '{key}' twice")

    def result(self) -> str:
        """Return the text with all changes."""
        for block in self._at_end:
            self._insert(self._end_of_lines(self.root) if self.root is not None else len(self.text), block)
        pieces, place = list[str](), 0
        # Of several at one place the first comes to stand first.
        for start, end, new in sorted(self._changes, key=lambda change: change[:2]):
            pieces += (self.text[place:start], new.replace("\n", self.newline))
            place = end
        return "".join((*pieces, self.text[place:]))

    def put(self, mapping: Any, key: str, value: Any) -> None:
        """Set a key of a block mapping."""
        found = self._value(mapping, key)
        if found is not None and _text(found[1]) == value:
            return
        indent = mapping.start_mark.column if mapping is not None else 0
        block = "\n".join(lines_of({key: value}, indent))
        if found is None and mapping is self.root:
            self._at_end.append(block)
            return
        if found is None:
            self._insert(self._end_of_lines(mapping), block)
            return
        name, node = found
        if node.start_mark.index < name.start_mark.index:
            raise CannotEdit(f"'{key}' of the entry refers to another place of the file")
        start = self._after_colon(name)
        if isinstance(value, Mapping):
            self._changes.append((start, self._end(node), "\n" + "\n".join(lines_of(value, indent + 2))))
        else:
            self._changes.append((start, self._end(node), f" {_scalar(value)}"))

    def put_item(self, plural: str, item: Mapping[str, Any], links: Mapping[str, str] | None = None) -> None:
        """Set a cluster, user or context, known by its name. links: of an existing entry, only these keys change."""
        kind, found = LISTS[plural], self._value(self.root, plural)
        there = [node for node in self._items(plural) if self._name_of(node) == item["name"]]
        if found is None:
            self._at_end.append(f"{plural}:\n" + "\n".join(lines_of([item], 0)))
        elif not there:
            self._append_item(found, item)
        elif there[0].flow_style:
            indent = len(self._dash(there[0])[1])
            self._replace(there[0], "\n".join(lines_of([item], indent))[indent + 2 :])
        else:
            inner = self._value(there[0], kind)
            if links and inner is not None and inner[1].value and _is_block(inner[1]):
                for key, wanted in links.items():
                    self.put(inner[1], key, wanted)
            else:
                self.put(there[0], kind, item[kind])

    def remove_item(self, plural: str, name: str) -> None:
        """Remove the cluster, user or context of a name."""
        items = self._items(plural)
        gone = [item for item in items if self._name_of(item) == name]
        for item in gone:
            start, end = self._dash(item).start(), self._end_of_lines(item)
            self._changes.append((start, end, ""))
        if gone and len(gone) == len(items):
            key, _value = self._value(self.root, plural)
            self._changes.append((self._after_colon(key), self._after_colon(key), " []"))

    def _append_item(self, found: tuple[Any, Any], item: Mapping[str, Any]) -> None:
        key, node = found
        if _kind(node) == "sequence" and node.value and not node.flow_style:
            dash = self._dash(node.value[-1])
            self._insert(self._end_of_lines(node.value[-1]), "\n".join(lines_of([item], len(dash[1]))))
        elif node.value in ("", "~", "null", []):
            self._changes.append((self._after_colon(key), node.end_mark.index, ""))
            self._insert(self._line_end(node.end_mark.index), "\n".join(lines_of([item], key.start_mark.column)))
        else:
            raise CannotEdit(f"its {_text(key)} are written in brackets, as JSON is")

    def _replace(self, node: Any, new: str) -> None:
        self._changes.append((node.start_mark.index, node.end_mark.index, new))

    def _insert(self, place: int, block: str) -> None:
        before = "" if place == 0 or self.text[place - 1] == "\n" else "\n"
        self._changes.append((place, place, f"{before}{block}\n"))

    def _dash(self, item: Any) -> re.Match[str]:
        """Return where the '- ' of an item is."""
        found = None
        start = self.text.rfind("\n", 0, item.start_mark.index) + 1
        while found is None:
            found = _DASH.match(self.text, start)
            if found is None and start == 0:
                raise CannotEdit("its lists are written in a way that is too unusual")
            start = self.text.rfind("\n", 0, start - 1) + 1
        return found

    def _after_colon(self, key: Any) -> int:
        return self.text.index(":", key.end_mark.index) + 1

    def _end(self, node: Any) -> int:
        """Return where the last word of a node ends. The parser counts comments that follow a block as part of it."""
        while node.value and _is_block(node):
            last = node.value[-1]
            before, inner = last if isinstance(last, tuple) else ([node, *node.value][-2], last)
            if inner is before or inner.start_mark.index < before.start_mark.index:
                return self._end_of_reference(before.end_mark.index if isinstance(last, tuple) else node.start_mark.index)
            node = inner
        end: int = node.end_mark.index
        if getattr(node, "style", None) in ("|", ">"):
            block = self.text[node.start_mark.index : end]
            # With a plus sign in its first line, empty lines at the end are part of it.
            end -= len(block) - len(block.rstrip(" ") if "+" in block.splitlines()[0] else block.rstrip())
            end -= self.text[end - 1] == "\n"
        return end

    def _end_of_reference(self, start: int) -> int:
        found = _REFERENCE.search(self.text, start)
        if found is None:
            raise CannotEdit("its entries refer to each other in an unusual way")
        return found.end()

    def _end_of_lines(self, node: Any) -> int:
        return self._line_end(self._end(node))

    def _line_end(self, place: int) -> int:
        found = self.text.find("\n", place)
        return len(self.text) if found < 0 else found + 1

    def _items(self, plural: str) -> list[Any]:
        found = self._value(self.root, plural)
        items = found[1].value if found and _kind(found[1]) == "sequence" else []
        return [item for item in items if _kind(item) == "mapping"]

    def _name_of(self, item: Any) -> str | None:
        found = self._value(item, "name")
        return _text(found[1]) if found else None

    @staticmethod
    def _pairs(mapping: Any) -> list[tuple[Any, Any]]:
        return mapping.value if mapping is not None else []

    def _value(self, mapping: Any, key: str) -> Any:
        """Return the nodes of a key and its value; the last one counts, as in every YAML parser that takes two."""
        return next((pair for pair in reversed(self._pairs(mapping)) if _text(pair[0]) == key), None)


def lines_of(value: Any, indent: int) -> list[str]:
    """Return a value as lines of block style whose texts every version of YAML reads as texts."""
    lines: list[str] = []
    pairs = [(f"{key}:", inner) for key, inner in value.items()] if isinstance(value, Mapping) else [("-", one) for one in value]
    for head, inner in pairs:
        if isinstance(inner, (Mapping, list)) and inner:
            nested = lines_of(inner, indent + 2)
            lines += [" " * indent + "- " + nested[0].lstrip(), *nested[1:]] if head == "-" else [" " * indent + head, *nested]
        else:
            lines.append(f"{' ' * indent}{head} {_scalar(inner)}")
    return lines


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def _kind(node: Any) -> str:
    return str(node.id)


def _is_block(node: Any) -> bool:
    return _kind(node) in ("mapping", "sequence") and not node.flow_style


def _text(node: Any) -> str:
    return node.value if _kind(node) == "scalar" else ""
