# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a policy file, read strictly: what is misspelt or contradicts itself is refused, never passed over. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.entries import kind_of
from ..core.errors import InputError, WorkstationError
from ..core.options import suggestion
from ..toolchain.programs import ASK, version_of
from .compare import number_of
from .path import Path, path_from

CONDITIONS = ("value", "minimum", "maximum", "allowed", "must_contain", "forbidden")
_OF_TOOLS = ("value", "minimum", "maximum", "allowed")
# Conditions whose entries are demands of their own.
EACH = ("must_contain", "forbidden")
_LISTS = ("allowed", *EACH)
_FILE = ("contact", "rules")
_RULE = ("setting", "tool", *CONDITIONS, "reason")


@dataclass(frozen=True)
class Rule:
    """What is allowed for a setting, or for the version of a tool. at: file and line of the rule."""

    path: Path | None
    tool: str
    conditions: Mapping[str, Any] = field(hash=False)
    reason: str
    contact: str
    at: str

    @property
    def subject(self) -> str:
        """The setting or the tool."""
        return self.path.setting if self.path else self.tool

    def public(self) -> dict[str, Any]:
        """Return the form in which it goes to another machine."""
        about = {"setting": str(self.path)} if self.path else {"tool": self.tool}
        return {**about, **self.conditions, "reason": self.reason, "contact": self.contact, "at": self.at}


def rules_from(document: Any, file: str, lines: tuple[int, ...] = ()) -> tuple[Rule, ...]:
    """Return the rules of a policy file. lines: the line of each rule, where known. Raises InputError with all mistakes."""
    problems: list[str] = []
    rules: list[Rule] = []
    if not isinstance(document, Mapping):
        reason = "it has no rules" if document is None else f"it is {kind_of(document)}, not a mapping"
        raise _broken(file, reason, "Give it a contact and rules, or remove it.")
    problems += _unknown(document, _FILE, "")
    contact = document.get("contact")
    if not _is_text(contact):
        problems.append("it lacks 'contact': a person, an address or a channel to ask")
    listed = document.get("rules")
    if not isinstance(listed, list) or not listed:
        problems.append("it lacks 'rules': a list with at least one entry")
        listed = []
    for number, one in enumerate(listed):
        line = f":{lines[number]}" if number < len(lines) else f", rule {number + 1}"
        wrong = [*_mistakes(one)]
        problems += [f"{text} ({file}{line})" for text in wrong]
        if not wrong:
            rules.append(_rule(one, str(contact), f"{file}{line}"))
    if problems:
        raise _broken(file, "; ".join(problems), "Correct it: until then nothing is changed.", problems=len(problems))
    return tuple(rules)


def _broken(file: str, reason: str, remedy: str, **context: Any) -> WorkstationError:
    return InputError(f"use policy '{file}'", reason, remedy, **context)


def rule_of(public: Mapping[str, Any]) -> Rule:
    """Return the rule of a form that public() made."""
    return _rule(public, public["contact"], public["at"])


def _rule(one: Mapping[str, Any], contact: str, at: str) -> Rule:
    path = path_from(one["setting"]) if "setting" in one else None
    conditions = {name: one[name] for name in CONDITIONS if name in one}
    return Rule(path, str(one.get("tool", "")), conditions, " ".join(str(one["reason"]).split()), contact, at)


def _mistakes(one: Any) -> Iterator[str]:
    if not isinstance(one, Mapping):
        yield f"a rule is {kind_of(one)}, not a mapping"
        return
    yield from _unknown(one, _RULE, " of a rule")
    if ("setting" in one) == ("tool" in one):
        yield "a rule needs either 'setting' or 'tool'"
    if "setting" in one:
        try:
            path_from(str(one["setting"]))
        except WorkstationError as error:
            yield f"setting '{one['setting']}': {error.reason}"
    elif one.get("tool") not in (None, *ASK):
        help_ = suggestion(str(one["tool"]), ASK.keys()) or f" Known: {', '.join(ASK)}."
        yield f"the version of '{one['tool']}' can't be told.{help_}"
    if not _is_text(one.get("reason")):
        yield "a rule lacks 'reason', which its users will read"
    yield from _conditions(one)


def _conditions(one: Mapping[str, Any]) -> Iterator[str]:
    given = [name for name in CONDITIONS if name in one]
    if not given:
        yield f"a rule allows everything. It needs one of {', '.join(CONDITIONS)}"
    for name in given:
        yield from _condition(name, one[name], of_tool="tool" in one)
    least, most = number_of(one.get("minimum")), number_of(one.get("maximum"))
    if least is not None and most is not None and least > most:
        yield f"'minimum' {one['minimum']} is above 'maximum' {one['maximum']}"
    if "value" in given and len(given) > 1:
        yield "'value' fixes a setting, and leaves nothing for other conditions"


def _condition(name: str, value: Any, *, of_tool: bool) -> Iterator[str]:
    if of_tool and name not in _OF_TOOLS:
        yield f"'{name}' says nothing of a version"
    elif name in _LISTS and (why := _why_no_list(name, value)):
        yield f"'{name}' {why}"
    elif value is None:
        yield f"'{name}' has no value"
    elif "{{" in str(value) or "{%" in str(value):
        yield f"'{name}' is a template; a policy has none"
    elif of_tool:
        yield from _no_versions(name, value)
    elif name in ("minimum", "maximum") and number_of(value) is None:
        yield f"'{name}' {value} is not a number"


def _why_no_list(name: str, value: Any) -> str:
    if not isinstance(value, list) or not value:
        return "is not a list with at least one entry"
    of_texts = name not in EACH or all(isinstance(one, str | int | float) for one in value)
    return "" if of_texts else "lists something else than texts"


def _no_versions(name: str, value: Any) -> Iterator[str]:
    for one in value if name == "allowed" else [value]:
        if version_of(str(one)) is None or isinstance(one, float):
            yield f"'{name}' {one} is not a version such as \"1.2.3\" in quotes"


def _unknown(given: Mapping[Any, Any], known: tuple[str, ...], where: str) -> Iterator[str]:
    for key in given:
        if key not in known:
            help_ = suggestion(str(key), known) or f" Known: {', '.join(known)}."
            yield f"'{key}'{where} is unknown.{help_}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
