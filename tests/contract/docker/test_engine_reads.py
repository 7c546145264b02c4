# SPDX-License-Identifier: GPL-3.0-or-later
"""`docker version|info|ps|images` of every docker on every engine: the real CLI can use the stand-in's answers, and back."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from rehearsal.standin import docker_engine

if TYPE_CHECKING:
    from pathlib import Path

    from rehearsal.services.dockerd import Dockerd

    from .conftest import Docker, LightEngine


@pytest.mark.parametrize("command", ["version", "info", "ps", "images"])
@pytest.mark.parametrize("host", ["unix:///proc/nowhere/docker.sock", "tcp://127.0.0.1:9"], ids=["unix", "tcp"])
def test_an_engine_that_does_not_answer_is_named(docker: Docker, command: str, host: str) -> None:
    result = docker("--host", host, command)
    assert result.rc == 1
    # docker 20 tells `info` on stdout why, and only that it failed on stderr.
    said = result.out + result.err if (docker.major, command) == (20, "info") else result.err
    assert f"Cannot connect to the Docker daemon at {host}. Is the docker daemon running?" in said


def test_what_the_client_knows_is_printed_before_the_failure(docker: Docker) -> None:
    result = docker("--host", "unix:///proc/nowhere.sock", "version", "--format", "{{.Client.Version}}")
    assert (result.rc, result.out) == (1, f"{docker.version}\n")


def test_a_server_field_of_a_missing_server_is_an_empty_line(docker: Docker) -> None:
    result = docker("--host", "unix:///proc/nowhere.sock", "version", "--format", "{{.Server.Version}}")
    assert (result.rc, result.out) == (1, "\n")


def test_version_is_read_through_the_context(docker: Docker, light_engine: LightEngine) -> None:
    docker.made("context", "create", "light", "--docker", f"host={light_engine.host}")
    result = docker.made("--context", "light", "version", "--format", "{{.Server.Version}}")
    assert result.out == "28.4.0\n"
    assert docker("--context", "light", "info", "--format", "{{.ServerVersion}} {{.OSType}}/{{.Architecture}}").out == (
        "28.4.0 linux/aarch64\n"
    )


def test_facts_of_the_stand_in_engine_can_be_set(docker: Docker, light_engine: LightEngine) -> None:
    light_engine.pretend("engine", {"NCPU": 4, "MemTotal": 12 * 2**30, "Name": "colima-docker-buildx"})
    result = docker.made("--host", light_engine.host, "info", "--format", "{{.NCPU}} {{.MemTotal}} {{.Name}}")
    assert result.out == f"4 {12 * 2**30} colima-docker-buildx\n"


def test_a_pretended_container_is_seen_running(docker: Docker, light_engine: LightEngine) -> None:
    light_engine.pretend("containers", [{"Names": ["/web"], "Image": "shop:1"}, {"Names": ["/old"], "State": "exited"}])
    docker.environment["DOCKER_HOST"] = light_engine.host
    assert docker.made("ps", "--format", "{{.Names}} {{.Image}}").out == "web shop:1\n"
    assert docker.made("ps", "-a", "--format", "{{.Names}}").out == "web\nold\n"
    assert docker.made("ps", "-q", "--filter", "name=nothing").out == ""
    assert docker.made("ps", "-a", "--filter", "status=exited", "--format", "{{.Names}}").out == "old\n"
    assert docker.made("inspect", "--format", "{{.State.Running}}", "old").out == "false\n"


def test_the_stand_in_engine_also_runs_as_a_process_of_its_own(docker: Docker, short_path: Path) -> None:
    process = docker_engine.start(short_path / "own.sock", docker.directory / "state")
    try:
        host = f"unix://{short_path / 'own.sock'}"
        assert docker.made("--host", host, "version", "--format", "{{.Server.Os}}").out == "linux\n"
    finally:
        process.terminate()
        assert process.wait(20) == 0
    assert not (short_path / "own.sock").exists()


def test_ps_is_a_table_of_the_usual_columns(docker: Docker, light_engine: LightEngine) -> None:
    light_engine.pretend(
        "containers", [{"Names": ["/web"], "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}]}]
    )
    lines = docker.made("--host", light_engine.host, "ps").out.splitlines()
    assert re.split(r"\s{2,}", lines[0].strip()) == ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert re.split(r"\s{2,}", lines[1].strip())[-2:] == ["0.0.0.0:8080->80/tcp", "web"]


def test_pretended_images_are_listed(docker: Docker, light_engine: LightEngine) -> None:
    light_engine.pretend("images", [{"RepoTags": ["a.example/shop:1"], "Size": 12_300_000}])
    docker.environment["DOCKER_HOST"] = light_engine.host
    assert docker.made("images", "--format", "{{.Repository}} {{.Tag}} {{.Size}}").out == "a.example/shop 1 12.3MB\n"
    assert len(docker.made("images", "-q").out.strip()) == 12
    assert docker.made("images", "-q", "a.example/nothing").out == ""


@pytest.mark.parametrize("arguments", [["ps", "--bogus"], ["ps", "-x"], ["version", "--format"]], ids=" ".join)
def test_unknown_and_incomplete_options_exit_with_125(docker: Docker, light_engine: LightEngine, arguments: list[str]) -> None:
    result = docker("--host", light_engine.host, *arguments)
    assert (result.rc, result.out) == (125, "")


def test_a_bad_filter_is_refused_before_the_engine_is_asked(docker: Docker) -> None:
    result = docker("--host", "unix:///proc/nowhere.sock", "ps", "--filter", "bad")
    assert result.rc == 125
    assert "bad format of filter" in result.err


def test_an_unknown_command_says_so(docker: Docker) -> None:
    result = docker("nonsense")
    assert result.rc == 1
    assert "nonsense" in result.err


def test_a_missing_plugin_is_an_unknown_command(docker: Docker) -> None:
    if any(folder in (docker("info").out) for folder in ("/usr/libexec/docker", "/usr/lib/docker", "/usr/local/lib/docker")):
        pytest.skip("buildx is installed for the whole system here.")
    result = docker("buildx", "version")
    assert result.rc != 0
    assert "buildx" in result.err


def test_real_engine_is_read_alike(docker: Docker, dockerd: Dockerd) -> None:
    docker.environment["DOCKER_HOST"] = dockerd.host
    version = docker.made("version", "--format", "{{json .Server}}").json
    assert version["Components"][0]["Name"] == "Engine"
    info = docker.made("info", "--format", "{{json .}}").json
    assert info["ServerVersion"] == version["Version"]
    assert docker.made("ps", "-aq", "--filter", "name=nothing-of-this-name").out == ""


def test_json_of_a_container_has_the_same_keys(both: tuple[Docker, Docker], light_engine: LightEngine) -> None:
    light_engine.pretend(
        "containers", [{"Names": ["/web"], "Labels": {"b": "1", "a": "<x>"}, "Created": int(time.time()) - 5 * 86400}]
    )
    mine, real = (docker.made("--host", light_engine.host, "ps", "--format", "json").out for docker in both)
    assert json.loads(mine) == json.loads(real)
    assert mine == real


@pytest.mark.parametrize("name", ["docker-buildx", "docker-compose"])
def test_homebrews_plugins_are_found_when_config_names_their_folder(docker: Docker, name: str) -> None:
    from rehearsal.standin import docker_cli

    docker_cli.install(docker.directory / "brew" / "bin")
    docker.config.mkdir()
    folder = docker.directory / "brew" / "lib" / "docker" / "cli-plugins"
    verb = name.removeprefix("docker-")
    (docker.config / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": [str(folder)]}))
    assert docker.made(verb, "version").out
    plugins = docker("info", "--format", "{{json .ClientInfo.Plugins}}").json
    assert verb in [plugin["Name"] for plugin in plugins if plugin["Path"].startswith(str(folder))]
