# SPDX-License-Identifier: GPL-3.0-or-later
"""A kube-apiserver with etcd: RBAC on, its own certificates; other parts of Kubernetes can join it."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from rehearsal.engines import find
from rehearsal.processes.daemon import Daemon
from rehearsal.processes.system import LabError, free_port
from rehearsal.services.service import Service

NEEDS = "kubernetes"
READY_SECONDS = 180.0
RIGHTS_SECONDS = 60.0
SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class ApiServer(Service):
    """kube-apiserver + etcd with a directory for their state; the data can be elsewhere."""

    def __init__(
        self,
        directory: Path,
        data: Path | None = None,
        port: int | None = None,
        name: str = "colima-k8s",
        controllers: bool = False,
        *,
        complete: bool = False,
    ) -> None:
        self.directory = directory
        self.data = data or directory / "data"
        self.name = name
        self.controllers = Daemon("controllers", directory) if controllers else None
        # Whether a controller manager and nodes join it.
        self.complete = complete
        self.etcd = Daemon("etcd", directory)
        self.daemon = Daemon("kube-apiserver", directory)
        self._ports = directory / "ports.json"
        self._port = port

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"https://127.0.0.1:{json.loads(self._ports.read_text())['api']}"

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig of the cluster's administrator; context, cluster and user have the given name."""
        return self.data / "admin.kubeconfig"

    def start(self) -> Self:
        """Start both and wait until the API is ready. Raises LabError."""
        programs = find("etcd"), find("kube-apiserver")
        if programs[0] is None or programs[1] is None:
            raise LabError("Could not start the Kubernetes API: etcd or kube-apiserver is not installed. Run 'make engines'.")
        for place in (self.directory, self.data):
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(0o700)
        if not self._ports.exists() or self._port not in (None, json.loads(self._ports.read_text())["api"]):
            ports = {"api": self._port or free_port(), "etcd": free_port(), "peer": free_port()}
            self._ports.write_text(json.dumps(ports))
        self._certificates()
        try:
            self._start_etcd(programs[0])
            self._start_api(programs[1])
        except LabError:
            self.kill()
            raise
        return self

    def _certificates(self) -> None:
        from rehearsal.services.certificates import Authority, write_secret

        authority = Authority(self.data)
        if not (self.data / "server.key").exists():
            server = authority.issue("kube-apiserver", server=True)
            (self.data / "server.crt").write_bytes(server.certificate)
            write_secret(self.data / "server.key", server.key)
        if not self.kubeconfig.exists() or self.url not in self.kubeconfig.read_text():
            self.kubeconfig_for("rehearsal-admin", groups=("system:masters",), file=self.kubeconfig)

    def _start_etcd(self, program: Path) -> None:
        ports = json.loads(self._ports.read_text())
        client, peer = (f"http://127.0.0.1:{ports[key]}" for key in ("etcd", "peer"))
        argv = [
            str(program),
            f"--data-dir={self.data / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
        ]
        self.etcd.spawn(argv)
        self.etcd.wait_until(lambda: _get(f"{client}/health"), READY_SECONDS)

    def _start_api(self, program: Path) -> None:
        ports = json.loads(self._ports.read_text())
        server_key = self.data / "server.key"
        argv = [
            str(program),
            f"--etcd-servers=http://127.0.0.1:{ports['etcd']}",
            "--bind-address=127.0.0.1",
            f"--secure-port={ports['api']}",
            f"--tls-cert-file={self.data / 'server.crt'}",
            f"--tls-private-key-file={server_key}",
            f"--client-ca-file={self.data / 'ca.crt'}",
            f"--authorization-mode={'Node,' if self.complete else ''}RBAC",
            f"--service-account-signing-key-file={server_key}",
            f"--service-account-key-file={server_key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.43.0.0/16",
            # Without a controller manager nothing makes the accounts that this plugin waits for.
            *(() if self.complete else ("--disable-admission-plugins=ServiceAccount",)),
            *(("--kubelet-preferred-address-types=Hostname",) if self.complete else ()),
            # The address is the loopback's, which no endpoint may have.
            "--endpoint-reconciler-type=none",
            # As k3s has it; buildkit in pods asks for it.
            "--allow-privileged=true",
            "--profiling=false",
        ]
        self.daemon.spawn(argv)
        self.daemon.wait_until(self._ready, READY_SECONDS)
        for namespace in SYSTEM_NAMESPACES:
            self.default_account(namespace)
        if self.controllers is not None:
            self.controllers.spawn_module("rehearsal.services.controllers", str(self.directory), str(self.data))

    def _ready(self) -> bool:
        try:
            return self.request("GET", "/readyz")[0] == 200 and all(
                self.request("GET", f"/api/v1/namespaces/{name}")[0] == 200 for name in SYSTEM_NAMESPACES
            )
        except LabError:
            return False

    def default_account(self, namespace: str) -> None:
        """What Kubernetes' controllers do in every namespace."""
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        self.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", body)

    def namespace(self, name: str, labels: dict[str, str] | None = None) -> str:
        """Create a namespace with its default service account, as a complete cluster does."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}}
        status, answer = self.request("POST", "/api/v1/namespaces", body)
        if status not in (201, 409):
            raise LabError(f"Could not make namespace '{name}': {answer}.")
        self.default_account(name)
        return name

    def remove_namespace(self, name: str) -> None:
        """Remove a namespace and its content. Without a controller manager this also clears its finalizer."""
        self.request("DELETE", f"/api/v1/namespaces/{name}")
        self.finish(name)

    def finish(self, name: str) -> None:
        """Empty a namespace that is being deleted and clear its finalizer."""
        for kind in ("secrets", "serviceaccounts", "configmaps"):
            self.request("DELETE", f"/api/v1/namespaces/{name}/{kind}")
        status, found = self.request("GET", f"/api/v1/namespaces/{name}")
        if status == 200:
            found["spec"]["finalizers"] = []
            self.request("PUT", f"/api/v1/namespaces/{name}/finalize", found)

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        """Send a request as administrator; return HTTP status and decoded answer. Raises LabError when nothing listens."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data=data, method=method)  # noqa: S310 - always https
        request.add_header("Content-Type", content_type)
        handler = urllib.request.HTTPSHandler(context=self.tls())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)
        try:
            with opener.open(request, timeout=15) as answer:
                return answer.status, _decoded(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _decoded(error.read())
        except OSError as error:
            raise LabError(f"Could not reach the Kubernetes API at {self.url}: {error}.") from error

    def tls(self) -> ssl.SSLContext:
        """What a TLS client needs to be the administrator."""
        import yaml

        user = yaml.safe_load(self.kubeconfig.read_text())["users"][0]["user"]
        context = ssl.create_default_context(cafile=str(self.data / "ca.crt"))
        with tempfile.NamedTemporaryFile(dir=self.data) as file:
            for part in ("client-certificate-data", "client-key-data"):
                file.write(base64.b64decode(user[part]))
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def kubeconfig_for(
        self,
        user: str,
        rules: Sequence[dict[str, Any]] = (),
        namespaces: Sequence[str] = (),
        groups: tuple[str, ...] = (),
        file: Path | None = None,
    ) -> Path:
        """Return a kubeconfig for a user with a certificate and these RBAC rules, in the namespaces or everywhere."""
        from rehearsal.services.certificates import Authority, write_secret

        pair = Authority(self.data).issue(user, groups)
        path = file or self.directory / f"{user}.kubeconfig"
        import yaml

        write_secret(path, yaml.safe_dump(self._kubeconfig(pair.certificate, pair.key), sort_keys=False).encode())
        for namespace in namespaces or ("",):
            if rules:
                self._allow(user, list(rules), namespace)
        return path

    def _kubeconfig(self, certificate: bytes, key: bytes) -> dict[str, Any]:
        def text(content: bytes) -> str:
            return base64.b64encode(content).decode()

        cluster = {"server": self.url, "certificate-authority-data": text((self.data / "ca.crt").read_bytes())}
        user = {"client-certificate-data": text(certificate), "client-key-data": text(key)}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": self.name, "cluster": cluster}],
            "users": [{"name": self.name, "user": user}],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": self.name}}],
            "current-context": self.name,
        }

    def _allow(self, user: str, rules: list[dict[str, Any]], namespace: str) -> None:
        prefix, where = ("", f"/namespaces/{namespace}") if namespace else ("Cluster", "")
        api, group = "/apis/rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io"
        name = f"rehearsal-{user}"
        complete = [{"apiGroups": [""], **rule} for rule in rules]
        role = {"kind": f"{prefix}Role", "apiVersion": f"{group}/v1", "metadata": {"name": name}, "rules": complete}
        binding = {
            "kind": f"{prefix}RoleBinding",
            "apiVersion": f"{group}/v1",
            "metadata": {"name": name},
            "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
            "roleRef": {"kind": f"{prefix}Role", "name": name, "apiGroup": group},
        }
        for kind, body in ((f"{prefix.lower()}roles", role), (f"{prefix.lower()}rolebindings", binding)):
            self.request("DELETE", f"{api}{where}/{kind}/{name}")
            status, answer = self.request("POST", f"{api}{where}/{kind}", body)
            if status != 201:
                raise LabError(f"Could not allow '{user}' its rules: {answer}.")

        self._await_rights(user, complete, namespace)

    def _await_rights(self, user: str, rules: list[dict[str, Any]], namespace: str) -> None:
        """Wait until the rules take effect, which is a moment after they are written. Raises LabError."""
        asked = [
            {"group": rule["apiGroups"][0], "resource": resource, "verb": verb, "name": name, "namespace": namespace}
            for rule in rules
            for resource in rule["resources"]
            for verb in rule["verbs"]
            for name in rule.get("resourceNames") or [""]
        ]
        end = time.monotonic() + RIGHTS_SECONDS
        while asked:
            spec = {"user": user, "resourceAttributes": asked[-1]}
            body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
            _, answer = self.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
            if answer["status"]["allowed"]:
                asked.pop()
            elif time.monotonic() > end:
                raise LabError(
                    f"Could not allow '{user}' to {asked[-1]['verb']} {asked[-1]['resource']}: the rule does not hold."
                )

    def restart(self, pause: float = 0.0) -> None:
        """End the API server (etcd stays), wait, start it again on the same port."""
        self.daemon.kill()
        time.sleep(pause)
        program = find("kube-apiserver")
        assert program is not None
        self._start_api(program)

    @property
    def running(self) -> bool:
        """Whether both processes run."""
        return self.daemon.pid is not None and self.etcd.pid is not None

    def stop(self) -> None:
        """End both."""
        if self.controllers is not None:
            self.controllers.kill()
        # With SIGTERM the API server waits a minute for its clients; its data is in etcd.
        self.daemon.kill()
        self.etcd.stop(grace=5.0)

    def kill(self) -> None:
        """End both at once."""
        if self.controllers is not None:
            self.controllers.kill()
        self.daemon.kill()
        self.etcd.kill()


def _get(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return int(answer.status) == 200
    except OSError:
        return False


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")
