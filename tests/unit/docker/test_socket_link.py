# SPDX-License-Identifier: GPL-3.0-or-later
"""The link to docker's socket: made, kept, restored, never at the cost of the user's own link or socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.system import files

from tests.support.in_process_module import ModuleRun


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> ModuleRun:
    return ModuleRun(capsys)


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "docker.sock"


def links(place: Path) -> dict[str, str]:
    return {item.name: str(item.readlink()) for item in place.iterdir()}


def test_the_link_comes_and_goes_and_restores_the_one_before(run: ModuleRun, link: Path) -> None:
    link.symlink_to("/desktop.sock")
    options: dict[str, Any] = {"path": str(link), "target": "/ours.sock"}
    checked = run("docker_socket_link", check=True, **options)
    assert links(link.parent) == {"docker.sock": "/desktop.sock"}
    applied = run("docker_socket_link", **options)
    assert (checked["actions"], checked["diff"]) == (applied["actions"], applied["diff"])
    assert links(link.parent) == {"docker.sock": "/ours.sock", "docker.sock.before-laptop.containers": "/desktop.sock"}
    assert not run("docker_socket_link", **options)["changed"]
    run("docker_socket_link", **options, state="absent")
    assert links(link.parent) == {"docker.sock": "/desktop.sock"}
    assert not run("docker_socket_link", **options, state="absent")["changed"]
    assert links(link.parent) == {"docker.sock": "/desktop.sock"}


def test_another_target_replaces_the_link_of_an_earlier_run(run: ModuleRun, link: Path) -> None:
    run("docker_socket_link", path=str(link), target="/one.sock")
    run("docker_socket_link", path=str(link), target="/two.sock")
    assert links(link.parent) == {"docker.sock": "/two.sock"}
    run("docker_socket_link", path=str(link), target="/three.sock", state="absent")
    assert links(link.parent) == {}


def test_a_link_of_the_user_with_another_target_stays(run: ModuleRun, link: Path) -> None:
    link.symlink_to("/desktop.sock")
    assert not run("docker_socket_link", path=str(link), target="/ours.sock", state="absent")["changed"]
    assert links(link.parent) == {"docker.sock": "/desktop.sock"}


def test_a_second_link_of_the_user_is_not_lost(run: ModuleRun, link: Path) -> None:
    link.symlink_to("/desktop.sock")
    run("docker_socket_link", path=str(link), target="/ours.sock")
    link.unlink()
    link.symlink_to("/other.sock")
    assert "would be kept as" in run("docker_socket_link", path=str(link), target="/ours.sock")["msg"]
    assert sorted(links(link.parent).values()) == ["/desktop.sock", "/other.sock"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_users_link_that_is_there_again_is_kept_once(run: ModuleRun, link: Path, state: str) -> None:
    # After a kill; and Docker Desktop makes its link at each start.
    link.symlink_to("/desktop.sock")
    run("docker_socket_link", path=str(link), target="/ours.sock")
    link.unlink()
    link.symlink_to("/desktop.sock")
    run("docker_socket_link", path=str(link), target="/ours.sock", state=state)
    run("docker_socket_link", path=str(link), target="/ours.sock", state="absent")
    assert links(link.parent) == {"docker.sock": "/desktop.sock"}


def test_the_users_link_comes_back_where_ours_is_gone(run: ModuleRun, link: Path) -> None:
    link.symlink_to("/desktop.sock")
    run("docker_socket_link", path=str(link), target="/ours.sock")
    link.unlink()
    assert run("docker_socket_link", path=str(link), target="/ours.sock", state="absent")["changed"]
    assert links(link.parent) == {"docker.sock": "/desktop.sock"}


def test_a_real_socket_is_never_replaced(run: ModuleRun, link: Path) -> None:
    link.touch()
    result = run("docker_socket_link", path=str(link), target="/ours.sock")
    assert result["msg"].startswith(f"Could not link '{link}': another socket or file is there. Stop the engine")


def test_a_socket_that_appears_after_the_look_is_never_replaced(
    run: ModuleRun, link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link.symlink_to("/desktop.sock")
    exchange = files._rename("exchange")

    def other_program_first(new: bytes, path: bytes) -> bool:
        if not link.is_file():
            link.unlink()
            link.write_text("an engine's")
        return exchange(new, path)

    monkeypatch.setattr(files, "_rename", lambda _way: other_program_first)
    result = run("docker_socket_link", path=str(link), target="/ours.sock")
    assert "it was changed a moment ago. Look at that file, and run again." in result["msg"]
    assert link.read_text() == "an engine's"


def test_a_file_where_the_link_would_be_kept_stays_and_so_does_the_link(run: ModuleRun, link: Path) -> None:
    kept = link.with_name("docker.sock.before-laptop.containers")
    link.symlink_to("/desktop.sock")
    kept.write_text("mine")
    assert f"as '{kept}', and that exists" in run("docker_socket_link", path=str(link), target="/ours.sock")["msg"]
    assert (str(link.readlink()), kept.read_text()) == ("/desktop.sock", "mine")


def test_a_directory_that_takes_no_link_is_told_with_become(run: ModuleRun, link: Path) -> None:
    result = run("docker_socket_link", path=str(link.parent / "no/such/docker.sock"), target="/ours.sock")
    assert "no such file or directory. Run the task with become." in result["msg"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"path": "/", "target": "/ours.sock"},
            "Could not use '/' as path of the docker socket link: it names no file. Give the path of a file.",
        ),
        ({"path": "/" + "x" * 300, "target": "/ours.sock"}, "it is too long. Give a path of less than"),
        ({"path": "/x" * 600, "target": "/ours.sock"}, "it is too long"),
        ({"path": "/a.sock", "target": "/" + "x" * 300}, "as target of the docker socket link: it is too long"),
        ({"path": "/a.sock", "target": "ours.sock"}, "it is not absolute. Start it with '/' or '~/'."),
        ({"path": "/a.sock", "target": "/a.sock"}, "Could not link '/a.sock': it would lead to itself."),
        ({"path": "/dev/null/docker.sock", "target": "/ours.sock"}, "not a directory. Look at that file"),
    ],
    ids=["root", "long name", "long path", "long target", "relative", "itself", "below a file"],
)
def test_a_path_that_no_link_can_have_is_refused(run: ModuleRun, options: dict[str, Any], said: str) -> None:
    assert said in run("docker_socket_link", **options)["msg"]
