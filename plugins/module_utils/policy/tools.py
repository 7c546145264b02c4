# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs whose versions a rule can be about, and how each is asked for its own. Pure."""

from __future__ import annotations

from collections.abc import Mapping

ASK: Mapping[str, tuple[str, ...]] = {
    "colima": ("colima", "version"),
    "docker": ("docker", "--version"),
    "docker-buildx": ("docker", "buildx", "version"),
    "kubectl": ("kubectl", "version", "--client"),
    "limactl": ("limactl", "--version"),
}
