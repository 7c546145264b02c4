# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull secrets at scale on a real API server: the whole play against kubectl, the requests alone against a raw client.

The play is timed as a user meets it, with Ansible's start and the AWS call; kubectl writes the same secrets with
`kubectl apply --server-side`. The requests alone are timed in one process, without the fetch of the token.
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
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run as run_subject
from ansible_collections.laptop.containers.plugins.module_utils.core.system.together import together
from ansible_collections.laptop.containers.plugins.module_utils.ecr import tokens as ecr_tokens
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.task import PullSecrets
from ansible_collections.laptop.containers.plugins.module_utils.kube.access import read_access

from bench.measure import Row, compare
from rehearsal.engines import find

NAMESPACES = 1000
CONNECTIONS = 8
HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
MOST_MEMORY = 120  # MiB
MOST_REQUESTS = NAMESPACES + 3
PLAY = ("playbooks/workstation.yml", "--tags", "secret_refresh")
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

    def __init__(self, server: Any, ecr: Any, folder: Path) -> None:
        self.kubeconfig = Path(server.kubeconfig)
        keys = "aws_access_key_id = AKIABENCH\naws_secret_access_key = x\n"
        (folder / ".aws").mkdir()
        (folder / ".aws" / "config").write_text("".join(f"[profile {name}]\n{keys}" for name in ("one", "two")))
        self.aws = {name: value for name, value in ecr.environment.items() if "KEY" not in name}
        self.folder = folder
        self.access = read_access("colima-k8s", [self.kubeconfig])
        self.names = [f"bench-{number:04d}" for number in range(NAMESPACES)]
        bodies = [_json({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}) for name in self.names]
        self.send([_request("POST", "/api/v1/namespaces", body, "application/json") for body in bodies])

    def ours(self, **options: Any) -> dict[str, Any]:
        """Run the task of the module."""
        params = {**OPTIONS, "kubeconfig": str(self.kubeconfig), **options}
        return run_subject(PullSecrets(), params, check_mode=False)

    def write(self, name: str) -> Callable[[], None]:
        """Write all secrets of a name, whatever their age."""
        # A new fingerprint of the identity makes every secret due.
        return lambda: self._expect(name, secrets.token_hex(4), "created", "renewed")

    def _expect(self, name: str, identity: str, *states: str) -> None:
        result = self.ours(name=name, registries=[{"host": HOST, "profile": identity}])
        if sum(row["state"] in states for row in result["secrets"]) != NAMESPACES:
            raise SystemExit(f"the pull secret benchmark expected {NAMESPACES} secrets to be {' or '.join(states)}")

    def requests(self) -> int:
        """Renew all secrets, and return how many requests that takes."""
        from kubernetes.client import ApiClient

        seen: list[str] = []
        usual = ApiClient.call_api

        def counted(client: Any, method: str, *arguments: Any, **options: Any) -> Any:
            seen.append(method)
            return usual(client, method, *arguments, **options)

        ApiClient.call_api = counted  # type: ignore[method-assign,assignment]
        try:
            self.write("ecr-creds")()
        finally:
            ApiClient.call_api = usual  # type: ignore[method-assign]
        return len(seen)

    def raw(self, name: str) -> Callable[[], None]:
        """The minimum for any client: the same requests over eight connections, without decoding the answers."""

        def run() -> None:
            body = _secret(name)
            self.send([_request("PATCH", f"{_path(one, name)}?fieldManager=raw", body, "application/apply-patch+yaml")
                       for one in self.names])  # fmt: skip

        return run

    def kubectl(self, name: str) -> Callable[[], None]:
        """`kubectl apply --server-side` of the same secrets in one file, with a new content."""

        def run() -> None:
            body = json.loads(_secret(name))
            items = [{**body, "metadata": {**body["metadata"], "namespace": one}} for one in self.names]
            file = self.folder / "all.json"
            file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
            command = [str(find("kubectl")), f"--kubeconfig={self.kubeconfig}", "apply", "--server-side", "-f", str(file)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

        return run

    def play(self, *arguments: str, changed: bool = False) -> Callable[[], None]:
        """A playbook on this cluster: one that must change nothing, or one that renews all secrets."""
        inventory = self.folder / "inventory.yml"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "HOME": str(self.folder), **self.aws}
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        profiles = itertools.cycle(("one", "two") if changed else ("",))

        def run() -> None:
            profile = next(profiles)
            variables = {
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
                # Another profile is another identity, which makes every secret due.
                "secret_refresh_registries": [{"host": HOST, "profile": profile} if profile else HOST],
                "secret_refresh_namespaces": OPTIONS["namespaces"],
                "secret_refresh_kubeconfig": str(self.kubeconfig),
            }
            inventory.write_text(json.dumps({"laptops": {"hosts": {"bench": variables}}}))
            command = [program, "-i", str(inventory), *arguments]
            done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
            if done.returncode or f"changed={int(changed)}" not in done.stdout:
                raise SystemExit(f"{' '.join(command)} did not do what it should:\n{done.stdout}{done.stderr}")

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
        together({str(start): partial(_exchange, self.access, requests[start::CONNECTIONS]) for start in range(CONNECTIONS)})


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
    """Return a secret like the module's, with new content every time: an unchanged one costs the server nothing."""
    from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.model import PullSecretSpec, body_of

    return body_of(PullSecretSpec(name, {HOST: secrets.token_hex(6)}), {HOST: _token()})[0]


