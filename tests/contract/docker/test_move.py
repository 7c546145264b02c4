# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine says of its images, and how it hands them over: the stand-in and a real dockerd, through our client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed, NotVerified
from ansible_collections.laptop.containers.plugins.module_utils.docker.stream import EngineApi, EngineRefused
from ansible_collections.laptop.containers.plugins.module_utils.migration import inventory
from ansible_collections.laptop.containers.plugins.module_utils.migration.engines import _archive
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import ARRIVAL, LABEL, Image, Volume
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer import helper, images, volumes
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.helper import HelperImage, Programs
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.sides import Side
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.volumes import Place

from tests.support.migration.engines import docker, two_engines
from tests.support.migration.made_images import Layer, archive

from .conftest import LightEngine

TAGS = ("a:1", "b:1", "registry.example/a:2")


@pytest.fixture
def put(sides: tuple[Side, Side]) -> Callable[[str, str, str], None]:
    """Put a file into a volume of the source."""
    api = sides[0].api

    def by_hand(volume: str, name: str, text: str) -> None:
        made = api.object("/volumes/create", "Mountpoint", method="POST", body={"Name": volume})
        (Path(made["Mountpoint"]) / name).write_text(text)

    def pretend(volume: str, name: str, text: str) -> None:
        api.ask("POST", "/volumes/create", {"Name": volume})
        file = Path(api.path).parent / "state/volumes.json"
        file.write_text(json.dumps([{**one, "Files": {name: text}} for one in json.loads(file.read_text())]))

    return pretend if Path(api.path).name == "engine.sock" else by_hand


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.real("docker"))])
def sides(request: pytest.FixtureRequest) -> tuple[Side, Side]:
    """An engine with two images, one of which has two names, and an empty engine."""
    found: tuple[Side, Side] = request.getfixturevalue({"stand-in": "light", "real": "real"}[request.param])
    return found


@pytest.fixture
def light(short_path: Path) -> Iterator[tuple[Side, Side]]:
    engines = [LightEngine(short_path / f"move-{name}") for name in ("old", "new")]
    engines[0].pretend(
        "images",
        [
            {"Id": f"sha256:{'1' * 64}", "RepoTags": ["a:1", "registry.example/a:2"], "Size": 5, "Created": 5},
            {"Id": f"sha256:{'2' * 64}", "RepoTags": ["b:1"], "Size": 7, "Created": 5},
        ],
    )
    yield as_sides(*(str(engine.socket) for engine in engines))
    for engine in engines:
        engine.stop()


@pytest.fixture
def real(short_path: Path) -> Iterator[tuple[Side, Side]]:
    with two_engines(short_path) as engines:
        for tags, number in ((["a:1", "registry.example/a:2"], 1), (["b:1"], 2)):
            docker(engines.source, "load", data=archive(tags, [Layer(number)]))
        yield as_sides(*(str(engine.socket) for engine in (engines.source, engines.target)))


def as_sides(old: str, new: str) -> tuple[Side, Side]:
    return Side(EngineApi(old, 20), "the source"), Side(EngineApi(new, 20), "the target")


def by_tag(side: Side) -> dict[str, Image]:
    return {tag: image for image in inventory.read(side.api).images for tag in image.tags}


def test_images_arrive_with_the_names_that_were_asked_for(sides: tuple[Side, Side]) -> None:
    source, target = sides
    there = by_tag(source)
    assert sorted(there) == list(TAGS) and there["a:1"].id == there["registry.example/a:2"].id
    assert by_tag(target) == {}
    wanted = [Image(**{**vars(there["a:1"]), "tags": ("a:1",)}), there["b:1"]]
    images.copy(source, target, wanted, known=())
    arrived = by_tag(target)
    assert sorted(arrived) == ["a:1", "b:1"]
    assert {tag: (image.id, image.layers, image.platform, image.created) for tag, image in arrived.items()} == {
        tag: (image.id, image.layers, image.platform, image.created) for tag, image in there.items() if tag in arrived
    }
    assert by_tag(source) == there


def test_an_image_that_is_not_there_is_refused(sides: tuple[Side, Side]) -> None:
    source, _target = sides
    inventory.negotiate(source.api)
    with pytest.raises(EngineRefused):
        source.api.download("/images/get?names=gone%3A1")


def test_networks_and_plugins_are_lists(sides: tuple[Side, Side]) -> None:
    found = inventory.read(sides[0].api)
    assert (found.networks, found.plugins, found.volumes, found.containers) == ((), (), (), ())
    assert found.engine and found.root


