# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that are removed, written to or full while they are read, and what no archive carries: on real engines."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed
from ansible_collections.laptop.containers.plugins.module_utils.migration.engines import engine_from
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import Volume
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer import volumes
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.helper import PACK

from rehearsal.services.dockerd import Dockerd
from tests.support.migration.engines import Engines, docker, place_of, two_engines, volumes_of
from tests.support.migration.faults import meanwhile
from tests.support.migration.trees import told

pytestmark = pytest.mark.real("docker")
MIB = 1 << 20
# Writes the same number to the first and to the last file, again and again.
WRITES = "i=0; while :; do i=$((i+1)); echo $i >/v/a-first; echo $i >/v/z-last; done"


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    with two_engines() as engines:
        packed = subprocess.run(["sh", "-c", f"{PACK} | base64 --decode"], capture_output=True, check=True).stdout
        docker(engines.source, "import", "-", "tools:1", data=packed)
        yield engines


@pytest.fixture
def db(engines: Engines) -> Iterator[Path]:
    """A volume at the source, which takes a moment to read, and an empty volume."""
    made(engines.source, "beside")
    directory = made(engines.source, "db")
    (directory / "m").write_bytes(os.urandom(64 * MIB))
    for name in ("a-first", "z-last"):
        (directory / name).write_text("0\n")
    yield directory
    for engine in (engines.source, engines.target):
        if there := docker(engine, "ps", "--all", "--quiet").split():
            docker(engine, "rm", "--force", *there)
        docker(engine, "volume", "rm", "--force", "db", "beside")


def place(engine: Dockerd) -> volumes.Place:
    """Return an engine as a move has it."""
    return engine_from(engine.host, "engine", 20.0)[0]


def made(engine: Dockerd, name: str, *options: str) -> Path:
    docker(engine, "volume", "create", *options, name)
    return place_of(engine, name)


def writer(engines: Engines, mount: str, verb: str = "run", *more: str) -> None:
    """Start a container that writes to what is at /v."""
    start = ["--detach"] if verb == "run" else []
    words = ["--net", "none", "--name", "web", "--volume", mount, *more, "--entrypoint", "/bin/sh", "tools:1", "-c", WRITES]
    docker(engines.source, verb, *start, *words)


def moved(engines: Engines, word: bytes, act: Callable[[], object], *names: str) -> dict[str, Any]:
    """Move volumes, and act when a word passes on its way to the source."""
    path = engines.source.directory / "meanwhile.sock"
    with meanwhile(path, engines.source.socket, word, act):
        return engines.move(source=f"unix://{path}", images=[], volumes=list(names))


def arrived_whole(engines: Engines, directory: Path) -> bool:
    """Whether the target has the volume, and all of it of one moment."""
    return "db" in volumes_of(engines.target) and told(place_of(engines.target, "db")) == told(directory)


@pytest.mark.parametrize("word", [b"/images/create", b"/containers/create", b"--create"])
def test_a_volume_that_is_removed_meanwhile_is_not_made_again(engines: Engines, db: Path, word: bytes) -> None:
    with pytest.raises(CommandFailed, match=r"Could not copy volume 'db': it was removed meanwhile\. Run again\."):
        moved(engines, word, lambda: docker(engines.source, "volume", "rm", "db"), "db")
    assert not db.exists()
    assert "db" not in volumes_of(engines.source) + volumes_of(engines.target)


def test_a_mount_makes_no_volume_that_stays(engines: Engines, tmp_path: Path) -> None:
    """Of a volume with its data elsewhere the helper has a mount, for which an engine makes one that is missing."""
    source = place(engines.source)
    made(engines.source, "bound", "--opt", "type=none", "--opt", "o=bind", "--opt", f"device={tmp_path}")
    (tmp_path / "data").write_text("here")
    assert volumes.contents(source, "bound", "read it").files == 2
    path = engines.source.directory / "mount.sock"
    with meanwhile(path, engines.source.socket, b"/containers/create", lambda: docker(engines.source, "volume", "rm", "bound")):
        source.side.api.path = str(path)
        with pytest.raises(CommandFailed, match="it was removed meanwhile"):
            volumes.digest(source, "bound", "read it")
        source.image.remove()
    assert "bound" not in volumes_of(engines.source)


