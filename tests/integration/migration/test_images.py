# SPDX-License-Identifier: GPL-3.0-or-later
"""Images from one real engine to another: the same on both sides, each layer sent once, nothing lost at the target."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.migration.engines import Engines, docker, two_engines
from tests.support.migration.made_images import Layer, archive

pytestmark = pytest.mark.real("docker")
BASE = (Layer(1, 3 << 20), Layer(2))


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    with two_engines() as engines:
        for number in range(5):
            architecture = ("amd64", "arm64")[number % 2]
            made = archive([f"app:{number}", f"registry.example/team/app:{number}"], [*BASE, Layer(10 + number)], architecture)
            docker(engines.source, "load", data=made)
        docker(engines.source, "load", data=archive(["empty:1"], [Layer(99, 0)]))
        docker(engines.source, "load", data=archive([], [Layer(98)]))
        yield engines


def described(engines: Engines, side: str) -> dict[str, object]:
    """Return what the docker command tells of each image, by its names."""
    engine = engines.source if side == "source" else engines.target
    names = docker(engine, "images", "--filter", "dangling=false", "--format", "{{.Repository}}:{{.Tag}}").split()
    rows = json.loads(docker(engine, "image", "inspect", *names)) if names else []
    keys = ("Id", "Os", "Architecture", "Created", "Config", "RootFS", "Size")
    return {tag: {key: row[key] for key in keys} for row in rows for tag in row["RepoTags"]}


def test_images_are_the_same_on_both_sides_and_a_second_run_has_nothing_to_do(engines: Engines) -> None:
    before = described(engines, "source")
    plan = engines.move(check=True)
    assert described(engines, "target") == {}
    done = engines.move()
    assert sorted(done["actions"]) == sorted(plan["actions"]) != []
    assert described(engines, "target") == described(engines, "source") == before
    assert len(before) == 11
    assert not engines.move()["changed"]
    assert sorted(one["name"] for one in engines.compare()["equal"]) == sorted(before)


def test_another_image_of_that_name_is_kept_until_it_is_named(engines: Engines) -> None:
    docker(engines.source, "load", data=archive(["mine:1"], [Layer(50)]))
    docker(engines.target, "load", data=archive(["mine:1"], [Layer(51)]))
    theirs = described(engines, "target")["mine:1"]
    kept = engines.move()
    assert [(item["target"], item["kind"]) for item in kept["pending"]] == [("image 'mine:1'", "conflict")]
    assert described(engines, "target")["mine:1"] == theirs
    assert engines.move(replace=["mine:1"])["changed"]
    assert described(engines, "target") == described(engines, "source")


def test_helpers_leave_nothing_behind(engines: Engines) -> None:
    for engine in (engines.source, engines.target):
        assert docker(engine, "ps", "--all", "--quiet") == ""
        assert "laptop.containers" not in docker(engine, "images", "--all", "--format", "{{.ID}} {{.Repository}}")
