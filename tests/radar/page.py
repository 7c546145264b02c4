# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/supported-versions.md: the results of the radar as a page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.laptop.containers.plugins.module_utils.toolchain.matrix import (
    BREAKS,
    CROSSINGS,
    TESTED,
    TOOLS,
    WORKS,
    BrokenVersions,
)
from ansible_collections.laptop.containers.plugins.module_utils.toolchain.programs import in_digits

from tests.radar.differences import DIFFERENCES, Difference, unexplained
from tests.radar.results import Result, Results

FILE = ROOT / "docs" / "supported-versions.md"
_HEAD = """# Supported versions

colima 0.8.1 or newer, Lima 0.18 or newer. `make radar` writes this page.

## What is known of each program

`plugins/module_utils/toolchain/matrix.py` keeps this list. The role [toolchain](../roles/toolchain/README.md) warns of what is
known to break, or refuses it (`toolchain_versions`); the doctor shows it. What is in no column was not tried.

{matrix}

What an upgrade means for VMs that are there:

{crossings}

## What was tried

The radar builds real releases of colima and Lima and runs two suites on each:

* the **contract**, `tests/contract/colima`: what colima 0.10 does, down to files and words. The VMs are those of the stand-in
  limactl; what needs no VM runs on the real one, too. Older releases differ; the second table lists how.
* the **life** of a profile, `tests/integration/colima_releases`: our module creates, changes, stops, starts and removes a docker
  profile and a Kubernetes one. Here nothing may fail.

"""


def page(results: Results) -> str:
    """Return the page."""
    head = _HEAD.format(matrix="\n".join(_matrix()), crossings="\n".join(_crossings()))
    return head + "\n".join([*_table(results), "", *_differences(list(results.tried.values()))]) + "\n"


def _matrix() -> Iterator[str]:
    yield "| program | tested | known to work | known to break |"
    yield "|---|---|---|---|"
    for tool in TOOLS:
        tested = ", ".join(map(in_digits, TESTED.get(tool, ())))
        works = " to ".join(map(in_digits, WORKS.get(tool, ())))
        breaks = "; ".join(_broken(one) for one in BREAKS if one.tool == tool)
        yield f"| {tool} | {tested or '-'} | {works or '-'} | {breaks or '-'} |"


def _broken(one: BrokenVersions) -> str:
    since = f"from {in_digits(one.first)} " if any(one.first) else ""
    until = f"before {in_digits(one.fixed)}" if one.fixed else "on"
    beside = f", beside {one.beside[0]} {in_digits(one.beside[1])} or newer" if one.beside else ""
    return f"{since}{until}{beside}: {one.says} ([source]({one.source}))"


def _crossings() -> Iterator[str]:
    return (f"* **{one.tool} {in_digits(one.at)}**: {one.means} ([source]({one.source}))" for one in CROSSINGS)


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
