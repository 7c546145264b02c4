# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories of a profile that moves to another runtime and back: killed, used, retired, with foreign files and lost disks.

After each event, what the old VM had is in some VM unless its user gave it up, and no file of another's was touched.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import SyncState
from ansible_collections.laptop.containers.plugins.module_utils.migration.move import archive, arriving, task

from tests.support.migration.faults import Killed
from tests.support.migration.vm_life import Life

HISTORIES = 5000 if os.environ.get("LAPTOP_LONG") else 100
EVENTS = 16


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return what lets a run end at its so many-th write to the disk; 0 for never."""
    left = [0]

    def fsync(_handle: int) -> None:
        if left[0]:
            left[0] -= 1
            if not left[0]:
                raise Killed

    def after(number: int) -> None:
        left[0] = number

    monkeypatch.setattr(os, "fsync", fsync)
    return after


def live(place: Path, monkeypatch: pytest.MonkeyPatch, kill: Callable[[int], None], seeds: Iterable[int]) -> None:
    for seed in seeds:
        here = place / str(seed)
        monkeypatch.setenv("XDG_STATE_HOME", str(here / "state"))
        Life(here, seed, kill).go(EVENTS)


def test_nothing_is_lost_in_any_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: Callable[[int], None]) -> None:
    live(tmp_path, monkeypatch, kill, range(HISTORIES))


def by_path(_saved: object, found: Any) -> SyncState:
    return SyncState.ARRIVED if found.arrived.volumes else SyncState.NEW


def without_an_archive(found: Any, spec: Any, what: str) -> Any:
    return KEPT_BACK(found, spec, what) if found.archive.there else None


def whole_directory(own: Iterable[Path]) -> None:
    for place in {path.parent for path in own}:
        shutil.rmtree(place, ignore_errors=True)


KEPT_BACK = arriving._kept_back
# What each mended part did before.
BEFORE: dict[str, tuple[object, str, object]] = {
    "a path is an arrival": (arriving, "_stands", by_path),
    "an archive that is not found lets the old VM go": (arriving, "_kept_back", without_an_archive),
    "a foreign file is in the way of nothing": (archive, "in_the_way", lambda *_given: []),
    "the whole directory of an archive goes": (archive, "remove", whole_directory),
    "what only the old VM has goes unnamed": (arriving, "is_data", lambda _thing: False),
    "a start that fails is none": (task, "boot_of", lambda _paths, _name: 1),
}


@pytest.mark.long("the test of a test: up to 400 histories for each mended line")
@pytest.mark.parametrize("part", BEFORE)
def test_histories_find_what_was_mended(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: Callable[[int], None]
) -> None:
    monkeypatch.setattr(*BEFORE[part])
    with pytest.raises(AssertionError):
        live(tmp_path, monkeypatch, kill, range(400))
