# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of volumes of a real engine: restored as the system's own tools see them, and never over what exists."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import NotVerified, RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run
from ansible_collections.laptop.containers.plugins.module_utils.migration.snapshots.task import VolumeSnapshots

from rehearsal.processes.system import comes_true
from rehearsal.services.dockerd import Dockerd
from tests.support.migration.engines import docker, place_of, volumes_of
from tests.support.migration.made_images import waiting
from tests.support.migration.trees import many_files, occupied, odd_tree, sparse_file, told
from tests.support.processes import killed_after
from tests.support.test_runs.tiers import times

pytestmark = pytest.mark.real("docker", "buildkit")
MIB = 1 << 20
SECONDS = 60.0
KILLS = times(1, 2, 20)
_RUN = """
import json, sys
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run
from ansible_collections.laptop.containers.plugins.module_utils.migration.snapshots.task import VolumeSnapshots
run(VolumeSnapshots(), json.loads(sys.argv[1]), check_mode=False)
"""


@dataclass(frozen=True)
class Laptop:
    """An engine, and the directory of its snapshots."""

    engine: Dockerd
    kept: Path

    def options(self, name: str = "one", **more: Any) -> dict[str, Any]:
        given = {option: one.get("default") for option, one in VolumeSnapshots.argument_spec.items()}
        return {**given, "engine": self.engine.host, "directory": str(self.kept), "name": name, "timeout": 60.0, **more}

    def snapshot(self, name: str = "one", *, check: bool = False, **more: Any) -> dict[str, Any]:
        """Run the module."""
        return run(VolumeSnapshots(), self.options(name, **more), check_mode=check)

    def restore(self, name: str = "one", **more: Any) -> dict[str, Any]:
        """Run the module to go back."""
        return self.snapshot(name, state="restored", **more)

    def there(self) -> list[str]:
        """Return the volumes and names of what is kept, parts too."""
        return sorted(str(path.relative_to(path.parents[1])) for path in self.kept.glob("*/*/*"))

    def volume(self, name: str, *options: str) -> Path:
        """Make a volume."""
        docker(self.engine, "volume", "create", *options, name)
        return place_of(self.engine, name)


@pytest.fixture(scope="module")
def running(engine: Callable[[str], Path]) -> Iterator[Laptop]:
    directory = Path(tempfile.mkdtemp(prefix="snap-", dir="/tmp"))
    try:
        with Dockerd(directory / "engine") as dockerd:
            docker(dockerd, "load", data=waiting("waits:1", engine("buildctl")))
            yield Laptop(dockerd, directory / "kept")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def laptop(running: Laptop) -> Iterator[Laptop]:
    """An engine without volumes, and no snapshots."""
    yield running
    for name in volumes_of(running.engine):
        docker(running.engine, "volume", "rm", name)
    shutil.rmtree(running.kept, ignore_errors=True)


def test_volumes_come_back_as_they_were(laptop: Laptop) -> None:
    odd_tree(laptop.volume("odd", "--label", "com.docker.compose.volume=db"))
    many_files(laptop.volume("many"), 1000)
    sparse_file(laptop.volume("sparse") / "disk.img", 64 * MIB, 0, 32 * MIB)
    before = {name: told(place_of(laptop.engine, name)) for name in volumes_of(laptop.engine)}
    assert len(laptop.snapshot(check=True)["actions"]) == 3 and not laptop.kept.exists()
    done = laptop.snapshot()
    assert laptop.there() == ["many/one", "odd/one", "sparse/one"]
    assert [one["volume"] for one in done["snapshots"] if one["files"] > 1000] == ["many"]
    assert not laptop.snapshot()["changed"] and not laptop.restore()["changed"]
    (place_of(laptop.engine, "many") / "0001" / "new").write_bytes(b"new")
    for name in ("odd", "sparse"):
        docker(laptop.engine, "volume", "rm", name)
    with pytest.raises(RefusedStep, match=r"Could not restore volume 'many': what is in there now would be lost.*confirm=many"):
        laptop.restore()
    assert volumes_of(laptop.engine) == ["many"]
    assert len(laptop.restore(confirm=["many"])["actions"]) == 3
    assert {name: told(place_of(laptop.engine, name)) for name in volumes_of(laptop.engine)} == before
    assert occupied(place_of(laptop.engine, "sparse")) < MIB
    assert json.loads(docker(laptop.engine, "volume", "inspect", "odd"))[0]["Labels"] == {"com.docker.compose.volume": "db"}
    assert not laptop.restore()["changed"]
    assert docker(laptop.engine, "ps", "--all", "--quiet") == ""


