# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds each function of plugins/ to ten branches; boolean operators, conditional expressions and filters count as well.

tests/dense_functions.txt lists the functions that had more when the rule came: such a one may not grow, and goes when it fits.

Usage: branches.py [--check]   Without --check the list is shortened to what still applies; a new function is never added.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "dense_functions.txt"
MOST = 10
_ONE_EACH = (ast.If, ast.For, ast.While, ast.ExceptHandler, ast.IfExp, ast.match_case)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def branches(node: ast.AST) -> int:
    """Return the branches below a node, without those of functions in it."""
    total = 0
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _FUNCTIONS):
            own = isinstance(child, _ONE_EACH) + (len(child.values) - 1 if isinstance(child, ast.BoolOp) else 0)
            total += own + (len(child.ifs) if isinstance(child, ast.comprehension) else 0) + branches(child)
    return total


def dense() -> Iterator[tuple[str, int]]:
    """Yield "file::function" and branches of each function that has too many."""
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, _FUNCTIONS) and (found := branches(node)) > MOST:
                yield f"{path.relative_to(ROOT)}::{node.name}", found


def main() -> int:
    """Compare with the list; without --check, write it."""
    known = {name: int(number) for number, name in map(str.split, LIST.read_text(encoding="utf-8").splitlines())}
    found = dict(dense())
    grown = {name: number for name, number in found.items() if number > known.get(name, MOST)}
    for name, number in grown.items():
        print(f"{name} has {number} branches, and may have {known.get(name, MOST)}. Split it.")
    if "--check" not in sys.argv:
        kept = {name: min(number, known.get(name, MOST)) for name, number in found.items() if name in known}
        LIST.write_text("".join(f"{number:3d} {name}\n" for name, number in sorted(kept.items())), encoding="utf-8")
    elif found.keys() != known.keys() and not grown:
        print(f"{LIST.relative_to(ROOT)} lists functions that fit by now. Run tests/branches.py.")
        return 1
    return bool(grown)


if __name__ == "__main__":
    sys.exit(main())
