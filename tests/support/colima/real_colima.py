# SPDX-License-Identifier: GPL-3.0-or-later
"""A real colima of any version, as far as it runs without a VM: its downloads as if done, and a laptop with it."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.support.colima.standin_laptop import ColimaLab

# Each colima has the list of its images in itself.
_IMAGES = re.compile(rb"https://github\.com/abiosoft/colima-core/releases/download/[\w./-]+")
_USUAL_K3S = re.compile(r'--kubernetes-version .*\(default "(.*)"\)')


@dataclass(frozen=True)
class Release:
    """A version of colima, where its images are, and the k3s that it installs unless told."""

    version: tuple[int, ...]
    images: tuple[str, ...]
    k3s: str

    @classmethod
    @functools.cache
    def of(cls, colima: Path) -> Release:
        """Ask a program, which makes its directories in a home that is gone afterwards."""
        with tempfile.TemporaryDirectory() as home:
            environment = {"HOME": home, "PATH": os.environ["PATH"]}
            version, usage = (
                subprocess.run([colima, *argv], env=environment, capture_output=True, text=True, check=True).stdout
                for argv in (["--version"], ["start", "--help"])
            )
        usual = _USUAL_K3S.search(usage)
        assert usual is not None, usage
        images = tuple(found.decode() for found in _IMAGES.findall(colima.read_bytes()))
        return cls(tuple(int(part) for part in re.findall(r"\d+", version)), images, usual[1])

    def put_downloads(self, cache: Path, k3s: Iterable[str] = ()) -> None:
        """Spare it all downloads: it takes what is in its cache for complete. k3s: releases beside the usual one."""
        chip, suffix = ("arm64", "-arm64") if platform.machine() in ("arm64", "aarch64") else ("amd64", "")
        files = dict.fromkeys(self.images, "")
        for version in {*k3s, self.k3s}:
            release = f"https://github.com/k3s-io/k3s/releases/download/{version}"
            files[f"{release}/k3s{suffix}"] = version
            files[f"{release}/k3s-airgap-images-{chip}.tar.gz"] = ""
            files[f"https://raw.githubusercontent.com/k3s-io/k3s/{version}/install.sh"] = ""
        cache.mkdir(parents=True, exist_ok=True)
        for url, text in files.items():
            kept = cache / hashlib.sha256(url.encode()).hexdigest()
            kept.write_text(text)
            if url.endswith(".qcow2"):
                # As qemu-img would have converted it.
                kept.with_name(f"{kept.name}.raw").write_text(text)


class RealColimaLab(ColimaLab):
    """A laptop with a real colima, which can be exchanged as an upgrade does. The machines are those of the stand-in limactl."""

    def __init__(self, root: Path, **settings: str) -> None:
        super().__init__(root, SYSTEM=platform.system(), ARCH=platform.machine(), **settings)
        # colima on Linux wants to see one; nothing here uses it.
        (self.bin / "qemu-img").write_text("#!/bin/sh\n")
        (self.bin / "qemu-img").chmod(0o755)

    def install(self, colima: Path, k3s: Iterable[str] = ()) -> None:
        """Put this colima in the place of the one before. k3s: releases to have beside its usual one."""
        (self.bin / "colima").unlink()
        (self.bin / "colima").symlink_to(colima)
        cache = "Library/Caches/colima" if platform.system() == "Darwin" else ".cache/colima"
        Release.of(colima).put_downloads(self.home / cache / "caches", k3s)
