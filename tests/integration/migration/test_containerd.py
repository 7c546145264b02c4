# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving out of a profile of colima's whose runtime is containerd: what nerdctl keeps goes into a docker engine."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.defaults import complete
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed, InputError, RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run
from ansible_collections.laptop.containers.plugins.module_utils.migration.info import MoveReader
from ansible_collections.laptop.containers.plugins.module_utils.migration.task import Mover

from rehearsal.engines import find
from rehearsal.lab.laptop import Lab
from rehearsal.services.dockerd import Dockerd
from tests.support.lab_playbooks import ROOT, lab_of_grade, tool
from tests.support.migration.engines import docker, place_of, volumes_of, wipe
from tests.support.migration.made_images import Layer, archive, foreign, waiting
from tests.support.migration.trees import is_whole_or_empty, many_files, odd_tree, told
from tests.support.processes import killed_after
from tests.support.test_runs.tiers import times

KILLS = times(1, 2, 20)
_RUN = """
import sys
from tests.integration.migration.test_containerd import move
from types import SimpleNamespace
move(SimpleNamespace(host=sys.argv[1]), pause=True)
"""
pytestmark = pytest.mark.real("docker", "containerd", "nerdctl")
Nerdctl = Callable[..., str]


@pytest.fixture(scope="module")
def up() -> Iterator[Lab]:
    with lab_of_grade("real") as lab:
        tool(lab, "colima", "start", "--profile", "old", "--runtime", "containerd")
        yield lab


