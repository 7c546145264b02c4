# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of authorities: written once while each address is asked once, and never without those of the system."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run as run_subject
from ansible_collections.laptop.containers.plugins.module_utils.network.task import Network

from rehearsal.services.certificates import Authority


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """What answers 204, and the paths that it was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v2/", paths
        server.shutdown()


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / ".local/state/laptop.containers/authorities.pem"


@pytest.fixture
def authority(tmp_path: Path) -> str:
    return str(Authority(tmp_path / "company").certificate_file)


def run(**given: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in Network.argument_spec.items()}
    found: dict[str, Any] = run_subject(Network(), {**defaults, **given}, check_mode=False)
    return found


def test_each_address_is_asked_once_also_where_the_file_changes(
    asked: tuple[str, list[str]], bundle: Path, authority: str
) -> None:
    url, paths = asked
    found = run(authorities=[authority], probes=[url])
    assert found["changed"] and bundle.read_text().count("BEGIN CERTIFICATE") > 100
    assert paths == ["/v2/"]
    assert [cell["reach"] for cell in found["matrix"]] == ["reached"]


def test_a_company_s_authorities_never_stand_alone(bundle: Path, authority: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "certifi", None)
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(WorkstationError, match="Could not find 'certifi'"):
        run(authorities=[authority])
    assert not bundle.exists()


@pytest.mark.parametrize("kind", ["link", "directory", "foreign"])
def test_a_file_of_another_program_stays(bundle: Path, authority: str, tmp_path: Path, kind: str) -> None:
    bundle.parent.mkdir(parents=True)
    other = tmp_path / "other.pem"
    other.write_text("theirs\n")
    if kind == "link":
        bundle.symlink_to(other)
    elif kind == "directory":
        bundle.mkdir()
    else:
        bundle.write_text("theirs\n")
    with pytest.raises(WorkstationError, match=f"Could not write '{bundle}': it is another program's file"):
        run(authorities=[authority])
    assert other.read_text() == "theirs\n" and bundle.is_symlink() == (kind == "link")
    assert not run()["changed"]
