# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine says that it keeps, and what it lets go: the stand-in and a real dockerd, through the client under test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed
from ansible_collections.laptop.containers.plugins.module_utils.docker.engine import EngineSilent
from ansible_collections.laptop.containers.plugins.module_utils.reclaim.docker import DockerDisk
from ansible_collections.laptop.containers.plugins.module_utils.reclaim.model import ItemKind, ReclaimItem, ReclaimPolicy
from ansible_collections.laptop.containers.plugins.module_utils.reclaim.plan import choose

from rehearsal.services.dockerd import Dockerd

from .conftest import LightEngine

DAY = 86400
ASKED = ReclaimPolicy(containers_age=DAY)


@dataclass
class Disk:
    """An engine with two images without a name, one with two names that container "mine" uses, and volumes "keep" and "old"."""

    client: DockerDisk

    def items(self, kind: ItemKind) -> list[ReclaimItem]:
        return [item for item in self.client.inventory(ASKED).items if item.kind is kind]

    def one(self, kind: ItemKind, name: str) -> ReclaimItem:
        (found,) = (item for item in self.items(kind) if item.name == name)
        return found


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.real("docker", "buildx", "buildkit"))])
def disk(request: pytest.FixtureRequest) -> Disk:
    found: Disk = request.getfixturevalue({"stand-in": "light", "real": "real"}[request.param])
    return found


@pytest.fixture
def light(light_engine: LightEngine) -> Disk:
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    used = {"Id": "sha256:33", "RepoTags": ["other:2", "waits:1"], "Size": 5}
    light_engine.pretend("images", [{"Id": "sha256:11", "Size": 3}, {"Id": "sha256:22", "Size": 4}, used])
    mount = {"Type": "volume", "Name": "keep"}
    stopped = {"State": "exited", "FinishedAt": f"{now}.5Z", "Mounts": [mount], "Image": "waits:1", "ImageID": "sha256:33"}
    light_engine.pretend("containers", [{"Names": ["/mine"], **stopped}])
    light_engine.pretend("volumes", [{"Name": "keep"}, {"Name": "old"}])
    record = {"InUse": False, "Shared": False, "Size": 7, "LastUsedAt": f"{now}.000000789Z", "Description": "local source"}
    light_engine.pretend("build-cache", [{"ID": "a", "Parent": "", **record}, {"ID": "b", "Parent": "a", **record}])
    return Disk(DockerDisk(str(light_engine.socket), "dev"))


@pytest.fixture
def real(short_path: Path, engine: Callable[[str], Path]) -> Iterator[Disk]:
    place = Path(tempfile.mkdtemp(dir=short_path))
    context = place / "context"
    context.mkdir()
    shutil.copy(engine("buildctl"), context / "tool")
    waits = '["/tool", "--addr", "unix:///none.sock", "--timeout", "3600", "--wait", "debug", "workers"]'
    (context / "Dockerfile").write_text(f"FROM scratch\nARG N\nLABEL n=$N\nCOPY tool /tool\nENTRYPOINT {waits}\n")
    with Dockerd(place / "engine") as daemon:
        environment = {**os.environ, "HOME": str(place), "DOCKER_HOST": daemon.host}

        def run(*argv: str | Path) -> None:
            done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

        def docker(*arguments: str) -> None:
            run(engine("docker-cli"), *arguments)

        for number, tag in enumerate((["--tag", "waits:1"], [], [])):
            options = ["--builder", "default", "--load", "--build-arg", f"N={number}"]
            run(engine("docker-buildx"), "build", *options, *tag, context)
        docker("tag", "waits:1", "other:2")
        docker("volume", "create", "old")
        docker("run", "--detach", "--net", "none", "--name", "mine", "--volume", "keep:/v", "waits:1")
        docker("stop", "--time", "1", "mine")
        yield Disk(DockerDisk(str(daemon.socket), "dev"))


def test_it_tells_what_nothing_uses(disk: Disk) -> None:
    images = disk.items(ItemKind.IMAGE)
    (mine,) = disk.items(ItemKind.CONTAINER)
    assert [(image.dangling, image.users) for image in images if image.dangling] == [(True, frozenset())] * 2
    (named,) = (image for image in images if not image.dangling)
    assert (sorted(named.handles), named.users) == (["other:2", "waits:1"], frozenset({mine.id}))
    assert mine.name == "mine" and mine.since is not None and 0 <= time.time() - mine.since < 600
    volumes = {volume.name: volume.users for volume in disk.items(ItemKind.VOLUME)}
    assert volumes == {"keep": {mine.id}, "old": frozenset()}
    cache = disk.items(ItemKind.CACHE)
    assert len(cache) >= 2 and all(piece.since and time.time() - piece.since < 600 for piece in cache)


def test_what_it_gave_up_is_gone_and_all_else_is_there(disk: Disk) -> None:
    before = disk.client.inventory(ASKED).items
    policy = ReclaimPolicy(cache="all", volumes=frozenset({"old", "keep"}), containers_age=DAY)
    chosen = choose(before, policy, time.time())
    for kind in (ItemKind.IMAGE, ItemKind.VOLUME):
        disk.client.remove(kind, [item for item in chosen if item.kind is kind])
    cache = [item for item in chosen if item.kind is ItemKind.CACHE]
    disk.client.prune_cache(DAY, cache)
    assert len(disk.items(ItemKind.CACHE)) == len([item for item in before if item.kind is ItemKind.CACHE])
    disk.client.prune_cache(0, cache)

    after = disk.client.inventory(ASKED).items
    assert {item.id for item in before} - {item.id for item in after} == {item.id for item in chosen}
    assert sorted(item.name for item in after) == ["keep", "mine", "other:2"]
    # What is gone already is fine.
    disk.client.remove(ItemKind.IMAGE, [item for item in chosen if item.kind is ItemKind.IMAGE])


def test_what_is_used_is_refused(disk: Disk) -> None:
    with pytest.raises(
        CommandFailed, match=r"remove image 'other:2' of profile 'dev': docker refuses: conflict: unable to remove"
    ):
        disk.client.remove(ItemKind.IMAGE, [disk.one(ItemKind.IMAGE, "other:2")])
    with pytest.raises(CommandFailed, match=r"remove volume 'keep' of profile 'dev': docker refuses: .* volume is in use"):
        disk.client.remove(ItemKind.VOLUME, [disk.one(ItemKind.VOLUME, "keep")])


def test_a_container_that_stopped_long_ago_goes_with_all_that_only_it_used(disk: Disk) -> None:
    policy = ReclaimPolicy(images="unused", cache="keep", volumes=frozenset({"keep"}), containers_age=DAY)
    found = disk.client.inventory(ASKED).items
    assert [item.name for item in choose(found, policy, time.time()) if item.kind is ItemKind.CONTAINER] == []
    chosen = choose(found, policy, time.time() + 2 * DAY)
    for kind in (ItemKind.CONTAINER, ItemKind.IMAGE, ItemKind.VOLUME):
        disk.client.remove(kind, [item for item in chosen if item.kind is kind])
    left = [item for item in disk.client.inventory(ASKED).items if item.kind is not ItemKind.CACHE]
    assert [item.name for item in left] == ["old"]


def test_an_engine_that_is_gone_is_silent(short_path: Path) -> None:
    with pytest.raises(EngineSilent, match="the socket does not exist"):
        DockerDisk(str(short_path / "none.sock"), "dev").inventory(ASKED)
