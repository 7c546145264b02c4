# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking to an API server that is slow, busy, broken or gone: real sockets, scripted answers."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.kube import bounds
from ansible_collections.laptop.containers.plugins.module_utils.kube.access import Access, access_of
from ansible_collections.laptop.containers.plugins.module_utils.kube.answers import ApiError, Unreachable, Untrusted
from ansible_collections.laptop.containers.plugins.module_utils.kube.client import KubeHttp
from ansible_collections.laptop.containers.plugins.module_utils.kube.entry import Entry
from ansible_collections.laptop.containers.plugins.module_utils.kube.patience import Patience, Retries, Trouble
from urllib3 import HTTPResponse

from rehearsal.services.certificates import Authority

# A server that answers may take its time on a busy machine; one that never does is not waited for as long.
QUICK = Patience(request=20.0, total=20.0, first_pause=0.01)
SHORT = Patience(request=20.0, total=0.5, first_pause=0.01)
HANG_UP = b""


def access(url: str, context: str = "colima-k8s", user: dict[str, Any] | None = None, **cluster: Any) -> Access:
    return access_of(
        Entry(context, {"server": url, **{key.replace("_", "-"): value for key, value in cluster.items()}}, user or {})
    )


class Script:
    """A server that gives one scripted answer per request and remembers the requests."""

    def __init__(self, answers: list[bytes], keep: bool = True) -> None:
        self.answers, self.keep = list(answers), keep
        self.requests: list[bytes] = []
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with closing(connection):
                while self.answers:
                    request = self.receive(connection)
                    if not request:
                        break
                    self.requests.append(request)
                    answer = self.answers.pop(0)
                    if answer == HANG_UP:
                        break
                    connection.sendall(answer)
                    if not self.keep:
                        break

    @staticmethod
    def receive(connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body


@contextmanager
def serving(*answers: bytes, keep: bool = True, patience: Patience = QUICK) -> Iterator[tuple[Script, KubeHttp]]:
    script = Script(list(answers), keep)
    http = KubeHttp(access(script.url, user={"token": "hidden"}), patience)
    try:
        yield script, http
    finally:
        http.close()
        script.listener.close()


# What every answer of an API server has.
OBJECT = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "x"}}


def answer(status: int, body: Any = None, **headers: str) -> bytes:
    """Return an answer: an object of the API where it is a success."""
    data = json.dumps((OBJECT if status < 300 else {}) | (body if body is not None else {})).encode()
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} X\r\n{lines}Content-Length: {len(data)}\r\n\r\n".encode() + data


BODY = json.dumps(OBJECT | {"a": 1}).encode()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%b\r\n%x;x=y\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (
    BODY[:5],
    len(BODY) - 5,
    BODY[5:],
)
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\n" + BODY
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def test_a_connection_is_kept() -> None:
    with serving(answer(200, {"a": 1}), answer(200, {"a": 2})) as (script, http):
        assert [http.json("GET", "/x")["a"] for _ in range(2)] == [1, 2]
        assert script.connections == 1


@pytest.mark.parametrize(
    ("raw", "keep"),
    [
        (CHUNKED, True),
        (UNTIL_CLOSE, False),
        (CONTINUE + answer(200, {"a": 1}), True),
        (answer(200, {"a": 1}, Connection="close"), False),
    ],
    ids=["chunks", "until the connection ends", "after 100 Continue", "closed afterwards"],
)
def test_every_way_to_end_a_body_is_understood(raw: bytes, keep: bool) -> None:
    with serving(raw, answer(200, {"a": 1}), keep=keep) as (_, http):
        assert http.json("GET", "/x")["a"] == 1
        assert http.json("GET", "/y")["a"] == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(status: int) -> None:
    with serving(answer(status), answer(status), answer(200, {"a": 1})) as (script, http):
        assert http.json("PATCH", "/x", {})["a"] == 1
        assert len(script.requests) == 3


@pytest.mark.parametrize(
    ("asked", "least", "most"), [("3", 3.0, 4.0), ("3600", 8.0, 10.0), ("rubbish", 0.0, 0.2), (None, 0.0, 0.2)]
)
def test_the_pause_a_server_asks_for_is_kept_within_bounds(asked: str | None, least: float, most: float) -> None:
    retries = Retries(Trouble(Patience()))
    response = HTTPResponse(headers={"Retry-After": asked} if asked else {}, status=503)
    pause = retries.get_retry_after(response) or retries.get_backoff_time()
    assert least <= pause <= most


def test_a_busy_server_that_restarts_is_waited_for() -> None:
    with serving(answer(503), HANG_UP, answer(200, {"a": 1})) as (script, http):
        assert http.json("GET", "/x")["a"] == 1
        assert len(script.requests) == 3


