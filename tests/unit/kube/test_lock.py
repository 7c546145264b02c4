# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError, RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.docker.config.file import ConfigFile
from ansible_collections.laptop.containers.plugins.module_utils.docker.config.plan import LinkPlugin
from ansible_collections.laptop.containers.plugins.module_utils.docker.config.surroundings import apply_link
from ansible_collections.laptop.containers.plugins.module_utils.kube import lock as kube_lock
from ansible_collections.laptop.containers.plugins.module_utils.kube.lock import lock_of, locked


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sub" / "config"


def leave(file: Path, age: float) -> None:
    """Leave a lock as a killed process does."""
    file.parent.mkdir(exist_ok=True)
    lock_of(file).write_text("")
    os.utime(lock_of(file), (time.time() - age, time.time() - age))


def test_a_directory_that_is_a_link_into_nothing_is_not_made(tmp_path: Path) -> None:
    (tmp_path / ".kube").symlink_to(tmp_path / "disk" / "kube")
    with pytest.raises(InputError, match="which does not exist"), locked(tmp_path / ".kube" / "config"):
        pass
    with pytest.raises(InputError, match="which does not exist"):
        ConfigFile(tmp_path / ".kube" / "config.json").edit(lambda settings: {**settings, "a": 1})
    with pytest.raises(InputError, match="which does not exist"):
        apply_link(LinkPlugin("link", "", path=f"{tmp_path}/.kube/cli-plugins/docker-buildx", points_to="/bin/true"))
    assert not (tmp_path / "disk").exists()


def test_a_held_lock_is_waited_for(file: Path) -> None:
    with locked(file):
        assert lock_of(file).exists()
        with pytest.raises(RefusedStep, match="remove that file"), locked(file, wait=0.2):
            pass
        assert lock_of(file).exists()
    assert not lock_of(file).exists()


@pytest.mark.parametrize("age", [100, -100, -1e9], ids=["old", "ahead", "years ahead"])
def test_a_stale_lock_is_removed(file: Path, age: float) -> None:
    leave(file, age)
    with locked(file, wait=0.2):
        pass
    assert not lock_of(file).exists()


def test_a_lock_that_never_changes_is_stale_whatever_its_date(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(file, -10)
    monkeypatch.setattr(kube_lock, "STALE_SECONDS", 15)
    with pytest.raises(RefusedStep), locked(file, wait=0.2):
        pass
    monkeypatch.setattr(kube_lock, "_is_old", lambda _lock: False)
    monkeypatch.setattr(kube_lock, "STALE_SECONDS", 0.2)
    with locked(file, wait=5):
        pass


def test_a_run_that_lost_its_lock_leaves_the_one_of_its_successor(file: Path) -> None:
    with locked(file):
        lock_of(file).unlink()
        lock_of(file).write_text("")
    assert lock_of(file).exists()


def succeed(file: str, start: Any, log: str) -> None:
    """Take the lock at the same moment as others, and write down when it was held."""
    start.wait()
    with locked(Path(file)):
        began = time.monotonic_ns()
        os.sched_yield()
        line = f"{began} {time.monotonic_ns()}\n"
        with Path(log).open("a") as out:
            out.write(line)


def test_a_stale_lock_has_one_successor(file: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for turn in range(40):
        leave(file, 100)
        start, log = context.Barrier(6), tmp_path / str(turn)
        rivals = [context.Process(target=succeed, args=(str(file), start, str(log))) for _ in range(6)]
        for rival in rivals:
            rival.start()
        for rival in rivals:
            rival.join()
        held = sorted(tuple(map(int, line.split())) for line in log.read_text().splitlines())
        assert len(held) == 6
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(held))
