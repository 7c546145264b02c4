# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking for a token where none may be: in what processes were started with, and in files."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

# The largest file that is looked into, in bytes; a disk of a VM has gigabytes of nothing.
LARGEST = 16 << 20


def forms_of(token: str) -> tuple[str, str]:
    """Return a token as it is, and as docker's files keep it."""
    return token, base64.b64encode(f"AWS:{token}".encode()).decode()


def traced(trace: Path) -> tuple[str, ...]:
    """Return what stands before a command whose processes are recorded, with all their arguments and environment."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: run 'make engines' as root, or: apt-get install strace")
    return ("strace", "-f", "-qq", "-v", "-s", "65536", "-e", "trace=execve", "-o", str(trace))


def files_with(forms: tuple[str, ...], *places: Path) -> set[Path]:
    """Return the files below some places that hold one of the forms. Disks of VMs and layers of images are left out."""
    wanted = [form.encode() for form in forms]
    files = {path for place in places for path in place.rglob("*") if path.is_file() and not path.is_symlink()}
    small = {path for path in files if path.stat().st_size < LARGEST}
    return {path for path in small if any(form in path.read_bytes() for form in wanted)}
