# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in engine's answers to who moves images: what they are made of, and archives of them, out and in."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from typing import Any

from .state import State

_BLOBS = "blobs/sha256/"


def nothing(_state: State, _query: dict[str, str], _body: Any) -> tuple[int, Any]:
    """Networks of its own and plugins: there are none."""
    return 200, []


def inspect(state: State, _query: dict[str, str], _body: Any, name: str) -> tuple[int, Any]:
    """`docker image inspect`; an image of which a test says nothing has one layer."""
    found = _find(state, name)
    return (200, _described(found)) if found else (404, {"message": f"No such image: {name}"})


def save(state: State, query: dict[str, str], _body: Any) -> tuple[int, Any]:
    """`docker save`: each blob once, then the list of the images."""
    files, rows = dict[str, bytes](), list[dict[str, Any]]()
    for name in query["names"].split("\n"):
        found = _find(state, name)
        if found is None:
            return 404, {"message": f"reference does not exist: {name}"}
        described = _described(found)
        config, layers = _path(found["Id"]), [_path(layer) for layer in described["RootFS"]["Layers"]]
        files |= {config: json.dumps(found).encode(), **dict.fromkeys(layers, b"layer")}
        row = next((row for row in rows if row["Config"] == config), None)
        if row is None:
            rows.append(row := {"Config": config, "RepoTags": [], "Layers": layers})
        row["RepoTags"] += [tag for tag in found["RepoTags"] if tag == name]
    return 200, _packed({**files, "manifest.json": json.dumps(rows).encode()})


def load(state: State, _query: dict[str, str], archive: bytes) -> tuple[int, Any]:
    """`docker load`: names go from older images to newer ones."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for row in json.loads(_file(opened, "manifest.json")):
            described = json.loads(_file(opened, row["Config"]))
            others = [
                {**one, "RepoTags": [tag for tag in one["RepoTags"] if tag not in row["RepoTags"]]}
                for one in state.images()
                if one["Id"] != described["Id"]
            ]
            mine = _find(state, described["Id"]) or {"RepoTags": []}
            state.save("images", [*others, {**described, "RepoTags": sorted({*mine["RepoTags"], *row["RepoTags"]})}])
    return 200, {"stream": "Loaded"}


def create(state: State, query: dict[str, str], archive: bytes) -> tuple[int, Any]:
    """`docker import`: an image of one layer, which is not kept. Of what it changes only a label is known."""
    key, _equals, value = query["changes"].removeprefix("LABEL ").partition("=")
    image = {"Id": f"sha256:{hashlib.sha256(archive + value.encode()).hexdigest()}", "RepoTags": [], "Labels": {key: value}}
    state.save("images", [*(one for one in state.images() if one["Id"] != image["Id"]), image])
    return 200, {"status": image["Id"]}


def _find(state: State, name: str) -> dict[str, Any] | None:
    return next((one for one in state.images() if name in (one["Id"], *one["RepoTags"])), None)


def _described(image: dict[str, Any]) -> dict[str, Any]:
    return {
        "Id": image["Id"],
        "RepoTags": image["RepoTags"],
        "Size": image["Size"],
        "Os": "linux",
        "Architecture": "arm64",
        "Created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(image["Created"])),
        "Config": {"Labels": image["Labels"], **image.get("Config", {})},
        "RootFS": {
            "Type": "layers",
            "Layers": image.get("Layers") or [f"sha256:{hashlib.sha256(image['Id'].encode()).hexdigest()}"],
        },
    }


def _path(digest: str) -> str:
    return _BLOBS + digest.removeprefix("sha256:")


def _packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _file(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    return file.read() if file else b""
