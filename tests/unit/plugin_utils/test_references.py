# SPDX-License-Identifier: GPL-3.0-or-later
"""What settings mention, found on the laptop before anything is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.nerdctl.wrapper import script
from ansible_collections.laptop.containers.plugins.plugin_utils.references import (
    foreign_wrappers,
    unfit_profiles,
    unknown_profiles,
)


def said(**entry: Any) -> list[str]:
    works = {"nerdctl_wrapper": {"wrappers": [{"profile": "k8s", **entry}], "state": "present"}}
    return [sentence for sentence, _at in foreign_wrappers(works, {})]


def test_a_file_of_the_users_holds_up_a_wrapper_before_any_vm_starts(home: Path) -> None:
    mine = home / ".local" / "bin" / "nerdctl"
    mine.parent.mkdir(parents=True)
    mine.write_text("#!/bin/sh\n")
    assert said() == [
        f"Could not write nerdctl wrapper '{mine}': another file is there. Choose another path, or set 'move_foreign: true' in "
        "its entry of nerdctl_wrappers to have it moved aside."
    ]
    assert said(path=str(home)) == [
        f"Could not write nerdctl wrapper '{home}': it is not a file. Move it away, or choose another path."
    ]


@pytest.mark.parametrize("entry", [{"move_foreign": True}, {"state": "absent"}, {"path": "~/elsewhere"}], ids=str)
def test_what_can_be_written_or_need_not_is_no_problem(home: Path, entry: dict[str, Any]) -> None:
    (home / ".local" / "bin").mkdir(parents=True)
    (home / ".local" / "bin" / "nerdctl").write_text("#!/bin/sh\n")
    assert said(**entry) == []


def test_a_wrapper_that_was_written_before_is_no_problem(home: Path) -> None:
    (home / "nerdctl").write_text(script("/opt/colima", "k8s"))
    assert said(path="~/nerdctl") == []


def engines_of(profile: str, **options: Any) -> list[str]:
    """What is wrong with docker_cli_profile, beside a profile of each runtime."""
    listed = [{"name": "k8s", "runtime": "containerd"}, {"name": "docker-buildx", "runtime": "docker"}]
    works = {"colima_profile": {"profiles": listed}, "docker_cli_config": {"profile": profile, **options}}
    return [sentence for problem in (unknown_profiles, unfit_profiles) for sentence, _at in problem(works, {})]


def test_the_profile_whose_engine_tools_reach_exists_and_runs_docker(home: Path) -> None:
    del home
    for options in ({"env_file": "/tmp/docker.env"}, {"testcontainers": True}):
        assert engines_of("docker-buildx", **options) == []
        (unknown,) = engines_of("docker-buidlx", **options)
        assert unknown.startswith(
            "Could not use profile 'docker-buidlx' as docker_cli_profile: colima_profiles does not have it."
        )
        assert engines_of("k8s", **options) == [
            "Could not use profile 'k8s' as docker_cli_profile: its runtime is containerd, and tools reach its engine with "
            "docker only. Name one with runtime docker, such as 'docker-buildx', or leave it out."
        ]


def test_a_profile_that_nothing_is_written_for_need_not_exist(home: Path) -> None:
    del home
    assert engines_of("gone") == engines_of("gone", state="absent", env_file="/tmp/docker.env") == []
