# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a file system has no second names, modes, owners or locks (exFAT, some of SMB): files are written all the same."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.core.system import files
from ansible_collections.laptop.containers.plugins.module_utils.core.system.lock import Lock, entries_of
from ansible_collections.laptop.containers.plugins.module_utils.docker.config.file import ConfigFile

# What exFAT and SMB answered on Linux and macOS.
ANSWERS = [errno.EPERM, errno.ENOTSUP, errno.ENOSYS]


def refuse(number: int) -> Callable[..., Any]:
    def call(*_arguments: Any, **_options: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return call


@pytest.fixture(params=ANSWERS, ids=lambda number: errno.errorcode[number])
def poor(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of such a file system."""
    for name in ("link", "symlink", "chmod", "fchmod", "fchown"):
        monkeypatch.setattr(os, name, refuse(request.param))
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    # It has no exchange and no exclusive rename either.
    monkeypatch.setattr(files, "_rename", lambda _way: lambda _one, _other: False)
    return tmp_path


def test_a_file_is_made_replaced_and_left_where_another_program_wrote(poor: Path) -> None:
    file = poor / "file"
    assert files.replace_if_unchanged(file, "1", 0o640, None)
    assert not files.replace_if_unchanged(file, "2", 0o640, None)
    assert not files.replace_if_unchanged(file, "2", 0o640, b"0")
    assert files.replace_if_unchanged(file, "2", 0o640, b"1")
    files.write_atomically(file, file.read_text() + "3")
    assert file.read_text() == "23"
    # What no one could give a mode is at least not made for all.
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in poor.iterdir()] == ["file"]


def test_a_file_is_set_aside_and_replaces_none(poor: Path) -> None:
    for number in range(3):
        (poor / "file").write_text(str(number))
        files.keep_aside(poor / "file", "old")
    assert {path.name: path.read_text() for path in poor.iterdir()} == {"file.old": "0", "file.old.1": "1", "file.old.2": "2"}
    (poor / "file").write_text("x")
    with pytest.raises(FileExistsError):
        files.rename_new(poor / "file", poor / "file.old")


def test_dockers_settings_are_edited_with_a_backup(poor: Path) -> None:
    (poor / "config.json").write_text("{}")
    kept = ConfigFile(poor / "config.json").edit(lambda found: {**found, "x": 1})
    assert kept is not None and kept.read_text() == "{}"


def test_a_lock_that_no_one_can_give_is_a_sentence_and_no_wait(poor: Path) -> None:
    with pytest.raises(InputError, match=r"no locks available\. Its file system may have no locks"), Lock(poor, "test", 60):
        pass
    with entries_of(poor, "test", 60):
        pass


def test_a_full_disk_is_still_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fchmod", refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        files.write_atomically(tmp_path / "file", "x")
    assert [*tmp_path.iterdir()] == []


def test_shells_with_different_state_directories_see_each_others_locks(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.laptop.containers.plugins.module_utils.core.system.lock import user_files
    from ansible_collections.laptop.containers.plugins.module_utils.migration.task import SUBJECT

    makers: tuple[Callable[[], Any], ...] = (lambda: user_files("test"), lambda: SUBJECT().lock())
    for make in makers:
        first = make()
        monkeypatch.setenv("XDG_STATE_HOME", str(home / "elsewhere"))
        second: Any = make()
        assert second.path == first.path == home / ".local/state/laptop.containers" / first.path.name
        monkeypatch.delenv("XDG_STATE_HOME")
