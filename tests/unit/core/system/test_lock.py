# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock between runs: who had it, and what lies in its place."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError, RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.core.system.lock import Lock

from tests.support.macos import volumes


def test_what_was_read_is_still_true_where_no_other_run_came_between(tmp_path: Path) -> None:
    first = Lock(tmp_path, "test", 1)
    with first as quiet:
        assert quiet
    earlier, later = Lock(tmp_path, "test", 1), Lock(tmp_path, "test", 1)
    with earlier as quiet:
        assert quiet
    with later as quiet:
        assert not quiet


def test_where_times_are_whole_seconds_no_stamp_proves_that_nothing_came_between(tmp_path: Path) -> None:
    with volumes.ext4(tmp_path, "-I", "128") as place:
        with Lock(place, "test", 1):
            pass
        for _second in range(2):
            earlier, later = Lock(place, "test", 1), Lock(place, "test", 1)
            with earlier:
                pass
            with later as quiet:
                assert not quiet


def test_a_run_that_waited_reads_again(tmp_path: Path) -> None:
    said: list[str] = []
    holder = Lock(tmp_path, "test", 1)
    entered = holder.__enter__()
    release = threading.Event()

    def told(text: str) -> None:
        said.append(text)
        release.set()

    waiting = Lock(tmp_path, "test", 20, told)

    def free() -> None:
        release.wait(20)
        holder.__exit__()

    thread = threading.Thread(target=free)
    thread.start()
    with waiting as quiet:
        assert entered
        assert not quiet
    thread.join()
    assert said[0] == f"waiting for another run (process {os.getpid()})"


def test_a_lock_that_stays_held_is_refused_with_its_holder(tmp_path: Path) -> None:
    with (
        Lock(tmp_path, "change it", 1),
        pytest.raises(RefusedStep, match=rf"Could not change it: another run \(process {os.getpid()}\) has held"),
        Lock(tmp_path, "change it", 0.2),
    ):
        pass


MAKE: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "directory": Path.mkdir,
    "link": lambda path: path.symlink_to("/etc/hostname"),
}


@pytest.mark.parametrize("kind", MAKE)
def test_what_is_not_a_plain_file_is_refused_and_left(tmp_path: Path, kind: str) -> None:
    MAKE[kind](tmp_path / "lock")
    with pytest.raises(InputError, match=r"it is not a plain file. Remove it, and run again.$"), Lock(tmp_path, "test", 1):
        pass
    assert os.path.lexists(tmp_path / "lock")
