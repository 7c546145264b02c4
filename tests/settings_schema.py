#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/settings.schema.json, by which editors check and complete settings, from the roles' argument specifications.

Usage: settings_schema.py [--check]   With --check nothing is written, and a schema that differs is a failure.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.laptop.containers.plugins.plugin_utils.settings import OF_PLAYBOOKS

SCHEMA = ROOT / "docs" / "settings.schema.json"
MARKUP = re.compile(r"\b(?:O|V|C|E|M|RV|P)\(((?:[^()\\]|\\.)*)\)")
TYPES = {
    "str": "string",
    "path": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}
# Any value may be computed.
TEMPLATE = {"type": "string", "pattern": r"\{\{"}


def main(arguments: list[str]) -> int:
    """Write or check the schema."""
    text = json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
    if "--check" not in arguments:
        SCHEMA.write_text(text)
    elif not SCHEMA.exists() or SCHEMA.read_text() != text:
        print(f"{SCHEMA.relative_to(ROOT)} differs from the roles' argument specifications. Run tests/settings_schema.py.")
        return 1
    return 0


def schema() -> dict[str, Any]:
    """Return the schema of a file of settings."""
    properties: dict[str, Any] = {}
    for role in sorted((ROOT / "roles").iterdir()):
        options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
        inner = inner_options(role)
        properties |= {name: option_schema({**inner.get(name, {}), **option}) for name, option in options.items()}
    properties |= {name: option_schema(option) for name, option in OF_PLAYBOOKS.items()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Settings of laptop.containers",
        "type": ["object", "null"],
        "properties": properties,
    }


def option_schema(option: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of one option: of a role, or of a module's entry."""
    text = option.get("description", "")
    described = {"description": MARKUP.sub(lambda found: found[1].rpartition("#")[2].rpartition(":")[2], " ".join(_list(text)))}
    if "default" in option:
        described["default"] = option["default"]
    plain = _plain(option)
    kind = plain.get("type")
    if "enum" in plain:
        return {**described, "anyOf": [plain, TEMPLATE]}
    # So, and not as a choice of two, an editor names what is wrong inside.
    return {**described, **plain} if kind in (None, "string") else {**described, **plain, **TEMPLATE, "type": [kind, "string"]}


def _plain(option: Mapping[str, Any]) -> dict[str, Any]:
    kind = TYPES.get(option.get("type", "str"))
    inner = option.get("options") or option.get("suboptions")
    found: dict[str, Any] = {} if kind is None else {"type": kind}
    if option.get("choices"):
        found["enum"] = option["choices"]
    if kind == "array":
        elements = TYPES.get(option.get("elements", "raw"))
        if inner:
            entry = _entry(inner)
            found["items"] = entry if elements == "object" else {"anyOf": [{"type": "string"}, entry]}
        elif elements and elements != "object":
            found["items"] = {"type": elements}
    elif kind == "object" and inner:
        found |= _entry(inner)
    return found


def _entry(options: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, option in options.items():
        properties |= dict.fromkeys((name, *option.get("aliases", ())), option_schema(option))
    required = [name for name, option in options.items() if option.get("required")]
    closed = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**closed, "required": required} if required else closed


def inner_options(role: Path) -> dict[str, dict[str, Any]]:
    """Return what the role's module says of the entries of a list or mapping, by the role's variable."""
    found = {}
    for task in yaml.safe_load((role / "tasks" / "main.yml").read_text()) or []:
        for action, arguments in task.items():
            if not action.startswith("laptop.containers.") or not isinstance(arguments, dict):
                continue
            known = documented(action.rpartition(".")[2])
            for option, value in arguments.items():
                variable = re.fullmatch(r"\{\{ (\w+) \}\}", str(value))
                if variable and "suboptions" in known.get(option, {}):
                    found[variable[1]] = {"suboptions": known[option]["suboptions"]}
    return found


def documented(module: str) -> dict[str, Any]:
    """Return the options that a module's documentation describes, with those of its fragments."""
    own = _documentation(ROOT / "plugins" / "modules" / f"{module}.py")
    options = dict(own.get("options") or {})
    for fragment in _list(own.get("extends_documentation_fragment") or []):
        _namespace, _collection, file, *variant = fragment.split(".")
        found = _documentation(ROOT / "plugins" / "doc_fragments" / f"{file}.py", *map(str.upper, variant))
        for name, option in (found.get("options") or {}).items():
            options[name] = {**option, **options.get(name, {})}
    return options


def _documentation(file: Path, variable: str = "DOCUMENTATION") -> dict[str, Any]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == variable:
            return dict(yaml.safe_load(ast.literal_eval(node.value)))
    return {}


def _list(text: str | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
