# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made here, without a registry, as archives that `docker load` takes."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layer:
    """One layer, as an archive. Content that can't be compressed, the same for the same number."""

    number: int
    size: int = 4096

    def archive(self) -> bytes:
        data = random.Random(self.number).randbytes(self.size)  # noqa: S311 - not for secrets
        return _tar({f"layer-{self.number}": data})


def archive(tags: Sequence[str], layers: Sequence[Layer], architecture: str = "amd64", **config: object) -> bytes:
    """Return an image as an archive."""
    packed = [layer.archive() for layer in layers]
    digests = [hashlib.sha256(one).hexdigest() for one in packed]
    description = {
        "architecture": architecture,
        "os": "linux",
        "created": "2026-01-02T03:04:05Z",
        "config": {"Cmd": ["/none"], **config},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        "history": [{"created": "2026-01-02T03:04:05Z", "created_by": "made"} for _ in layers],
    }
    text = json.dumps(description).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    files = [f"{digest}/layer.tar" for digest in digests]
    listed = json.dumps([{"Config": name, "RepoTags": list(tags), "Layers": files}]).encode()
    return _tar({**dict(zip(files, packed, strict=True)), name: text, "manifest.json": listed})


def foreign(name: str, layer: Layer, architecture: str = "arm64") -> bytes:
    """Return an image for two platforms, of which only this one is there, as after a pull for it alone."""
    blobs = dict[str, bytes]()

    def put(kind: str, data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    packed = put("layer.v1.tar", layer.archive())
    config = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [packed["digest"]]}}
    described = {"schemaVersion": 2, "config": put("config.v1+json", json.dumps(config).encode()), "layers": [packed]}
    here = put("manifest.v1+json", json.dumps(described).encode()) | {"platform": {"architecture": architecture, "os": "linux"}}
    absent = {**here, "digest": f"sha256:{'0' * 64}", "platform": {"architecture": "amd64", "os": "linux"}}
    both = put("index.v1+json", json.dumps({"schemaVersion": 2, "manifests": [absent, here]}).encode())
    both["annotations"] = {"io.containerd.image.name": name}
    top = {"schemaVersion": 2, "manifests": [both]}
    return _tar({"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(top).encode(), **blobs})


def waiting(tag: str, program: Path) -> bytes:
    """Return an image whose containers wait for an hour. program: a buildctl that needs no library."""
    command = ["/tool", "--addr", "unix:///none.sock", "--timeout", "3600", "--wait", "debug", "workers"]
    return archive([tag], [_Program(0, path=program)], Cmd=command)


@dataclass(frozen=True)
class _Program(Layer):
    path: Path = Path()

    def archive(self) -> bytes:
        return _tar({"tool": self.path.read_bytes()})


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            made.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
