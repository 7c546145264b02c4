# SPDX-License-Identifier: GPL-3.0-or-later
"""A text read with the rules of YAML 1.1, as Python's libraries do, and of YAML 1.2, as kubectl's do for numbers."""

from __future__ import annotations

import contextlib
import functools
import gc
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_DEPTH = 1000  # the parser in C ends the process far beyond
_BRACKETS = re.compile(r"[\[\]{}]")
_INDENT = re.compile(r"(?m)^[ ?:-]*")
_NUMBERS = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp"))
_YAML_1_2 = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "merge": "<<",
}


class Number(NamedTuple):
    """A number or date as it is written: 007 and 7 differ, and no number is too large."""

    tag: str
    text: str

    def __str__(self) -> str:
        return self.text


class NotYaml(Exception):
    """The text can't be read."""


@functools.cache
def rules() -> tuple[Any, Any]:
    """Return loaders with the rules of YAML 1.1 and 1.2. The one in C reads ten times as fast."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    old: Any = type("Yaml11", (base,), {})
    new: Any = type("Yaml12", (base,), {"yaml_implicit_resolvers": {}})
    for kind, pattern in _YAML_1_2.items():
        new.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(rf"(?:{pattern})\Z"), None)
    for loader in (old, new):
        for tag in _NUMBERS:
            loader.add_constructor(tag, lambda _loader, node: Number(node.tag, node.value))
    return old, new


def parse(text: str, loader: Any) -> tuple[Any, Any]:
    """Return the content and the node that it was read from. Raises NotYaml."""
    import yaml

    if _is_too_deep(text):
        raise NotYaml
    try:
        with without_collection():
            reader = loader(text)
            root = reader.get_single_node()
            return (reader.construct_document(root) if root is not None else None), root
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise NotYaml from error


def _is_too_deep(text: str) -> bool:
    """Whether a text may be nested deeper than the parser bears."""
    depth = deepest = 0
    if len(text) > _DEPTH:
        for bracket in _BRACKETS.finditer(text):
            depth += 1 if bracket[0] in "[{" else -1
            deepest = max(deepest, depth)
    return deepest > _DEPTH or max(map(len, _INDENT.findall(text))) > _DEPTH


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Keep Python from looking for garbage in between: a large file makes many objects, all of which are needed."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
