# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a small Kubernetes API: namespaces, secrets, service accounts, RBAC; for labs without kube-apiserver.

`python -m rehearsal.standin.kube_api --state DIR --port N` serves and writes DIR/k3s.yaml, a kubeconfig as k3s writes it.
The class KubeApi has the interface of rehearsal.services.apiserver.ApiServer, whose clients and certificates it shares.
"""

from __future__ import annotations

import argparse
import base64
import json
import secrets
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

from rehearsal.processes.daemon import Daemon
from rehearsal.processes.system import LabError, free_port
from rehearsal.services.apiserver import ApiServer
from rehearsal.standin.k3s_yaml import k3s_yaml

READY_SECONDS = 120.0


class KubeApi(ApiServer):
    """The stand-in as a process of its own. linger: seconds that a deleted namespace stays Terminating, < 0 = without end."""

    def __init__(
        self,
        directory: Path,
        data: Path | None = None,
        port: int | None = None,
        name: str = "colima-k8s",
        linger: float = 0.0,
    ) -> None:
        super().__init__(directory, data, port, name)
        self.daemon = Daemon("kube-api", directory)
        self.linger = linger

    def start(self) -> Self:
        """Start the server and wait until it is ready. Raises LabError."""
        for place in (self.directory, self.data):
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(0o700)
        if not self._ports.exists() or self._port not in (None, json.loads(self._ports.read_text())["api"]):
            self._ports.write_text(json.dumps({"api": self._port or free_port()}))
        self._certificates()
        self._spawn()
        return self

    def _await_rights(self, user: str, rules: list[dict[str, Any]], namespace: str) -> None:
        """Here rules hold as soon as they are written."""

    def _spawn(self) -> None:
        spawn(self.daemon, self.data, int(json.loads(self._ports.read_text())["api"]), self.linger)
        try:
            self.daemon.wait_until(self._ready, READY_SECONDS)
        except LabError:
            self.kill()
            raise

    def token_for(self, user: str, groups: tuple[str, ...] = ()) -> str:
        """A bearer token for a user."""
        path = self.data / "tokens.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        token = secrets.token_urlsafe(32)
        path.touch(mode=0o600)
        path.write_text(json.dumps({**known, token: {"user": user, "groups": list(groups)}}))
        return token

    def restart(self, pause: float = 0.0) -> None:
        """End the server, wait, start it again on the same port with the same objects."""
        self.daemon.kill()
        time.sleep(pause)
        self._spawn()

    @property
    def running(self) -> bool:
        """Whether the server lives."""
        return self.daemon.pid is not None

    def stop(self) -> None:
        """End the server."""
        self.daemon.stop()

    def kill(self) -> None:
        """End the server at once."""
        self.daemon.kill()


def spawn(daemon: Daemon, directory: Path, port: int, linger: float = 0.0) -> None:
    """Start the server as a daemon; its whole state is in the directory."""
    root = Path(__file__).resolve().parents[3]
    code = f"import sys; sys.path.insert(0, {str(root)!r}); from rehearsal.standin.kube_api import main; sys.exit(main())"
    arguments = ["--state", str(directory), "--port", str(port), "--linger", str(linger)]
    daemon.spawn([sys.executable, "-c", code, *arguments])


def start_in_lab(daemon: Daemon, directory: Path, port: int) -> str:
    """Start the server as k3s would, wait until it listens, and return the kubeconfig that k3s would write."""
    spawn(daemon, directory, port)
    daemon.wait_until(lambda: _listens(port) and (directory / "k3s.yaml").exists(), READY_SECONDS)
    return (directory / "k3s.yaml").read_text()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def write_k3s_yaml(directory: Path, port: int) -> Path:
    """Write the kubeconfig of the administrator as k3s does, and return its path."""
    from rehearsal.services.certificates import Authority, write_secret

    path = directory / "k3s.yaml"
    pair = Authority(directory).issue("system:admin", ("system:masters",))

    def text(content: bytes) -> str:
        return base64.b64encode(content).decode()

    user = {"client-certificate-data": text(pair.certificate), "client-key-data": text(pair.key)}
    write_secret(path, k3s_yaml(port, user, text((directory / "ca.crt").read_bytes())).encode())
    return path


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM."""
    from .api import Api
    from .http.server import Server
    from .store import Store

    parser = argparse.ArgumentParser(prog="kube_api", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--state", type=Path, required=True, help="folder of objects, certificates, tokens and k3s.yaml")
    parser.add_argument("--port", type=int, default=6443)
    parser.add_argument(
        "--linger", type=float, default=0.0, help="seconds that a deleted namespace is Terminating, -1 = without end"
    )
    options = parser.parse_args(argv)
    _prepare(options.state, options.port)
    store = Store(options.state)
    with Server(Api(store, options.linger), options.port, options.state) as server:
        # shutdown() waits for the serving loop, which runs in this very thread.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever(poll_interval=0.1)
    store.close()
    return 0


def _prepare(directory: Path, port: int) -> None:
    from rehearsal.services.certificates import Authority, write_secret

    directory.mkdir(parents=True, exist_ok=True)
    authority = Authority(directory)
    if not (directory / "server.key").exists():
        pair = authority.issue("kube-apiserver", server=True)
        (directory / "server.crt").write_bytes(pair.certificate)
        write_secret(directory / "server.key", pair.key)
    if not (directory / "k3s.yaml").exists() or f":{port}\n" not in (directory / "k3s.yaml").read_text():
        write_k3s_yaml(directory, port)