def test_so_many_stay_of_each_volume_and_only_of_those_that_are_named(laptop: Laptop) -> None:
    for name in ("db", "web"):
        (laptop.volume(name) / "file").write_text(name)
        laptop.snapshot("a", volumes=[name])
    laptop.snapshot("b", volumes=["d*"], keep=1)
    assert laptop.there() == ["db/b", "web/a"]


def test_what_is_used_is_left_alone_or_paused(laptop: Laptop) -> None:
    laptop.volume("busy")
    docker(laptop.engine, "run", "--detach", "--net", "none", "--name", "writer", "--volume", "busy:/v", "waits:1")
    try:
        assert [(one["target"], one["kind"]) for one in laptop.snapshot()["pending"]] == [("volume 'busy'", "in_use")]
        assert laptop.there() == []
        assert laptop.snapshot(pause=True)["actions"] == ["copy volume 'busy' as 'one' (0 bytes; pauses writer)"]
        assert docker(laptop.engine, "inspect", "--format", "{{.State.Status}}", "writer").strip() == "running"
        (place_of(laptop.engine, "busy") / "new").touch()
        assert "docker compose down" in laptop.restore(confirm=["busy"])["pending"][0]["remedy"]
        assert (place_of(laptop.engine, "busy") / "new").exists()
    finally:
        docker(laptop.engine, "rm", "--force", "writer")


def test_a_damaged_archive_is_not_restored(laptop: Laptop) -> None:
    (laptop.volume("db") / "file").write_bytes(b"content" * 1000)
    laptop.snapshot()
    docker(laptop.engine, "volume", "rm", "db")
    (archive,) = laptop.kept.glob("*/db/one/volume.tar")
    data = bytearray(archive.read_bytes())
    data[data.index(b"content")] ^= 1
    archive.write_bytes(data)
    with pytest.raises(NotVerified, match="what arrived is not what the snapshot's manifest says"):
        laptop.restore()
    assert volumes_of(laptop.engine) == []


def holds(engine: Dockerd, name: str) -> object:
    """What a volume holds, None where it is not there; "in between" while files of it come or go."""
    if name not in volumes_of(engine):
        return None
    try:
        return told(place_of(engine, name)) if any(place_of(engine, name).iterdir()) else []
    except (OSError, subprocess.CalledProcessError):
        return "in between"


def test_what_a_killed_run_has_begun_goes_although_all_is_restored(laptop: Laptop) -> None:
    laptop.volume("db")
    laptop.snapshot()
    laptop.volume("laptop.containers.restoring-1", "--label", "laptop.containers.migration=restoring")
    laptop.volume("laptop.containers.restoring-mine")
    assert not laptop.restore(check=True)["changed"] and len(volumes_of(laptop.engine)) == 3
    assert not laptop.restore()["changed"]
    assert volumes_of(laptop.engine) == ["db", "laptop.containers.restoring-mine"]


@pytest.mark.long("kills; tests/integration/snapshot kills that of a disk alike")
@pytest.mark.parametrize("state", ["present", "restored"])
def test_a_killed_run_leaves_no_half_and_the_next_one_completes_it(laptop: Laptop, state: str) -> None:
    many_files(laptop.volume("many"), 2000)
    (place_of(laptop.engine, "many") / "data").write_bytes(random.Random(1).randbytes(20 * MIB))  # noqa: S311
    before = told(place_of(laptop.engine, "many"))
    if state == "restored":
        laptop.snapshot()
        (place_of(laptop.engine, "many") / "data").write_bytes(b"changed")
    old = told(place_of(laptop.engine, "many"))
    draw = random.Random(os.environ.get("LAPTOP_SEED", state))  # noqa: S311
    given = json.dumps(laptop.options(state=state, confirm=["many"]))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(KILLS):
        process = subprocess.Popen([sys.executable, "-c", _RUN, given], env=environment, start_new_session=True)
        killed_after(process, draw.uniform(0.3, 4.0))
        # The engine continues removing the old volume, and the new one is made a moment before the data takes its place.
        assert comes_true(lambda: holds(laptop.engine, "many") in (None, [], old, before), SECONDS)
    laptop.snapshot(state=state, confirm=["many"])
    assert told(place_of(laptop.engine, "many")) == before
    assert laptop.there() == ["many/one"] and volumes_of(laptop.engine) == ["many"]
    assert not laptop.restore()["changed"]
    assert docker(laptop.engine, "ps", "--all", "--quiet") == ""
