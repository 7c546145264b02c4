# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull secrets at scale on a real API server: ours, a raw client that only sends the same requests, and kubectl apply.

Ours is timed from reading the cluster to the last verified write, as the module does it, without the fetch of one token
(which neither of the others does) and without Python's own start (kubectl's start is part of its time; it is 0.1 s).
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "collections")) if path not in sys.path]

from ansible_collections.laptop.containers.plugins.module_utils.ecr import tokens as ecr_tokens
from ansible_collections.laptop.containers.plugins.module_utils.kube.access import read_access
from ansible_collections.laptop.containers.plugins.module_utils.pull_secret import task as pull_secret_task

from bench.measure import Row, compare
from rehearsal.engines import find

NAMESPACES = 1000
CONNECTIONS = 8
HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
MOST_MEMORY = 150  # MiB
# Nobody's home: logins that the user of this machine has noted are none of ours.
ENVIRONMENT = {"HOME": "/nonexistent"}
OPTIONS: dict[str, Any] = {
    "name": "ecr-creds",
    "registries": [HOST],
    "namespaces": ["bench-*"],
    "namespace_selector": "",
    "exclude_namespaces": [],
    "create_namespaces": False,
    "service_accounts": [],
    "contexts": ["colima-k8s"],
    "refresh_before": "half",
    "adopt": False,
    "force_conflicts": False,
    "prune": False,
    "docker_cred_helpers": False,
    "docker_login": False,
    "nerdctl_profiles": [],
    "unreachable": "fail",
    "state": "present",
}


class Cluster:
    """An API server with 1,000 namespaces, and the ways to fill them."""

    def __init__(self, server: Any, folder: Path) -> None:
        self.kubeconfig = Path(server.kubeconfig)
        self.folder = folder
        self.access = read_access("colima-k8s", [self.kubeconfig])
        self.names = [f"bench-{number:04d}" for number in range(NAMESPACES)]
        bodies = [_json({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}) for name in self.names]
        self.send([_request("POST", "/api/v1/namespaces", body, "application/json") for body in bodies])

    def ours(self, **options: Any) -> dict[str, Any]:
        """Run the task of the module."""
        params = {**OPTIONS, "kubeconfig": str(self.kubeconfig), **options}
        task = pull_secret_task.task_from(params, ENVIRONMENT)
        return pull_secret_task.do(task, ENVIRONMENT, datetime.now(UTC), check_mode=False)

    def write(self, name: str) -> Callable[[], None]:
        """Ours writing all secrets of a name, whatever their age."""
        # A new fingerprint of the identity makes every secret due.
        return lambda: self._expect(name, secrets.token_hex(4), "created", "renewed")

    def life(self, name: str) -> Callable[[], None]:
        """Ours making all secrets of a name, renewing them, and finding them fresh."""

        def run() -> None:
            self._expect(name, "first", "created")
            self._expect(name, "second", "renewed")
            self._expect(name, "second", "fresh")

        return run

    def _expect(self, name: str, identity: str, *states: str) -> None:
        result = self.ours(name=name, registries=[{"host": HOST, "profile": identity}])
        if sum(row["state"] in states for row in result["secrets"]) != NAMESPACES:
            raise SystemExit(f"the pull secret benchmark expected {NAMESPACES} secrets to be {' or '.join(states)}")

    def raw(self, name: str) -> Callable[[], None]:
        """The least that any client must do: the same applies over eight connections, answers not even decoded."""

        def run() -> None:
            body = _secret(name)
            self.send([_request("PATCH", f"{_path(one, name)}?fieldManager=raw", body, "application/apply-patch+yaml")
                       for one in self.names])  # fmt: skip

        return run

    def kubectl(self, name: str) -> Callable[[], None]:
        """`kubectl apply -f` of the same secrets in one file, with a new content."""
        return lambda: self._apply(_secret(name))

    def kubectl_life(self, name: str) -> Callable[[], None]:
        """`kubectl apply -f` making the same secrets, renewing them, and finding them as they are."""

        def run() -> None:
            for body in (_secret(name), changed := _secret(name), changed):
                self._apply(body)

        return run

    def _apply(self, secret: bytes) -> None:
        body = json.loads(secret)
        items = [{**body, "metadata": {**body["metadata"], "namespace": one}} for one in self.names]
        file = self.folder / "all.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        command = [str(find("kubectl")), f"--kubeconfig={self.kubeconfig}", "apply", "-f", str(file)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def play(self, *arguments: str) -> Callable[[], None]:
        """A playbook on this cluster, which must change nothing."""
        inventory = self.folder / "inventory.yml"
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "secret_refresh_registries": [HOST],
            "secret_refresh_namespaces": OPTIONS["namespaces"],
            "secret_refresh_kubeconfig": str(self.kubeconfig),
        }
        inventory.write_text(json.dumps({"laptops": {"hosts": {"bench": variables}}}))
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "HOME": str(self.folder)}
        program = str(Path(sys.executable).with_name("ansible-playbook"))

        def run() -> None:
            command = [program, "-i", str(inventory), *arguments]
            done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
            if done.returncode or "changed=0" not in done.stdout:
                raise SystemExit(f"{' '.join(command)} was expected to change nothing:\n{done.stdout}{done.stderr}")

        return run

    def ping_and_list(self) -> Callable[[], None]:
        """The smallest playbook, and the list call."""
        file = self.folder / "ping.yml"
        tasks = [{"name": "Ping", "ansible.builtin.ping": {}}]
        file.write_text(json.dumps([{"name": "Ping", "hosts": "laptops", "gather_facts": False, "tasks": tasks}]))
        ping = self.play(str(file))

        def run() -> None:
            ping()
            self.list_once()

        return run

    def list_once(self) -> None:
        """The list call that a run with nothing due can't do without, as a raw request."""
        accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        path = "/api/v1/secrets?fieldSelector=metadata.name%3Decr-creds"
        self.send([f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: {accept}\r\n\r\n".encode()])

    def send(self, requests: Sequence[bytes]) -> None:
        """Send prepared requests over eight connections, one thread each."""
        failures: list[BaseException] = []

        def work(mine: Sequence[bytes]) -> None:
            try:
                _exchange(self.access, mine)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(requests[start::CONNECTIONS],)) for start in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]


