# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of what the runtime brings is that of the lock, whole, with hashes."""

from __future__ import annotations

import json
import re
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"


def test_every_package_of_the_lock_is_listed_with_its_hashes() -> None:
    lock = (REQUIREMENTS / "runtime.lock").read_text()
    listed = json.loads((REQUIREMENTS / "runtime.cdx.json").read_text())
    pinned = re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock)
    assert [(part["name"], part["version"]) for part in listed["components"]] == pinned
    assert sum(len(part["hashes"]) for part in listed["components"]) == lock.count("--hash=sha256:")
    assert listed["bomFormat"] == "CycloneDX" and all(part["hashes"] for part in listed["components"])
