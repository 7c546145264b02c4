# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of docs/faults.md: what a test broke, what the run said, what was still there, and what the next run did.

A test of a fault is marked @pytest.mark.fault("what was done", there="what it found afterwards"). What runs said is noted by
those who start them, while the test runs. `pytest --write-faults` writes the rows of the tests that passed.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.laptop.containers.plugins.module_utils.core.errors import WorkstationError

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "faults.md"
HEAD = """# What was broken, and what happened

Each row is a run of a test that passed. Written by `pytest --write-faults tests/faults tests/integration/ecr_pull_secret`,
from what the runs said; `{}` stands for what differs from run to run. The test has looked at what the fourth column says.

| what was done | what the run said | what was still there | what the next run did | test |
|---|---|---|---|---|
"""
_LONGEST = 280
# What differs from run to run.
_VARIES = re.compile(
    r"/(?:tmp|private|var/folders)/[^\s'\",;]+|(?<=127\.0\.0\.1:)\d+|\b[0-9a-f]{12,}\b|(?<=process )\d+|\b\d+(?:\.\d+)? [KMG]iB"
    r"|\d{4}-\d\d-\d\dT[\d:.]+Z?|\b\d+\.\d+ s\b"
)
_CELL = re.compile(r"(?<!\\)\|")


class Row(NamedTuple):
    """A row of the page."""

    done: str
    said: str
    there: str
    after: str
    test: str

    @property
    def function(self) -> str:
        """The file and the name of the test, without the case."""
        return self.test.partition("[")[0]

    def __str__(self) -> str:
        cells = (*self[:-1], f"`{self.test}`")
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


@dataclass
class Fault:
    """What a test broke, and what its runs said meanwhile: whether each failed, and its words."""

    done: str
    there: str
    runs: list[tuple[bool, str]] = field(default_factory=list)
    begun: bool = False

    def row(self, test: str) -> Row:
        """Return the row. Raises AssertionError where a run is missing, or the last one failed."""
        assert len(self.runs) > 1, f"{test}: the run that was disturbed and the next one have to be noted; there are {self.runs}"
        failed, last = self.runs[-1]
        assert not failed, f"{test}: the last run that was noted failed: {last}"
        first = next((place for place, (failed, _words) in enumerate(self.runs) if failed), 0)
        after = next(words for failed, words in self.runs[first + 1 :] if not failed)
        went_on = plain(after) if after == last else f"{plain(after)}; then {plain(last)}"
        return Row(self.done, plain(self.runs[first][1]), self.there, went_on, test)


_current: list[Fault] = []


def begin(fault: Fault) -> None:
    """Note from now on what runs say."""
    _current[:] = [fault]


def end() -> None:
    """Note nothing any more."""
    _current.clear()


def note(words: str, *, failed: bool = False) -> None:
    """Note what a run said, where a test of a fault runs."""
    for fault in _current:
        if fault.begun:
            fault.runs.append((failed, words))


def noted(result: Mapping[str, Any]) -> None:
    """Note a result of a module."""
    actions = result.get("actions") or ()
    words = str(result.get("msg")) if result.get("failed") else "; ".join(map(str, actions)) or "nothing to do"
    note(words, failed=bool(result.get("failed")))


@contextlib.contextmanager
def noting() -> Iterator[None]:
    """Note a failure that ends the block."""
    try:
        yield
    except WorkstationError as error:
        note(error.message, failed=True)
        raise


def killed(how: str = "SIGKILL") -> None:
    """Note that a run was killed."""
    note(f"nothing: it was ended by {how}", failed=True)


def plain(text: str) -> str:
    """Return a text on one line, without what differs from run to run, and not longer than a cell may be."""
    text = _VARIES.sub("{}", " ".join(text.split()))
    return text if len(text) <= _LONGEST else text[:_LONGEST].rpartition(" ")[0] + " …"


def rows_of(page: str) -> list[Row]:
    """Return the rows of a page."""
    cells = [[cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[1:-1]] for line in page.splitlines()]
    return [
        Row._make([*row[:-1], row[-1].strip("`")]) for row in cells if len(row) == len(Row._fields) and row[-1].startswith("`")
    ]


def write(rows: Iterable[Row]) -> None:
    """Write the page: these rows, and those of other tests that still exist."""
    new = {row.test: row for row in rows}
    ran = {row.function for row in new.values()}
    there = {*marked()}
    old = [row for row in rows_of(PAGE.read_text()) if row.function in there - ran] if PAGE.exists() else []
    found = sorted((*old, *new.values()), key=lambda row: row.test)
    PAGE.write_text(HEAD + "".join(f"{row}\n" for row in found))


def marked() -> Iterator[str]:
    """Yield the tests of faults: the file and the name of each that is marked so."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "mark.fault(" in path.read_text():
            yield from (f"{path.relative_to(ROOT)}::{name}" for name, is_fault in tests_in(path) if is_fault)


def tests_in(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the name of each test of a file, and whether it is marked as one of a fault."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, any("mark.fault(" in ast.unparse(one) for one in node.decorator_list)
