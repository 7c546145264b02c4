# SPDX-License-Identifier: GPL-3.0-or-later
"""Which engine a name means."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.migration.engines import engine_from, source_from
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.helper import Programs


def test_a_profile_on_containerd_is_no_docker_engine(home: Path) -> None:
    folder = home / ".colima" / "k8s"
    folder.mkdir(parents=True)
    (folder / "containerd.sock").touch()
    with pytest.raises(InputError, match="use profile 'k8s' as a docker engine: its runtime is containerd"):
        engine_from("k8s", "engine", 1.0)
    (folder / "docker.sock").touch()
    place, profile = engine_from("k8s", "engine", 1.0)
    assert (place.side.api.path, str(profile)) == (str(folder / "docker.sock"), "k8s")


@pytest.mark.usefixtures("home")
def test_dockers_own_context_is_the_engine_of_the_laptop_itself() -> None:
    assert source_from("default", Programs(bytes), 1.0).side.api.path == "/var/run/docker.sock"
