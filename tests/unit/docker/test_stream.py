# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of an engine: a whole one is taken as it is, and a cut or empty one, or another kind, is not an answer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.docker.engine import EngineSilent
from ansible_collections.laptop.containers.plugins.module_utils.docker.stream import EngineApi, EngineRefused
from ansible_collections.laptop.containers.plugins.module_utils.migration import inventory

VOLUMES = {"Volumes": [{"Name": "db", "Driver": "local", "Mountpoint": "/d/db/_data"}], "Warnings": None}
ENGINE = {
    "/version": {"ApiVersion": "1.51"},
    "/info": {"ID": "one", "DockerRootDir": "/d"},
    "/system/df": {"LayersSize": 3, "Volumes": []},
    "/containers/json": [{"Id": "c1", "Names": ["/web"], "State": "running"}],
    "/volumes": VOLUMES,
    "/networks": [{"Name": "mine"}],
    "/plugins": [{"Name": "p"}],
    "/images/json": [{"Id": "sha256:1"}],
    "/images/sha256%3A1/json": {"Id": "sha256:1", "RepoTags": ["a:1"]},
}
OTHERS = [b"", b" ", b"null", b"{}", b"[]", b"7", b'"x"', b"<html>", b"[" * 100_000]
OTHERS += [b'{"Volumes": null}', b'{"Volumes": {}}', b'{"Volumes": [null]}', b'{"Volumes": [{"Other": 1}]}']


class Served:
    """What answers on a socket: bytes, whatever was asked, or bytes by the target of the request."""

    def __init__(self, path: Path) -> None:
        self.answers: Callable[[str], bytes] = lambda _target: b""
        self.api = EngineApi(str(path), 5)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(8)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            with connection:
                asked = b""
                while not asked.endswith(b"0\r\n\r\n" if b"chunked" in asked else b"\r\n\r\n"):
                    asked += connection.recv(65536)
                connection.sendall(self.answers(asked.split()[1].decode()))


@pytest.fixture
def served(short_path: Path) -> Iterator[Served]:
    one = Served(short_path / "engine.sock")
    yield one
    one.listener.shutdown(socket.SHUT_RDWR)
    one.listener.close()
    Path(one.api.path).unlink()


def known(body: bytes, status: str = "200 OK") -> bytes:
    """Return an answer that says how long it is."""
    return b"HTTP/1.1 %s\r\nApi-Version: 1.51\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def chunked(body: bytes, size: int = 20) -> bytes:
    """Return an answer in chunks."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def closed(body: bytes) -> bytes:
    """Return an answer that ends where the engine hangs up."""
    return b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body


def whole_of(target: str) -> bytes:
    """Return what the engine answers."""
    return known(json.dumps(ENGINE[path_of(target)]).encode())


def path_of(target: str) -> str:
    """Return what is asked for, without the version of the interface and without details."""
    return target.removeprefix("/v1.51").partition("?")[0]


@pytest.mark.parametrize("framed", [known, chunked, closed])
def test_a_list_that_is_cut_at_any_byte_is_no_list(served: Served, framed: Callable[[bytes], bytes]) -> None:
    whole = framed(json.dumps(VOLUMES).encode())
    for length in range(len(whole)):
        served.answers = lambda _target, length=length: whole[:length]  # type: ignore[misc]
        with pytest.raises(EngineSilent):
            served.api.objects("/volumes", "Name", under="Volumes")
    served.answers = lambda _target: whole
    assert served.api.objects("/volumes", "Name", under="Volumes") == VOLUMES["Volumes"]


@pytest.mark.parametrize("body", OTHERS)
def test_an_answer_of_another_kind_is_no_list(served: Served, body: bytes) -> None:
    served.answers = lambda _target: known(body)
    with pytest.raises(EngineSilent, match="not a docker engine"):
        served.api.objects("/volumes", "Name", under="Volumes")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"1", b'{"Id": 1'])
def test_an_answer_of_another_kind_is_no_object(served: Served, body: bytes) -> None:
    served.answers = lambda _target: known(body)
    with pytest.raises(EngineSilent, match="not a docker engine"):
        served.api.object("/containers/create", "StatusCode", method="POST")


def test_an_engine_says_that_nothing_follows(served: Served) -> None:
    served.answers = lambda _target: b"HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n"
    assert served.api.ask("POST", "/containers/one/start") is None
    for cut in (b"", b"HTTP/1.1 204 No Content\r\n", b"HTTP/1.1 204 No Content\r\nDate: now\r\n"):
        served.answers = lambda _target, cut=cut: cut  # type: ignore[misc]
        with pytest.raises(EngineSilent, match="hung up"):
            served.api.ask("POST", "/containers/one/start")


def test_a_refusal_says_why_and_half_of_one_is_none(served: Served) -> None:
    whole = known(b'{"message": "no such volume"}', "404 Not Found")
    served.answers = lambda _target: whole
    with pytest.raises(EngineRefused, match=r"^no such volume$") as refused:
        served.api.ask("DELETE", "/volumes/db")
    assert refused.value.status == 404
    for length in range(len(whole)):
        served.answers = lambda _target, length=length: whole[:length]  # type: ignore[misc]
        with pytest.raises(EngineSilent):
            served.api.ask("DELETE", "/volumes/db")


def test_the_answer_to_an_upload_needs_its_last_chunk(served: Served) -> None:
    whole = chunked(b'{"stream": "Loaded image: a:1"}\n')
    for length in range(len(whole)):
        served.answers = lambda _target, length=length: whole[:length]  # type: ignore[misc]
        with served.api.upload("POST", "/images/load") as upload, pytest.raises(EngineSilent, match="hung up"):
            upload.finish()
    served.answers = lambda _target: whole
    with served.api.upload("POST", "/images/load") as upload:
        assert upload.finish() == '{"stream": "Loaded image: a:1"}\n'


def test_an_engine_whose_answer_is_cut_anywhere_is_not_read(served: Served) -> None:
    served.answers = whole_of
    read = inventory.read(served.api)
    assert [one.name for one in read.volumes] == ["db"] and [one.name for one in read.containers] == ["web"]
    for path in ENGINE:
        for length in range(len(whole_of(path))):
            served.api.prefix = ""
            served.answers = (
                lambda target, path=path, length=length: (  # type: ignore[misc]
                    whole_of(target)[: length if path_of(target) == path else None]
                )
            )
            with pytest.raises(EngineSilent):
                inventory.read(served.api)


@pytest.mark.parametrize("path", [path for path in ENGINE if path != "/system/df"])
@pytest.mark.parametrize("body", [b"", b"null", b"0", b'"x"', b"[null]", b'{"Volumes": null}'])
def test_an_engine_that_answers_with_something_else_is_not_read(served: Served, path: str, body: bytes) -> None:
    served.answers = lambda target: known(body) if path_of(target) == path else whole_of(target)
    with pytest.raises(EngineSilent):
        inventory.read(served.api)
