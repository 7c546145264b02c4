# SPDX-License-Identifier: GPL-3.0-or-later
"""Which part of its options a module's sentence is about, found by leaving parts out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.buildx.task import SUBJECT as BUILDERS
from ansible_collections.laptop.containers.plugins.module_utils.colima.task import SUBJECT as PROFILES
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import Subject
from ansible_collections.laptop.containers.plugins.module_utils.docker.config.task import SUBJECT as DOCKER_CONFIG
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.task import SUBJECT as PULL_SECRETS
from ansible_collections.laptop.containers.plugins.module_utils.nerdctl.task import SUBJECT as WRAPPERS
from ansible_collections.laptop.containers.plugins.plugin_utils.refusals import Part, part_to_blame, refusals, without_emptied

HOST = {"cpus": 8, "memory_mib": 16384, "system": "Darwin", "arch": "aarch64"}
REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
ROLE = "arn:aws:iam::123456789012:role/x"


def blamed(subject: type[Subject[Any, Any]], options: Mapping[str, Any], left_alone: str = "") -> list[list[Any]]:
    """Return the way to what is to blame for each sentence. left_alone: an option that no user has written."""

    def judge(tried: Mapping[str, Any]) -> list[str]:
        return refusals(subject(), tried, {}, check_mode=False)[0]

    def is_written(part: Part, way: list[Part]) -> bool:
        return bool(way) or part.key != left_alone

    said = judge(options)
    found = [part_to_blame(options, one, said, judge, is_written) for one in said]
    return [[part.key for part in way] for way in found]


@pytest.mark.parametrize(
    ("subject", "options", "way"),
    [
        pytest.param(
            WRAPPERS, {"wrappers": [{"profile": "a", "path": "/a"}, {"profile": "b", "path": "b"}]},
            ["wrappers", 1, "path"], id="one option of an entry",
        ),
        pytest.param(
            WRAPPERS, {"wrappers": [{"profile": "a", "path": "/a"}, {"profile": "b", "path": "/a"}]},
            ["wrappers"], id="two entries together",
        ),
        pytest.param(
            BUILDERS, {"builders": [{"name": "a", "endpoint": "a"}, {"name": "b", "endpoint": "b", "profile": "b"}]},
            ["builders", 1], id="two options of an entry together",
        ),
        pytest.param(DOCKER_CONFIG, {"plugins": ["docker-buildx", "a b"], "repair": True}, ["plugins", 1], id="an item"),
        pytest.param(
            PULL_SECRETS, {"registries": [{"host": REGISTRY, "duration": 5, "role_arn": ROLE}]},
            ["registries", 0, "duration"], id="in what is needed",
        ),
        pytest.param(
            PULL_SECRETS, {"registries": [REGISTRY], "name": "A_B", "namespaces": ["C_D"]}, ["name"], id="before another one"
        ),
    ],
)  # fmt: skip
def test_the_smallest_part_is_found(subject: type[Subject[Any, Any]], options: dict[str, Any], way: list[Any]) -> None:
    assert blamed(subject, options) == [way]


def test_of_several_that_could_be_changed_none_is_blamed() -> None:
    options = {"profiles": [{"name": "a"}, {"name": "b"}], "sizes": "share", "host": {**HOST, "cpus": 1}}
    assert blamed(PROFILES, options) == [[]]


def test_a_part_that_no_user_has_written_is_not_blamed() -> None:
    options = {"profiles": [{"name": "a", "cpu": 0}], "sizes": "share", "host": HOST}
    assert blamed(PROFILES, options, left_alone="sizes") == [["profiles", 0, "cpu"]]


def test_a_list_that_lost_its_only_entry_goes_as_well() -> None:
    way = [Part("profiles", None), Part(0, None), Part("name", None)]
    assert without_emptied({"profiles": [], "sizes": "share"}, way) == {"sizes": "share"}
    assert without_emptied({"profiles": [{"name": "b"}]}, way) == {"profiles": [{"name": "b"}]}
    # So does an entry without anything left.
    assert without_emptied({"profiles": [{"name": "b"}, {}]}, [way[0], Part(1, None), way[2]]) == {"profiles": [{"name": "b"}]}
    assert without_emptied({"profiles": [{}], "sizes": "share"}, way) == {"sizes": "share"}
    inner = [Part("profiles", None), Part(0, None), Part("mounts", None), Part(0, None)]
    assert without_emptied({"profiles": [{"name": "a", "mounts": []}]}, inner) == {"profiles": [{"name": "a"}]}
    assert without_emptied({"profiles": [{"name": "a", "mounts": [1]}]}, inner) == {"profiles": [{"name": "a", "mounts": [1]}]}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"profiles": [{"runtime": "docker"}]}, "Could not use an entry of 'colima_profiles': it has no name. Add that."),
        (
            {"profiles": [{"name": "a", "mounts": [{}]}]},
            "Could not use an entry of 'colima_profiles' (mounts): it has no location. Add that.",
        ),
    ],
)
def test_what_an_entry_lacks_is_told_in_words_of_ours(options: Mapping[str, Any], expected: str) -> None:
    assert refusals(PROFILES(), options, {"profiles": "colima_profiles"}, check_mode=False)[0] == [expected]
