# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory tells people, and what of docker's configuration it reads: names, never a secret."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.laptop.containers.plugins.module_utils.docker.names import DockerNames, read_docker_names
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import Container, Image, Inventory, Volume
from ansible_collections.laptop.containers.plugins.module_utils.migration.summary import summary

MIB = 1 << 20


def test_it_tells_what_there_is_and_what_stays_behind() -> None:
    source = Inventory(
        "engine",
        images=(Image("sha256:1", ("web:1",)), Image("sha256:2")),
        volumes=(Volume("db", 3 * MIB), Volume("a" * 64, anonymous=True)),
        containers=(
            Container("1", "shop", "web:1", "sha256:1", "running"),
            Container("2", "old", "web:1", "sha256:1", "exited"),
        ),
        networks=("backend",),
        layers_size=5 * MIB,
    )
    there = DockerNames(("desktop-linux",), "desktop-linux", ("far",), "desktop", (("b.example", "ecr-login"),), ("a.example",))
    said = list(summary(source, there, {"shop": "docker run web:1"}))
    assert said[:7] == [
        "2 images (5 MiB), 1 of them without a name, which moves only on request",
        "2 volumes (3 MiB), 1 of them without a name, which moves only on request",
        "2 containers, of which these run: shop",
        "Networks of the user's: backend",
        "Docker contexts: desktop-linux; current: desktop-linux",
        "Builders: far",
        "Credentials: all with the helper 'desktop', b.example with the helper 'ecr-login', a.example in config.json",
    ]
    assert any("Containers are not moved" in line for line in said[7:])
    assert said[-1] == "Again 'shop': docker run web:1"


def test_of_an_empty_engine_it_tells_that() -> None:
    said = list(summary(Inventory("engine"), DockerNames(), {}))
    assert said[0] == "0 images (0 bytes)" and said[-1] == "Credentials: none"


def test_only_names_are_read(tmp_path: Path) -> None:
    meta = tmp_path / "contexts/meta/1"
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": "far", "Endpoints": {"docker": {"Host": "tcp://me:secret@far"}}}))
    (tmp_path / "buildx/instances").mkdir(parents=True)
    (tmp_path / "buildx/instances/builder").write_text("{}")
    config = {
        "credHelpers": {"b.example": "ecr-login"},
        "auths": {"a.example": {"auth": "secret"}, "https://me:secret@c.example/v1/": {}},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = read_docker_names(tmp_path, tmp_path / "buildx")
    assert found.contexts == ("far",) and found.builders == ("builder",) and found.helpers == (("b.example", "ecr-login"),)
    assert "a.example" in found.logins and len(found.logins) == 2
    assert "secret" not in json.dumps(found.public())


def test_a_laptop_without_docker_has_nothing(tmp_path: Path) -> None:
    assert read_docker_names(tmp_path / "none", tmp_path / "none") == DockerNames()
