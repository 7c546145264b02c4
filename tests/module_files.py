#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what follows from which modules, rooms and roles there are: action plugins, the action group, floors, roles' pages.

Usage: module_files.py [--check]   With --check nothing is written, and a file that differs is a failure.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.unit.test_rooms import FLOORS

ACTION = '''# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See converge.py."""

from .converge import ActionModule

__all__ = ["ActionModule"]
'''
_GROUP = re.compile(r"(?<=^  workstation:\n)(?:    - \w+\n)*", re.M)
_FLOORS = re.compile(r"(?<=^\| floor \| rooms \|\n\|---\|---\|\n)(?:\|.*\n)*", re.M)


def main(arguments: list[str]) -> int:
    """Write or check the files."""
    stale = [(path, text) for path, text in files() if not path.exists() or path.read_text() != text]
    for path, text in stale:
        if "--check" in arguments:
            print(f"{path.relative_to(ROOT)} differs from the modules, rooms and roles. Run tests/module_files.py.")
        else:
            path.write_text(text)
    return 1 if stale and "--check" in arguments else 0


def files() -> Iterator[tuple[Path, str]]:
    """Yield each file and what it has to be. An action plugin of its own, and a role's page, stay as they are."""
    modules = sorted((ROOT / "plugins" / "modules").glob("*.py"))
    for module in modules:
        action = ROOT / "plugins" / "action" / module.name
        if "\ndef subject():\n" in module.read_text() and not action.exists():
            yield action, ACTION
    runtime, page = ROOT / "meta" / "runtime.yml", ROOT / "docs" / "architecture.md"
    yield runtime, _GROUP.sub("".join(f"    - {module.stem}\n" for module in modules), runtime.read_text())
    rows = [f"| {number} | {', '.join(f'`{room}`' for room in sorted(rooms))} |\n" for number, rooms in enumerate(FLOORS)]
    yield page, _FLOORS.sub("".join(reversed(rows)), page.read_text())
    for role in sorted((ROOT / "roles").iterdir()):
        if not (role / "README.md").exists():
            # The table is written by role_tables.py.
            specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
            description = specs["main"]["short_description"]
            yield role / "README.md", f"# {role.name}\n\n{description}.\n\n| variable | default | meaning |\n|---|---|---|\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
