# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the lab share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def image(engine: Callable[[str], Path], tmp_path: Path) -> Path:
    """A build context for an image from scratch with one static program."""
    folder = tmp_path / "image"
    folder.mkdir()
    # Engines that are built with Go are static; this one answers --version and needs nothing.
    shutil.copy(engine("buildctl"), folder / "tool")
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY tool /tool\nENTRYPOINT ["/tool", "--version"]\n')
    return folder
