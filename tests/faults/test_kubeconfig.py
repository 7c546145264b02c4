# SPDX-License-Identifier: GPL-3.0-or-later
"""Several runs, and kubectl itself, change one kubeconfig at the same moment: no entry is lost."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.kube import kubeconfig
from ansible_collections.laptop.containers.plugins.module_utils.kube.kubeconfig import Change
from ansible_collections.laptop.containers.plugins.module_utils.kube.lock import locked

RUNS = 6
TURNS = 100 if os.environ.get("LAPTOP_LONG") else 15
MINE = """\
# mine
apiVersion: v1
kind: Config
users:
- name: me
  user: {token: "12345e6"}  # quoted
"""


def converge(file: str, name: str, start: Any) -> None:
    """Add and remove an entry many times, and leave it there."""
    entry = {"cluster": {"server": f"https://{name}"}, "user": {"token": "t"}}
    start.wait()
    for turn in range(TURNS):
        for change in (Change(name, entry), *([Change(name)] if turn < TURNS - 1 else [])):
            with locked(Path(file)):
                assert kubeconfig.rewrite(Path(file), change)


def use_kubectl(program: str, file: str, start: Any) -> None:
    """Set contexts with kubectl, which fails at once where another program holds the lock."""
    start.wait()
    for turn in range(TURNS):
        command = [program, f"--kubeconfig={file}", "config", "set-context", f"theirs-{turn}", "--user=me"]
        while subprocess.run(command, capture_output=True, check=False).returncode:
            pass


@pytest.mark.real("kubectl")
def test_runs_and_kubectl_at_the_same_moment_lose_no_entry(tmp_path: Path, engine: Callable[[str], Path]) -> None:
    file = tmp_path / "config"
    file.write_text(MINE)
    context = multiprocessing.get_context("fork")
    start = context.Barrier(RUNS + 1)
    names = [f"run-{number}" for number in range(RUNS)]
    rivals = [context.Process(target=converge, args=(str(file), name, start)) for name in names]
    rivals.append(context.Process(target=use_kubectl, args=(str(engine("kubectl")), str(file), start)))
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    assert [rival.exitcode for rival in rivals] == [0] * len(rivals)
    config = yaml.safe_load(file.read_text())
    assert all(kubeconfig.is_complete(config, name) for name in names)
    assert {item["name"] for item in config["contexts"]} == {*names, *(f"theirs-{turn}" for turn in range(TURNS))}
    assert config["users"][0] == {"name": "me", "user": {"token": "12345e6"}}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config"]
