# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves that are killed, or whose engines stall, die, or have no room: nothing half has a name, and the next run continues."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed, RefusedStep

from rehearsal.services.dockerd import Dockerd
from tests.support.migration.engines import Engines, docker, place_of, two_engines, volumes_of, wipe
from tests.support.migration.faults import enlarge, killed_after, small_disk, stalling
from tests.support.migration.made_images import Layer, archive
from tests.support.migration.trees import is_whole_or_empty, many_files, odd_tree, told
from tests.support.test_runs.tiers import times

pytestmark = pytest.mark.real("docker")
MIB = 1 << 20
VOLUMES = ("odd", "many", "large")
KILLS = times(1, 2, 20)


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    with two_engines() as engines:
        for number in range(4):
            docker(engines.source, "load", data=archive([f"app:{number}"], [Layer(1, 5 * MIB), Layer(10 + number, MIB)]))
        for name in VOLUMES:
            docker(engines.source, "volume", "create", name)
        odd_tree(place_of(engines.source, "odd"))
        many_files(place_of(engines.source, "many"), 2000)
        (place_of(engines.source, "large") / "data").write_bytes(random.Random(1).randbytes(40 * MIB))  # noqa: S311
        yield engines


@pytest.fixture
def empty(engines: Engines) -> Iterator[Engines]:
    """The engines with nothing at the target."""
    yield engines
    wipe(engines.target)


def trees(engine: Dockerd) -> dict[str, list[bytes]]:
    """Return the volumes that have their own names."""
    return {name: told(place_of(engine, name)) for name in volumes_of(engine) if name in VOLUMES}


def images(engine: Dockerd) -> list[str]:
    return sorted(docker(engine, "images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}").splitlines())


def whole(engines: Engines, **options: Any) -> None:
    """Check that a run completes the move, and that nothing else is left. options: of a source that goes by another address."""
    engines.move(**options)
    assert trees(engines.target) == trees(engines.source)
    assert images(engines.target) == images(engines.source)
    assert sorted(volumes_of(engines.target)) == sorted(VOLUMES)
    assert not engines.move(**options)["changed"]
    for engine in (engines.source, engines.target):
        assert docker(engine, "ps", "--all", "--quiet") == ""


@pytest.mark.fault(
    "a move between two engines was killed at several moments", there="the source as it was; at the target whole volumes or none"
)
def test_a_killed_run_leaves_nothing_half_and_the_next_one_completes_it(empty: Engines) -> None:
    before, there = trees(empty.source), images(empty.source)
    draw = random.Random(os.environ.get("LAPTOP_SEED", "moves"))  # noqa: S311
    complete: set[str] = set()
    for _ in range(KILLS):
        if not killed_after(empty, draw.uniform(0.3, 4.0)):
            wipe(empty.target)
            complete = set()
        found = trees(empty.target)
        for name, rows in found.items():
            assert rows == before[name] or is_whole_or_empty(place_of(empty.target, name), before[name])
        assert complete <= {name for name, rows in found.items() if rows == before[name]}
        complete = {name for name, rows in found.items() if rows == before[name]}
        assert not [row for row in images(empty.target) if row not in there and "<none>" not in row]
    whole(empty)
    assert (trees(empty.source), images(empty.source)) == (before, there)


@pytest.mark.parametrize("seconds", [1.0, 2.0])
@pytest.mark.fault("a move got a signal to end after {} s", there="the source as it was")
def test_a_run_that_is_told_to_end_does_so_soon(empty: Engines, seconds: float) -> None:
    killed_after(empty, seconds, signal.SIGTERM)
    whole(empty)


@pytest.mark.parametrize("after", [20_000, 10 * MIB, 30 * MIB])
@pytest.mark.fault("the source's socket stalled after {} bytes", there="the source as it was")
def test_a_socket_that_stalls_ends_the_run(empty: Engines, after: int) -> None:
    path = empty.source.directory / "stalls.sock"
    silent = r"does not answer: nothing came for [0-9.]+ s\. Start it, and run again"
    with stalling(path, empty.source.socket, after) as goes_on:
        with pytest.raises(CommandFailed, match=silent):
            empty.move(source=f"unix://{path}", timeout=0.5)
        goes_on.set()
        # What was begun belongs to this pair of addresses.
        whole(empty, source=f"unix://{path}")


@pytest.mark.fault("the source's engine was killed in the middle", there="its images and volumes")
def test_a_source_that_dies_ends_the_run_and_the_next_one_goes_on(empty: Engines) -> None:
    timer = threading.Timer(1.2, empty.source.kill)
    timer.start()
    try:
        with pytest.raises(CommandFailed, match=r"the source .* does not answer"):
            while True:
                empty.move()
    finally:
        timer.join()
        empty.source.start()
    whole(empty)


@pytest.mark.fault("the target's disk filled up", there="the source, and no half volume at the target")
def test_a_full_disk_is_named_and_the_next_run_goes_on() -> None:
    place = Path(tempfile.mkdtemp(prefix="full-", dir="/tmp"))
    try:
        with (
            small_disk(place / "disk", 30) as disk,
            Dockerd(place / "old") as source,
            Dockerd(place / "new", data=disk) as target,
        ):
            engines = Engines(source, target)
            docker(source, "volume", "create", "many")
            # Small files take more of the disk than the engine counts.
            many_files(place_of(source, "many"), 9000)
            with pytest.raises(CommandFailed, match=r"many': no space is left on the disk\. Free some disk space there"):
                engines.move()
            assert "many" not in volumes_of(target)
            enlarge(disk, 200)
            engines.move()
            assert told(place_of(target, "many")) == told(place_of(source, "many"))
            docker(source, "load", data=archive(["large:1"], [Layer(5, 100 * MIB)]))
            # The engine unpacks it beside its place first: there is room for one of both.
            enlarge(disk, 200)
            with pytest.raises(RefusedStep, match=r"it needs 200 MiB, and .* are free"):
                engines.move()
            enlarge(disk, 300)
            engines.move()
            assert images(target) == images(source)
    finally:
        shutil.rmtree(place, ignore_errors=True)
