# SPDX-License-Identifier: GPL-3.0-or-later
"""Freeing disk space in a real dockerd and a real containerd, through the module: what was named is gone, all else is kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run as run_subject
from ansible_collections.laptop.containers.plugins.module_utils.reclaim.task import Reclaimer

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import lab_of_grade
from tests.support.test_runs.tiers import chosen

pytestmark = pytest.mark.real("docker", "containerd", "buildkit", "buildx")
MIB = 1 << 20
RUNTIMES = ("docker", "containerd")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with lab_of_grade("real") as lab:
        for runtime in RUNTIMES:
            tool(lab, "colima", "start", "--profile", runtime, "--runtime", runtime)
        yield lab


def tool(lab: Lab, *argv: str, **more: str) -> str:
    environment = {**os.environ, **lab.environment, **more}
    program = shutil.which(argv[0], path=environment["PATH"])
    assert program is not None
    done = subprocess.run([program, *argv[1:]], env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Client:
    """docker of one profile, or nerdctl in one namespace of the other."""

    def __init__(self, lab: Lab, runtime: str, namespace: str = "") -> None:
        self.lab, self.runtime = lab, runtime
        nerdctl = ("colima", "nerdctl", "--profile", "containerd", "--", *(["--namespace", namespace] if namespace else []))
        self.command = ("docker",) if runtime == "docker" else nerdctl
        self.environment = {"DOCKER_HOST": f"unix://{lab.home}/.colima/docker/docker.sock"}

    def __call__(self, *arguments: str) -> str:
        return tool(self.lab, *self.command, *arguments, **self.environment)

    def build(self, context: Path, number: int, *tag: str) -> None:
        words = ("build", "--build-arg", f"N={number}", *tag, str(context))
        if self.runtime == "docker":
            tool(self.lab, "docker-buildx", *words, "--builder", "default", "--load", **self.environment)
        else:
            self(*words)

    def names(self) -> dict[str, list[str]]:
        """Return the names of all items."""
        images = [json.loads(line) for line in self("images", "--format", "{{json .}}").splitlines()]
        return {
            "images": sorted(f"{one['Repository']}:{one['Tag']}" for one in images),
            "containers": sorted(self("ps", "--all", "--format", "{{.Names}}").split()),
            "volumes": sorted(self("volume", "ls", "--quiet").split()),
        }


@pytest.fixture
def context(engine: Callable[[str], Path], tmp_path: Path) -> Path:
    shutil.copy(engine("buildctl"), tmp_path / "tool")
    waits = '["/tool", "--addr", "unix:///none.sock", "--timeout", "3600", "--wait", "debug", "workers"]'
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\nARG N\nCOPY tool /tool-$N\nCOPY tool /tool\nENTRYPOINT {waits}\n")
    return tmp_path


def reclaim(lab: Lab, monkeypatch: pytest.MonkeyPatch, check: bool = False, **options: Any) -> dict[str, Any]:
    with monkeypatch.context() as patch:
        for name, value in lab.environment.items():
            patch.setenv(name, value)
        given = {name: spec.get("default") for name, spec in Reclaimer.argument_spec.items()} | options
        return run_subject(Reclaimer(), given, check_mode=check)


@pytest.mark.parametrize("runtime", chosen("tests/unit/reclaim/test_answers.py reads containerd's answers", RUNTIMES, {"docker"}))
def test_what_was_kept_is_kept_and_what_was_named_is_gone(
    lab: Lab, runtime: str, context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(lab, runtime)
    # A tag that is built again, a build without a tag, and images that are used, or have a name.
    client.build(context, 1, "--tag", "app:dev")
    client("run", "--detach", "--net", "none", "--name", "old-app", "--volume", "data:/v", "app:dev")
    client.build(context, 2, "--tag", "app:dev")
    client.build(context, 3)
    client.build(context, 4, "--tag", "unused:1")
    client("run", "--detach", "--net", "none", "--name", "web", "app:dev")
    client("stop", "--time", "1", "old-app")
    client("volume", "create", "left")
    client("volume", "create", "other")
    before = client.names()

    options: dict[str, Any] = {"names": [runtime], "build_cache": "all", "volumes": ["left", "data"]}
    planned = reclaim(lab, monkeypatch, check=True, **options)
    assert client.names() == before
    done = reclaim(lab, monkeypatch, **options)
    assert done["actions"] == planned["actions"] and done["changed"]
    after = client.names()
    assert {item["kind"] for item in done["profiles"][0]["reclaimed"]} == {"image", "cache", "volume"}
    assert after["containers"] == ["old-app", "web"]
    assert after["volumes"] == ["data", "other"]
    # With docker a container that stopped still has the image that lost its tag.
    nameless = ["<none>:<none>"] if runtime == "docker" else []
    assert after["images"] == [*nameless, "app:dev", "unused:1"]
    assert len(before["images"]) == len(after["images"]) + 1
    (held,) = done["pending"]
    assert (held["target"], held["reason"]) == (f"volume 'data' of profile '{runtime}'", "it is used by old-app")
    # The running container was not touched.
    assert client("ps", "--format", "{{.Names}}").split() == ["web"]
    again = reclaim(lab, monkeypatch, **options)
    assert (again["changed"], again["profiles"][0]["reclaimed"]) == (False, [])

    rest = {**options, "images": "unused", "containers_older_than": "1s", "volumes": ["data"]}
    last = reclaim(lab, monkeypatch, **rest)
    assert client.names() == {"images": ["app:dev"], "containers": ["web"], "volumes": ["other"]}
    assert last["pending"] == []


def test_dockers_figures_are_what_becomes_free(lab: Lab, context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(lab, "docker")
    reclaim(lab, monkeypatch, names=["docker"], images="unused", build_cache="all")
    (context / "payload").write_bytes(os.urandom(20 * MIB))
    (context / "Dockerfile").write_text("FROM scratch\nARG N\nLABEL n=$N\nCOPY payload /payload\n")
    client.build(context, 1)
    # The cache shares its layer with the image, so first the image counts nothing, and then the cache all of it.
    cached = reclaim(lab, monkeypatch, names=["docker"], build_cache="keep", trim=False)
    disk = lab.home / ".colima" / "_lima" / "_disks" / "colima-docker" / "data" / "docker"
    before = occupied(disk)
    done = reclaim(lab, monkeypatch, names=["docker"], build_cache="all", trim=False)
    freed = before - occupied(disk)
    counted = sum(item["bytes"] for item in done["profiles"][0]["reclaimed"])
    assert [item["kind"] for item in cached["profiles"][0]["reclaimed"]] == ["image"]
    assert 20 * MIB <= counted == pytest.approx(freed, rel=0.1)


@pytest.mark.long("a second containerd; tests/unit/reclaim has its namespaces")
def test_every_namespace_of_containerd_is_looked_into_and_that_of_kubernetes_left_alone(
    lab: Lab, context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team, cluster = Client(lab, "containerd", "team"), Client(lab, "containerd", "k8s.io")
    for client in (team, cluster):
        client.build(context, 7)
        client.build(context, 8, "--tag", "kept:1")
    before = cluster.names()
    done = reclaim(lab, monkeypatch, names=["containerd"], images="unused")
    assert {item["namespace"] for item in done["profiles"][0]["reclaimed"] if item["kind"] == "image"} >= {"team"}
    assert team.names()["images"] == []
    assert cluster.names() == before
    assert any("Images of Kubernetes in profile 'containerd' were left alone" in text for text in done["warnings"])


def occupied(directory: Path) -> int:
    """Return the bytes of the blocks below a directory."""
    return sum(file.lstat().st_blocks * 512 for file in directory.rglob("*") if not file.is_dir())
