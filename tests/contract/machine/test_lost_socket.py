# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine's socket that was deleted comes back over the connection that carried it, as Lima makes it: a real ssh and sshd."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client import programs
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Paths, parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed

from tests.support.whole_machine.ssh_server import ssh_server

pytestmark = pytest.mark.real("sshd")
NAME = parse_name("dev")


@pytest.fixture
def colima(monkeypatch: pytest.MonkeyPatch) -> Iterator[Colima]:
    """A profile whose socket an ssh connection carries to an engine that says hello."""
    with tempfile.TemporaryDirectory(prefix="ls-", dir="/tmp") as directory:
        yield from _carried(Path(directory), monkeypatch)


def _carried(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Colima]:
    engine = socket.socket(socket.AF_UNIX)
    engine.bind(str(place / "engine.sock"))
    engine.listen(5)

    def serve() -> None:
        while True:
            try:
                connection, _address = engine.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"hello")

    threading.Thread(target=serve, daemon=True).start()
    monkeypatch.setitem(programs._IN_GUEST, "docker", str(place / "engine.sock"))
    paths = Paths(place / "base", place / "lima")
    for directory in (paths.profile(NAME), paths.instance(NAME)):
        directory.mkdir(parents=True)
    local = paths.socket(NAME, "docker").removeprefix("unix://")
    with ssh_server(place / "s", {}) as server:
        control = ("-o", "ControlMaster=yes", "-o", f"ControlPath={paths.ssh_master(NAME)}", "-o", "ControlPersist=yes")
        where = ("-p", str(server.port), "root@127.0.0.1")
        subprocess.run([server.client / "ssh", *control, "-N", "-f", *where], check=True, timeout=30)
        # As Lima's host agent does it.
        forward = ("-S", str(paths.ssh_master(NAME)), "-O", "forward", "-L", f"{local}:{place / 'engine.sock'}")
        subprocess.run([server.client / "ssh", *forward, *where], check=True, timeout=30)
        yield Colima(paths, dict(os.environ))
        end_connection(paths)
    engine.shutdown(socket.SHUT_RDWR)
    engine.close()


def end_connection(paths: Paths) -> None:
    subprocess.run(["ssh", "-S", str(paths.ssh_master(NAME)), "-O", "exit", "x"], capture_output=True, timeout=30, check=False)


def says(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        return client.recv(10)


def test_a_deleted_socket_comes_back(colima: Colima) -> None:
    path = Path(colima.paths.socket(NAME, "docker").removeprefix("unix://"))
    assert says(path) == b"hello"
    path.unlink()
    colima.forward_socket(NAME, "docker")
    assert says(path) == b"hello"


def test_without_the_connection_it_fails_with_sshs_words(colima: Colima) -> None:
    end_connection(colima.paths)
    with pytest.raises(CommandFailed, match="ssh"):
        colima.forward_socket(NAME, "docker")
