# SPDX-License-Identifier: GPL-3.0-or-later
"""Several runs, and kubectl itself, change one kubeconfig at the same moment: runs lose no entry, and nothing of kubectl's.

kubectl reads the file before it takes its lock, and then removes what is new since: that is its own, and mended by the next run.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.kube import kubeconfig
from ansible_collections.laptop.containers.plugins.module_utils.kube.kubeconfig import Change
from ansible_collections.laptop.containers.plugins.module_utils.kube.lock import locked

FORK = multiprocessing.get_context("fork")
RUNS = 6
NAMES = [f"run-{number}" for number in range(RUNS)]
TURNS = 100 if os.environ.get("LAPTOP_LONG") else 15
# Whoever lets the lock go may take it at once again. How long a run waits at most is not what is tried here.
PATIENCE = 600.0
ME = {"name": "me", "user": {"token": "12345e6"}}
MINE = """\
# mine
apiVersion: v1
kind: Config
users:
- name: me
  user: {token: "12345e6"}  # quoted
"""


def entry_of(name: str) -> dict[str, Any]:
    return {"cluster": {"server": f"https://{name}"}, "user": {"token": "t"}}


def change(file: Path, wanted: Change) -> bool:
    with locked(file, PATIENCE):
        return kubeconfig.rewrite(file, wanted)


def converge(file: Path, name: str, start: Barrier, *, alone: bool) -> None:
    """Add and remove an entry many times, and leave it there."""
    start.wait()
    for turn in range(TURNS):
        for wanted in (Change(name, entry_of(name)), *([Change(name)] if turn < TURNS - 1 else [])):
            # Only kubectl removes what a run has just added, and restores what it has just removed.
            assert change(file, wanted) or not alone


def theirs(turn: int) -> str:
    return f"theirs-{turn:03}"


def use_kubectl(program: Path, file: Path, start: Barrier) -> None:
    """Set contexts with kubectl, which fails at once where another program holds the lock."""
    start.wait()
    for turn in range(TURNS):
        command: list[str | Path] = [program, f"--kubeconfig={file}", "config", "set-context", theirs(turn), "--user=me"]
        while (done := subprocess.run(command, capture_output=True, text=True, check=False)).returncode:
            assert ".lock" in done.stderr, done.stderr


def contexts_in(text: str) -> set[str]:
    """Return the names of a file's contexts. It must be complete, with what the user has written."""
    config = yaml.safe_load(text)
    assert config["kind"] == "Config" and ME in config["users"]
    return {item["name"] for item in config.get("contexts") or ()}


def race(rivals: list[BaseProcess], look: Callable[[], object]) -> None:
    """Let processes run, and look at the file again and again until all have ended."""
    for rival in rivals:
        rival.start()
    try:
        while any(rival.is_alive() for rival in rivals):
            look()
            time.sleep(0.02)
    finally:
        for rival in rivals:
            rival.join()
    assert [rival.exitcode for rival in rivals] == [0] * len(rivals)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """The user's kubeconfig, beside which nothing is left in the end."""
    place = tmp_path / "config"
    place.write_text(MINE)
    yield place
    assert [path.name for path in tmp_path.iterdir()] == ["config"]


def test_runs_at_the_same_moment_lose_no_entry(file: Path) -> None:
    start = FORK.Barrier(RUNS)
    runs = [FORK.Process(target=converge, args=(file, name, start), kwargs={"alone": True}) for name in NAMES]
    race([*runs], lambda: contexts_in(file.read_text()))
    text = file.read_text()
    config = yaml.safe_load(text)
    assert text.startswith(MINE)
    assert contexts_in(text) == set(NAMES)
    assert all(kubeconfig.is_complete(config, name) for name in NAMES)


@pytest.mark.real("kubectl")
def test_kubectl_beside_runs_loses_nothing_of_its_own(file: Path, engine: Callable[[str], Path]) -> None:
    start = FORK.Barrier(RUNS + 1)
    runs = [FORK.Process(target=converge, args=(file, name, start), kwargs={"alone": False}) for name in NAMES]
    made: set[str] = set()

    def look() -> None:
        # kubectl empties the file before it writes, under its lock.
        with locked(file, PATIENCE):
            there = contexts_in(file.read_text())
        assert there >= made
        made.update(name for name in there if name not in NAMES)

    race([*runs, FORK.Process(target=use_kubectl, args=(engine("kubectl"), file, start))], look)
    everyone = {*NAMES, *map(theirs, range(TURNS))}
    assert {theirs(turn) for turn in range(TURNS)} <= contexts_in(file.read_text()) <= everyone
    for name in NAMES:
        change(file, Change(name, entry_of(name)))
    config = kubeconfig.load(file)
    assert all(kubeconfig.is_complete(config, name) for name in NAMES)
    assert contexts_in(file.read_text()) == everyone
    assert not any(change(file, Change(name, entry_of(name))) for name in NAMES)
