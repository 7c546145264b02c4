# SPDX-License-Identifier: GPL-3.0-or-later
"""Real file systems with the limits of a Mac's under a home: ext4 can be made to keep whole seconds only."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def ext4(place: Path, *options: str) -> Iterator[Path]:
    """Mount a small ext4 made with these options of mkfs.ext4. Skips where this machine can't."""
    mkfs = shutil.which("mkfs.ext4", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if os.geteuid() != 0 or mkfs is None:
        pytest.skip("only root with mkfs.ext4 can mount a file system of its own")
    image, top = place / "image", place / "volume"
    image.write_bytes(b"")
    os.truncate(image, 8 << 20)
    subprocess.run([mkfs, "-q", *options, str(image)], check=True, capture_output=True)
    top.mkdir()
    mounted = subprocess.run(["mount", "-o", "loop", str(image), str(top)], check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"this machine mounts no ext4 from a file: {mounted.stderr.strip()}")
    try:
        yield top
    finally:
        subprocess.run(["umount", str(top)], check=True)
