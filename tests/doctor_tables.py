#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the lists of the doctor's checks, in docs/doctor.md and in the module's documentation, from the code.

Usage: doctor_tables.py   tests/unit/doctor/test_documented.py holds what it writes.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.laptop.containers.plugins.module_utils.doctor.examine import kinds

PAGE = ROOT / "docs" / "doctor.md"
MODULE = ROOT / "plugins" / "modules" / "doctor.py"
HEAD = "| check | looks at |\n|---|---|\n"
_TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")
_LIST = re.compile(r'(        - The kind of check\.\n)(?:        - "?C\(.*\n(?:          .*\n)*)*')
_WIDTH = 130


def page(text: str) -> str:
    """Return the page with the table of all checks."""
    rows = "".join(f"| `{kind.id}` | {kind.looks_at} |\n" for kind in kinds())
    return _TABLE.sub(lambda _found: HEAD + rows, text)


def module(text: str) -> str:
    """Return the module with the list of all checks."""
    items = []
    for kind in kinds():
        looks_at = re.sub(r"`([^`]*)`", r"C(\1)", kind.looks_at)
        items.append("        " + _broken(f'- "C({kind.id}), {looks_at}."'))
    return _LIST.sub(lambda found: found[1] + "".join(items), text)


def _broken(words: str) -> str:
    """Return an item of a YAML list in lines that are not too long."""
    lines = textwrap.wrap(words, _WIDTH - 8, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\n        ".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
    MODULE.write_text(module(MODULE.read_text()))