def test_patience_ends() -> None:
    with serving(*[answer(503)] * 500, patience=SHORT) as (_, http), pytest.raises(ApiError) as caught:
        http.json("GET", "/x")
    assert caught.value.status == 503


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refusal_is_not_repeated(status: int) -> None:
    body = {"kind": "Status", "reason": "Because", "message": "no", "details": {"kind": "secrets"}}
    with serving(answer(status, body), answer(200)) as (script, http), pytest.raises(ApiError) as caught:
        http.json("GET", "/x")
    assert (caught.value.reason, caught.value.kind, len(script.requests)) == ("Because", "secrets", 1)


def test_a_server_that_hangs_up_on_a_kept_connection_is_asked_again_at_once() -> None:
    with serving(answer(200, {"a": 1}), HANG_UP, answer(200, {"a": 2})) as (script, http):
        assert http.json("GET", "/x")["a"] == 1
        assert http.json("GET", "/x")["a"] == 2
        assert script.connections == 2


@pytest.mark.parametrize(
    "rubbish",
    [b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", b"HTTP/1.1 200 OK\r\nno end"],
)
def test_what_is_not_http_is_unreachable_and_not_a_traceback(rubbish: bytes) -> None:
    with serving(rubbish, keep=False, patience=SHORT) as (_, http), pytest.raises(Unreachable) as caught:
        http.json("GET", "/x")
    assert caught.value.message.startswith("Could not reach cluster 'colima-k8s': ")


def test_a_cluster_that_never_answered_is_reported_at_once_with_the_start_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(Unreachable) as caught:
        KubeHttp(access(url), QUICK).json("GET", "/x")
    assert f"connection refused at {url}" in caught.value.message
    assert "colima start k8s" in caught.value.message


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        http = KubeHttp(access(f"http://127.0.0.1:{silent.getsockname()[1]}", "kind"), Patience(request=0.3))
        with pytest.raises(Unreachable, match="no answer in time"):
            http.json("GET", "/x")
        http.close()


def test_a_certificate_of_the_wrong_kind_is_input() -> None:
    with pytest.raises(InputError, match="certificates can't be read"):
        access("https://127.0.0.1:1", user={"client-certificate-data": "bm8=", "client-key-data": "bm8="})


def test_a_name_that_no_certificate_can_have_is_input() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        http = KubeHttp(access(url, tls_server_name="a..b"), QUICK)
        with pytest.raises(InputError, match="tls-server-name"):
            http.json("GET", "/x")


def authority(folder: Path) -> Authority:
    folder.mkdir()
    return Authority(folder)


DAY = timedelta(days=1)
FAULTS = [
    pytest.param({}, True, "is not signed by the authority in the kubeconfig", id="another authority"),
    pytest.param({"valid": (-9 * DAY, -DAY)}, False, "has expired. Restart the profile", id="expired"),
    pytest.param({"valid": (DAY, 9 * DAY)}, False, "is not yet valid. Set the clock", id="not yet valid"),
    pytest.param({"address": "10.1.2.3"}, False, "is for another host name. Correct 'server'", id="another address"),
]


@pytest.mark.parametrize(("certificate", "foreign", "said"), FAULTS)
def test_each_fault_of_a_certificate_has_its_sentence_and_is_not_unreachable(
    tmp_path: Path, certificate: dict[str, Any], foreign: bool, said: str
) -> None:
    mine, other = authority(tmp_path / "mine"), authority(tmp_path / "other")
    pair = (other if foreign else mine).issue("server", server=True, **certificate)
    (tmp_path / "pair").write_bytes(pair.certificate + pair.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "pair")
    ca = base64.b64encode(mine.certificate_file.read_bytes()).decode()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=shake_hands, args=(listener, tls), daemon=True).start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(Untrusted) as caught:
            KubeHttp(access(url, certificate_authority_data=ca), QUICK).json("GET", "/x")
    assert caught.value.message.startswith(f"Could not trust cluster 'colima-k8s': its certificate at {url} {said}")


def shake_hands(listener: socket.socket, tls: ssl.SSLContext) -> None:
    with suppress(OSError):
        while True:
            with suppress(ssl.SSLError), tls.wrap_socket(listener.accept()[0], server_side=True):
                pass


def test_a_silent_server_is_waited_for_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        http = KubeHttp(access(f"http://127.0.0.1:{silent.getsockname()[1]}", "kind"), Patience(request=0.3))
        for _ in range(2):
            with pytest.raises(Unreachable):
                http.json("GET", "/x")
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
        http.close()


