# SPDX-License-Identifier: GPL-3.0-or-later
"""Label selectors, read as Kubernetes' own parser reads them (k8s.io/apimachinery/pkg/labels), refusals word for word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from .http.status import bad_request
from .validation import LABEL_VALUE, QUALIFIED, QUALIFIED_TEXT, SUBDOMAIN, SUBDOMAIN_TEXT, VALUE_TEXT

Labels = dict[str, str]
Test = Callable[[Labels], bool]

TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^=!(),<>\s]+|\Z)")
SYMBOLS = frozenset("=!(),<>") | {"==", "!=", ""}
OPERATORS = ("in", "notin", "=", "==", "!=", ">", "<")
LONGEST = 63


def parse(text: str) -> Test:
    """Return a test for labels from `a=1,b!=2,c in (x,y),!d`. Raises Refused."""
    tests = _Parser(text).selector()
    return lambda labels: all(test(labels) for test in tests)


class _Invalid(Exception):
    """A requirement that can't be read."""


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = [match[1] for match in TOKEN.finditer(text.rstrip())]

    def take(self) -> str:
        """Return the next token and go on; the end of the text is ''."""
        return self.tokens.pop(0) if self.tokens else ""

    def ahead(self) -> str:
        """Return the next token."""
        return self.tokens[0] if self.tokens else ""

    def selector(self) -> list[Test]:
        """Return the requirements, divided by commas."""
        tests: list[Test] = []
        while self.ahead():
            if self.ahead() in SYMBOLS - {"!"}:
                raise bad_request(f"found '{self.ahead()}', expected: !, identifier, or 'end of string'")
            try:
                tests.append(self.requirement())
            except _Invalid as error:
                raise bad_request(f"unable to parse requirement: {error}") from error
            end = self.take()
            if end not in ("", ","):
                raise bad_request(f"found '{end}', expected: ',' or 'end of string'")
            if end and self.ahead() in SYMBOLS - {"!"}:
                raise bad_request(f"found '{self.ahead()}', expected: identifier after ','")
        return tests

    def requirement(self) -> Test:
        """Return one requirement."""
        absent = self.ahead() == "!" and bool(self.take())
        key = self.identifier()
        _check_key(key)
        if absent:
            return lambda labels: key not in labels
        if self.ahead() in ("", ","):
            return lambda labels: key in labels
        operator = self.take()
        if operator not in OPERATORS:
            raise _Invalid(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
        values = self.values() if operator in ("in", "notin") else [self.value()]
        if operator in ("<", ">"):
            return _compared(key, operator, values[0])
        for value in sorted(values):
            _check_value(key, value)
        if operator in ("in", "=", "=="):
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values

    def identifier(self) -> str:
        """Return a key or a value."""
        found = self.take()
        if found in SYMBOLS:
            raise _Invalid(f"found '{found}', expected: identifier")
        return found

    def value(self) -> str:
        """Return what stands behind =; it may be nothing."""
        return "" if self.ahead() in ("", ",") else self.identifier()

    def values(self) -> list[str]:
        """Return what stands in parentheses; each may be nothing."""
        opened = self.take()
        if opened != "(":
            raise _Invalid(f"found '{opened}' expected: '('")
        if self.ahead() in SYMBOLS - {",", ")"}:
            raise _Invalid(f"found '{self.ahead()}', expected: ',', ')' or identifier")
        found = []
        while True:
            found.append("" if self.ahead() in (",", ")") else self.identifier())
            end = self.take()
            if end == ")":
                return found
            if end != ",":
                raise _Invalid(f"found '{end}', expected: ',' or ')'")


def _compared(key: str, operator: str, value: str) -> Test:
    if not _number([value]):
        reason = "for 'Gt', 'Lt' operators, the value must be an integer"
        raise _Invalid(f'values[0]: Invalid value: "{value}": {reason}')

    def test(labels: Labels) -> bool:
        found = labels.get(key, "")
        return _number([found]) and (int(found) > int(value) if operator == ">" else int(found) < int(value))

    return test


def _number(texts: Iterable[str]) -> bool:
    return all(re.fullmatch(r"[-+]?[0-9]+", text) for text in texts)


def _check_key(key: str) -> None:
    prefix, slash, name = key.partition("/")
    name = name if slash else prefix
    reason = ""
    if "/" in name:
        example = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        reason = f"{QUALIFIED_TEXT.replace('name part', 'a valid label key')} {example}"
    elif slash and not re.fullmatch(SUBDOMAIN, prefix):
        reason = f"prefix part {SUBDOMAIN_TEXT}"
    elif len(name.encode()) > LONGEST:
        reason = f"name part must be no more than {LONGEST} bytes"
    elif not re.fullmatch(QUALIFIED, name):
        reason = QUALIFIED_TEXT
    if reason:
        raise _Invalid(f'<nil>: Invalid value: "{key}": {reason}')


def _check_value(key: str, value: str) -> None:
    reason = "" if re.fullmatch(LABEL_VALUE, value) else VALUE_TEXT
    if len(value.encode()) > LONGEST:
        reason = f"must be no more than {LONGEST} bytes"
    if reason:
        raise _Invalid(f'values[0][{key}]: Invalid value: "{value}": {reason}')
