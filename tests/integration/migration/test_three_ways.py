# SPDX-License-Identifier: GPL-3.0-or-later
"""A move between real engines that are used meanwhile, killed and run again: what counts is what both sides have now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer import volumes

from rehearsal.services.dockerd import Dockerd
from tests.support.migration.engines import Engines, docker, place_of, two_engines, volumes_of, wipe
from tests.support.migration.faults import Killed, meanwhile
from tests.support.migration.made_images import Layer, archive, waiting

pytestmark = pytest.mark.real("docker", "buildkit")


@pytest.fixture(scope="module")
def both(engine: Callable[[str], Path]) -> Iterator[Engines]:
    with two_engines() as engines:
        yield engines


@pytest.fixture
def engines(both: Engines) -> Iterator[Engines]:
    yield both
    for one in (both.source, both.target):
        for container in docker(one, "ps", "--all", "--quiet").split():
            docker(one, "rm", "--force", container)
        wipe(one)


def put(engine: Dockerd, name: str, text: str, *options: str) -> None:
    docker(engine, "volume", "create", *options, name)
    (place_of(engine, name) / "data").write_text(text)


def got(engine: Dockerd, name: str) -> str:
    return (place_of(engine, name) / "data").read_text()


def refusal(engines: Engines) -> str:
    """Return why the source may not go."""
    with pytest.raises(WorkstationError) as refused:
        engines.retire()
    return str(refused.value)


def kinds(result: dict[str, Any]) -> dict[str, str]:
    return {item["target"]: item["kind"] for item in result["pending"]}


@contextmanager
def killed(monkeypatch: pytest.MonkeyPatch, name: str, *, after: bool) -> Iterator[None]:
    """Kill the run before or after one function of volumes is called for the first time."""
    real = getattr(volumes, name)

    def kill(*arguments: Any, **named: Any) -> None:
        if after:
            real(*arguments, **named)
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(volumes, name, kill)
        yield


def test_what_was_used_at_one_side_only_is_copied_again_or_kept(engines: Engines) -> None:
    for name in ("old", "new", "both"):
        put(engines.source, name, "first")
    engines.move()
    assert not engines.move()["changed"]
    put(engines.source, "old", "a day at the source")
    put(engines.target, "new", "a day at the target")
    put(engines.source, "both", "one")
    put(engines.target, "both", "other")
    with pytest.raises(WorkstationError) as refused:
        engines.retire()
    assert sorted(refused.value.context["refusals"]) == [
        f"Could not retire '{engines.source.host}': changed at the source since it was copied: volume 'old'. Move it with "
        "playbooks/migrate.yml, name it in O(leave), or remove it there.",
        f"Could not retire '{engines.source.host}': different on both sides: volume 'both'. To lose what the target has, name it "
        "in O(replace); to lose what the source has, in O(leave).",
    ]
    done = engines.move()
    assert done["actions"] == ["replace volume 'old' (19 bytes; changed since it was copied)"]
    assert kinds(done) == {"volume 'both'": "conflict"}
    assert got(engines.target, "old") == "a day at the source" and got(engines.target, "new") == "a day at the target"
    assert got(engines.target, "both") == "other"
    assert "different on both sides: volume 'both'" in refusal(engines)
    assert "Lost with it: what migrate_leave names: volume 'both'" in engines.retire(leave=["both"])["summary"]
    assert not kinds(engines.move(leave=["both"]))
    assert engines.move(replace=["both"])["actions"] == ["replace volume 'both' (3 bytes; what the target has of it is lost)"]
    assert got(engines.target, "both") == "one" and engines.retire()


def test_what_the_target_has_lost_is_copied_again(engines: Engines) -> None:
    for name in ("gone", "emptied"):
        put(engines.source, name, "first")
    engines.move()
    docker(engines.target, "volume", "rm", "gone", "emptied")
    docker(engines.target, "volume", "create", "emptied")
    assert sorted(engines.move()["actions"]) == [
        "copy volume 'emptied' (5 bytes; it has gone from the target)",
        "copy volume 'gone' (5 bytes; it has gone from the target)",
    ]
    assert got(engines.target, "gone") == got(engines.target, "emptied") == "first" and engines.retire()


def test_two_images_that_differ_only_in_their_configuration_are_two(engines: Engines) -> None:
    for engine, value in ((engines.source, "1"), (engines.target, "0")):
        docker(engine, "load", data=archive(["ko:1"], [Layer(1)], Env=[f"RELEASE={value}"]))
    assert kinds(engines.move()) == {"image 'ko:1'": "conflict"}
    assert "different on both sides: image 'ko:1'" in refusal(engines)
    assert engines.move(replace=["ko:1"])["changed"] and engines.retire()
    docker(engines.source, "load", data=archive(["ko:1"], [Layer(1)], Env=["RELEASE=2"]))
    assert engines.move()["actions"] == ["copy image 'ko:1' (4 KiB)"]
    assert json.loads(docker(engines.target, "image", "inspect", "ko:1"))[0]["Config"]["Env"] == ["RELEASE=2"]


def test_a_copy_under_its_temporary_name_is_of_one_source_only(
    engines: Engines, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Dockerd(short_path / "other") as other:
        second = Engines(other, engines.target)
        put(engines.source, "db", "of the first")
        put(other, "db", "of the second")
        for one in (engines, second):
            with killed(monkeypatch, "put_in_place", after=False):
                one.move()
        engines.move()
        assert got(engines.target, "db") == "of the first"
        assert kinds(second.move()) == {"volume 'db'": "conflict"}


def test_a_complete_copy_that_is_gone_or_changed_is_made_again(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gone", "changed"):
        put(engines.source, name, "first")
        with killed(monkeypatch, "put_in_place", after=False):
            engines.move(volumes=[name])
    gone, changed = sorted(volumes_of(engines.target), key=lambda name: got(engines.target, name))
    docker(engines.target, "volume", "rm", gone)
    (place_of(engines.target, changed) / "data").write_text("other")
    engines.move()
    assert got(engines.target, "gone") == got(engines.target, "changed") == "first"
    assert sorted(volumes_of(engines.target)) == ["changed", "gone"]


def test_a_run_that_is_killed_before_it_fills_a_volume_is_continued(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    put(engines.source, "db", "first")
    with killed(monkeypatch, "run", after=False):
        engines.move()
    assert not list(place_of(engines.target, "db").iterdir())
    assert "at the target: volume 'db'" in refusal(engines)
    engines.move()
    assert got(engines.target, "db") == "first" and volumes_of(engines.target) == ["db"] and engines.retire()


def test_what_a_container_has_put_into_such_a_volume_is_kept_by_name(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    put(engines.source, "db", "first")
    with killed(monkeypatch, "run", after=False):
        engines.move()
    (place_of(engines.target, "db") / "data").write_text("initdb")
    for _again in range(2):
        assert kinds(engines.move()) == {"volume 'db'": "conflict"}
    assert engines.move(replace=["db"])["actions"] == [
        "replace volume 'db' (what an earlier run has copied; what the target has of it is lost)"
    ]
    assert got(engines.target, "db") == "first" and volumes_of(engines.target) == ["db"]


def test_a_run_that_is_killed_before_it_notes_the_arrival_knows_it_all_the_same(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(engines.source, "db", "first")
    with killed(monkeypatch, "put_in_place", after=True):
        engines.move()
    put(engines.source, "db", "second")
    assert engines.move()["actions"] == ["replace volume 'db' (6 bytes; changed since it was copied)"]
    assert got(engines.target, "db") == "second" and volumes_of(engines.target) == ["db"]


def test_a_day_at_the_target_after_an_arrival_that_no_one_noted_is_kept(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(engines.source, "db", "the source's")
    with killed(monkeypatch, "put_in_place", after=True):
        engines.move()
    put(engines.target, "db", "a day at the target")
    # It isn't a conflict, so naming it replaces nothing.
    assert engines.move(replace=["db"])["pending"] == []
    assert got(engines.target, "db") == "a day at the target"
    assert volumes_of(engines.target) == ["db"]
    assert not engines.move()["changed"]


def with_two_days(engines: Engines) -> None:
    """Make a volume that is to be replaced: it was moved, and the source was used since."""
    put(engines.source, "db", "first")
    engines.move()
    put(engines.source, "db", "second")


@pytest.mark.parametrize(("name", "after"), [("take_aside", True), ("_unless_used", True), ("put_in_place", False)])
def test_a_run_that_is_killed_while_it_replaces_a_volume_is_continued(
    engines: Engines, engine: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, name: str, after: bool
) -> None:
    docker(engines.target, "load", data=waiting("waits:1", engine("buildctl")))
    with_two_days(engines)
    aside = place_of(engines.target, "db").with_name("_aside")
    with monkeypatch.context() as patched, pytest.raises(Killed):
        real = getattr(volumes, name)

        def kill(*arguments: Any, **named: Any) -> None:
            if after:
                real(*arguments, **named)
            raise Killed

        patched.setattr(volumes, "give_back", lambda *_arguments: None)
        patched.setattr(volumes, name, kill)
        engines.move()
    back = "give back the data of volume 'db' (an interrupted run has taken it aside)"
    given = [back] if name != "put_in_place" else []
    assert aside.exists() == bool(given)
    if given:
        assert (aside / "data").read_text() == "first"
        why = "an interrupted run has taken data aside at the target: db. Run playbooks/migrate.yml: it is given back."
        assert why in refusal(engines)
        with pytest.raises(AssertionError, match="no such file or directory"):
            docker(engines.target, "run", "--rm", "--net", "none", "--volume", "db:/v", "waits:1")
    assert engines.move(leave=["db"])["actions"] == given
    assert got(engines.target, "db") == "first" if given else "db" not in volumes_of(engines.target)
    engines.move()
    assert got(engines.target, "db") == "second" and volumes_of(engines.target) == ["db"] and engines.retire()


def replaced_while(engines: Engines, word: bytes, act: Callable[[], object]) -> str:
    """Replace a volume, and act when a word passes on its way to the target. Returns why it was not replaced."""
    path = engines.target.directory / "meanwhile.sock"
    with meanwhile(path, engines.target.socket, word, act), pytest.raises(WorkstationError) as failed:
        engines.move(replace=["db"], target=f"unix://{path}")
    return str(failed.value)


@pytest.mark.parametrize(
    ("word", "verb"), [(b"/bin/mv", "run"), (b"/bin/mv", "create"), (b"DELETE /v1.41/volumes/db ", "create")]
)
def test_a_volume_that_gets_a_container_while_it_is_replaced_is_kept(
    engines: Engines, engine: Callable[[str], Path], word: bytes, verb: str
) -> None:
    docker(engines.target, "load", data=waiting("waits:1", engine("buildctl")))
    put(engines.source, "db", "theirs")
    put(engines.target, "db", "mine")
    start = [verb, *(["--detach"] if verb == "run" else []), "--net", "none", "--name", "web", "--volume", "db:/v", "waits:1"]
    said = replaced_while(engines, word, lambda: docker(engines.target, *start))
    assert ("volume is in use" if b"DELETE" in word else "the target's was used meanwhile. Run again") in said
    assert got(engines.target, "db") == "mine"
    docker(engines.target, "start", "web")
    assert kinds(engines.move(replace=["db"])) == {"volume 'db'": "in_use"}


def test_a_directory_that_someone_makes_where_data_was_taken_aside_is_kept_with_it(engines: Engines) -> None:
    for one in (engines.source, engines.target):
        put(one, "db", "first")
    here = place_of(engines.target, "db")
    # As a container does that mounts the directory by its path.
    here.rename(here.with_name("_aside"))
    here.mkdir()
    (here / "data").write_text("by its path")
    with pytest.raises(WorkstationError, match=r"Could not give back the data of volume 'db' .*: .*Directory not empty"):
        engines.move()
    assert (here.with_name("_aside") / "data").read_text() == "first" and got(engines.target, "db") == "by its path"
    (here / "data").unlink()
    assert engines.move()["changed"] and got(engines.target, "db") == "first"


def test_what_is_written_to_a_volume_before_it_is_replaced_is_kept(engines: Engines) -> None:
    put(engines.source, "db", "theirs")
    put(engines.target, "db", "mine")
    said = replaced_while(engines, b"/bin/mv", lambda: put(engines.target, "db", "a minute later"))
    assert "Could not replace volume 'db' (6 bytes; what the target has of it is lost): the target's was used meanwhile" in said
    assert got(engines.target, "db") == "a minute later"


def test_a_volume_with_its_data_elsewhere_is_replaced_unless_it_changes(engines: Engines, tmp_path: Path) -> None:
    put(engines.source, "db", "theirs")
    put(engines.target, "db", "mine", "--opt", "type=none", "--opt", "o=bind", "--opt", f"device={tmp_path}")
    (tmp_path / "data").write_text("mine")
    said = replaced_while(engines, b"-cnewer /dev/shm", lambda: (tmp_path / "data").write_text("a minute later"))
    assert "the target's was used meanwhile. Run again: both are compared once more." in said
    engines.move(replace=["db"])
    assert got(engines.target, "db") == "theirs" and (tmp_path / "data").read_text() == "a minute later"


def test_one_volume_that_fails_stops_no_other(engines: Engines) -> None:
    put(engines.source, "a-good", "first")
    put(engines.source, "z-good", "first")
    docker(engines.source, "volume", "create", "m-gone")
    place_of(engines.source, "m-gone").rmdir()
    with pytest.raises(WorkstationError, match="Could not copy volume 'm-gone': ") as failed:
        engines.move(parallel=1)
    assert len(failed.value.done) == 2 and got(engines.target, "z-good") == "first"
    done = engines.move(leave=["m-*"])
    assert not done["changed"] and not done["pending"]


def test_a_volume_that_a_container_at_the_target_holds_waits_by_name(engines: Engines, engine: Callable[[str], Path]) -> None:
    put(engines.source, "db", "theirs")
    put(engines.target, "db", "mine")
    docker(engines.target, "load", data=waiting("waits:1", engine("buildctl")))
    docker(engines.target, "create", "--name", "web", "--volume", "db:/v", "waits:1")
    for _again in range(2):
        assert kinds(engines.move(replace=["db"])) == {"volume 'db'": "in_use"}
    assert got(engines.target, "db") == "mine"


def test_a_volume_whose_data_is_a_directory_of_the_vm_keeps_an_engine_until_it_is_named(engines: Engines, tmp_path: Path) -> None:
    bind = ("--opt", "type=none", "--opt", "o=bind", "--opt", f"device={tmp_path}")
    put(engines.source, "db", "first")
    docker(engines.source, "volume", "create", *bind, "bound")
    (tmp_path / "data").write_text("only here")
    done = engines.move()
    assert done["actions"] == ["copy volume 'db' (5 bytes)"]
    why = f"its data is directory '{tmp_path}' of its machine"
    assert f"Volume 'bound' is not moved: {why}. Create it at the target, and name it in O(leave)." in done["warnings"]
    for _again in range(2):
        kept = refusal(engines).removeprefix(f"Could not retire '{engines.source.host}': ")
        assert kept == f"not movable: volume 'bound' ({why}). Copy it yourself, and name it in O(leave)."
        # One of that name at the target says nothing of the data.
        put(engines.target, "bound", "other")
    assert "Lost with it: what migrate_leave names: volume 'bound'" in engines.retire(leave=["bound"], check=True)["summary"]
    assert got(engines.target, "bound") == "other" and (tmp_path / "data").read_text() == "only here"


def test_a_paused_container_and_what_has_no_fate_keep_an_engine(engines: Engines, engine: Callable[[str], Path]) -> None:
    docker(engines.source, "load", data=waiting("waits:1", engine("buildctl")))
    docker(engines.source, "run", "--detach", "--net", "none", "--name", "writer", "waits:1")
    docker(engines.source, "pause", "writer")
    docker(engines.source, "volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "fast")
    engines.move()
    said = refusal(engines)
    assert "containers run in it, or are paused: writer (paused)" in said
    assert "not movable: volume 'fast' (its data is in memory). Copy it yourself, and name it in O(leave)." in said
    docker(engines.source, "unpause", "writer")
    docker(engines.source, "stop", "--time", "0", "writer")
    anonymous = docker(engines.source, "volume", "create").strip()
    told = engines.retire(leave=["fast"], check=True)["summary"]
    assert "Lost with it: what migrate_leave names: volume 'fast'" in told
    assert f"Lost with it: what has no name: volume {anonymous}" in told
    assert any(line.startswith("Lost with it: containers, with what they hold outside of volumes: writer") for line in told)
