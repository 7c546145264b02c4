# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.observe.builds import (
    BuildClient,
    client_of,
    in_guest,
    may_mean,
)

SOCKET = "unix:///h/.colima/dev/docker.sock"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("docker build .", "docker build"),
        ("/opt/homebrew/bin/docker --debug build -t x .", "docker build"),
        ("docker --log-level debug pull alpine", "docker pull"),
        ("docker image push x", "docker image push"),
        ("docker load", "docker load"),
        ("docker buildx build .", "docker buildx build"),
        ("docker buildx --builder work b .", "docker buildx b"),
        ("docker buildx bake", "docker buildx bake"),
        ("docker compose -f a.yml -p web build", "docker compose build"),
        ("docker compose up --detach --build", "docker compose up"),
        ("/usr/libexec/docker/cli-plugins/docker-buildx buildx build .", "docker buildx build"),
        ("docker-buildx build .", "docker buildx build"),
        ("docker-compose --project-name web pull", "docker compose pull"),
        ("nerdctl --namespace k8s.io build .", "nerdctl build"),
        ("buildctl build --frontend x", "buildctl build"),
        ("docker build --build-arg TOKEN=abc .", "docker build"),
    ],
)
def test_a_client_that_builds_or_moves_images_is_known_by_its_command(words: str, command: str) -> None:
    client = client_of(words.split())
    assert client is not None
    assert client.command == command


@pytest.mark.parametrize(
    "words",
    [
        "docker",
        "docker ps",
        "docker run build",
        "docker --context build ps",
        "docker buildx ls",
        "docker buildx rm build",
        "docker compose up",
        "docker compose -p build ps",
        "docker context use build",
        "git push",
        "make build",
        "bash -c docker build .",
        "colima start build",
    ],
)
def test_other_commands_are_no_work(words: str) -> None:
    assert client_of(words.split()) is None


def test_in_the_guest_a_step_of_a_build_is_told_from_the_making_of_a_container() -> None:
    assert in_guest(
        [
            "/usr/bin/dockerd -H fd://",
            "runc --root /var/run/docker/runtime-runc/moby --log-format json create --bundle /run/x --pid-file /run/y x",
            "/usr/bin/containerd-shim-runc-v2 -namespace moby -id x run",
        ]
    ) == []  # fmt: skip
    assert in_guest(
        [
            "runc --log /var/lib/docker/buildkit/executor/runc-log.json --log-format json run --bundle /var/lib/x --keep x",
            "/usr/local/bin/buildkit-runc --log x run --bundle y z",
            "sudo nerdctl pull alpine",
            "nerdctl pull alpine",
        ]
    ) == ["a step of a build", "a step of a build", "nerdctl pull"]  # fmt: skip


OURS, THEIRS = {"HOME": "/h"}, {"HOME": "/other"}
BUILD = "docker build"


@pytest.mark.parametrize(
    ("client", "environment", "ours"),
    [
        (BuildClient(BUILD), {}, True),
        (BuildClient(BUILD), {"HOME": "/h"}, True),
        # docker's own context: /var/run/docker.sock.
        (BuildClient(BUILD), THEIRS, False),
        (BuildClient(BUILD, context="default"), {}, False),
        (BuildClient(BUILD, context="not-known"), {}, True),
        (BuildClient(BUILD, host=SOCKET), {}, True),
        (BuildClient(BUILD, host=SOCKET), THEIRS, True),
        (BuildClient(BUILD, host="tcp://server:2375"), {}, False),
        (BuildClient(BUILD, host="unix:///h/.colima/docker.sock"), {}, False),
        (BuildClient(BUILD, context="default", host=SOCKET), {}, True),
        (BuildClient(BUILD), {"HOME": "/h", "DOCKER_HOST": "tcp://server:2375"}, False),
        (BuildClient(BUILD), {"HOME": "/other", "DOCKER_HOST": SOCKET}, True),
        (BuildClient(BUILD), {"HOME": "/h", "DOCKER_CONTEXT": "default"}, False),
        (BuildClient(BUILD, builder="default"), {}, True),
        (BuildClient(BUILD, builder="colima-dev"), {}, True),
        (BuildClient(BUILD, builder="multi-platform"), {}, False),
        (BuildClient(BUILD), {"HOME": "/h", "BUILDX_BUILDER": "multi-platform"}, False),
    ],
)
def test_a_client_is_taken_for_ones_own_unless_its_words_say_otherwise(
    client: BuildClient, environment: dict[str, str], ours: bool
) -> None:
    assert may_mean(client, environment, OURS, "colima-dev", SOCKET) is ours


@pytest.mark.parametrize(("address", "ours"), [(SOCKET, True), ("ssh://me@server", False)])
@pytest.mark.parametrize("how", ["named", "current in another home"])
def test_a_context_is_known_by_its_address(tmp_path: Path, address: str, ours: bool, how: str) -> None:
    meta = tmp_path / ".docker" / "contexts" / "meta" / hashlib.sha256(b"work").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": "work", "Endpoints": {"docker": {"Host": address}}}))
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "work"}')
    client = BuildClient(BUILD, context="work" if how == "named" else "")
    assert may_mean(client, {"HOME": str(tmp_path)}, OURS, "colima-dev", SOCKET) is ours


def test_a_link_to_the_socket_is_the_same_engine(tmp_path: Path) -> None:
    (tmp_path / "docker.sock").touch()
    (tmp_path / "link.sock").symlink_to("docker.sock")
    client = BuildClient(BUILD, host=f"unix://{tmp_path}/link.sock")
    assert may_mean(client, {}, OURS, "colima-dev", f"unix://{tmp_path}/docker.sock")
