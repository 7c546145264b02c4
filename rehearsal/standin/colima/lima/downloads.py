# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads: nothing is fetched, but a first one takes time, fails without a network, and two at once corrupt each other."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from ..console import Fatal
from ..files.settings import Settings

IMAGES = "https://github.com/abiosoft/colima-core/releases/download/v0.10.4/ubuntu-24.04-minimal-cloudimg"
K3S = "https://github.com/k3s-io/k3s/releases/download"
CHUNKS = 20
SHARE = 0.3  # of the time of a whole first start


def image_url(arch: str, runtime: str) -> str:
    """Where a disk image comes from."""
    return f"{IMAGES}-{'arm64' if arch == 'aarch64' else 'amd64'}-{runtime}.raw.gz"


def k3s_url(version: str) -> str:
    """Where k3s comes from."""
    return f"{K3S}/{version}/k3s"


def cached(settings: Settings, cache: Path, url: str, profile: str) -> Path:
    """Return the cached file of a URL, 'downloaded' if it was missing. Raises Fatal."""
    file = cache / "caches" / hashlib.sha256(url.encode()).hexdigest()
    if file.exists():
        return file
    if settings.fails("offline", profile):
        host = url.split("/")[2]
        raise Fatal(
            f"error resolving download URL '{url}': resolve redirect failed for '{url}': DNS lookup failed for host '{host}'. "
            "Check your network connection or DNS settings"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".downloading")
    before = part.stat().st_size if part.exists() else 0
    # As in colima, all downloads append to one file, so an overlap shows in its length.
    for _ in range(CHUNKS):
        with part.open("ab") as out:
            out.write(b"0" * 64)
        if not settings.image_cached:
            time.sleep(settings.boot_seconds * SHARE / CHUNKS)
    if before or not part.exists() or part.stat().st_size != CHUNKS * 64:
        if part.exists():
            part.replace(file.with_suffix(".downloading.invalid"))
        raise Fatal(f"error validating SHA sum for '{url.rsplit('/', 1)[-1]}': SHA512 checksum mismatch for '{part.name}'")
    part.replace(file)
    return file