@pytest.fixture(autouse=True)
def lab(up: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    for name, value in up.environment.items():
        monkeypatch.setenv(name, value)
    return up


def inside(lab: Lab, *words: str, data: bytes | None = None) -> str:
    """Run a program in the VM of the old profile."""
    colima = shutil.which("colima", path=lab.environment["PATH"]) or "colima"
    argv = (colima, "ssh", "--profile", "old", "--", "sudo", *words)
    done = subprocess.run(argv, input=data, env={**os.environ, **lab.environment}, capture_output=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def nerdctl(up: Lab) -> Nerdctl:
    """nerdctl in the VM of the old profile."""

    def call(*arguments: str, data: bytes | None = None) -> str:
        return inside(up, "nerdctl", *arguments, data=data)

    return call


@pytest.fixture(scope="module")
def places(up: Lab, nerdctl: Nerdctl) -> dict[str, Path]:
    """The directories of the volumes that the old profile has."""
    nerdctl("load", data=archive(["app:1", "example.com/team/app:2"], [Layer(1), Layer(2, 2 << 20)]))
    nerdctl("load", data=archive(["tool:1"], [Layer(1), Layer(3)]))
    nerdctl("load", "--platform=linux/arm64", data=foreign("docker.io/library/foreign:1", Layer(5)))
    # As after a pull by digest. Of this name nerdctl says that it is "app:latest", too.
    digest = nerdctl("images", "--no-trunc", "--quiet", "app:1").split()[0]
    inside(up, "ctr", "images", "tag", "docker.io/library/app:1", f"docker.io/library/app@{digest}")
    nerdctl("load", data=waiting("waits:1", find("buildctl") or Path()))
    nerdctl("--namespace", "k8s.io", "load", data=archive(["pod:1"], [Layer(4)]))
    nerdctl("volume", "create", "--label", "team=shop", "odd")
    nerdctl("volume", "create", "busy")
    nerdctl("run", "--detach", "--name", "writer", "--network", "none", "--volume", "busy:/data", "waits:1")
    found = {name: Path(json.loads(nerdctl("volume", "inspect", name))[0]["Mountpoint"]) for name in ("odd", "busy")}
    odd_tree(found["odd"])
    many_files(found["odd"], 300)
    many_files(found["busy"], 20)
    return found


@pytest.fixture
def target(lab: Lab) -> Iterator[Dockerd]:
    with Dockerd(lab.directory.parent / "new") as engine:
        yield engine
        wipe(engine)


def move(target: Dockerd, *, check: bool = False, **more: Any) -> dict[str, Any]:
    return run(Mover(), complete(Mover.argument_spec, {"source": "old", "target": target.host, **more}), check_mode=check)


def told_of(target: Dockerd, **more: Any) -> dict[str, Any]:
    return run(
        MoveReader(), complete(MoveReader.argument_spec, {"source": "old", "target": target.host, **more}), check_mode=False
    )


def test_its_inventory_is_told_like_that_of_a_docker_engine(places: dict[str, Path], target: Dockerd) -> None:
    found = told_of(target)
    source = found["source"]
    assert [tag for one in source["images"] for tag in one["tags"]] and source["version"]
    tags = {tag: one for one in source["images"] for tag in one["tags"]}
    assert set(tags) == {"app:1", "example.com/team/app:2", "foreign:1", "tool:1", "waits:1"}
    assert tags["app:1"]["id"] == tags["example.com/team/app:2"]["id"] and len(source["images"]) == 4
    assert tags["foreign:1"]["platform"] == "linux/arm64" and tags["foreign:1"]["layers"]
    assert tags["app:1"]["layers"][0] == tags["tool:1"]["layers"][0] and tags["app:1"]["platform"] == "linux/amd64"
    assert tags["app:1"]["bytes"] > 2 << 20 and any("@sha256:" in one for one in tags["app:1"]["digests"])
    sizes = {one["name"]: one["bytes"] for one in source["volumes"]}
    assert set(sizes) == {"odd", "busy"} and sizes["odd"] > sum(
        file.stat().st_size for file in places["odd"].glob("*") if file.is_file()
    )
    (writer,) = source["containers"]
    assert (writer["name"], writer["state"], writer["volumes"]) == ("writer", "running", ["busy"])
    assert any("1 container, of which these run: writer" in line for line in found["summary"])
    assert any("Images of its Kubernetes are not moved (1)" in line for line in found["summary"])


def test_what_it_has_arrives_whole_once(places: dict[str, Path], target: Dockerd) -> None:
    planned = move(target, check=True)
    assert volumes_of(target) == [] and [one["kind"] for one in planned["pending"]] == ["in_use"]
    done = move(target)
    assert {"odd"} == set(volumes_of(target)) and told(place_of(target, "odd")) == told(places["odd"])
    labels = docker(target, "volume", "inspect", "--format", '{{index .Labels "team"}}', "odd")
    names = docker(target, "images", "--format", "{{.Repository}}:{{.Tag}}").split()
    assert sorted(names) == ["app:1", "example.com/team/app:2", "foreign:1", "tool:1", "waits:1"] and labels.strip() == "shop"
    assert len(done["actions"]) == len(planned["actions"])
    again = move(target)
    assert not again["changed"] and again["pending"]


@pytest.mark.long("test_volumes.py pauses a writer of docker alike")
def test_a_writer_is_paused_on_request_and_goes_on(nerdctl: Nerdctl, places: dict[str, Path], target: Dockerd) -> None:
    done = move(target, images=[], volumes=["busy"], pause=True)
    assert any("pauses writer" in one for one in done["actions"])
    assert told(place_of(target, "busy")) == told(places["busy"])
    assert nerdctl("inspect", "--format", "{{.State.Status}}", "writer").strip() == "running"
    compared = told_of(target, compare=True)
    assert {"kind": "volume", "name": "busy"} in compared["equal"]
    (place_of(target, "busy") / "more").touch()
    assert "Used at the target since they were copied, and kept: volume 'busy'" in told_of(target, compare=True)["summary"]
    more = places["busy"] / "more"
    more.write_text("other")
    try:
        with pytest.raises(Exception, match="verify the copy of volume 'busy': both the source and the target were used"):
            told_of(target, compare=True)
    finally:
        more.unlink()


@pytest.mark.long("kills; tests/faults/test_migration.py kills a move between dockers alike")
def test_a_killed_run_leaves_nothing_half_and_the_next_one_completes_it(
    nerdctl: Nerdctl, places: dict[str, Path], target: Dockerd
) -> None:
    draw = random.Random(os.environ.get("LAPTOP_SEED", "containerd"))  # noqa: S311
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(KILLS):
        argv = [sys.executable, "-c", _RUN, target.host]
        if not killed_after(subprocess.Popen(argv, env=environment, cwd=ROOT, start_new_session=True), draw.uniform(0.5, 6.0)):
            wipe(target)
        for name in {"odd", "busy"} & set(volumes_of(target)):
            assert is_whole_or_empty(place_of(target, name), told(places[name]))
    move(target, pause=True)
    assert {name: told(place_of(target, name)) for name in volumes_of(target)} == {name: told(places[name]) for name in places}
    assert nerdctl("inspect", "--format", "{{.State.Status}}", "writer").strip() == "running"
    assert not move(target, pause=True)["changed"] and docker(target, "ps", "--all", "--quiet") == ""


@pytest.fixture
def flags(places: dict[str, Path], nerdctl: Nerdctl) -> Iterator[None]:
    """Make a volume, beside the others, with what no archive carries."""
    assert "flags" not in places
    nerdctl("volume", "create", "flags")
    place = Path(json.loads(nerdctl("volume", "inspect", "flags"))[0]["Mountpoint"])
    (place / "kept").write_text("x")
    with socket.socket(socket.AF_UNIX) as bound, contextlib.chdir(place):
        bound.bind("here")
    subprocess.run(["chattr", "+i", place / "kept"], check=True)
    yield
    subprocess.run(["chattr", "-i", place / "kept"], check=True)
    nerdctl("volume", "rm", "flags")


@pytest.mark.usefixtures("flags")
def test_it_may_go_once_all_of_it_has_moved_and_what_no_copy_carries_is_named(nerdctl: Nerdctl, target: Dockerd) -> None:
    said = r"retire 'old': containers run in it, or are paused: writer \(running\)\. Stop them, and run again\."
    with pytest.raises(RefusedStep, match=said):
        told_of(target, retire=True, confirm="old")
    nerdctl("stop", "--time", "1", "writer")
    try:
        with pytest.raises(RefusedStep, match=r"not at the target: .*volume 'flags'") as refused:
            told_of(target, retire=True, confirm="old")
        # Those that an earlier test has moved have gone.
        assert all(name in str(refused.value) for name in ("image 'app:1'", "image 'foreign:1'", "volume 'odd'"))
        lost = "volume 'flags' (socket here, flags of kept)"
        warned = move(target)["warnings"]
        assert "Not everything of volume 'flags' can be moved: socket here, flags of kept." in warned
        assert (place_of(target, "flags") / "kept").read_text() == "x"
        assert f"Not carried by any copy: {lost}" in told_of(target, compare=True)["summary"]
        found = told_of(target, retire=True, confirm="old")
        assert found["profile"] == "old"
        assert f"Lost with it: what no copy carries: {lost}" in found["summary"]
        assert "Lost with it: containers, with what they hold outside of volumes: writer" in found["summary"]
    finally:
        nerdctl("start", "writer")


def test_a_profile_that_stops_meanwhile_is_to_blame(lab: Lab, nerdctl: Nerdctl, places: dict[str, Path], target: Dockerd) -> None:
    """A log-in that ends in the middle, as when the VM goes."""
    shim = lab.directory / "cut" / "colima"
    shim.parent.mkdir()
    colima = shutil.which("colima")
    shim.write_text(f'#!/bin/sh\ncase "$*" in *--create*) {colima} "$@" | head -c 200000; exit 255;; esac\nexec {colima} "$@"\n')
    shim.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
        with pytest.raises(CommandFailed, match=r"Could not copy volume 'odd': in the VM of profile 'old': .*Run again"):
            move(target, images=[])
    assert volumes_of(target) == [] or set(volumes_of(target)).isdisjoint({"odd", "busy"})
    move(target, images=[])
    assert told(place_of(target, "odd")) == told(places["odd"]) and not [one for one in volumes_of(target) if one != "odd"]


def test_a_profile_that_does_not_run_is_named(lab: Lab, target: Dockerd) -> None:
    tool(lab, "colima", "start", "--profile", "asleep", "--runtime", "containerd")
    tool(lab, "colima", "stop", "--profile", "asleep")
    with pytest.raises(InputError, match=r"move from profile 'asleep': it does not run\. Start it with 'colima start asleep'"):
        move(target, source="asleep")
