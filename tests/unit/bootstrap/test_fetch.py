# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching a Python with the real uv, from a folder of this machine: its program hands over to the Python that runs the tests."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import sys
import tarfile
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.bootstrap.shell import FETCH, LOOK, REMOVE, LocalShell

MINOR, FULL = ("{}.{}".format(*sys.version_info[:2]), "{}.{}.{}".format(*sys.version_info[:3]))
UV = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
pytestmark = [
    pytest.mark.skipif(UV is None, reason="uv is missing here"),
    pytest.mark.skipif(sys.platform != "linux", reason="the archive is one for Linux"),
]


def archive(file: Path) -> str:
    """Write what uv needs of a Python, and return the hash of it."""
    program = f"#!/bin/sh\nexec '{os.path.realpath(sys.executable)}' \"$@\"\n".encode()
    built = b"# system configuration generated and used by the sysconfig module\nbuild_time_vars = {'CC': 'cc'}\n"
    data = f"python/lib/python{MINOR}/_sysconfigdata__linux_{platform.machine()}-linux-gnu.py"
    with tarfile.open(file, "w:gz") as packed:
        for name, content in ((f"python/bin/python{MINOR}", program), (data, built)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            packed.addfile(entry, io.BytesIO(content))
    return hashlib.sha256(file.read_bytes()).hexdigest()


def offer(place: Path, digest: str) -> None:
    """Write the list of what uv can fetch."""
    machine = platform.machine()
    kind = {"name": "cpython", "arch": {"family": machine, "variant": None}, "os": "linux", "libc": "gnu", "variant": None}
    version = {"major": 3, "minor": sys.version_info[1], "patch": sys.version_info[2], "prerelease": "", "build": "1"}
    offered = {**kind, **version, "url": (place / "python.tar.gz").as_uri(), "sha256": digest}
    (place / "list.json").write_text(json.dumps({f"cpython-{FULL}-linux-{machine}-gnu": offered}))


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    offer(tmp_path, archive(tmp_path / "python.tar.gz"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", (tmp_path / "list.json").as_uri())
    return tmp_path


def test_a_python_is_fetched_into_the_directory_and_goes_with_it(home: Path, mirror: Path) -> None:
    done = LocalShell().run(FETCH, "~/data/ours", MINOR, str(UV), "")
    assert (done.rc, done.stdout[:8]) == (0, "python\t/"), done.stderr
    assert list((home / "data/ours/fetched").glob(f"cpython-{FULL}-*/bin/python{MINOR}"))
    assert LocalShell().run(REMOVE, "~/data/ours").rc == 0
    assert list(home.iterdir()) == []


def test_one_with_another_hash_is_refused_and_leaves_nothing(home: Path, mirror: Path) -> None:
    offer(mirror, "0" * 64)
    done = LocalShell().run(FETCH, "~/data/ours", MINOR, str(UV), "")
    assert done.rc != 0 and "Hash mismatch" in done.stderr
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_another_program_has_there_stays_and_is_never_taken_for_ours(home: Path, mirror: Path, kind: str) -> None:
    place, theirs = home / "data/ours/fetched", home / "data/theirs"
    place.parent.mkdir(parents=True)
    if kind == "file":
        place.write_text("kept")
    else:
        at = place if kind == "folder" else theirs
        at.mkdir()
        (at / "mine").write_text("kept")
        if kind == "link":
            place.symlink_to(theirs)
    before = sorted(str(path) for path in home.rglob("*"))
    assert "foreign_fetched" in LocalShell().run(LOOK, "~/data/ours", "x", "").stdout
    done = LocalShell().run(FETCH, "~/data/ours", MINOR, str(UV), "")
    assert done.rc != 0 and done.stderr == f"something else is at {place}\n"
    assert LocalShell().run(REMOVE, "~/data/ours").rc == 0
    assert sorted(str(path) for path in home.rglob("*")) == before


def test_a_folder_that_a_killed_run_made_is_used(home: Path, mirror: Path) -> None:
    (home / "data/ours/fetched").mkdir(parents=True)
    assert LocalShell().run(FETCH, "~/data/ours", MINOR, str(UV), "").rc == 0