def _token() -> ecr_tokens.Token:
    from datetime import timedelta

    now = datetime.now(UTC)
    # As long as the real ones.
    return ecr_tokens.Token(base64.b64encode(secrets.token_bytes(1600)).decode(), now, now + timedelta(hours=12))


def rows() -> list[Row]:
    """Measure, where a real API server is available."""
    from rehearsal.engines import missing
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.ecr import Ecr

    reason = missing("kubernetes")
    if reason:
        print(f"pull secrets at scale are not measured: {reason}")
        return []
    with tempfile.TemporaryDirectory(prefix="lc-", dir="/tmp") as folder:
        # Without the logins of this machine's user.
        os.environ["XDG_STATE_HOME"] = f"{folder}/state"
        with ApiServer(Path(folder) / "kube") as server, Ecr(Path(folder) / "ecr") as ecr:
            return _rows(Cluster(server, ecr, Path(folder)))


def _rows(cluster: Cluster) -> list[Row]:
    results = []
    if find("kubectl"):
        results.append(
            compare(
                "pull secrets: 1,000 renewed by --tags secret_refresh, AWS call included / kubectl apply --server-side", 0.8,
                cluster.play(*PLAY, changed=True), cluster.kubectl("kubectl-creds"), pairs=3,
            )
        )  # fmt: skip
    # From here on, the comparison leaves out the fetch of the token.
    ecr_tokens.fetch_tokens = lambda registries, _: {registry.key: _token() for registry in registries}  # type: ignore[assignment]
    # Each round uses new names.
    numbers = itertools.count()

    def first() -> None:
        cluster.write(f"first-{next(numbers)}")()

    def first_raw() -> None:
        cluster.raw(f"first-raw-{next(numbers)}")()

    results += [
        compare(
            "pull secrets: 1,000 first writes / raw client with 8 connections", 1.4,
            first, first_raw, pairs=3,
        ),
        compare(
            "pull secrets: 1,000 renewals / raw client with 8 connections", 1.4,
            cluster.write("ecr-creds"), cluster.raw("raw-creds"), pairs=5,
        ),
    ]  # fmt: skip
    sent = cluster.requests()
    results.append(
        Row("pull secrets: requests for 1,000 renewals / namespaces and 3", sent, MOST_REQUESTS, sent / MOST_REQUESTS, 1.0)
    )
    # The last write had an identity of its own; what follows finds the default one fresh.
    cluster.ours()
    results.append(
        compare(
            "pull secrets: 1,000 not due, as a playbook / one-task ping playbook and the list call", 1.1,
            cluster.play(*PLAY), cluster.ping_and_list(),
        )
    )  # fmt: skip
    return [*results, _peak(cluster)]


def _peak(cluster: Cluster) -> Row:
    code = (
        "import sys; sys.path[:0] = ['.', 'collections']\n"
        "import botocore.session, boto3, ansible.module_utils.basic, bench.ecr_pull_secret as bench\n"
        "bench.ecr_tokens.fetch_tokens = lambda registries, _: {one.key: bench._token() for one in registries}\n"
        f"options = {{**bench.OPTIONS, 'kubeconfig': {str(cluster.kubeconfig)!r}}}\n"
        "options['registries'] = [{'host': bench.HOST, 'profile': 'peak'}]\n"
        "bench.run_subject(bench.PullSecrets(), options, check_mode=False)\n"
        "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=dict(os.environ), check=True, capture_output=True, text=True
    )
    peak = float(done.stdout.strip())
    name = f"pull secrets: peak MiB of a process that serves 1,000 / {MOST_MEMORY} MiB"
    return Row(name, peak, MOST_MEMORY, peak / MOST_MEMORY, 1.0)
