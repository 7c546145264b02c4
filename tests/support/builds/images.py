# SPDX-License-Identifier: GPL-3.0-or-later
"""Build contexts for images that need no other image: a program of this machine with its libraries."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def context_of(folder: Path, program: str, arguments: Sequence[str] = ()) -> Path:
    """Return a new build context whose image runs a program; its file /words says "one", in a layer of its own."""
    found = shutil.which(program)
    assert found is not None, program
    path = str(Path(found).resolve())
    listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
    for file in (path, *(word for word in listed.split() if word.startswith("/"))):
        target = folder / "root" / file.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    (folder / "words").write_text("one")
    run = json.dumps([path, *arguments])
    (folder / "Dockerfile").write_text(f"FROM scratch\nCOPY root /\nCOPY words /words\nENTRYPOINT {run}\n")
    return folder
