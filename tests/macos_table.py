#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/macos.md from docs/macos.toml: what this code assumes about macOS, the source of it, and which test holds.

Usage: macos_table.py [--check]   With --check nothing is written, and a page that differs is a failure.
A name that the code, the tests or docs/mac_facts.py do not have any more is a failure, too.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ROWS, PAGE, SCRIPT = ROOT / "docs" / "macos.toml", ROOT / "docs" / "macos.md", ROOT / "docs" / "mac_facts.py"
CODE, TESTS = ROOT / "plugins" / "module_utils", ROOT / "tests"
KINDS = {"documented": "documented", "source": "read in the source", "recorded": "recorded", "none": "**no source**"}
HEAD = """\
# What we assume about macOS

Most users have a Mac, and our tests run on Linux. So each assumption of the code about macOS is listed here: where
the code rests on it, what the source is, and which test holds our side. Where no source was found, the row says what the code
does instead of relying on it.

{counts}

**The first Mac that comes by** can check what can be asked: `make mac-facts` changes nothing, starts no VM, and takes less than
two minutes and the Python that macOS brings. It prints a table to be pasted into an issue. Rows with ▸ are asked.

This page is made from [macos.toml](macos.toml) by `tests/macos_table.py`; `make lint` finds names in it that have gone.
"""
TABLE = "\n## {topic}\n\n| assumption | where | source | our test |\n|---|---|---|---|\n"


def main(arguments: list[str]) -> int:
    """Write or check the page."""
    data = tomllib.loads(ROWS.read_text(encoding="utf-8"))
    asked = names_of(SCRIPT, "CHECKS")
    wrong = [*misnamed(data["row"]), *(f"docs/mac_facts.py asks '{one}', which is not a row" for one in asked - ids(data["row"]))]
    for line in wrong:
        print(f"docs/macos.toml: {line}")
    page = page_of(data, asked)
    if "--check" not in arguments:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        print("docs/macos.md differs from docs/macos.toml. Run tests/macos_table.py.")
        return 1
    return 1 if wrong else 0


def ids(rows: list[dict[str, Any]]) -> set[str]:
    """Return the names of the rows."""
    return {row["id"] for row in rows}


def misnamed(rows: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with rows: names that are taken twice or lead nowhere, and a missing word on what the code does."""
    found = [f"'{name}' is there {count} times" for name, count in Counter(row["id"] for row in rows).items() if count > 1]
    for row in rows:
        if (row["kind"] == "none") != ("safe" in row) or (row["kind"] == "none") == ("from" in row):
            found.append(f"'{row['id']}' needs either a source, or what the code does without one")
        places = [*((place_of(one), one) for one in row["code"]), *((TESTS / one.partition("::")[0], one) for one in row["test"])]
        for file, name in places:
            if not file.exists() or name.partition("::")[2] not in names_of(file) | {""}:
                found.append(f"'{row['id']}' names '{name}', which is not there")
    return found


def place_of(name: str) -> Path:
    """Return the file of a place in the code."""
    path = name.partition("::")[0]
    return CODE / path if (CODE / path).exists() else ROOT / path


def names_of(file: Path, of: str = "") -> set[str]:
    """Return the names that a file defines, at any depth; of any other text its words. of: the keys of this dict alone."""
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    if file.suffix != ".py":
        return set(re.findall(r"[\w.-]+", text))
    nodes = list(ast.walk(ast.parse(text)))
    if of:
        tables = [node.value for node in nodes if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == of]
        return {str(ast.literal_eval(key)) for table in tables if isinstance(table, ast.Dict) for key in table.keys if key}
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    targets = [target for node in nodes if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in nodes if isinstance(node, ast.AnnAssign)]
    return defined | {target.id for target in targets if isinstance(target, ast.Name)}


def page_of(data: dict[str, Any], asked: set[str]) -> str:
    """Return the page."""
    rows = data["row"]
    kinds = Counter(row["kind"] for row in rows)
    counts = (
        f"{len(rows)} rows: {kinds['documented'] + kinds['source']} with a source ({kinds['documented']} documented, "
        f"{kinds['source']} read in the source), {kinds['recorded']} recorded in a public thread, "
        f"{kinds['none']} without a source."
    )
    parts = [HEAD.format(counts=counts)]
    for topic in dict.fromkeys(row["topic"] for row in rows):
        parts.append(TABLE.format(topic=topic))
        parts += [line_of(row, data["links"], asked) for row in rows if row["topic"] == topic]
    return "".join(parts)


def line_of(row: dict[str, Any], links: dict[str, str], asked: set[str]) -> str:
    """Return the line of one row."""
    what = f"{'▸ ' if row['id'] in asked else ''}{row['assumption']} (`{row['id']}`)"
    word = f"{KINDS[row['kind']]}: {linked(row['from'], links) if 'from' in row else row['safe']}"
    where = ", ".join(link_to(place_of(one), one) for one in row["code"])
    tests = ", ".join(link_to(TESTS / one.partition("::")[0], one) for one in row["test"])
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in (what, where, word, tests))} |\n"


def link_to(file: Path, name: str) -> str:
    """Return a link to a file, with the name in it as its text."""
    path, _colons, symbol = name.partition("::")
    return f"[{symbol.replace('_', chr(92) + '_') or Path(path).name}](../{file.relative_to(ROOT)})"


def linked(text: str, links: dict[str, str]) -> str:
    """Return a text in which each word such as xnu:bsd/sys/un.h is a link."""
    short = re.compile(rf"\b({'|'.join(links)}):(\S*[\w])")
    return short.sub(lambda found: f"[{found[1]}: {found[2].rpartition('/')[2]}]({links[found[1]]}{found[2]})", text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
