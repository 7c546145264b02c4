# SPDX-License-Identifier: GPL-3.0-or-later
"""How an engine comes to build for platforms that its machine does not run by itself. Pure."""

from __future__ import annotations


def emulation_remedy(platforms: list[str]) -> str:
    """Return how to make an engine build for platforms that its machine does not run by itself."""
    architectures = ",".join(item.split("/")[1] for item in platforms)
    return (
        "For a colima profile set binfmt: true (on Apple silicon with vm_type vz also rosetta: true, which is faster for amd64) "
        f"and restart it; for another engine run: docker run --privileged --rm tonistiigi/binfmt --install {architectures}"
    )
