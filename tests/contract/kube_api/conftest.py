# SPDX-License-Identifier: GPL-3.0-or-later
"""One suite for both Kubernetes APIs: the stand-in, and a real kube-apiserver."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import yaml

from rehearsal.services.apiserver import ApiServer
from rehearsal.standin.kube_api import KubeApi

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
AGENT = "contract-test/1"
SECONDS = 30


class Answer:
    """Status, headers and body of one response."""

    def __init__(self, code: int, headers: dict[str, str], content: bytes) -> None:
        self.code = code
        self.headers = headers
        self.content = content

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def message(self) -> str:
        return str(self.json["message"])

    @property
    def names(self) -> list[str]:
        return [item["metadata"]["name"] for item in self.json["items"] or []]

    @property
    def owners(self) -> dict[tuple[str, str], Any]:
        """The managed fields by manager and operation."""
        entries = self.json["metadata"].get("managedFields") or []
        return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in entries}


class Client:
    """A client of the API: with a certificate, a token, or neither."""

    def __init__(self, kubeconfig: Path, token: str = "", anonymous: bool = False) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        self.server = urlsplit(config["clusters"][0]["cluster"]["server"])
        authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        self.tls = ssl.create_default_context(cadata=authority)
        self.token = token
        user = config["users"][0]["user"]
        if not token and not anonymous:
            with tempfile.NamedTemporaryFile() as file:
                for part in ("client-certificate-data", "client-key-data"):
                    file.write(base64.b64decode(user[part]))
                file.flush()
                self.tls.load_cert_chain(file.name)

    def __call__(
        self, method: str, path: str, body: Any = None, media: str = "application/json", accept: str = "application/json"
    ) -> Answer:
        assert self.server.hostname
        connection = http.client.HTTPSConnection(self.server.hostname, self.server.port, context=self.tls, timeout=SECONDS)
        headers = {"Accept": accept, "User-Agent": AGENT}
        if body is not None:
            headers["Content-Type"] = media
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        payload = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def apply(self, path: str, body: Any, manager: str, options: str = "", accept: str = "application/json") -> Answer:
        return self("PATCH", f"{path}?fieldManager={quote(manager)}{options}", body, APPLY, accept)


class Cluster:
    """The API under test with a namespace of the test's own."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.client = Client(server.kubeconfig)
        self.namespace = server.namespace(f"t-{uuid.uuid4().hex[:10]}")

    def secrets(self, name: str = "", namespace: str = "") -> str:
        path = f"/api/v1/namespaces/{namespace or self.namespace}/secrets"
        return f"{path}/{name}" if name else path

    def accounts(self, name: str = "") -> str:
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        return f"{path}/{name}" if name else path


@pytest.fixture(scope="session")
def stand_in_api(short_path: Path) -> Iterator[KubeApi]:
    """The stand-in as a process; like a bare API server it has no controller that ends deleted namespaces."""
    with KubeApi(short_path / "kube-stand-in", linger=-1) as running:
        yield running


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.real("kubernetes"), id="kube-apiserver")])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The API under test: .client(method, path, ...), .secrets(name), .namespace."""
    server = request.getfixturevalue("stand_in_api" if request.param == "stand-in" else "apiserver")
    made = Cluster(server)
    yield made
    server.remove_namespace(made.namespace)