def _exchange(access: Any, requests: Sequence[bytes]) -> None:
    if not requests:
        return
    parts, tls = urlsplit(access.server), access.tls or ssl.create_default_context()
    with tls.wrap_socket(socket.create_connection((parts.hostname, parts.port)), server_hostname=parts.hostname) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            wire.sendall(request)
            data = wire.recv(65536)
            while b"\r\n\r\n" not in data:
                data += wire.recv(65536)
            head, _, body = data.partition(b"\r\n\r\n")
            if head[9:10] != b"2" and head[9:12] != b"409":
                raise SystemExit(f"the raw client was refused: {head!r}")
            at = head.lower().find(b"content-length:")
            if at >= 0:
                left = int(head[at + 15 :].split(b"\r\n")[0]) - len(body)
                while left > 0:
                    left -= len(wire.recv(65536))
            else:
                tail = body[-5:]
                while tail != b"0\r\n\r\n":
                    tail = (tail + wire.recv(65536))[-5:]


def _path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"


def _request(method: str, path: str, body: bytes, kind: str) -> bytes:
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1" if method == "PATCH" else "application/json"
    lines = (f"{method} {path} HTTP/1.1", "Host: bench", f"Accept: {accept}", f"Content-Type: {kind}",
             f"Content-Length: {len(body)}", "", "")  # fmt: skip
    return "\r\n".join(lines).encode() + body


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _secret(name: str) -> bytes:
    """A secret as ours, with a content of its own every time: an unchanged one costs the server nothing."""
    from ansible_collections.laptop.containers.plugins.module_utils.pull_secret.model import Desired, body_of

    return body_of(Desired(name, {HOST: secrets.token_hex(6)}), {HOST: _token()})[0]


