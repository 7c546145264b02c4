# SPDX-License-Identifier: GPL-3.0-or-later
"""What colima would download for Kubernetes: a k3s made of the image's own parts (k3s/), its installer and its images."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

from rehearsal.engines import ENGINES
from rehearsal.engines.install import requirement

HERE = Path(__file__).resolve().parent / "k3s"
# What kubernetes.version has to be: no other is there.
VERSION = f"v{requirement(ENGINES['kube-apiserver'])[1]}+k3s1"
RELEASE = f"https://github.com/k3s-io/k3s/releases/download/{VERSION}"
PAUSES = ("registry.k8s.io/pause:3.8", "registry.k8s.io/pause:3.10", "rancher/mirrored-pause:3.6")
ADDRESSES = {
    "k3s": f"{RELEASE}/k3s",
    "images.tar.gz": f"{RELEASE}/k3s-airgap-images-amd64.tar.gz",
    "install.sh": f"https://raw.githubusercontent.com/k3s-io/k3s/{VERSION}/install.sh",
}


def make(folder: Path, busybox: Path) -> None:
    """Write the files into a folder. busybox: a static one, which holds pods together."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "k3s").write_text((HERE / "k3s").read_text().replace("@VERSION@", VERSION))
    (folder / "install.sh").write_text((HERE / "install.sh").read_text())
    (folder / "images.tar.gz").write_bytes(gzip.compress(_images(busybox.read_bytes()), 1, mtime=0))


def put_into_cache(folder: Path, colima_cache: Path) -> None:
    """Spare colima the downloads: it takes a file under the hash of an address for what it would have downloaded."""
    for name, address in ADDRESSES.items():
        # Not a link: where rsync is there, limactl copies with it, and a link would arrive as one.
        shutil.copy(folder / name, colima_cache / hashlib.sha256(address.encode()).hexdigest())


def _images(busybox: bytes) -> bytes:
    """One image under the names of the images that hold pods together, as `docker save` writes it."""
    layer = _archive({"busybox": busybox})
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/busybox", "sleep", "2147483647"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": list(PAUSES), "Layers": ["layer.tar"]}]
    texts = {"config.json": config, "manifest.json": manifest}
    return _archive({**{name: json.dumps(text).encode() for name, text in texts.items()}, "layer.tar": layer})


def _archive(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return written.getvalue()
