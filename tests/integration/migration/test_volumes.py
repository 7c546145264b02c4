# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes from one real engine to another, as the system's own tools see them; what is in use, taken or outside is left alone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import NotVerified

from rehearsal.services.dockerd import Dockerd
from tests.support.migration.engines import Engines, docker, place_of, two_engines, work_of
from tests.support.migration.made_images import waiting
from tests.support.migration.trees import differences, many_files, occupied, odd_tree, sparse_file, told

pytestmark = pytest.mark.real("docker", "buildkit")
MIB = 1 << 20
# In each of ten volumes.
FILES = 10_000 if os.environ.get("LAPTOP_LONG") else 100


@pytest.fixture(scope="module")
def engines(engine: Callable[[str], Path]) -> Iterator[Engines]:
    with two_engines() as engines:
        docker(engines.source, "load", data=waiting("waits:1", engine("buildctl")))
        yield engines


def volume(engine: Dockerd, name: str, *options: str) -> Path:
    docker(engine, "volume", "create", *options, name)
    return place_of(engine, name)


def test_every_kind_of_file_arrives_as_it_was(engines: Engines) -> None:
    odd_tree(volume(engines.source, "odd", "--label", "com.docker.compose.volume=db"))
    many_files(volume(engines.source, "many"), 10_000)
    sparse_file(volume(engines.source, "sparse") / "disk.img", 128 * MIB, 0, 64 * MIB, 128 * MIB - 4)
    volume(engines.source, "nothing")
    before = {name: told(place_of(engines.source, name)) for name in ("odd", "many", "sparse", "nothing")}
    done = engines.move(images=[])
    assert len(done["actions"]) == 4
    for name, rows in before.items():
        assert told(place_of(engines.target, name)) == rows == told(place_of(engines.source, name))
    assert occupied(place_of(engines.target, "sparse")) < MIB
    labels = json.loads(docker(engines.target, "volume", "inspect", "odd"))[0]["Labels"]
    assert labels.pop("laptop.containers.arrival") and labels == {"com.docker.compose.volume": "db"}
    assert not engines.move(images=[])["changed"]
    assert {one["name"] for one in engines.compare()["equal"]} == set(before)
    (place_of(engines.target, "many") / "0042" / "4242").write_bytes(b"other")
    assert "Used at the target since they were copied, and kept: volume 'many'" in engines.compare()["summary"]
    (place_of(engines.source, "many") / "0042" / "4242").write_bytes(b"another")
    with pytest.raises(NotVerified, match="verify the copy of volume 'many': both the source and the target were used"):
        engines.compare()


@pytest.mark.long("test_every_kind_of_file_arrives_as_it_was reads them as well")
@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is missing: apt-get install rsync")
def test_ten_volumes_are_the_same_for_another_program(engines: Engines) -> None:
    names = [f"ten-{number}" for number in range(10)]
    for name in names:
        place = volume(engines.source, name)
        many_files(place, FILES)
        odd_tree(place)
        sparse_file(place / "disk.img", 8 * MIB, 0, 4 * MIB)
    engines.move(images=[], volumes=["ten-*"])
    for name in names:
        source, target = place_of(engines.source, name), place_of(engines.target, name)
        assert differences(source, target) == []
        assert occupied(target / "disk.img") < MIB
    (place_of(engines.target, "ten-3") / "0000" / "42").write_bytes(b"other")
    changed = differences(*(place_of(one, "ten-3") for one in (engines.source, engines.target)))
    assert [line.rpartition(" ")[2] for line in changed] == ["0000/42"]


def test_what_a_killed_run_has_begun_goes_although_nothing_is_left_to_move(engines: Engines) -> None:
    label = ("--label", "laptop.containers.migration=moving")
    # Of this pair; of another pair; of the user's.
    begun, others, mine = f"{work_of(engines)}1", "laptop.containers.moving-other-1", "laptop.containers.moving-mine"
    volume(engines.target, begun, *label)
    volume(engines.target, others, *label)
    volume(engines.target, mine)
    helper = docker(engines.source, "create", "--label", "laptop.containers.migration=helper", "waits:1").strip()
    assert not engines.move(check=True, images=[], volumes=["none"])["changed"]
    assert place_of(engines.target, begun).is_dir() and helper in docker(engines.source, "ps", "-aq", "--no-trunc")
    done = engines.move(images=[], volumes=["none"])
    assert not done["changed"] and any(others in line for line in done["warnings"])
    left = docker(engines.target, "volume", "ls", "--quiet").split()
    assert begun not in left and others in left and mine in left
    assert helper not in docker(engines.source, "ps", "-aq", "--no-trunc")
    docker(engines.target, "volume", "rm", mine, others)


def test_a_volume_of_that_name_is_kept_until_it_is_named(engines: Engines) -> None:
    (volume(engines.source, "db") / "data").write_text("theirs")
    (volume(engines.target, "db") / "data").write_text("mine")
    kept = engines.move(images=[], volumes=["db"])
    assert [(item["target"], item["kind"]) for item in kept["pending"]] == [("volume 'db'", "conflict")]
    assert (place_of(engines.target, "db") / "data").read_text() == "mine"
    assert engines.move(images=[], volumes=["db"], replace=["db"])["actions"] == [
        "replace volume 'db' (6 bytes; what the target has of it is lost)"
    ]
    assert (place_of(engines.target, "db") / "data").read_text() == "theirs"


def test_what_a_container_writes_to_waits_or_is_paused_and_goes_on(engines: Engines) -> None:
    volume(engines.source, "busy")
    docker(engines.source, "run", "--detach", "--net", "none", "--name", "writer", "--volume", "busy:/v", "waits:1")
    held = engines.move(images=[], volumes=["busy"])
    assert [(item["target"], item["kind"]) for item in held["pending"]] == [("volume 'busy'", "in_use")]
    assert "busy" not in docker(engines.target, "volume", "ls", "--quiet").split()
    assert engines.move(images=[], volumes=["busy"], pause=True)["actions"] == ["copy volume 'busy' (0 bytes; pauses writer)"]
    assert docker(engines.source, "inspect", "--format", "{{.State.Status}}", "writer").strip() == "running"
    docker(engines.source, "rm", "--force", "writer")


def test_a_volume_with_its_data_elsewhere_is_told_and_left(engines: Engines) -> None:
    volume(engines.source, "fast", "--opt", "type=tmpfs", "--opt", "o=size=1m", "--opt", "device=tmpfs")
    done = engines.move(images=[], volumes=["fast"])
    assert not done["changed"]
    assert (
        "Volume 'fast' is not moved: its data is in memory. Create it at the target, and name it in O(leave)." in done["warnings"]
    )


def test_helpers_leave_nothing_behind(engines: Engines) -> None:
    for engine in (engines.source, engines.target):
        assert docker(engine, "ps", "--all", "--quiet") == ""
        assert docker(engine, "images", "--all", "--quiet", "--filter", "label=laptop.containers.migration") == ""
        assert docker(engine, "volume", "ls", "--quiet", "--filter", "label=laptop.containers.migration") == ""
        assert not list((engine.data / "volumes").glob("*moving*"))