def _token() -> ecr_tokens.Token:
    from datetime import timedelta

    now = datetime.now(UTC)
    # As long as the real ones.
    return ecr_tokens.Token(base64.b64encode(secrets.token_bytes(1600)).decode(), now, now + timedelta(hours=12))


def rows() -> list[Row]:
    """Measure; without a real API server there is nothing to measure against."""
    from rehearsal.engines import missing
    from rehearsal.services.apiserver import ApiServer

    reason = missing("kubernetes")
    if reason:
        print(f"pull secrets at scale are not measured: {reason}")
        return []
    # The fetch of the token is no part of what is compared.
    ecr_tokens.fetch_tokens = lambda registries, _: {registry.key: _token() for registry in registries}  # type: ignore[assignment]
    with tempfile.TemporaryDirectory(prefix="lc-", dir="/tmp") as folder, ApiServer(Path(folder) / "kube") as server:
        return _rows(Cluster(server, Path(folder)))


def _rows(cluster: Cluster) -> list[Row]:
    # Each round under names of its own.
    numbers = itertools.count()

    def ours() -> None:
        cluster.write(f"first-{next(numbers)}")()

    def raw() -> None:
        cluster.raw(f"first-raw-{next(numbers)}")()

    first = compare("pull secrets: 1,000 first writes / raw client with 8 connections", 1.5, ours, raw, pairs=3)
    renewals = compare(
        "pull secrets: 1,000 renewals / raw client with 8 connections", 1.5,
        cluster.write("ecr-creds"), cluster.raw("raw-creds"), pairs=5,
    )  # fmt: skip
    results = [first, renewals]
    if find("kubectl"):
        # Once each, as kubectl takes minutes. What it renews is its own, so that it has nothing to take over first. Its first
        # writes have no row of their own: they take five times as long as the raw client's, so nobody could be 20 times as fast.
        cluster.kubectl("kubectl-own")()
        results += [
            compare(
                "pull secrets: 1,000 renewals / kubectl apply -f of as many", 0.05,
                cluster.write("ecr-creds"), cluster.kubectl("kubectl-own"), pairs=1, warm_up=False,
            ),
            compare(
                "pull secrets: 1,000 made, renewed and found fresh / kubectl apply -f of as many, three times", 0.05,
                cluster.life("life"), cluster.kubectl_life("kubectl-life"), pairs=1, warm_up=False,
            ),
        ]  # fmt: skip
    # The last write had an identity of its own; what follows finds the default one fresh.
    cluster.ours()
    results.append(
        compare(
            "pull secrets: 1,000 not due, as a playbook / one-task ping playbook and the list call", 1.3,
            cluster.play("playbooks/workstation.yml", "--tags", "secret_refresh"), cluster.ping_and_list(),
        )
    )  # fmt: skip
    return [*results, _peak(cluster)]


def _peak(cluster: Cluster) -> Row:
    code = (
        "import sys; sys.path[:0] = ['.', 'collections']\n"
        "import botocore.session, boto3, ansible.module_utils.basic, bench.pull_secret as bench\n"
        "bench.ecr_tokens.fetch_tokens = lambda registries, _: {one.key: bench._token() for one in registries}\n"
        f"options = {{**bench.OPTIONS, 'kubeconfig': {str(cluster.kubeconfig)!r}}}\n"
        "options['registries'] = [{'host': bench.HOST, 'profile': 'peak'}]\n"
        "task = bench.pull_secret_task.task_from(options, bench.ENVIRONMENT)\n"
        "bench.pull_secret_task.do(task, bench.ENVIRONMENT, bench.datetime.now(bench.UTC), check_mode=False)\n"
        "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=dict(os.environ), check=True, capture_output=True, text=True
    )
    peak = float(done.stdout.strip())
    return Row("pull secrets: peak MiB of a process that serves 1,000 / 150 MiB", peak, MOST_MEMORY, peak / MOST_MEMORY, 1.0)
