# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests said on one release, and the file that keeps it for all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from xml.etree import ElementTree

FILE = Path(__file__).parent / "results.json"
Version = tuple[int, ...]
_SUBJECT = re.compile(r"real colima(?: on the stand-in limactl| and limactl)-?")


@dataclass(frozen=True)
class Suite:
    """How the tests of one suite ended. failed: their names, without the programs that they ran on."""

    passed: int
    skipped: int
    failed: tuple[str, ...] = ()
    cases_failed: int = 0


@dataclass(frozen=True)
class Result:
    """All that was seen of one colima with one Lima. seconds: how long it took."""

    colima: str
    lima: str
    date: str
    seconds: int
    contract: Suite
    life: Suite


@dataclass(frozen=True)
class Results:
    """What results.json keeps: a result for each colima, the oldest first, and what was said of the newest one."""

    tried: Mapping[str, Result] = field(default_factory=dict)
    newest: str = ""


def version_of(text: str) -> Version:
    """Return a version as numbers that can be compared."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


def suite_of(report: Path) -> Suite:
    """Return what pytest's JUnit file says."""
    # Written a moment ago by our own pytest.
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314
    bad = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    names = {_SUBJECT.sub("", case.get("name", "")).replace("[]", "") for case in bad}
    return Suite(len(cases) - len(bad) - skipped, skipped, tuple(sorted(names)), len(bad))


def load() -> Results:
    """Return what was kept, nothing where the file is missing."""
    if not FILE.exists():
        return Results()
    kept = json.loads(FILE.read_text())
    tried = {name: _result(one) for name, one in kept["tried"].items()}
    return Results(tried, kept["newest"])


def _result(kept: Mapping[str, object]) -> Result:
    suites = {}
    for name in ("contract", "life"):
        one = kept[name]
        assert isinstance(one, dict)
        suites[name] = Suite(**{**one, "failed": tuple(one["failed"])})
    return Result(**{**kept, **suites})  # type: ignore[arg-type]


def save(results: Results) -> None:
    """Keep them."""
    tried = {name: asdict(results.tried[name]) for name in sorted(results.tried, key=version_of)}
    FILE.write_text(json.dumps({"newest": results.newest, "tried": tried}, indent=1) + "\n")
