# SPDX-License-Identifier: GPL-3.0-or-later
"""Command-line flags as Go's cobra understands and refuses them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..console import go_quote


class UsageError(Exception):
    """A command line that cobra refuses."""


class Flag:
    """One flag: its long name, its letter if it has one, what it takes and its default."""

    def __init__(self, name: str, kind: str = "bool", default: Any = None, short: str = "") -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.short = short

    @property
    def label(self) -> str:
        """How an error message names it."""
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


class Parsed:
    """Values of all flags, which of them were given, and the other words."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.changed: set[str] = set()
        self.words: list[str] = []

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def parse(flags: Sequence[Flag], argv: Sequence[str], interspersed: bool = True) -> Parsed:
    """Read a command line. Raises UsageError."""
    long = {flag.name: flag for flag in flags}
    short = {flag.short: flag for flag in flags if flag.short}
    parsed = Parsed({flag.name: False if flag.default is None and flag.kind == "bool" else flag.default for flag in flags})
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            parsed.words += rest
            break
        if not word.startswith("-") or word == "-":
            parsed.words.append(word)
            if not interspersed:
                parsed.words += rest
                break
        elif word.startswith("--"):
            name, given, value = word[2:].partition("=")
            if name not in long:
                raise UsageError(f"unknown flag: --{name}")
            _set(parsed, long[name], value if given else None, rest, f"--{name}")
        else:
            _letters(parsed, short, word, rest)
    return parsed


def _letters(parsed: Parsed, short: dict[str, Flag], word: str, rest: list[str]) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = short.get(letter)
        if flag is None:
            raise UsageError(f"unknown shorthand flag: {letter!r} in {word}")
        if letters.startswith("="):
            _set(parsed, flag, letters[1:], rest, f"'{letter}' in {word}")
            return
        if flag.kind == "bool":
            _set(parsed, flag, None, rest, word)
            continue
        _set(parsed, flag, letters or None, rest, f"{letter!r} in {word}")
        return


def _set(parsed: Parsed, flag: Flag, value: str | None, rest: list[str], shown: str) -> None:
    if value is None:
        if flag.kind == "bool":
            value = "true"
        elif not rest:
            raise UsageError(f"flag needs an argument: {shown}")
        else:
            value = rest.pop(0)
    try:
        converted = CONVERTERS[flag.kind](value)
    except ValueError as error:
        raise UsageError(f"invalid argument {go_quote(value)} for {go_quote(flag.label)} flag: {error}") from error
    if flag.kind in ("list", "ips") and flag.name in parsed.changed:
        converted = [*parsed.values[flag.name], *converted]
    if flag.kind == "pairs" and flag.name in parsed.changed:
        converted = {**parsed.values[flag.name], **converted}
    parsed.values[flag.name] = converted
    parsed.changed.add(flag.name)


def _truth(text: str) -> bool:
    if text in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if text in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise ValueError(f"strconv.ParseBool: parsing {go_quote(text)}: invalid syntax")


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"strconv.ParseInt: parsing {go_quote(text)}: invalid syntax") from error


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(f"strconv.ParseFloat: parsing {go_quote(text)}: invalid syntax") from error
    return int(value) if value == int(value) else value


def _texts(text: str) -> list[str]:
    import csv

    return next(csv.reader([text]), []) if text else []


def _pairs(text: str) -> dict[str, str]:
    pairs = {}
    for item in _texts(text):
        key, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"{item} must be formatted as key=value")
        pairs[key] = value
    return pairs


def _address(text: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError as error:
        raise ValueError(f"failed to parse IP: {go_quote(text)}") from error


def _addresses(text: str) -> list[str]:
    import ipaddress

    found = []
    for item in _texts(text):
        try:
            found.append(str(ipaddress.ip_address(item.strip())))
        except ValueError as error:
            raise ValueError(f"invalid string being converted to IP address: {item}") from error
    return found


CONVERTERS: dict[str, Callable[[str], Any]] = {
    "bool": _truth,
    "int": _integer,
    "float": _number,
    "str": str,
    "list": _texts,
    "pairs": _pairs,
    "ip": _address,
    "ips": _addresses,
}
