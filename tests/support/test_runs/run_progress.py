# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a whole run, how far it is, how long it will still take, and what to do after it. A plugin of pytest.

Files that failed last time come first, then the longest ones: so that no worker has a long one at the end. How long they take is
what the last run on this machine took, and seconds.json for files that have not run here; `make test-map` renews it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from .file_costs import Measured

SECONDS = Path(__file__).with_name("seconds.json")
CACHED = "laptop/seconds"
# Their files share what takes long to start.
SHARED = ("tests/integration/node/",)
# A file that takes less is not worth a line of seconds.json.
SHORT = 3.0
# Between two lines of progress.
PAUSE = 15.0


def file_of(nodeid: str) -> str:
    """Return the file of a test."""
    return nodeid.partition("::")[0]


def scope_of(nodeid: str) -> str:
    """Return what one worker runs from beginning to end: a file, or a folder of SHARED."""
    return next((folder for folder in SHARED if nodeid.startswith(folder)), file_of(nodeid))


def ordered(nodeids: list[str], seconds: Mapping[str, float], failed: set[str]) -> list[int]:
    """Return the places of tests in the order in which they run; the tests of a scope stay together, in their order."""
    scopes = [scope_of(nodeid) for nodeid in nodeids]
    first = {scope_of(nodeid) for nodeid in failed}
    place = {scope: number for number, scope in reversed([*enumerate(scopes)])}
    long = dict.fromkeys(place, 0.0)
    for file in {file_of(nodeid) for nodeid in nodeids}:
        long[scope_of(file)] += seconds.get(file, 0.0)
    return sorted(range(len(scopes)), key=lambda one: (scopes[one] not in first, -long[scopes[one]], place[scopes[one]], one))


def words_for(seconds: float) -> str:
    """Return a time left, as a person says it."""
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{max(5, round(seconds / 5) * 5):.0f} s"


class Progress:
    """Orders the tests; in the process that has the terminal, says how far they are."""

    def __init__(self, config: pytest.Config, measured: Measured) -> None:
        self.config, self.measured = config, measured
        known = json.loads(SECONDS.read_text()) if SECONDS.exists() else {}
        self.seconds: dict[str, float] = {**known, **(config.cache.get(CACHED, {}) if config.cache else {})}
        self.began = self.said = time.monotonic()
        self.files: list[str] = []
        self.done = self.failed = 0

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        failed = self.config.cache.get("cache/lastfailed", {}) if self.config.cache else {}
        nodeids = [item.nodeid for item in items]
        items[:] = [items[number] for number in ordered(nodeids, self.seconds, {*failed} & {*nodeids})]
        self.files = [file_of(item.nodeid) for item in items]

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self.files = [file_of(nodeid) for nodeid in ids]

    def left(self) -> float | None:
        """Return the seconds left: what the tests that are not done took last time, at this run's pace. None at the beginning."""
        each: dict[str, int] = {}
        for file in self.files:
            each[file] = each.get(file, 0) + 1
        # A file that no one has measured is as long as its tests are many, a twentieth of a second each.
        expected = {file: self.seconds.get(file, 0.05 * count) for file, count in each.items()}
        spent = {file: cost for file, cost in self.measured.files.items() if file in expected}
        past = sum(expected[file] * min(1.0, cost.tests / each[file]) for file, cost in spent.items())
        passed = time.monotonic() - self.began
        # The first files say nothing yet of the pace.
        return (sum(expected.values()) - past) * passed / past if past > 0.02 * sum(expected.values()) else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.done += report.when == "teardown"
        self.failed += report.failed
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter and report.failed and not self.config.getoption("verbose") > 0:
            # Its reason comes at the end; its name need not wait for that.
            reporter.ensure_newline()
            reporter.write_line(f"FAILED {report.nodeid}")
        if reporter is None or not self.files or time.monotonic() - self.said < PAUSE:
            return
        self.said = time.monotonic()
        failed = f", {self.failed} failed" if self.failed else ""
        left = self.left()
        time_left = f"; {words_for(left)} left" if left is not None else ""
        reporter.ensure_newline()
        reporter.write_line(
            f"{100 * self.done // len(self.files):3d} %  {self.done} of {len(self.files)} tests{failed}{time_left}"
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Show no dot for a test that did what it should."""
        if report.passed:
            return ("passed" if report.when == "call" else "", "", "PASSED")
        return ("skipped", "", "SKIPPED") if report.skipped and not hasattr(report, "wasxfail") else None

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.config.cache and self.measured.files:
            took = {file: round(cost.seconds, 1) for file, cost in self.measured.files.items()}
            self.config.cache.set(CACHED, {**self.seconds, **took})
            if self.config.getoption("--costs"):
                known = {file: seconds for file, seconds in {**self.seconds, **took}.items() if seconds >= SHORT}
                SECONDS.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
        terminalreporter.ensure_newline()
        terminalreporter.write_line(self.advice(terminalreporter))

    def advice(self, terminalreporter: pytest.TerminalReporter) -> str:
        """Return what to do now."""
        bad = sorted({report.nodeid for kind in ("failed", "error") for report in terminalreporter.stats.get(kind, [])})
        if bad:
            return f"Mend what failed, then run it again: .venv/bin/python -m pytest '{bad[0]}'" + (
                f" ({len(bad) - 1} more: --lf)" if len(bad) > 1 else ""
            )
        skipped = len(terminalreporter.stats.get("skipped", []))
        if skipped:
            return f"All is well, but {skipped} tests found something missing: the list above says how to get it."
        return "All is well: commit."
