#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the tables of variables in roles/*/README.md, from the roles' argument specifications.

Usage: role_tables.py [--check]   With --check nothing is written, and a table that differs is a failure.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[1] / "roles"
HEAD = "| variable | default | meaning |\n|---|---|---|\n"
TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")
# A(b) of Ansible's markup: a name with its value, or a plugin with its kind.
MARKUP = re.compile(r"\b(O|V|C|E|M|RV)\(((?:[^()\\]|\\.)*)\)")
LONGEST_DEFAULT = 60


def _shown(found: re.Match[str]) -> str:
    """Return a name or value of the documentation's markup; a name without where it belongs."""
    kind, text = found.groups()
    return f"`{text if kind in 'VC' else text.rpartition('#')[2].rpartition(':')[2]}`"


def main(arguments: list[str]) -> int:
    """Write or check the table of every role."""
    stale = [role.name for role in sorted(ROLES.iterdir()) if not settled(role, write="--check" not in arguments)]
    for name in stale:
        print(f"roles/{name}/README.md: the table of variables differs from meta/argument_specs.yml. Run tests/role_tables.py.")
    return 1 if stale else 0


def settled(role: Path, *, write: bool) -> bool:
    """Return whether a role's table is as it should be, after having written it where that is asked for."""
    page = role / "README.md"
    options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    table = HEAD + "".join(row(name, option) for name, option in options.items())
    before = page.read_text()
    after = TABLE.sub(lambda _found: table, before)
    if write and after != before:
        page.write_text(after)
    return write or (after == before and table in before)


def row(name: str, option: dict[str, Any]) -> str:
    """Return the line of one variable."""
    text = option["description"]
    words = " ".join(text) if isinstance(text, list) else text
    choices = [] if name.endswith("_state") else option.get("choices", [])
    untold = any(f"V({choice})" not in words for choice in choices)
    one_of = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if untold else ""
    meaning = MARKUP.sub(_shown, words) + one_of
    return f"| `{name}` | {default(option)} | {meaning.replace('|', chr(92) + '|')} |\n"


def default(option: dict[str, Any]) -> str:
    """Return a default value as YAML shows it on one line; of a long or computed one, where it is."""
    if "default" not in option:
        return "[computed](defaults/main.yml)"
    value = option["default"]
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "[see defaults](defaults/main.yml)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
