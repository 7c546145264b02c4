# SPDX-License-Identifier: GPL-3.0-or-later
"""Each suite of `make bench` can be run alone, and the map of `make profile` counts each second once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bench.run import ON_REQUEST, SUITES
from bench.run_map import lines, means
from bench.timed_run import Clock


@pytest.mark.parametrize("suite", [*SUITES, *ON_REQUEST])
def test_a_suite_finds_what_it_imports(suite: str) -> None:
    root = Path(__file__).resolve().parents[2]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", f"import bench.{suite}"], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


class Ticks:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def passing(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    found = Ticks()
    monkeypatch.setattr("bench.timed_run.time.perf_counter", found)
    return found


def test_of_nested_parts_the_innermost_counts(ticks: Ticks, tmp_path: Path) -> None:
    clock = Clock(time.time())
    inner = clock.timed("inner", lambda: ticks.passing(5))

    def work() -> None:
        ticks.passing(2)
        inner()
        # The part of a thread is that of the one that waits for it.
        thread = threading.Thread(target=inner)
        thread.start()
        thread.join()

    clock.timed("outer", work)()
    clock.keep(tmp_path / "record", "")

    found = json.loads((tmp_path / "record").read_text())["seconds"]
    assert (found["outer"], found["inner"], found["the rest"]) == (7, 5, 0)


def test_a_task_begins_with_nothing_and_the_map_shows_its_mean(ticks: Ticks, tmp_path: Path) -> None:
    clock = Clock(time.time() - 10)
    for seconds in (2, 4):
        clock.begin_task()
        clock.timed("a part", lambda seconds=seconds: ticks.passing(seconds))()
        clock.keep(tmp_path / "record", "a task")
    whole = {"task": "", "seconds": {"waiting for tasks": 1.0, "imports": 3.0}}
    with (tmp_path / "record").open("a") as file:
        file.write(f"{json.dumps(whole)}\n" * 2)

    assert list(lines(means(tmp_path / "record", 2))) == [
        "  4.000 s  the whole run, of which 1.000 s waiting for its tasks",
        "    3.000   75%  imports",
        "    1.000   25%  waiting for tasks",
        "\n  3.000 s  a task",
        "    3.000   75%  a part",
    ]
