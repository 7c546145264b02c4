# SPDX-License-Identifier: GPL-3.0-or-later
"""A cache of another registry, set up by the recipe of docs/network.md, and what stands for Docker Hub behind it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

from rehearsal.engines import ROOT, find
from rehearsal.processes.daemon import Daemon
from rehearsal.processes.system import free_port

IMAGE = "team/cached"
# Its manifest, its settings and its only layer.
_PARTS = 3
KIND = "application/vnd.docker.distribution.manifest.v2+json"
_RECIPE = (ROOT / "docs" / "network.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class HubCache:
    """url: of the cache. hub: the registry behind it."""

    url: str
    hub: Daemon
    images: Path

    def is_filled(self) -> bool:
        """Whether the cache has kept the image: it does so while it serves it."""
        return len([*self.images.glob("docker/registry/v2/blobs/sha256/*/*/data")]) == _PARTS


@contextlib.contextmanager
def hub_cache() -> Iterator[HubCache]:
    """Run both while tests need them."""
    with tempfile.TemporaryDirectory(prefix="cache-") as folder, contextlib.ExitStack() as running:
        address, hub = _serve(Path(folder) / "hub", {}, running)
        _push(address)
        variables = dict(re.findall(r"-e (REGISTRY_\w+)=(\S+)", _RECIPE))
        assert variables["REGISTRY_PROXY_REMOTEURL"] == "https://registry-1.docker.io"
        place = Path(folder) / "cache"
        url, _cache = _serve(place, {**variables, "REGISTRY_PROXY_REMOTEURL": address}, running)
        yield HubCache(url, hub, place / "images")


def _serve(directory: Path, variables: dict[str, str], running: contextlib.ExitStack) -> tuple[str, Daemon]:
    """Start a registry with the settings of its image and these variables; return its address."""
    program = find("docker-registry")
    assert program, "run make engines"
    directory.mkdir()
    host = f"127.0.0.1:{free_port()}"
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(directory / "images")}, "delete": {"enabled": True}},
        "http": {"addr": host},
    }
    (directory / "registry.yml").write_text(json.dumps(settings))
    daemon = Daemon(directory.name, directory)
    daemon.spawn([str(program), "serve", str(directory / "registry.yml")], environment={**os.environ, **variables})
    running.callback(daemon.kill)
    daemon.wait_until(lambda: _is_up(f"http://{host}/v2/"), 60)
    return f"http://{host}", daemon


def _is_up(url: str) -> bool:
    with contextlib.suppress(OSError):
        request("GET", url)
        return True
    return False


def _push(address: str) -> None:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("words"), io.BytesIO())
    plain = layer.getvalue()
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [_digest(plain)]}}
    parts = [json.dumps(config).encode(), gzip.compress(plain)]
    kinds = ("application/vnd.docker.container.image.v1+json", "application/vnd.docker.image.rootfs.diff.tar.gzip")
    listed = [{"mediaType": kind, "size": len(one), "digest": _digest(one)} for kind, one in zip(kinds, parts, strict=True)]
    for one in parts:
        upload = request("POST", f"{address}/v2/{IMAGE}/blobs/uploads/", b"", "application/octet-stream").headers["Location"]
        request("PUT", f"{upload}&digest={_digest(one)}", one, "application/octet-stream")
    manifest = {"schemaVersion": 2, "mediaType": KIND, "config": listed[0], "layers": listed[1:]}
    request("PUT", f"{address}/v2/{IMAGE}/manifests/latest", json.dumps(manifest).encode(), KIND)


def request(method: str, url: str, body: bytes | None = None, kind: str = KIND) -> HTTPResponse:
    """Send a request, and return its answer. kind: of the content that is sent, or accepted."""
    headers = {"Content-Type" if body is not None else "Accept": kind}
    sent = urllib.request.Request(url, body, headers, method=method)  # noqa: S310
    answer: HTTPResponse = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sent)
    return answer


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
