# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said where a VM's own programs fail."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name, resolve
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import Image
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.guest import Inside
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.model import SavedImages

COLIMA = """#!/bin/sh
case "$*" in
  *" info") echo "sudo: nerdctl: command not found" >&2; echo 'time="now" level=fatal msg="exit status 1"' >&2; exit 1 ;;
  *" save "*) printf '%s\\n' 'time="now" level=fatal msg="2 errors:\\n\\"a:1\\": not found"' >&2
    echo 'time="now" level=fatal msg="exit status 1"' >&2; exit 1 ;;
  *" version") exec sleep 60 ;;
  *" /half "*) echo yes ;;
  *" sh -c for path"*) while [ "$1" != -c ]; do shift; done; exec /bin/sh "$@" ;;
  *" images "*) echo app:1; [ -e "$HOME/looked" ] || echo gone:1 ;;
  *" image inspect "*gone*) touch "$HOME/looked"; echo 'level=fatal msg="1 errors:\\nno such image: gone:1"' >&2; exit 1 ;;
  *" image inspect "*) echo '[{"Id": "sha256:1", "RepoTags": ["app:1", "app:latest"]}]' ;;
  *) echo "Client: v2" ;;
esac
"""


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inside:
    program = tmp_path / "colima"
    program.write_text(COLIMA)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Inside(Colima(resolve(os.environ, "Linux")), parse_name("old"))


def test_a_program_that_fails_is_quoted_and_colimas_own_line_is_not(inside: Inside) -> None:
    remedy = r"Look at what 'colima nerdctl --profile old -- info' says, and run again\."
    with pytest.raises(CommandFailed, match=f"Could not look into profile 'old': sudo: nerdctl: command not found. {remedy}"):
        inside.told("default", "info")


def test_an_answer_of_another_form_is_named(inside: Inside) -> None:
    with pytest.raises(CommandFailed, match="Could not look into profile 'old': nerdctl's answer is not JSON"):
        inside.told("default", "ps")


@pytest.mark.usefixtures("home")
def test_an_image_that_is_removed_before_it_is_looked_at_costs_nothing(inside: Inside) -> None:
    assert [one.tags for one in inside.images("default")] == [("app:1",)]


@pytest.mark.usefixtures("home")
def test_of_several_images_only_the_one_that_is_not_there_is_missing(inside: Inside) -> None:
    wanted = [Image("sha256:1", ("app:1",)), Image("sha256:2", ("tool:1",)), Image("sha256:1", ("app:latest",))]
    assert inside.missing("default", wanted) == ["tool:1", "app:latest"]


def test_what_nerdctl_logs_last_is_the_reason(inside: Inside, tmp_path: Path) -> None:
    with (
        pytest.raises(CommandFailed, match=r"""in the VM of profile 'old': 2 errors: "a:1": not found\. Run again"""),
        (tmp_path / "out").open("wb") as out,
    ):
        inside.pack("default", ["a:1"], "copy image 'a:1'", out, lambda: None)


def test_a_question_that_is_not_answered_ends(inside: Inside) -> None:
    hurried = Inside(inside.colima, inside.name, seconds=0.3)
    with pytest.raises(CommandFailed, match=r"look into profile 'old': it ran longer than 0\.3 s\. Look at what"):
        hurried.nerdctl("default", "version")


def test_a_directory_that_is_gone_holds_nothing(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one").write_bytes(bytes(100_000))
    gone, there = inside.sizes([str(tmp_path / "gone"), str(tmp_path / "data")])
    assert gone == 0 and there >= 100_000


def test_what_is_at_a_path_is_told_apart(inside: Inside, tmp_path: Path) -> None:
    for name in ("full/file", "empty"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "other").write_text("")
    names = ("full", "empty", "other", "gone")
    found = inside.found([str(tmp_path / name) for name in names])
    shown = {Path(path).name: (one.reading.identity.split(".")[0], one.empty) for path, one in found.items()}
    inode = {name: str((tmp_path / name).stat().st_ino) for name in ("full", "empty")}
    assert shown == {"full": (inode["full"], False), "empty": (inode["empty"], True), "other": ("other", False)}


def test_half_of_an_answer_is_none(inside: Inside) -> None:
    with pytest.raises(CommandFailed, match="its answer is not complete"):
        inside.existing(["/half", "/b"])


@pytest.mark.usefixtures("home")
def test_the_images_of_all_files_are_asked_for_together(inside: Inside, tmp_path: Path) -> None:
    saved = [
        SavedImages(f"{tag}.tar", "default", (Image("sha256:1", (tag,)),), 0, "") for tag in ("app:1", "tool:1", "app:latest")
    ]
    program = tmp_path / "colima"
    program.write_text(COLIMA.replace("#!/bin/sh\n", f"#!/bin/sh\necho >>{tmp_path}/log-ins\n"))
    assert inside.complete(saved) == {"app:1.tar"}
    assert (tmp_path / "log-ins").read_text() == "\n" * 2


def test_what_no_archive_carries_is_told_of_each_directory(inside: Inside, tmp_path: Path) -> None:
    for name in ("one", "none", "more"):
        (tmp_path / name).mkdir()
    for name, file in (("one", "here"), ("more", "two words"), ("more", "z")):
        with socket.socket(socket.AF_UNIX) as bound, contextlib.chdir(tmp_path / name):
            bound.bind(file)
    one, none, more, gone = inside.left_out([str(tmp_path / name) for name in ("one", "none", "more", "gone")])
    assert (one, none, sorted(more), gone) == (("socket here",), (), ["socket two words", "socket z"], ())
