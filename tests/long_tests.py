# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/long-tests.md: which tests only `make test-long` runs, and why. With --check, compares it, for `make lint`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "long-tests.md"
HEAD = """# Tests that only `make test-long` runs

`make test` leaves these out. What they hold, a shorter test holds as well: the last column says which one. Two kinds are not
listed: of a test of playbooks or faults with many rows, `make test` runs the first and the last one (all where it is marked
`each_row`); and tests that say `times(...)` or read `LAPTOP_LONG` only repeat more in `make test-long`. Written by
`python -m tests.long_tests` from the marks of the tests.

| file | test | why it is long, and what holds its promise in `make test` |
|---|---|---|
"""


def reason(node: ast.AST) -> str | None:
    """Return the reason of a mark, or of the rows that chosen() leaves out; None for all other nodes."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("pytest.mark.long", "chosen") and node.args:
        return str(ast.literal_eval(node.args[0]))
    return None


def found(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield file, test, and reason of each mark."""
    for path in sorted((*folder.rglob("test_*.py"), *folder.rglob("conftest.py"))):
        tree = ast.parse(path.read_text())
        named = {
            id(inner): node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
            for decorator in node.decorator_list
            for inner in ast.walk(decorator)
        }
        marks = {id(inner) for node in tree.body if _is_mark_of_all(node) for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if (why := reason(node)) is not None:
                of = "all" if id(node) in marks else named.get(id(node), "a row of it")
                of += ", the rows that are not named there" if ast.unparse(node).startswith("chosen") else ""
                yield path.relative_to(folder).as_posix(), of, why


def _is_mark_of_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["pytestmark"]


def page() -> str:
    """Return the page."""
    return HEAD + "".join(f"| `tests/{file}` | {of} | {why} |\n" for file, of, why in found(ROOT / "tests"))


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text() == page():
            return 0
        print("docs/long-tests.md is not what the marks say: python -m tests.long_tests")
        return 1
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
