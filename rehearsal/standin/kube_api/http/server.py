# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS in front of the API: certificates and tokens, addresses, media types."""

from __future__ import annotations

import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ..access import identify
from ..api import Api
from ..resources import BY_PATH, NAMESPACES, RBAC, RESOURCES, Resource
from . import status
from .request import Request

Object = dict[str, Any]

VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
HEALTH = ("/readyz", "/livez", "/healthz")
VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.3+k3s1",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2026-07-15T00:00:00Z",
    "goVersion": "go1.26.8",
    "compiler": "gc",
    "platform": "linux/arm64",
}


def _discovery(path: str, port: int) -> Object | None:
    """Return the answer of a discovery address, None when there is none."""
    group = {"groupVersion": f"{RBAC}/v1", "version": "v1"}
    described = {"name": RBAC, "versions": [group], "preferredVersion": group}
    if path == "/api":
        clients = [{"clientCIDR": "0.0.0.0/0", "serverAddress": f"127.0.0.1:{port}"}]
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": clients}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [described]}
    if path == f"/apis/{RBAC}":
        return {"kind": "APIGroup", "apiVersion": "v1", **described}
    for name, wanted in (("v1", ""), (f"{RBAC}/v1", RBAC)):
        if path == (f"/apis/{name}" if wanted else f"/api/{name}"):
            listed = [resource.described() for resource in RESOURCES if resource.group == wanted]
            return {"kind": "APIResourceList", "groupVersion": name, "resources": listed}
    return None


def _address(path: str) -> tuple[Resource, str, str, str] | None:
    """Return (resource, namespace, name, subresource); None when the path is in no known API. Raises 404."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[:2] == ["api", "v1"]:
        group, rest = "", parts[2:]
    elif parts[:3] == ["apis", RBAC, "v1"]:
        group, rest = RBAC, parts[3:]
    else:
        return None
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and (group, rest[2]) in BY_PATH:
        namespace, rest = rest[1], rest[2:]
    resource = BY_PATH.get((group, rest[0])) if rest else None
    if resource is None or (resource.namespaced and not namespace and len(rest) > 1):
        raise status.no_such_resource()
    name, subresource = (*rest[1:3], "", "")[:2]
    if subresource and (resource, subresource) != (NAMESPACES, "finalize"):
        raise status.no_such_resource()
    return resource, namespace, name, subresource


class Handler(BaseHTTPRequestHandler):
    """One connection; a kept one serves many requests."""

    api: Api
    tokens: Path
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def setup(self) -> None:
        super().setup()
        # The handshake belongs to this thread: a client that never speaks must not stop the others.
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.do_handshake()

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            with self.api.store.lock:
                code, content, kind = self._answer(parts.path, query, body)
                warnings, self.api.warnings[:] = list(self.api.warnings), []
        except status.Refused as refusal:
            code, content, kind, warnings = refusal.code, json.dumps(refusal.body).encode(), "application/json", []
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for warning in warnings:
            self.send_header("Warning", f"299 - {json.dumps(warning)}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _answer(self, path: str, query: dict[str, str], body: bytes) -> tuple[int, bytes, str]:
        certificate = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        user = identify(certificate, self.headers.get("Authorization", ""), self.tokens)
        path = path.rstrip("/") or "/"
        port = int(self.connection.getsockname()[1])
        found = VERSION if path == "/version" else _discovery(path, port)
        address = None if found or path in HEALTH else _address(path)
        if address is None:
            self.api.rbac.check_path(user, VERBS[self.command], path)
            if path in HEALTH:
                return 200, b"ok", "text/plain; charset=utf-8"
            if found is None:
                return 404, b"404 page not found\n", "text/plain; charset=utf-8"
            return 200, json.dumps(found).encode(), "application/json"
        resource, namespace, name, subresource = address
        verb = VERBS[self.command]
        if not name:
            verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
            if verb in ("update", "patch"):
                raise status.no_such_method()
        media = self.headers.get("Content-Type", "").partition(";")[0].strip()
        agent = self.headers.get("User-Agent", "")
        request = Request(user, verb, resource, namespace, name, subresource, query, body, media, agent)
        code, item = self.api.handle(request)
        return code, json.dumps(_shaped(item, self.headers.get("Accept", ""))).encode(), "application/json"

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve


def _shaped(item: Object, accept: str) -> Object:
    """Return the answer in the form that was asked for: the whole, or its metadata only."""
    form = accept.partition(",")[0]
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    if item["kind"] == "Status" or "as=PartialObjectMetadata" not in form:
        if item["kind"].endswith("List") and "items" in item:
            # In a list of one kind the items do not repeat it.
            return {**item, "items": [{k: v for k, v in one.items() if k not in ("kind", "apiVersion")} for one in item["items"]]}
        return item
    if "as=PartialObjectMetadataList" in form:
        items = [{**partial, "metadata": one["metadata"]} for one in item.get("items", [])]
        head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}
        return {**head, "items": items or None}
    return {**partial, "metadata": item["metadata"]}


class Server(ThreadingHTTPServer):
    """The API on a port of the loopback."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, api: Api, port: int, directory: Path) -> None:
        handler = type("BoundHandler", (Handler,), {"api": api, "tokens": directory / "tokens.json"})
        super().__init__(("127.0.0.1", port), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "server.crt", directory / "server.key")
        context.load_verify_locations(directory / "ca.crt")
        context.verify_mode = ssl.CERT_OPTIONAL
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet about clients that hang up."""
