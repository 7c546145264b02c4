# SPDX-License-Identifier: GPL-3.0-or-later
"""BASE/_store/ID.json: whether the data disk was formatted, and for which runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Store:
    """What colima records of the data disk. A missing or unreadable file counts as empty."""

    def __init__(self, disk_formatted: bool = False, disk_runtime: str = "", ramalama_provisioned: bool = False) -> None:
        self.disk_formatted = disk_formatted
        self.disk_runtime = disk_runtime
        self.ramalama_provisioned = ramalama_provisioned

    @classmethod
    def load(cls, file: Path) -> Store:
        """Read the store."""
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return cls()
        known = {key: found[key] for key in ("disk_formatted", "disk_runtime", "ramalama_provisioned") if key in found}
        return cls(**known)


def remember(file: Path, **changes: Any) -> None:
    """Change the store."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**vars(Store.load(file)), **changes}, indent=2), encoding="utf-8")


def forget(file: Path) -> None:
    """Remove the store."""
    file.unlink(missing_ok=True)
