# SPDX-License-Identifier: GPL-3.0-or-later
"""A docker engine behind a real sshd: as a context, before the doctor, and as the place of a builder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.processes.system import comes_true
from rehearsal.services.dockerd import Dockerd
from tests.support.builds.engine_with_buildkit import IN_LAB
from tests.support.in_process_module import ModuleRun
from tests.support.whole_machine.ssh_server import SshServer, ssh_server

pytestmark = pytest.mark.real("docker", "sshd")
# What a busy machine may need for a login and an answer.
PATIENT = 60.0


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> ModuleRun:
    return ModuleRun(capsys)


@pytest.fixture
def far(home: Path, lab: Dockerd, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    """An sshd whose docker is that of the lab."""
    place = short_path / f"ssh-{home.name}"
    with ssh_server(place, {"DOCKER_HOST": lab.host, "DOCKER_CONFIG": str(place)}) as server:
        monkeypatch.setenv("PATH", f"{server.client}{os.pathsep}{os.environ['PATH']}")
        yield server


@pytest.fixture
def context(run: ModuleRun, far: SshServer) -> dict[str, Any]:
    """A context 'farm' on the engine behind ssh, and what the module said of it."""
    return run("docker_context", name="farm", docker={"host": far.address})


def docker(*args: str) -> str:
    return subprocess.run(["docker", *args], capture_output=True, text=True, check=True, timeout=PATIENT).stdout.strip()


def examine(run: ModuleRun, far: SshServer, *builders: dict[str, Any], timeout: float = PATIENT) -> dict[str, dict[str, Any]]:
    """The doctor's findings on the context and the builders, by id."""
    settings: dict[str, Any] = {"docker_context": {"name": "farm", "docker": {"host": far.address}}}
    if builders:
        settings["buildx_builder"] = {"builders": list(builders)}
    checks = run("doctor", groups=["docker", "builders"], timeout=timeout, **settings)["checks"]
    return {check["id"]: check for check in checks}


def test_docker_works_through_a_context_with_ssh(context: dict[str, Any], run: ModuleRun, far: SshServer, lab: Dockerd) -> None:
    assert context["actions"] == [f"create docker context 'farm' ({far.address})"]
    # No run waits for an engine on another machine; who asks gets the answer.
    assert context["contexts"][0]["engine"]["reachable"] is None
    engine_id = docker("--context", "farm", "info", "--format", "{{.ID}}")
    assert engine_id == docker("--host", lab.host, "info", "--format", "{{.ID}}")
    asked = run("docker_context_info", names=["farm"], reachability=True, timeout=PATIENT)["contexts"][0]["engine"]
    assert (asked["reachable"], asked["version"]) == (True, docker("--host", lab.host, "version", "-f", "{{.Server.Version}}"))
    assert "Accepted publickey for root" in far.log.read_text()


def test_an_engine_whose_ssh_server_is_gone_is_reported_with_dockers_words(
    context: dict[str, Any], run: ModuleRun, far: SshServer
) -> None:
    del context
    far.daemon.kill()

    def refused() -> bool:
        asked = run("docker_context_info", names=["farm"], reachability=True, timeout=PATIENT)["contexts"][0]["engine"]
        assert asked["reachable"] is False and asked["reason"]
        return "Connection refused" in asked["reason"]

    # On a busy machine ssh may end before docker has written to it, and docker then says no more than that: so ask again.
    assert comes_true(refused, PATIENT)


def test_the_doctor_knows_the_context_and_does_not_wait_for_it(context: dict[str, Any], run: ModuleRun, far: SshServer) -> None:
    del context
    far.daemon.kill()
    found = examine(run, far)
    assert (found["docker.context"]["status"], found["docker.context"]["found"]) == ("ok", far.address)


@pytest.mark.long("builds over ssh; test_buildx_builder.py builds")
@pytest.mark.real("buildx", "buildkit")
def test_a_builder_on_it_builds_waits_for_builds_and_goes(
    context: dict[str, Any], run: ModuleRun, buildx: Path, far: SshServer, tmp_path: Path
) -> None:
    del context, buildx
    builder: dict[str, Any] = {"name": "farm-builder", "endpoint": "farm", "driver_opts": IN_LAB, "bootstrap": True}
    made = run("buildx_builder", builders=[builder], timeout=PATIENT)
    assert made["builders"][0]["nodes"][0]["status"] == "running", made
    assert not run("buildx_builder", builders=[builder], timeout=PATIENT)["changed"]
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY words /words\n")
    (tmp_path / "words").write_text("built far away")
    docker("buildx", "build", "--builder", "farm-builder", "--output", f"type=local,dest={tmp_path / 'out'}", str(tmp_path))
    assert (tmp_path / "out" / "words").read_text() == "built far away"
    changed = {**builder, "buildkitd_flags": ["--debug"]}
    argv = ["docker", "--context", "farm", "exec", "-i", "buildx_buildkit_farm-builder0", "buildctl", "dial-stdio"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as client:
        try:
            top = ("--context", "farm", "top", "buildx_buildkit_farm-builder0")
            assert comes_true(lambda: "dial-stdio" in docker(*top), PATIENT)
            held = run("buildx_builder", builders=[changed], timeout=PATIENT)
            assert (held["changed"], held["pending"][0]["reason"]) == (False, "a build is running")
        finally:
            client.kill()
    assert comes_true(lambda: "dial-stdio" not in docker(*top), PATIENT)
    assert run("buildx_builder", builders=[changed], timeout=PATIENT)["changed"]
    gone = run("buildx_builder", builders=[{"name": "farm-builder", "state": "absent", "keep_state": False}], timeout=PATIENT)
    assert gone["actions"] == ["remove builder 'farm-builder'"]
    ours = ("--filter", "name=farm-builder")
    assert docker("--context", "farm", "ps", "--all", *ours, "--format", "{{.Names}}") == ""


@pytest.mark.real("buildx", "buildkit")
def test_the_doctor_asks_for_a_builder_on_it(context: dict[str, Any], run: ModuleRun, buildx: Path, far: SshServer) -> None:
    del context, buildx
    builder: dict[str, Any] = {"name": "farm-builder", "endpoint": "farm", "driver_opts": IN_LAB}
    run("buildx_builder", builders=[builder], timeout=PATIENT)
    node = examine(run, far, builder)["builders.nodes"]
    assert (node["status"], node["found"]) == ("ok", "ready; the first build starts it")
    far.daemon.kill()
    node = examine(run, far, builder)["builders.nodes"]
    assert (node["status"], node["found"]) == ("broken", "no answer to buildx from node 'farm-builder0'")
    assert node["remedy"] == "docker buildx inspect farm-builder"
