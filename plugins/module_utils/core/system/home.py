# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's home directory, and where this collection keeps files of its own in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path


def home() -> str:
    """Return the user's home directory."""
    return str(Path.home())


def state_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the directory of this collection below XDG_STATE_HOME (default ~/.local/state)."""
    return Path(environment.get("XDG_STATE_HOME") or f"{home()}/.local/state") / "laptop.containers"


def lock_directory() -> Path:
    """Return where locks are that each run of this user must see. XDG_STATE_HOME may differ between a shell and launchd."""
    return Path(home()) / ".local/state/laptop.containers"


def authorities_file() -> Path:
    """Return the file with the authorities of the system and of the company, in PEM; it is there where the company has any."""
    return lock_directory() / "authorities.pem"


def private_directory(path: Path) -> None:
    """Make a directory of this collection, readable by its owner only whatever the umask; its parents as usual."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
