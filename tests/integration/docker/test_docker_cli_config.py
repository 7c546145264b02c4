# SPDX-License-Identifier: GPL-3.0-or-later
"""docker_cli_config as the real docker command sees its work."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.standin import docker_cli
from tests.support.in_process_module import ModuleRun


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> ModuleRun:
    return ModuleRun(capsys)


@pytest.fixture
def docker(home: Path, engine: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The real docker, first on PATH as Homebrew has it: its plugins lie where it does not look."""
    from ansible_collections.laptop.containers.plugins.module_utils.docker.config import surroundings as docker_surroundings

    monkeypatch.setattr(docker_surroundings, "DESKTOP_PLACES", ())
    docker_cli.install(home / "brew/bin")
    real = engine("docker-cli")
    (home / "brew/bin/docker").unlink()
    (home / "brew/bin/docker").symlink_to(real)
    monkeypatch.setenv("PATH", f"{home}/brew/bin:/usr/bin:/bin")

    def typed(*words: str) -> int:
        return subprocess.run(["docker", *words], capture_output=True, check=False).returncode

    if typed("compose", "version") == 0:
        pytest.skip("docker finds a compose plugin of this machine: run where docker-compose-plugin is not installed")
    return typed


def test_compose_of_homebrew_works_after_a_run(run: ModuleRun, home: Path, docker: Callable[..., int]) -> None:
    assert run("docker_cli_config")["changed"]
    assert docker("compose", "version") == 0
    assert docker("buildx", "version") == 0
    assert not run("docker_cli_config")["changed"]
    run("docker_cli_config", state="absent")
    assert docker("compose", "version") != 0


def test_compose_on_path_works_after_a_run(run: ModuleRun, home: Path, docker: Callable[..., int]) -> None:
    shutil.rmtree(home / "brew/lib")
    assert run("docker_cli_config", plugins=["docker-compose"])["changed"]
    assert docker("compose", "version") == 0
    assert not run("docker_cli_config", plugins=["docker-compose"])["changed"]
    run("docker_cli_config", plugins=["docker-compose"], state="absent")
    assert docker("compose", "version") != 0


def test_what_docker_desktop_left_no_longer_stops_docker(run: ModuleRun, home: Path, docker: Callable[..., int]) -> None:
    (home / ".docker/cli-plugins").mkdir(parents=True)
    gone = "/Applications/Docker.app/Contents/Resources/cli-plugins/docker-compose"
    (home / ".docker/cli-plugins/docker-compose").symlink_to(gone)
    left = {"auths": {"r.example": {}}, "credsStore": "desktop", "currentContext": "desktop-linux"}
    (home / ".docker/config.json").write_text(json.dumps(left))
    assert docker("context", "inspect") != 0
    result = run("docker_cli_config")
    assert Path(result["backup_file"]).read_text() == json.dumps(left)
    assert docker("context", "inspect") == 0
    assert json.loads((home / ".docker/config.json").read_text()).get("credsStore") != "desktop"
    assert docker("compose", "version") == 0
    # Taken back is what docker can do without Docker Desktop.
    run("docker_cli_config", state="absent")
    assert docker("context", "inspect") == 0
    assert json.loads((home / ".docker/config.json").read_text()) == {"auths": {"r.example": {}}}
