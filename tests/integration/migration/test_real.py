# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving into a profile of colima's, whose VM gives the helpers and tells its free space."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run
from ansible_collections.laptop.containers.plugins.module_utils.migration.engines import free_bytes
from ansible_collections.laptop.containers.plugins.module_utils.migration.task import Mover

from rehearsal.lab.laptop import Lab
from rehearsal.services.dockerd import Dockerd
from tests.support.lab_playbooks import lab_of_grade
from tests.support.migration.engines import docker, place_of
from tests.support.migration.made_images import Layer, archive
from tests.support.migration.trees import odd_tree, told

pytestmark = pytest.mark.real("docker")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with lab_of_grade("real") as lab:
        yield lab


def test_a_profile_gets_what_another_engine_has(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in lab.environment.items():
        monkeypatch.setenv(name, value)
    colima = shutil.which("colima", path=lab.environment["PATH"])
    assert colima
    subprocess.run([colima, "start", "--profile", "dev", "--runtime", "docker"], env=dict(os.environ), check=True, timeout=180)
    target = Dockerd(lab.directory / "unused", socket=lab.home / ".colima/dev/docker.sock")
    with Dockerd(lab.directory.parent / "old") as source:
        docker(source, "load", data=archive(["app:1"], [Layer(1)]))
        docker(source, "volume", "create", "odd")
        odd_tree(place_of(source, "odd"))
        given = {name: one.get("default") for name, one in Mover.argument_spec.items()} | {"source": source.host, "target": "dev"}
        mover = Mover()
        done = run(mover, given, check_mode=False)
        assert len(done["actions"]) == 2
        assert docker(target, "images", "--quiet", "--no-trunc") == docker(source, "images", "--quiet", "--no-trunc")
        assert told(place_of(target, "odd")) == told(place_of(source, "odd"))
        assert not run(Mover(), given, check_mode=False)["changed"]
        assert free_bytes(mover.ends.profile, mover.found.target.root)
