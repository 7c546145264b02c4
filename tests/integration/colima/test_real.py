# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts held back for real containers: a real dockerd and a real containerd stand behind the profiles' sockets."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Host
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.options import policy_from, specs_from
from ansible_collections.laptop.containers.plugins.module_utils.colima.observe.builds import in_guest
from ansible_collections.laptop.containers.plugins.module_utils.colima.survey import ProfilesSpec
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import resolve

from rehearsal.lab.laptop import Lab
from tests.support.colima.standin_laptop import Result, converge
from tests.support.lab_playbooks import lab_of_grade

pytestmark = pytest.mark.real("docker", "containerd", "buildkit")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with lab_of_grade("real") as lab:
        yield lab


def asked(lab: Lab, runtime: str, cpu: int) -> Result:
    environment = lab.environment
    host = Host("Darwin", "aarch64", environment["HOME"], 12, 36864, 500_000)
    spec = specs_from([{"name": "dev", "runtime": runtime, "cpu": cpu, "memory": 2, "disk": 20}], host)
    return converge(Colima(resolve(environment, "Darwin"), environment), ProfilesSpec(tuple(spec), policy_from({}), host), False)


def run(lab: Lab, *argv: str) -> str:
    environment = {**os.environ, **lab.environment}
    program = shutil.which(argv[0], path=environment["PATH"])
    assert program is not None
    done = subprocess.run([program, *argv[1:]], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("runtime", ["docker", "containerd"])
def test_a_running_container_survives_a_changed_size_and_its_data_the_restart(
    lab: Lab, runtime: str, engine: Callable[[str], Path], tmp_path: Path
) -> None:
    shutil.copy(engine("buildctl"), tmp_path / "tool")
    # Waits without end for a daemon that never comes: a container with nothing in it but one static program.
    waits = '["/tool", "--addr", "unix:///none.sock", "--timeout", "3600", "--wait", "debug", "workers"]'
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\nCOPY tool /tool\nENTRYPOINT {waits}\n")
    asked(lab, runtime, 2)
    socket = resolve(lab.environment, "Darwin").base / "dev" / "docker.sock"
    docker = ("env", "DOCKER_BUILDKIT=0", "docker", "--host", f"unix://{socket}")
    client = docker if runtime == "docker" else ("colima", "nerdctl", "--profile", "dev", "--")
    run(lab, *client, "build", "--quiet", "--tag", "waits:1", str(tmp_path))
    run(lab, *client, "run", "--detach", "--net", "none", "--name", "mine", "waits:1")
    held = asked(lab, runtime, 4)
    assert held.actions == ()
    assert [item.reason for item in held.pending] == ["1 container runs in it (mine)"]
    assert "mine" in run(lab, *client, "ps")
    run(lab, *client, "stop", "--time", "1", "mine")
    done = asked(lab, runtime, 4)
    assert (len(done.actions), done.profiles[0]["cpu"]) == (3, 4)
    assert "mine" in run(lab, *client, "ps", "--all")


def test_a_build_by_the_engines_own_builder_survives_a_changed_size(
    lab: Lab, engine: Callable[[str], Path], tmp_path: Path
) -> None:
    shutil.copy(engine("buildctl"), tmp_path / "tool")
    waits = '["/tool", "--addr", "unix:///none.sock", "--timeout", "3600", "--wait", "debug", "workers"]'
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\nCOPY tool /tool\nRUN {waits}\n")
    asked(lab, "docker", 2)
    socket = resolve(lab.environment, "Darwin").base / "dev" / "docker.sock"
    environment = {**os.environ, **lab.environment, "DOCKER_HOST": f"unix://{socket}"}
    argv: list[str | Path] = [
        engine("docker-buildx"),
        "build",
        "--builder",
        "default",
        "--network",
        "none",
        "--progress",
        "plain",
        tmp_path,
    ]
    with subprocess.Popen(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as build:
        # Whatever becomes of it, the test ends.
        late = threading.Timer(90, build.kill)
        late.start()
        try:
            assert build.stdout is not None
            assert any("RUN" in line for line in build.stdout)
            assert run(lab, "docker", "--host", f"unix://{socket}", "ps", "--quiet") == ""
            held = asked(lab, "docker", 4)
            assert held.actions == ()
            assert [item.reason for item in held.pending] == ["a build or transfer is running in it (docker buildx build)"]
            # The engine is on this machine, and so are its steps, which a guest would show.
            end = time.monotonic() + 20
            while "a step of a build" not in in_guest(run(lab, "ps", "-e", "-ww", "-o", "args=").splitlines()):
                assert time.monotonic() < end
            assert build.poll() is None
        finally:
            late.cancel()
            build.kill()
    assert asked(lab, "docker", 4).profiles[0]["cpu"] == 4
