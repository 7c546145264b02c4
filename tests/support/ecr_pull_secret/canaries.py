# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking for a token where none may be: in what processes were started with, and in files."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

# The largest file that is looked into, in bytes; a disk of a VM has gigabytes of nothing.
LARGEST = 16 << 20
# The shortest part of a token that counts, in characters.
PART = 16


def forms_of(token: str) -> tuple[str, str]:
    """Return a token as it is, and as docker's files keep it."""
    return token, base64.b64encode(f"AWS:{token}".encode()).decode()


def told_of(token: str, text: str) -> list[str]:
    """Return the parts of a token that a text tells: as such, in base64 cut at any place, and in base64 of that."""
    found = [token[place : place + PART] for place in range(len(token) - PART + 1) if token[place : place + PART] in text]
    for word in re.findall(r"[A-Za-z0-9+/_-]{16,}", text.replace("\\n", "")):
        for said in decoded(word):
            inner = [deeper for part in re.findall(rb"[A-Za-z0-9+/_-]{16,}", said) for deeper in decoded(part.decode())]
            found += [part for one in (said, *inner) for part in _parts(token) if part.encode() in one]
    return found


def decoded(word: str) -> Iterator[bytes]:
    """Yield what a word says as base64, from each of four places on."""
    plain = word.replace("-", "+").replace("_", "/")
    for offset in range(4):
        yield base64.b64decode(plain[offset:][: (len(plain) - offset) // 4 * 4])


def _parts(token: str) -> Iterator[str]:
    return (token[place : place + PART] for place in range(len(token) - PART + 1))


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
