# SPDX-License-Identifier: GPL-3.0-or-later
"""A library for pip that is made on the spot."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path


def wheel(place: Path, version: str) -> str:
    """Write a library without content, and return the lock that names it."""
    info = f"words-{version}.dist-info"
    files = {
        "words.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: words\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    place.mkdir(exist_ok=True)
    file = place / f"words-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": rows}.items():
            archive.writestr(name, text)
    return f"words=={version} --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"
