# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds each function of plugins/ to ten branches; boolean operators, conditional expressions and filters count as well."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
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
    """Name the functions that have more."""
    found = list(dense())
    for name, number in found:
        print(f"{name} has {number} branches, and may have {MOST}. Split it.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