def test_warnings_of_the_server_are_collected() -> None:
    said = '299 - "v1 is \\"old\\"", 299 - "use v2"'
    with serving(answer(200, {}, Warning=said), answer(200, {}, Warning=said)) as (_, http):
        for _ in range(2):
            http.json("GET", "/x")
        assert list(http.warnings) == ['v1 is "old"', "use v2"]


def test_what_people_write_between_the_authorities_does_not_matter(tmp_path: Path) -> None:
    mine, company = authority(tmp_path / "mine"), authority(tmp_path / "company")
    bundle = b"# Soci\xe9t\xe9 G\xc3\xa9n\xc3\xa9rale\n" + company.certificate_file.read_bytes()
    bundle += "# Größe\n".encode() + mine.certificate_file.read_bytes() + b"\xff\n"
    found = access("https://127.0.0.1:1", certificate_authority_data=base64.b64encode(bundle).decode())
    assert len(found.tls.get_ca_certs()) == 2


def test_an_authority_without_a_certificate_is_not_taken_for_the_systems_own() -> None:
    with pytest.raises(InputError, match="certificates can't be read"):
        access("https://127.0.0.1:1", certificate_authority_data=base64.b64encode(b"# to be filled in\n").decode())


def test_the_login_of_a_proxy_is_sent_to_it_and_a_proxy_that_refuses_is_named_without_it() -> None:
    with serving(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", keep=False) as (proxy, _):
        way = access("http://10.0.0.1:80", "kind", proxy_url=proxy.url.replace("//", "//me:hunter%402@"))
        with pytest.raises(Unreachable) as caught:
            KubeHttp(way, QUICK).json("GET", "/x")
    assert b"Basic " + base64.b64encode(b"me:hunter@2") in proxy.requests[0]
    said = f"407 Proxy Authentication Required at the proxy {proxy.url} on the way to http://10.0.0.1:80. Start that proxy"
    assert said in caught.value.message and "hunter" not in caught.value.message


def test_a_proxy_that_is_not_there_is_not_taken_for_the_cluster() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(Unreachable) as caught:
        KubeHttp(access("https://10.0.0.1:6443", proxy_url=url), QUICK).json("GET", "/x")
    assert f"connection refused at the proxy {url} on the way to https://10.0.0.1:6443" in caught.value.message
    assert "colima start" not in caught.value.message


def test_a_token_with_a_line_break_can_not_smuggle_headers() -> None:
    with serving(answer(200)) as (script, _):
        http = KubeHttp(access(script.url, user={"token": "a\r\nX: y"}), QUICK)
        with pytest.raises(InputError, match="line break"):
            http.json("GET", "/x")


def test_no_failure_shows_the_bearer_token() -> None:
    with serving(answer(403, {"message": "no"})) as (_, http), pytest.raises(ApiError) as caught:
        http.json("GET", "/x")
    assert "hidden" not in repr(caught.value) + str(vars(caught.value))


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "null",
        '"x"',
        "5",
        "{}",
        '{"kind": "List"}',
        '{"items": []}',
        '{"kind": 1, "apiVersion": 2}',
        '{"kind": "SecretList", "apiVersion": "v1", "items": {}}',
        '{"kind": "SecretList", "apiVersion": "v1", "items": [5]}',
        '{"kind": "Secret", "apiVersion": "v1"}',
    ],
)
def test_json_that_no_api_server_answers_is_one_failure(body: str) -> None:
    raw = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    with serving(raw) as (_, http), pytest.raises(Unreachable, match="is not an API server"):
        http.json("GET", "/x")


def test_a_byte_at_a_time_does_not_last_for_ever() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listener.accept()
        with closing(connection), suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(1000):
                connection.sendall(b" ")
                time.sleep(0.02)

    threading.Thread(target=drip, daemon=True).start()
    http = KubeHttp(access(f"http://127.0.0.1:{listener.getsockname()[1]}"), Patience(answer=0.5, total=0.5))
    began = time.monotonic()
    with closing(listener), closing(http), pytest.raises(Unreachable, match="no answer in time"):
        http.json("GET", "/x")
    assert time.monotonic() - began < 5


def test_a_gzip_that_unpacks_to_more_than_any_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_BYTES", 1 << 20)
    packed = gzip.compress(b" " * (64 << 20))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    tracemalloc.start()
    with (
        serving(head + packed, keep=False) as (script, http),
        pytest.raises(Unreachable, match="the answer is larger than 1 MiB"),
    ):
        http.json("GET", "/x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # It is not asked again, and never whole in memory.
    assert len(script.requests) == 1 and peak < 40 << 20
