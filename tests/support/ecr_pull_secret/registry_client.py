# SPDX-License-Identifier: GPL-3.0-or-later
"""Push and pull an image as a kubelet's runtime does: manifest and blobs over HTTP, with a dockerconfigjson's credentials."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Refused(Exception):
    """The registry answered with another status than success."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Images:
    """The images of a registry, with the credentials of this docker config."""

    def __init__(self, address: str, config: dict[str, Any]) -> None:
        self.address = address
        self.auth = config["auths"][address]["auth"]

    def push(self, name: str, content: bytes) -> None:
        """Push an image with one layer of this content."""
        layer, config = self._upload(name, content), self._upload(name, b'{"architecture":"amd64","os":"linux"}')
        parts = {"config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
                 "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}]}  # fmt: skip
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, **parts}).encode()
        self._ask("PUT", f"{name}/manifests/1", manifest, MANIFEST)

    def pull(self, name: str) -> bytes:
        """Pull the image's layer, checked by its digest as runtimes do. Raises Refused."""
        manifest = json.loads(self._ask("GET", f"{name}/manifests/1")[0])
        digest = manifest["layers"][0]["digest"]
        content = self._ask("GET", f"{name}/blobs/{digest}")[0]
        assert _digest(content) == digest
        return content

    def _upload(self, name: str, content: bytes) -> dict[str, Any]:
        place = self._ask("POST", f"{name}/blobs/uploads/", b"")[1]
        where = place.partition("/v2/")[2]
        mark = "&" if "?" in where else "?"
        self._ask("PUT", f"{where}{mark}digest={_digest(content)}", content, "application/octet-stream")
        return {"digest": _digest(content), "size": len(content)}

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[bytes, str]:
        headers = {"Authorization": f"Basic {self.auth}", "Accept": MANIFEST, **({"Content-Type": kind} if kind else {})}
        request = urllib.request.Request(f"http://{self.address}/v2/{path}", body, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.read(), str(answer.headers.get("Location", ""))
        except urllib.error.HTTPError as error:
            raise Refused(error.code) from error


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