@pytest.mark.parametrize("way", ["volume", "directory", "part"])
def test_a_writer_that_starts_meanwhile_makes_it_wait_by_name(engines: Engines, db: Path, way: str) -> None:
    mount = {"volume": "db:/v", "directory": f"{db}:/v", "part": f"{db.parent}:/p"}[way]
    done = moved(engines, b"--create", lambda: writer(engines, mount), "db", "beside")
    (waits,) = done["pending"]
    assert (waits["target"], waits["kind"]) == ("volume 'db'", "in_use")
    assert waits["reason"] == "container 'web' can write to it"
    assert waits["remedy"].startswith("Stop what writes to it, or set ")
    assert any("beside" in line for line in done["actions"])
    assert "db" not in volumes_of(engines.target)
    docker(engines.source, "rm", "--force", "web")
    engines.move(images=[], volumes=["db"])
    assert arrived_whole(engines, db)


def test_a_container_that_goes_on_meanwhile_makes_it_wait_by_name(engines: Engines, db: Path) -> None:
    writer(engines, "db:/v")
    docker(engines.source, "pause", "web")
    both = place(engines.source), place(engines.target)
    path = engines.source.directory / "goes-on.sock"
    with meanwhile(path, engines.source.socket, b"--create", lambda: docker(engines.source, "unpause", "web")):
        both[0].side.api.path = str(path)
        with pytest.raises(volumes.InUse, match="container 'web' can write to it") as failure:
            volumes.copy(*both, Volume("db"), "laptop.containers.moving-1")
        assert failure.value.writers == ("web",)
        for one in both:
            one.image.remove()


def test_what_changes_for_a_moment_is_copied_again(engines: Engines, db: Path) -> None:
    """A container that has come and gone between the first look and the last has torn the first copy."""

    def comes_and_goes() -> None:
        writer(engines, "db:/v")
        stop.append(time.monotonic())
        subprocess.Popen(["sh", "-c", f"sleep 0.3; docker -H {engines.source.host} rm --force web"], stdout=subprocess.DEVNULL)

    stop = list[float]()
    moved(engines, b"--create", comes_and_goes, "db")
    assert stop and arrived_whole(engines, db)


def test_what_no_archive_carries_is_named(engines: Engines) -> None:
    directory = made(engines.source, "flags")
    for name in ("kept", "two words"):
        (directory / name).write_text("x")
    os.mkfifo(directory / "fifo")
    os.link(directory / "fifo", directory / "other")
    with socket.socket(socket.AF_UNIX) as bound, contextlib.chdir(directory):
        bound.bind("socket")
    subprocess.run(["chattr", "+i", directory / "kept"], check=True)
    subprocess.run(["chattr", "+a", directory / "two words"], check=True)
    try:
        done = engines.move(images=[], volumes=["flags"])
        here = place(engines.source)
        left = volumes.left_out(here, "flags", "look at it")
        here.image.remove()
        compared, gone = engines.compare()["summary"], engines.retire(leave=["tools:1"], check=True)["summary"]
    finally:
        subprocess.run(["chattr", "-ia", directory / "kept", directory / "two words"], check=True)
    (line,) = [line for line in done["warnings"] if "flags" in line]
    assert line.startswith("Not everything of volume 'flags' can be moved: ")
    fifos = ["one name of the FIFO fifo", "one name of the FIFO other"]
    assert sorted(left) == ["flags of kept", "flags of two words", *fifos, "socket socket"]
    lost = f"volume 'flags' ({', '.join(left)})"
    assert f"Not carried by any copy: {lost}" in compared
    assert f"Lost with it: what no copy carries: {lost}" in gone
    there = place(engines.target)
    assert volumes.left_out(there, "flags", "look at it") == ()
    there.image.remove()


def test_a_path_that_is_too_long_is_told_in_a_short_sentence(engines: Engines) -> None:
    directory = made(engines.source, "deep")
    # Longer than the system takes at once.
    with contextlib.chdir(directory):
        for _ in range(20):
            Path("d" * 250).mkdir()
            os.chdir("d" * 250)
    try:
        with pytest.raises(CommandFailed) as failure:
            engines.move(images=[], volumes=["deep"])
    finally:
        subprocess.run(["rm", "-r", directory / ("d" * 250)], check=True)
    assert failure.value.message.startswith("Could not copy volume 'deep': a path in it is too long for tar.")
    assert len(failure.value.message) < 200


def test_helpers_leave_nothing_behind(engines: Engines) -> None:
    for engine in (engines.source, engines.target):
        assert docker(engine, "ps", "--all", "--quiet") == ""
