# SPDX-License-Identifier: GPL-3.0-or-later
"""`make setup` behind a proxy that intercepts TLS: a package index on the loopback with an unknown authority."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.services.certificates import Authority

ROOT = Path(__file__).resolve().parents[3]
# In .venv, or that of the system, with which .venv was made.
UV = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}") or "uv"
# What a caller's own settings of certificates and indexes begin with.
OWN = ("PIP_", "UV_", "SSL_CERT_", "REQUESTS_", "CURL_", "MAKE", "VIRTUAL_ENV")
SAID = "Could not fetch packages: the lines above say why. Behind a proxy that intercepts TLS, set SSL_CERT_FILE to the company's"


class Index(http.server.ThreadingHTTPServer):
    """A package index over TLS with a package `tiny`, and a `uv` that is the one of this environment."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.certificates = folder, folder / "authority" / "ca.crt"
        (folder / "authority").mkdir()
        pair = Authority(folder / "authority").issue("index", server=True)
        (folder / "server.pem").write_bytes(pair.certificate + pair.key)
        served = folder / "served"
        super().__init__(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(served)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        uv = f'#!/bin/sh\nexec {UV} "$@"\n'
        self.locks = {
            "lab.lock": self._package(served, "tiny", {"tiny.py": ""}),
            "uv.lock": self._package(served, "uv", {"uv-1.0.data/scripts/uv": uv}),
        }

    def _package(self, served: Path, name: str, files: dict[str, str]) -> str:
        """Put a package there; return its line of a lock."""
        page = served / "simple" / name
        page.mkdir(parents=True)
        wheel, about = page / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
        texts = {
            **files,
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in texts.items():
                info = zipfile.ZipInfo(path)
                info.external_attr = 0o100755 << 16
                archive.writestr(info, text)
            archive.writestr(f"{about}/RECORD", "".join(f"{path},,\n" for path in (*texts, f"{about}/RECORD")))
        (page / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
        return f"{name}==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture(name="index", scope="module")
def index_with_an_authority_of_its_own() -> Iterator[Index]:
    folder = Path(tempfile.mkdtemp(prefix="tls-", dir="/tmp"))
    with Index(folder) as index:
        serving = threading.Thread(target=index.serve_forever)
        serving.start()
        yield index
        index.shutdown()
        serving.join()
    shutil.rmtree(folder)


def set_up(index: Index, folder: Path, uv: bool, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `make setup` in a clone whose locks name what the index has."""
    clone = folder / "clone"
    (clone / "requirements").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", clone)
    for name, text in index.locks.items():
        (clone / "requirements" / name).write_text(text)
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python3").symlink_to(Path(sys.base_prefix, "bin", "python3"))
    if uv:
        (programs / "uv").symlink_to(UV)
    address = f"https://localhost:{index.server_address[1]}/simple"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    surroundings = {
        "HOME": str(folder),
        "PATH": f"{programs}:/usr/bin:/bin",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": address,
        "PIP_RETRIES": "0",
        "UV_DEFAULT_INDEX": address,
        "UV_HTTP_RETRIES": "0",
        "UV_NO_CONFIG": "1",
    }
    return subprocess.run(
        ["make", "setup"],
        cwd=clone,
        env={**inherited, **surroundings, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("uv", [True, False], ids=["with uv", "without uv"])
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"])
def test_one_variable_is_enough_for_pip_and_uv(index: Index, tmp_path: Path, variable: str, uv: bool) -> None:
    done = set_up(index, tmp_path, uv, **{variable: str(index.certificates)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((tmp_path / "clone/.venv").glob("lib/python3*/site-packages/tiny.py"))


@pytest.mark.parametrize("uv", [True, False], ids=["with uv", "without uv"])
def test_without_the_certificates_one_sentence_says_what_to_set(index: Index, tmp_path: Path, uv: bool) -> None:
    done = set_up(index, tmp_path, uv)
    assert done.returncode != 0
    assert SAID in done.stderr
    assert not (tmp_path / "clone/.venv/.lab").exists()


def test_certificates_that_do_not_exist_are_named(index: Index, tmp_path: Path) -> None:
    done = set_up(index, tmp_path, False, SSL_CERT_FILE="/nowhere.pem")
    assert done.returncode != 0
    assert f"SSL_CERT_FILE names '/nowhere.pem', which can't be read.\n{SAID}" in done.stderr
