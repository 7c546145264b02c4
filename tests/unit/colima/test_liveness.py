# SPDX-License-Identifier: GPL-3.0-or-later
"""What the laptop alone shows of a running VM: what plainly runs, and never what is in doubt."""

from __future__ import annotations

import base64
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.colima.observe.kube_entry import digest_of, is_noted, note_entry
from ansible_collections.laptop.containers.plugins.module_utils.colima.observe.liveness import Liveness, liveness_of
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Paths, parse_name

from rehearsal.standin.kube_api import KubeApi

NAME = parse_name("k8s")
PONG = b"HTTP/1.0 200 OK\r\n\r\nOK"


class Engine:
    """A socket on which every greeting gets the same answer; None: it closes at once."""

    def __init__(self, path: Path, answer: bytes | None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.answer = answer
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1024)
                if self.answer is not None:
                    connection.sendall(self.answer)


@pytest.fixture
def paths() -> Iterator[Paths]:
    # Short, because a socket's address is.
    home = Path(tempfile.mkdtemp(prefix="lg-", dir="/tmp"))
    paths = Paths(home, home / "_lima")
    paths.own.mkdir(parents=True)
    yield paths
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    with KubeApi(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def applied(paths: Paths, *, runtime: str = "docker", kubernetes: bool = False) -> None:
    file = paths.applied(NAME)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"runtime: {runtime}\nkubernetes:\n  enabled: {str(kubernetes).lower()}\n")


def engine(paths: Paths, answer: bytes | None, tool: str = "docker") -> Engine:
    return Engine(Path(paths.socket(NAME, tool).removeprefix("unix://")), answer)


def entry_of(cluster: KubeApi, **changes: Any) -> dict[str, Any]:
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    return {"cluster": {**config["clusters"][0]["cluster"], **changes}, "user": config["users"][0]["user"]}


def test_an_engine_that_answers_is_enough_where_nothing_else_should_run(paths: Paths) -> None:
    applied(paths)
    engine(paths, PONG)
    socket_of = paths.socket(NAME, "docker")
    assert liveness_of(paths, NAME, {}).live == {"runtime": "docker", "docker_socket": socket_of, "kubernetes": False}


@pytest.mark.parametrize("answer", [None, b"", b"HTTP/1.0 500 Internal Server Error\r\n\r\n"])
def test_an_engine_in_trouble_leaves_a_doubt(paths: Paths, answer: bytes | None) -> None:
    applied(paths)
    engine(paths, answer)
    assert liveness_of(paths, NAME, {}) == Liveness()


def test_a_socket_that_is_not_there_leaves_a_doubt(paths: Paths) -> None:
    applied(paths)
    assert liveness_of(paths, NAME, {}) == Liveness()


def test_an_engine_that_takes_a_greeting_and_says_nothing_is_slow(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.laptop.containers.plugins.module_utils.colima.observe.liveness.SECONDS", 0.2)
    applied(paths)
    path = Path(paths.socket(NAME, "docker").removeprefix("unix://"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        assert liveness_of(paths, NAME, {}) == Liveness(slow=True)


def test_containerd_answers_in_its_own_way(paths: Paths) -> None:
    applied(paths, runtime="containerd")
    engine(paths, b"\0\0\0\4\0\0\0\0\0", "containerd")
    assert liveness_of(paths, NAME, {}).live["runtime"] == "containerd"


def test_a_vm_without_an_engine_or_without_its_settings_leaves_a_doubt(paths: Paths) -> None:
    engine(paths, PONG)
    assert liveness_of(paths, NAME, {}) == Liveness()
    applied(paths, runtime="none")
    assert liveness_of(paths, NAME, {}) == Liveness()


@pytest.mark.parametrize("note", ["journal", "fresh"])
def test_a_note_of_an_unfinished_start_leaves_a_doubt(paths: Paths, note: str) -> None:
    applied(paths)
    engine(paths, PONG)
    getattr(paths, note)(NAME).write_text("")
    assert liveness_of(paths, NAME, {}) == Liveness()


def test_an_api_server_answers_for_itself_by_the_authority_of_the_entry(paths: Paths, cluster: KubeApi) -> None:
    applied(paths, kubernetes=True)
    engine(paths, PONG)
    assert liveness_of(paths, NAME, entry_of(cluster)).live["kubernetes"] is True


def test_another_authority_a_closed_port_and_a_damaged_entry_leave_a_doubt(
    paths: Paths, cluster: KubeApi, tmp_path: Path
) -> None:
    applied(paths, kubernetes=True)
    engine(paths, PONG)
    with KubeApi(tmp_path) as other:
        foreign = entry_of(other)["cluster"]["certificate-authority-data"]
        closed = entry_of(other)
    damaged = base64.b64encode(b"no certificate").decode()
    for entry in (
        entry_of(cluster, **{"certificate-authority-data": foreign}),
        entry_of(cluster, **{"certificate-authority-data": damaged}),
        entry_of(cluster, server="https://["),
        closed,
    ):
        assert liveness_of(paths, NAME, entry) == Liveness()


@pytest.mark.parametrize(("kubernetes", "entry"), [(True, {}), (True, None), (False, None), (False, {"cluster": {}})])
def test_an_entry_that_is_missing_unknown_or_left_over_leaves_a_doubt(
    paths: Paths, kubernetes: bool, entry: dict[str, Any] | None
) -> None:
    applied(paths, kubernetes=kubernetes)
    engine(paths, PONG)
    assert liveness_of(paths, NAME, entry) == Liveness()


def test_a_note_holds_for_one_entry_whatever_its_context_says(paths: Paths) -> None:
    entry = {"cluster": {"server": "https://127.0.0.1:6443"}, "user": {"token": "t"}, "context": {"namespace": "a"}}
    assert not is_noted(paths, NAME, entry)
    note_entry(paths, NAME, digest_of(entry))
    assert is_noted(paths, NAME, {**entry, "context": {"namespace": "b"}})
    assert not is_noted(paths, NAME, {**entry, "user": {"token": "u"}})
    assert "t" not in paths.kube_entry(NAME).read_text().strip("0123456789abcdef")
