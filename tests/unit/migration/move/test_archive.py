# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of a move: what counts as complete, and what a file that has changed since is worth."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import NotVerified
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import Kind, Resource, Row, Status
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import Image
from ansible_collections.laptop.containers.plugins.module_utils.migration.move import archive
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.model import (
    OWN,
    Claim,
    Objects,
    SavedClaim,
    SavedImages,
)

IMAGES = (Image("sha256:1", ("web:1",), ("sha256:2",), 5, "linux/arm64", 1.0),)
CLAIM = Claim("pvc-1", "shop/data", "/data", 4)


def save(place: Path) -> frozenset[str]:
    """Write two files, and return their names."""
    digest = hashlib.sha256(b"content").hexdigest()
    images, claim = archive.images_file(IMAGES, OWN), archive.volume_file(CLAIM)
    for saved in (SavedImages(images, OWN, IMAGES, 7, digest), SavedClaim(claim, CLAIM, "c", 7, digest)):
        with archive.written(place, saved.file) as part:
            part.write_bytes(b"content")
            archive.note(place, saved)
    return frozenset((images, claim))


def own(place: Path, names: Iterable[str] = ()) -> list[Path]:
    return [place / name for name in (*names, archive.OBJECTS, archive.SEAL)]


def test_what_is_complete_is_read_as_it_was_written(tmp_path: Path) -> None:
    stays = (Row(Resource(Kind.OBJECT, " Secret shop/x"), Status.IMMOVABLE, reason="out"),)
    objects = Objects(({"kind": "Pod"},), (CLAIM,), ("Deployment shop/web",), ("jobs",), 7, stays)
    archive.note_objects(tmp_path, objects)
    files = save(tmp_path)
    archive.verify(tmp_path, archive.read(tmp_path, own(tmp_path, files)), files, lambda _: None)
    archive.seal(tmp_path, 7, stopped=True)
    found = archive.read(tmp_path, own(tmp_path, files))
    assert (found.objects, found.sealed, found.stopped, found.foreign) == (objects, 7, True, frozenset())
    assert found.images[0].images == IMAGES and found.claims[0].claim == CLAIM
    assert (tmp_path / "objects.json").stat().st_mode & 0o077 == 0
    archive.unseal(tmp_path)
    assert archive.read(tmp_path, own(tmp_path, files)).sealed is None


@pytest.mark.parametrize("what", ["images-*.tar", "volume-*.tar"])
def test_a_file_that_has_changed_is_found_and_written_again(tmp_path: Path, what: str) -> None:
    files = save(tmp_path)
    (file,) = tmp_path.glob(what)
    file.write_bytes(b"c0ntent")
    with pytest.raises(NotVerified, match="it is not what was written"):
        archive.verify(tmp_path, archive.read(tmp_path, own(tmp_path, files)), files, lambda _: None)
    found = archive.read(tmp_path, own(tmp_path, files))
    assert file.name not in ({one.file for one in found.images} | {one.file for one in found.claims})


def test_what_failed_has_no_name_and_an_older_one_counts_no_more(tmp_path: Path) -> None:
    files = save(tmp_path)
    with pytest.raises(ValueError, match="half"), archive.written(tmp_path, archive.volume_file(CLAIM)) as part:
        part.write_bytes(b"ha")
        archive.note(tmp_path, SavedClaim(archive.volume_file(CLAIM), CLAIM, "other", 2, "other"))
        raise ValueError("half")
    assert archive.read(tmp_path, own(tmp_path, files)).claims == ()
    assert {file.name for file in tmp_path.glob("*.tar*")} == files - {archive.volume_file(CLAIM)}


def test_files_that_the_move_did_not_make_are_neither_read_nor_removed(tmp_path: Path) -> None:
    files = save(tmp_path)
    mine = {
        "etcd-backup.tar.gz": "1",
        "mydata.tar": "2",
        "mydata.json": '{"a": 1}',
        "images-of-me.tar": "3",
        "images-of-me.json": "{}",
    }
    (tmp_path / "sub").mkdir()
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    found = archive.read(tmp_path, own(tmp_path, files))
    assert len(found.images) == len(found.claims) == 1
    assert found.foreign == {*mine, "sub"} and archive.in_the_way(found, files) == []
    archive.seal(tmp_path, 7, stopped=True)
    archive.remove(own(tmp_path, files))
    assert {path.name for path in tmp_path.iterdir()} == {*mine, "sub"}
    assert {name: (tmp_path / name).read_text() for name in mine} == mine


def test_an_archive_without_other_files_takes_its_directory_along(tmp_path: Path) -> None:
    place = tmp_path / "k8s"
    archive.remove(own(place, save(place)))
    assert not place.exists() and tmp_path.exists()
