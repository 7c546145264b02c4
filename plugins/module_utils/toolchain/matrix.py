# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the versions of each program: the one list that docs/supported-versions.md and the code are made from.

Python, because Ansible sends nothing else of module_utils to a laptop. A row of BREAKS needs a source that was read;
what is in none of the three lists is unknown. tests/unit/toolchain/ holds TESTED to what the tests really run on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .programs import Version

# Whose version a program on the laptop tells, and those of what is inside a VM.
ON_THE_LAPTOP = ("colima", "limactl", "docker", "docker-buildx")
IN_A_VM = ("k3s", "docker engine", "containerd", "nerdctl")
TOOLS = (*ON_THE_LAPTOP, *IN_A_VM)

_COLIMA = "https://github.com/abiosoft/colima"
_LIMA = "https://github.com/lima-vm/lima"


@dataclass(frozen=True)
class BrokenVersions:
    """Versions of a tool, from first to below fixed, that do not work, in words that complete "it ...".

    fixed is empty where no working version is known. beside: it breaks only where another tool has at least this version.
    """

    tool: str
    first: Version
    fixed: Version
    says: str
    source: str
    beside: tuple[str, Version] | None = None


@dataclass(frozen=True)
class UpgradeImpact:
    """What an upgrade of a tool to this version, or past it, means for VMs that are there, in whole sentences."""

    tool: str
    at: Version
    means: str
    source: str


# What the tests of this collection run on. The docker engine and containerd are the lab's, without a VM around them.
TESTED: Mapping[str, tuple[Version, ...]] = {
    "colima": ((0, 8, 1), (0, 8, 4), (0, 9, 1), (0, 10, 3)),
    "limactl": ((1, 0, 7), (1, 2, 2), (2, 1, 4)),
    "docker": ((28, 2, 2),),
    "docker-buildx": ((0, 38, 2),),
    "docker engine": ((20, 10, 24),),
    "nerdctl": ((2, 1, 2),),
}
# From the first to the last, both included: what lies between tested releases, and what a tested colima brings or asks for.
WORKS: Mapping[str, tuple[Version, Version]] = {
    "colima": ((0, 8, 1), (0, 10, 3)),
    "limactl": ((1, 0, 1), (2, 1, 4)),
    "k3s": ((1, 31, 2), (1, 35, 0)),
}
BREAKS = (
    BrokenVersions(
        "colima",
        (0, 0, 0),
        (0, 8, 1),
        "has no 'colima status --json', from which this collection reads what a VM runs with",
        f"{_COLIMA}/blob/v0.8.1/cmd/status.go",
    ),
    BrokenVersions(
        "limactl",
        (0, 0, 0),
        (0, 18, 0),
        "is refused by colima, which needs Lima 0.18.0 or newer",
        f"{_COLIMA}/blob/v0.10.3/core/core.go",
    ),
    BrokenVersions(
        "limactl",
        (1, 0, 0),
        (1, 0, 1),
        "loses forwarded ports: the next release went back to the old forwarder",
        f"{_LIMA}/pull/2864",
    ),
    BrokenVersions(
        "docker",
        (0, 0, 0),
        (25, 0, 0),
        "speaks API 1.43 at most, and an engine from 29.0 on takes 1.44 or newer",
        "https://github.com/moby/moby/releases/tag/docker-v29.0.0",
        ("docker engine", (29, 0, 0)),
    ),
    BrokenVersions(
        "k3s",
        (1, 24, 0),
        (1, 24, 4),
        "gets no node in a profile with runtime docker",
        f"{_COLIMA}/issues/957",
    ),
    BrokenVersions(
        "nerdctl",
        (0, 0, 0),
        (2, 2, 0),
        "is not made for containerd 2.2",
        "https://github.com/kubernetes/minikube/issues/22084",
        ("containerd", (2, 2, 0)),
    ),
)
CROSSINGS = (
    UpgradeImpact(
        "colima",
        (0, 8, 3),
        "docker keeps its images in containerd's store from then on: those of an existing VM are hidden, not lost. "
        "'docker: {features: {containerd-snapshotter: false}}' in its profile keeps the old store.",
        f"{_COLIMA}/issues/1393",
    ),
    UpgradeImpact(
        "colima",
        (0, 9, 0),
        "A new VM gets a disk of its own for images and volumes. One that is there keeps its single disk, "
        "which is deleted with it.",
        f"{_COLIMA}/blob/v0.9.1/environment/vm/lima/disk.go",
    ),
)
