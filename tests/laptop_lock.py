# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes out of a lock the hashes of files that no laptop installs: the collection carries the lock, and these were most of it.

Usage: python -m tests.laptop_lock PYLOCK LOCK, where PYLOCK is the same lock in the format that names the file of each hash.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

# Sources, wheels of pure Python, and those for macOS and Linux on the processors of laptops.
_SYSTEM = r"any|macosx_\w+|manylinux\w*_(x86_64|aarch64)"
_OF_LAPTOPS = re.compile(rf"\.(tar\.gz|zip)|-(cp31[1-9]|cp3\d+-abi3|py3|py2\.py3).*-({_SYSTEM})[\w.]*\.whl")
_HASH = re.compile(r" \\\n    --hash=sha256:(\w+)")


def unused(pylock: dict[str, Any]) -> set[str]:
    """Return the hashes of files that no laptop installs."""
    files = [file for package in pylock["packages"] for file in (*package.get("wheels", ()), package.get("sdist", {})) if file]
    return {file["hashes"]["sha256"] for file in files if not _OF_LAPTOPS.search(file["url"].rpartition("/")[2])}


def without(lock: str, hashes: set[str]) -> str:
    """Return the text of a lock without some hashes."""
    return _HASH.sub(lambda match: "" if match[1] in hashes else match[0], lock)


if __name__ == "__main__":
    with Path(sys.argv[1]).open("rb") as file:
        known = unused(tomllib.load(file))
    path = Path(sys.argv[2])
    path.write_text(without(path.read_text(), known))
