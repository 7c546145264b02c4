# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM that is renamed away and back: also by runs that were killed in between, and never over what exists."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client import retained_vms
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.retained_vms import DELETED, KEPT, RETURNING
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Name, Paths
from ansible_collections.laptop.containers.plugins.module_utils.core.system.files import rename_new
from ansible_collections.laptop.containers.plugins.module_utils.migration.move import evidence

from tests.support.macos.answers import refuses

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
    retained_vms.set_aside(paths, NAME, "k8s-docker", "docker")
    (there,) = retained_vms.read(paths, NAME)
    assert (there.state, there.runtime, set(there.parts)) == (KEPT, "docker", set(PARTS))
    assert not any(path.exists() for path in retained_vms.homes(paths, NAME).values())
    retained_vms.bring_back(paths, NAME, there)
    assert tree(paths.base) == before and retained_vms.read(paths, NAME) == ()


@pytest.mark.parametrize("moved", range(5))
def test_a_killed_run_goes_on_in_both_directions(paths: Paths, moved: int) -> None:
    before = tree(paths.base)
    retained_vms.set_aside(paths, NAME, "k8s-docker", "docker")
    (there,) = retained_vms.read(paths, NAME)
    place = paths.kept / there.name
    # As if the run had come only so far.
    for part in PARTS[moved:]:
        (place / part).rename(there.parts[part])
    retained_vms.set_aside(paths, NAME, "k8s-docker", "docker")
    assert {path.name for path in place.iterdir()} == {*PARTS, "note.json"}
    for part in PARTS[moved:]:
        (place / part).rename(there.parts[part])
    retained_vms.bring_back(paths, NAME, there)
    assert tree(paths.base) == before


def test_a_profile_that_was_made_meanwhile_stays(paths: Paths) -> None:
    retained_vms.set_aside(paths, NAME, "k8s-docker", "docker")
    paths.configured(NAME).parent.mkdir()
    paths.configured(NAME).write_text("new")
    retained_vms.set_aside(paths, NAME, "k8s-docker", "docker")
    assert paths.configured(NAME).read_text() == "new"
    (there,) = retained_vms.read(paths, NAME)
    with pytest.raises(FileExistsError):
        retained_vms.bring_back(paths, NAME, there)
    assert paths.configured(NAME).read_text() == "new"
    assert retained_vms.read(paths, NAME)[0].state == RETURNING


def test_what_a_killed_removal_has_left_goes_with_the_next(paths: Paths) -> None:
    retained_vms.set_aside(paths, NAME, "k8s-docker", "docker")
    place = paths.kept
    (place / "k8s-docker").rename(place / ".k8s-docker.removed")
    assert retained_vms.read(paths, NAME) == ()
    assert retained_vms.leftovers(paths)
    retained_vms.remove(paths, "")
    assert list(place.iterdir()) == []


def test_a_vm_takes_its_id_along_and_another_one_has_another(paths: Paths) -> None:
    mine = retained_vms.mark(paths.instance(NAME))
    assert retained_vms.mark(paths.instance(NAME)) == mine
    retained_vms.set_aside(paths, NAME, "k8s-containerd", "containerd")
    assert retained_vms.read(paths, NAME)[0].id == mine
    paths.instance(NAME).mkdir()
    assert retained_vms.vm_id(paths.instance(NAME)) == ""
    assert retained_vms.mark(paths.instance(NAME)) != mine


def test_what_was_deleted_comes_back_as_it_was(paths: Paths) -> None:
    before = tree(paths.base)
    gone = retained_vms.delete(paths, NAME, "docker", 7)
    assert not any(path.exists() for path in retained_vms.homes(paths, NAME).values()) and retained_vms.read(paths, NAME) == ()
    (there,) = retained_vms.deleted(paths, NAME)
    assert (there.name, there.state) == (gone.name, DELETED) and 6.9 < (there.until - time.time()) / retained_vms.DAY_SECONDS <= 7
    assert retained_vms.deleted(paths, Name("other", "colima-other")) == ()
    retained_vms.bring_back(paths, NAME, there)
    assert tree(paths.base) == before and retained_vms.everything(paths) == ()


