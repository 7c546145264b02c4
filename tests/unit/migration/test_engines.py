# SPDX-License-Identifier: GPL-3.0-or-later
"""Which engine a name means."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.migration.engines import (
    ends_from,
    engine_from,
    patience_from,
    silence_from,
    source_from,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.origins.containerd import ContainerdOrigin
from ansible_collections.laptop.containers.plugins.module_utils.migration.origins.docker import DockerOrigin
from ansible_collections.laptop.containers.plugins.module_utils.migration.origins.reading import Origin
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


@pytest.fixture
def folder(home: Path) -> Path:
    """The directory of a profile that colima has made."""
    folder = home / ".colima" / "old"
    folder.mkdir(parents=True)
    (folder / "colima.yaml").touch()
    return folder


def source_of(name: str) -> Origin:
    return ends_from({"source": name, "target": "unix:///new.sock", "timeout": 1.0}).source


def test_a_profile_is_a_source_by_its_name_whatever_its_runtime(folder: Path) -> None:
    (folder / "containerd.sock").touch()
    found = source_of("old")
    assert isinstance(found, ContainerdOrigin) and found.socket == str(folder / "containerd.sock")
    (folder / "docker.sock").touch()
    found = source_of("colima-old")
    assert isinstance(found, DockerOrigin) and found.socket == str(folder / "docker.sock")


def test_the_context_of_a_profile_that_has_another_runtime_by_now_means_the_profile(folder: Path) -> None:
    (folder / "containerd.sock").touch()
    assert isinstance(source_of(f"unix://{folder}/docker.sock"), ContainerdOrigin)


def test_a_profile_that_does_not_run_is_named_with_what_starts_it(folder: Path) -> None:
    with pytest.raises(InputError, match=r"move from profile 'old': it does not run\. Start it with 'colima start old'"):
        source_of("old")
    (folder / "containerd.sock").touch()
    with pytest.raises(InputError, match=r"find the engine 'odl'.*There are: old\. Did you mean 'old'\?"):
        source_of("odl")


def test_the_kubernetes_of_a_profile_on_containerd_is_not_moved(folder: Path) -> None:
    (folder / "containerd.sock").touch()
    with pytest.raises(InputError, match="Kubernetes of profile 'old': its runtime is containerd"):
        source_from("old", Programs(bytes), 1.0)


def test_an_engine_that_may_be_silent_for_no_time_is_refused() -> None:
    assert silence_from({"timeout": 0.5}) == 0.5
    for seconds in (0.0, -1.0):
        with pytest.raises(
            InputError, match=rf"use {seconds:g} as O\(timeout\): nothing can answer in that time\. Set it to sec"
        ):
            silence_from({"timeout": seconds})


def test_workloads_that_may_take_no_time_to_get_ready_are_refused() -> None:
    assert patience_from({"ready_timeout": 0.5}) == 0.5
    for seconds in (0.0, -5.0):
        with pytest.raises(InputError, match=rf"use {seconds:g} as O\(ready_timeout\): no workload gets ready in that time\."):
            patience_from({"ready_timeout": seconds})


@pytest.mark.usefixtures("home")
def test_dockers_own_context_is_the_engine_of_the_laptop_itself() -> None:
    assert source_from("default", Programs(bytes), 1.0).side.api.path == "/var/run/docker.sock"
