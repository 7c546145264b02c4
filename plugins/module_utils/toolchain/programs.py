# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that have a version of their own, how each is asked for it, and how an answer is read. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

Version = tuple[int, ...]

ASK: Mapping[str, tuple[str, ...]] = {
    "colima": ("colima", "version"),
    "docker": ("docker", "--version"),
    "docker-buildx": ("docker", "buildx", "version"),
    "kubectl": ("kubectl", "version", "--client"),
    "limactl": ("limactl", "--version"),
}
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


def version_of(text: str) -> Version | None:
    """Return the first version in a text; None where there is none."""
    found = _VERSION.search(text)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def numbers_of(text: str) -> Version:
    """Return a text that is nothing but a version; empty for any other."""
    parts = text.split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else ()


def in_digits(version: Version) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, version))