@pytest.mark.parametrize("moved", range(4))
def test_a_killed_deletion_goes_on_or_is_undone(paths: Paths, moved: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before, calls = tree(paths.base), list[Path]()

    def killed(source: Path, target: Path) -> None:
        if len(calls) == moved:
            raise KeyboardInterrupt
        calls.append(source)
        rename_new(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(f"{retained_vms.__name__}.rename_new", killed)
        retained_vms.delete(paths, NAME, "docker", 7)
    (half,) = retained_vms.deleted(paths, NAME)
    if moved % 2:
        retained_vms.delete(paths, NAME, "docker", 7)
        assert [one.name for one in retained_vms.everything(paths)] == [half.name]
        assert not any(path.exists() for path in retained_vms.homes(paths, NAME).values())
    (there,) = retained_vms.deleted(paths, NAME)
    retained_vms.bring_back(paths, NAME, there)
    assert tree(paths.base) == before


def test_an_old_vm_that_was_given_up_is_kept_again(paths: Paths) -> None:
    retained_vms.set_aside(paths, NAME, "k8s-docker", "docker")
    (before,) = retained_vms.read(paths, NAME)
    gone = retained_vms.give_up(paths, before, 7)
    assert retained_vms.read(paths, NAME) == () and [one.name for one in retained_vms.deleted(paths)] == [gone.name]
    retained_vms.bring_back(paths, NAME, *retained_vms.deleted(paths))
    assert retained_vms.read(paths, NAME) == (before,)


def test_a_disk_that_is_replaced_comes_back_and_is_there_at_every_moment(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, new = paths.data_disk(NAME) / "datadisk", tmp_path / "new"
    disk.write_text("first")
    for text in ("second", "third"):
        new.write_text(text)
        retained_vms.replace_disk(paths, NAME, disk, new, 1)
        assert disk.read_text() == text
    # In one second: each has a place of its own.
    gone = {(paths.kept / one.name / "datadisk").read_text(): one for one in retained_vms.deleted(paths)}
    assert set(gone) == {"first", "second"} and all(one.is_disk for one in gone.values())
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        new.write_text("fourth")
        patch.setattr(Path, "replace", full)
        retained_vms.replace_disk(paths, NAME, disk, new, 1)
    assert disk.read_text() == "third"
    disk.unlink()
    retained_vms.bring_back(paths, NAME, gone["first"])
    assert disk.read_text() == "first"


def test_where_a_file_has_one_name_only_the_replaced_disk_comes_back_as_well(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, new = paths.data_disk(NAME) / "datadisk", tmp_path / "new"
    disk.write_text("first")
    new.write_text("second")
    monkeypatch.setattr(os, "link", refuses(errno.EPERM))
    retained_vms.replace_disk(paths, NAME, disk, new, 1)
    (gone,) = retained_vms.deleted(paths)
    assert disk.read_text() == "second"
    disk.unlink()
    retained_vms.bring_back(paths, NAME, gone)
    assert disk.read_text() == "first"


def full(_self: Path, _target: Path) -> Path:
    raise OSError("full")


def test_what_an_earlier_removal_has_left_does_not_hinder_the_next_one(paths: Paths) -> None:
    (paths.kept / ".k8s-docker.removed").mkdir(parents=True)
    (paths.kept / ".k8s-docker.removed" / "part").write_text("")
    retained_vms.set_aside(paths, NAME, "k8s-docker", "docker")
    retained_vms.remove(paths, "k8s-docker")
    assert list(paths.kept.iterdir()) == []


def test_a_start_that_fails_is_another_boot(paths: Paths) -> None:
    paths.events(NAME).write_text('{"time": 1}\n')
    before = evidence.boot_of(paths, NAME)
    paths.events(NAME).write_text('{"time": 1}\n{"time": 2, "exiting": true}\n')
    assert evidence.boot_of(paths, NAME) == before
    # colima notes its settings only where a start is good; Lima begins its events with each.
    for began in ('{"time": 3}\n', ""):
        paths.events(NAME).write_text(began)
        assert evidence.boot_of(paths, NAME) != before
