# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/supported-versions.md: the results of the radar as a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.radar.differences import DIFFERENCES, Difference, unexplained
from tests.radar.results import Result, Results

FILE = Path(__file__).parents[2] / "docs" / "supported-versions.md"
_HEAD = """# Supported versions

colima 0.8.1 or newer, Lima 0.18 or newer. `make radar` writes this page. It builds real releases and runs two suites on each:

* the **contract**, `tests/contract/colima`: what colima 0.10 does, down to files and words. The VMs are those of the stand-in
  limactl; what needs no VM runs on the real one, too. Older releases differ; the second table lists how.
* the **life** of a profile, `tests/integration/colima_releases`: our module creates, changes, stops, starts and removes a docker
  profile and a Kubernetes one. Here nothing may fail.

"""


def page(results: Results) -> str:
    """Return the page."""
    return _HEAD + "\n".join([*_table(results), "", *_differences(list(results.tried.values()))]) + "\n"


def _table(results: Results) -> Iterator[str]:
    yield "| colima | Lima | tried on | contract: passed, differs, skipped | life: passed, failed | not explained |"
    yield "|---|---|---|---|---|---|"
    for one in results.tried.values():
        left = ", ".join(f"`{test}`" for test in unexplained(one)) or "nothing"
        contract = f"{one.contract.passed}, {one.contract.cases_failed}, {one.contract.skipped}"
        life = f"{one.life.passed}, {one.life.cases_failed}"
        yield f"| {one.colima} | {one.lima} | {one.date} | {contract} | {life} | {left} |"
    yield ""
    yield f"The newest release: {results.newest}."


def _differences(tried: list[Result]) -> Iterator[str]:
    yield "## What older releases do otherwise"
    yield ""
    yield "| before | it | so our code | seen in |"
    yield "|---|---|---|---|"
    for difference in DIFFERENCES:
        seen = ", ".join(one.colima for one in tried if _seen(difference, one)) or "none of the above"
        yield f"| {difference.program} {difference.before} | {difference.what} | {difference.ours} | {seen} |"


def _seen(difference: Difference, result: Result) -> bool:
    return difference.shows_in(result) and any(difference.explains(test) for test in result.contract.failed)
