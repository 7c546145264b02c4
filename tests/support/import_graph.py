# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file of a tree imports which, wherever in the file it does, and be it for types alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

Graph = Mapping[str, frozenset[str]]


def import_graph(root: Path, package: str = "") -> Graph:
    """Return the files of a tree as dotted names and what each imports, relatively or from the package that the tree is."""
    files = {_dotted(path.relative_to(root)): path for path in root.rglob("*.py")}
    return {name: frozenset(_imported(name, path, package, files)) - {name} for name, path in files.items()}


def circles(graph: Graph) -> set[frozenset[str]]:
    """Return the largest groups of files that all lead to each other."""
    reached = {name: _reached(name, graph) for name in graph}
    groups = (frozenset(other for other in found if name in reached[other]) for name, found in reached.items())
    return {group for group in groups if group}


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(name: str, path: Path, package: str, files: Mapping[str, Path]) -> Iterator[str]:
    folder = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in _statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name.split(".")[1:] for alias in node.names if package and alias.name.startswith(f"{package}.")]
        else:
            module = node.module.split(".") if node.module else []
            if node.level:
                base = folder[: len(folder) + 1 - node.level] + module
            elif package and module[:1] == [package]:
                base = module[1:]
            else:
                continue
            # `from package import name`: a file of the package, or something in its __init__.
            targets = [[*base, alias.name] if ".".join([*base, alias.name]) in files else base for alias in node.names]
        yield from (dotted for dotted in map(".".join, targets) if dotted in files)


def _statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        yield from _statements(child)


def _reached(start: str, graph: Graph) -> set[str]:
    found: set[str] = set()
    ahead = [start]
    while ahead:
        for name in graph[ahead.pop()] - found:
            found.add(name)
            ahead.append(name)
    return found
