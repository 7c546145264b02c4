# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM that is renamed away and back: also by runs that were killed in between, and never over what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Name, Paths
from ansible_collections.laptop.containers.plugins.module_utils.migration.runtime import evidence, kept
from ansible_collections.laptop.containers.plugins.module_utils.migration.runtime.model import KEPT, RETURNING

NAME = Name("k8s", "colima-k8s")
PARTS = ("instance", "profile", "store", "disk")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A home with one profile."""
    paths = Paths(tmp_path / "colima", tmp_path / "colima/_lima")
    for file in (paths.applied(NAME), paths.configured(NAME), paths.store(NAME), paths.data_disk(NAME) / "datadisk"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(file))
    return paths


def tree(place: Path) -> dict[str, str]:
    return {str(file.relative_to(place)): file.read_text() for file in place.rglob("*") if file.is_file()}


def test_what_was_kept_comes_back_as_it_was(paths: Paths) -> None:
    before = tree(paths.base)
    kept.set_aside(paths, NAME, "k8s-docker", "docker")
    (there,) = kept.read(paths, NAME)
    assert (there.state, there.runtime, set(there.parts)) == (KEPT, "docker", set(PARTS))
    assert not any(path.exists() for path in kept.homes(paths, NAME).values())
    kept.bring_back(paths, NAME, there)
    assert tree(paths.base) == before and kept.read(paths, NAME) == ()


@pytest.mark.parametrize("moved", range(5))
def test_a_killed_run_goes_on_in_both_directions(paths: Paths, moved: int) -> None:
    before = tree(paths.base)
    kept.set_aside(paths, NAME, "k8s-docker", "docker")
    (there,) = kept.read(paths, NAME)
    place = paths.kept / there.name
    # As if the run had come only so far.
    for part in PARTS[moved:]:
        (place / part).rename(there.parts[part])
    kept.set_aside(paths, NAME, "k8s-docker", "docker")
    assert {path.name for path in place.iterdir()} == {*PARTS, "note.json"}
    for part in PARTS[moved:]:
        (place / part).rename(there.parts[part])
    kept.bring_back(paths, NAME, there)
    assert tree(paths.base) == before


def test_a_profile_that_was_made_meanwhile_stays(paths: Paths) -> None:
    kept.set_aside(paths, NAME, "k8s-docker", "docker")
    paths.configured(NAME).parent.mkdir()
    paths.configured(NAME).write_text("new")
    kept.set_aside(paths, NAME, "k8s-docker", "docker")
    assert paths.configured(NAME).read_text() == "new"
    (there,) = kept.read(paths, NAME)
    with pytest.raises(FileExistsError):
        kept.bring_back(paths, NAME, there)
    assert paths.configured(NAME).read_text() == "new"
    assert kept.read(paths, NAME)[0].state == RETURNING


def test_what_a_killed_removal_has_left_goes_with_the_next(paths: Paths) -> None:
    kept.set_aside(paths, NAME, "k8s-docker", "docker")
    place = paths.kept
    (place / "k8s-docker").rename(place / ".k8s-docker.removed")
    assert kept.read(paths, NAME) == ()
    assert kept.left(paths)
    kept.remove(paths, "")
    assert list(place.iterdir()) == []


def test_a_vm_takes_its_id_along_and_another_one_has_another(paths: Paths) -> None:
    mine = evidence.mark(paths.instance(NAME))
    assert evidence.mark(paths.instance(NAME)) == mine
    kept.set_aside(paths, NAME, "k8s-containerd", "containerd")
    assert kept.read(paths, NAME)[0].id == mine
    paths.instance(NAME).mkdir()
    assert evidence.vm_id(paths.instance(NAME)) == ""
    assert evidence.mark(paths.instance(NAME)) != mine


def test_a_start_that_fails_is_another_boot(paths: Paths) -> None:
    paths.events(NAME).write_text('{"time": 1}\n')
    before = evidence.boot_of(paths, NAME)
    paths.events(NAME).write_text('{"time": 1}\n{"time": 2, "exiting": true}\n')
    assert evidence.boot_of(paths, NAME) == before
    # colima notes its settings only where a start is good; Lima begins its events with each.
    for began in ('{"time": 3}\n', ""):
        paths.events(NAME).write_text(began)
        assert evidence.boot_of(paths, NAME) != before
