# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a setting a rule looks: `colima_profiles[runtime=docker].docker.registry-mirrors`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..colima_paths import short_name
from ..core.errors import InputError

_PATH = re.compile(r"(\w+)((?:\.[\w/-]+|\[[^\[\]]*\])*)")
_PART = re.compile(r"\.([\w/-]+)|\[(?:([\w-]+)=([^\[\]]+))?\]")


class _LeftOut:
    """In place of a value that the settings do not give."""

    def __repr__(self) -> str:
        return "left out"


LEFT_OUT = _LeftOut()


@dataclass(frozen=True)
class Key:
    """The value of a key in a mapping."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


@dataclass(frozen=True)
class Entries:
    """The entries of a list: all, or those whose key has a value. One that leaves the key out could have it, so it counts."""

    key: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"[{self.key}={self.value}]" if self.key else "[]"

    def take(self, entry: Any) -> bool:
        """Whether a rule is about this entry."""
        if not self.key or not isinstance(entry, Mapping) or entry.get(self.key) is None:
            return True
        found = str(entry[self.key])
        # colima takes a profile's name in two forms.
        return found == self.value or (self.key == "name" and short_name(found) == short_name(self.value) != "")


@dataclass(frozen=True)
class Path:
    """A setting, and the way from it to what a rule is about."""

    setting: str
    parts: tuple[Key | Entries, ...] = ()

    def __str__(self) -> str:
        return self.setting + "".join(map(str, self.parts))


@dataclass(frozen=True)
class PathMatch:
    """A value that a path leads to. way: keys and indices of entries, from the setting on; words: the same as people write it."""

    value: Any
    way: tuple[str | int, ...]
    words: str


def path_from(text: str) -> Path:
    """Return the path that a text writes. Raises InputError."""
    match = _PATH.fullmatch(text)
    parts = [*_PART.finditer(match[2])] if match else []
    if match is None or "".join(part[0] for part in parts) != match[2]:
        remedy = "Write it like colima_profiles[].memory or colima_profiles[runtime=docker].docker."
        raise InputError(f"read setting '{text}'", "it is not a path", remedy)
    return Path(match[1], tuple(Key(part[1]) if part[1] else Entries(part[2] or "", part[3] or "") for part in parts))


def find(path: Path, value: Any) -> Iterator[PathMatch]:
    """Yield what a path leads to in the value of its setting: LEFT_OUT where that is not given; nothing for an empty list."""
    yield from _follow(path.parts, PathMatch(value, (), path.setting))


def _follow(parts: tuple[Key | Entries, ...], found: PathMatch) -> Iterator[PathMatch]:
    value = found.value
    if not parts or value is None or value is LEFT_OUT:
        yield from _at_end(parts, found)
        return
    part, *rest = parts
    if isinstance(part, Key):
        # Of anything else than a mapping no key can be told: the rule is held against the whole, and does not hold.
        inside = value.get(part.name, LEFT_OUT) if isinstance(value, Mapping) else LEFT_OUT
        yield from _follow(tuple(rest), PathMatch(inside, (*found.way, part.name), f"{found.words}.{part.name}"))
        return
    for number, entry in enumerate(value if isinstance(value, list | tuple) else [value]):
        if part.take(entry):
            words = f"{found.words}[{_name_of(entry, number)}]"
            yield from _follow(tuple(rest), PathMatch(entry, (*found.way, number), words))


def _at_end(parts: tuple[Key | Entries, ...], found: PathMatch) -> Iterator[PathMatch]:
    """Yield what a path leads to that goes no further. parts: what it still names; of a list that is left out, no entry."""
    if not (parts and isinstance(parts[0], Entries)):
        keys = "".join(f".{part.name}" for part in parts if isinstance(part, Key))
        yield PathMatch(LEFT_OUT if found.value is None else found.value, found.way, found.words + keys)


def _name_of(entry: Any, number: int) -> str | int:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return name if isinstance(name, str) and name else number + 1
