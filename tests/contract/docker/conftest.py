# SPDX-License-Identifier: GPL-3.0-or-later
"""One suite for every docker command line there is: the stand-in, and each real one on PATH."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal import engines
from rehearsal.standin import docker_cli, docker_engine
from tests.support.command_result import CommandResult

SECONDS = 60
WORDS_AS_IN = 28  # the major version whose words the stand-in speaks


class Result(CommandResult):
    """What a command left, read."""

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Docker:
    """One docker command line with a configuration of its own."""

    def __init__(self, program: Path, version: str, directory: Path) -> None:
        self.program = program
        self.version = version
        self.directory = directory
        self.config = directory / "docker-config"
        self.environment: dict[str, str] = {}

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Result:
        surroundings = {"PATH": os.environ["PATH"], "HOME": str(self.directory), "DOCKER_CONFIG": str(self.config)}
        done = subprocess.run(
            [str(self.program), *arguments],
            cwd=self.directory,
            env={**surroundings, **self.environment, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def made(self, *arguments: str) -> Result:
        """Run a command that has to succeed."""
        result = self(*arguments)
        assert result.rc == 0, result.err
        return result

    @property
    def config_json(self) -> dict[str, Any]:
        return dict(json.loads((self.config / "config.json").read_text()))

    def link_plugin(self, plugin: Path) -> None:
        folder = self.config / "cli-plugins"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "docker-buildx").symlink_to(plugin)


def _real_ones() -> dict[str, Path]:
    """Every real docker by its version."""
    places = os.environ.get("PATH", "").split(os.pathsep) + engines.SYSTEM_PATH.split(":")
    found: dict[str, Path] = {}
    for place in dict.fromkeys(places):
        program = Path(place) / "docker"
        if not os.access(program, os.X_OK) or (program.parent.parent / "environment.json").exists():
            continue
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=SECONDS, check=False).stdout
        version = re.search(r"Docker version (\d+\.[\w.+]+)", said)
        if version:
            found.setdefault(version[1], program)
    return found


REAL = _real_ones()
NEWEST = max(REAL, key=lambda version: int(version.partition(".")[0]), default="")
# An older docker has other words for the same; that it does the same is looked at in the long run only.
CHOSEN = [version for version in REAL if version == NEWEST or os.environ.get("LAPTOP_LONG")]
SUBJECTS = [
    pytest.param("stand-in", id="stand-in"),
    *(pytest.param(version, id=f"docker-{version}") for version in CHOSEN),
    *([] if REAL else [pytest.param("none", id="real-docker", marks=pytest.mark.real("docker-cli"))]),
]


def make_docker(subject: str, directory: Path) -> Docker:
    directory.mkdir(parents=True, exist_ok=True)
    if subject in REAL:
        return Docker(REAL[subject], subject, directory)
    docker_cli.install(directory / "bin")
    return Docker(directory / "bin" / "docker", docker_cli.VERSION, directory)


@pytest.fixture(params=SUBJECTS)
def docker(request: pytest.FixtureRequest, tmp_path: Path) -> Docker:
    """The docker under test."""
    return make_docker(request.param, tmp_path)


@pytest.fixture
def both(tmp_path: Path) -> tuple[Docker, Docker]:
    """The stand-in and the real docker whose words it speaks."""
    same = [version for version in REAL if version.startswith(f"{WORDS_AS_IN}.")]
    if not same:
        pytest.skip(f"No docker {WORDS_AS_IN} on PATH to compare words with; install it to run this comparison.")
    return make_docker("stand-in", tmp_path / "stand-in"), make_docker(same[0], tmp_path / "real")


PLUGINS = [
    pytest.param("stand-in", id="stand-in"),
    pytest.param("real", id="buildx", marks=pytest.mark.real("docker-buildx")),
]


def make_buildx(subject: str, directory: Path) -> Docker:
    """A docker with its buildx linked; the real plugin runs under the real docker where there is one of its age."""
    fitting = next((version for version in REAL if int(version.partition(".")[0]) >= WORDS_AS_IN), "stand-in")
    docker = make_docker(fitting if subject == "real" else "stand-in", directory)
    real = engines.find("docker-buildx")
    if subject == "real":
        assert real is not None
        docker.link_plugin(real)
    else:
        docker.link_plugin(directory / "bin" / "docker-buildx")
    return docker


@pytest.fixture(params=PLUGINS)
def buildx(request: pytest.FixtureRequest, tmp_path: Path) -> Docker:
    """A docker whose plugin buildx is under test."""
    return make_buildx(request.param, tmp_path)


@pytest.fixture
def both_buildx(tmp_path: Path) -> tuple[Docker, Docker]:
    """The stand-in buildx and the real one."""
    if engines.find("docker-buildx") is None or not any(version.startswith(f"{WORDS_AS_IN}.") for version in REAL):
        pytest.skip(f"No real docker-buildx (run 'make engines') or no docker {WORDS_AS_IN} to compare words with.")
    return make_buildx("stand-in", tmp_path / "stand-in"), make_buildx("real", tmp_path / "real")


class LightEngine:
    """The stand-in engine, in this process, with the folder of its state."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.socket = directory / "engine.sock"
        self.server = docker_engine.Server(self.socket, self.state)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    def pretend(self, name: str, content: Any) -> None:
        (self.state / f"{name}.json").write_text(json.dumps(content))

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join(SECONDS)
        self.server.server_close()


@pytest.fixture
def light_engine(short_path: Path, request: pytest.FixtureRequest) -> Iterator[LightEngine]:
    """The stand-in engine: .host, .pretend(name, content)."""
    engine = LightEngine(short_path / f"e{abs(hash(request.node.nodeid)) % 10**8}")
    yield engine
    engine.stop()