def test_a_volume_is_described_by_its_name_as_in_the_list(sides: tuple[Side, Side]) -> None:
    api = sides[0].api
    inventory.negotiate(api)
    api.ask("POST", "/volumes/create", {"Name": "described", "Labels": {"a": "b"}})
    try:
        described = api.object("/volumes/described", "Name", "Mountpoint")
        assert described in api.objects("/volumes", "Name", under="Volumes")
        with pytest.raises(EngineRefused) as refused:
            api.object("/volumes/absent")
        assert (refused.value.status, str(refused.value)) == (404, "get absent: no such volume")
    finally:
        api.ask("DELETE", "/volumes/described")


def test_a_volume_is_filled_digested_and_gets_its_name(sides: tuple[Side, Side], put: Callable[[str, str, str], None]) -> None:
    fetched = Programs(lambda: _archive(None))
    source, target = (Place(side, HelperImage(side.api, fetched)) for side in sides)
    inventory.negotiate(source.side.api)
    inventory.negotiate(target.side.api)
    put("db", "data", "first")
    try:
        copied = volumes.copy(source, target, Volume("db"), "work")
        assert copied.sent == copied.arrived == volumes.digest(source, "db", "digest") == volumes.digest(target, "work", "digest")
        assert volumes.put_in_place(target, Volume("db", labels={ARRIVAL: "token"}), "work") == "token"
        assert volumes.digest(target, "db", "digest") == copied.sent
        assert volumes.contents(target, "db", "read").files == 2
        with pytest.raises(CommandFailed, match="compare"):
            volumes.digest(target, "work", "compare")
        # What is there already is neither lost nor mixed.
        put("db", "data", "second")
        again = volumes.copy(source, target, Volume("db"), "work")
        with pytest.raises(CommandFailed, match="Directory not empty"):
            volumes.put_in_place(target, Volume("db"), "work")
        assert volumes.digest(target, "db", "digest") == copied.sent != again.sent == volumes.digest(target, "work", "digest")
        with pytest.raises(CommandFailed, match="it was removed meanwhile"):
            volumes.digest(source, "gone", "digest")
        assert [one.name for one in inventory.read(source.side.api).volumes] == ["db"]
    finally:
        source.image.remove()
        target.image.remove()
    found = inventory.read(target.side.api)
    assert ([one.name for one in found.volumes], found.begun, found.helpers) == (["db"], ("work",), ())


def test_a_volume_whose_data_is_aside_starts_no_container(sides: tuple[Side, Side], put: Callable[[str, str, str], None]) -> None:
    api = sides[0].api
    engine = Place(sides[0], HelperImage(api, Programs(lambda: _archive(None))))
    inventory.negotiate(api)
    put("db", "data", "first")
    try:
        known, image = volumes.digest(engine, "db", "digest"), engine.image.make()
        mounts = [helper.volume("db", "", read_only=False)]
        # Not one of a move's, though it has its image.
        held = {"Image": image, "Labels": {LABEL: "held"}, "Entrypoint": ["/bin/sh"], "OpenStdin": True}
        held["HostConfig"] = {"NetworkMode": "none", "Mounts": mounts}
        api.ask("POST", "/containers/create?name=held", held)
        volumes.take_aside(engine, "db", "take it aside")
        assert volumes.aside(engine, inventory.read(api).volumes, "look") == {"db"}
        assert volumes.digest(engine, "db", "digest") == known
        with pytest.raises(EngineRefused, match="no such file or directory"):
            api.ask("POST", "/containers/held/start")
        with pytest.raises(EngineRefused, match="volume is in use"):
            volumes.remove(engine, "db")
        volumes.give_back(engine, "db", "give it back")
        assert volumes.aside(engine, inventory.read(api).volumes, "look") == frozenset()
        api.ask("POST", "/containers/held/start")
        # A container has it, or it is not what was read: it stays as it was.
        for other in (known, "another"):
            with pytest.raises(NotVerified, match="the target's was used meanwhile"):
                volumes.remove_known(engine, "db", other, "replace it")
            assert volumes.digest(engine, "db", "digest") == known
            if other == known:
                api.ask("DELETE", "/containers/held?force=1")
        volumes.remove_known(engine, "db", known, "replace it")
        assert inventory.read(api).volumes == ()
    finally:
        engine.image.remove()
