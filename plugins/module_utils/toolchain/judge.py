# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the versions that a laptop has, by the matrix. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..core.errors import RefusedStep
from ..core.install import install_command
from .matrix import BREAKS, CROSSINGS, TESTED, WORKS, BrokenVersions, UpgradeImpact
from .programs import Version, in_digits


class VersionStatus(StrEnum):
    """How much is known of a version."""

    TESTED = "tested"
    WORKS = "works"
    UNKNOWN = "unknown"
    BREAKS = "breaks"


@dataclass(frozen=True)
class VersionFinding:
    """What is known of one tool's version. fault: why it does not work, where that is known; more: what is worth adding."""

    tool: str
    version: Version
    state: VersionStatus
    fault: BrokenVersions | None = None
    more: str = ""

    @property
    def sentence(self) -> str:
        """What was found."""
        shown = f"{self.tool} {in_digits(self.version)}"
        if self.fault is not None:
            return f"{shown} {self.fault.says} ({self.fault.source})."
        return f"{shown}: {self.more}." if self.more else f"{shown}: {self.state}."

    @property
    def remedy(self) -> str:
        """What to do about a version that breaks; empty for the others."""
        return remedy_for(self.fault) if self.fault is not None else ""


def findings(versions: Mapping[str, Version]) -> list[VersionFinding]:
    """Return what is known of each tool, in their order. Versions of a VM's inside count where they are given."""
    return [_finding(tool, version, versions) for tool, version in versions.items() if tool in TESTED or tool in WORKS]


def refusals(found: Iterable[VersionFinding]) -> list[RefusedStep]:
    """Return a failure for each version that breaks."""
    return [
        RefusedStep(
            f"accept {finding.tool} {in_digits(finding.version)}",
            f"it {finding.fault.says} ({finding.fault.source})",
            finding.remedy,
        )
        for finding in found
        if finding.fault is not None
    ]


def crossed(tool: str, before: Version, after: Version) -> Iterator[UpgradeImpact]:
    """Yield what an upgrade of a tool means for VMs that are there."""
    return (impact for impact in CROSSINGS if impact.tool == tool and before < impact.at <= after)


def remedy_for(fault: BrokenVersions, search: str | None = None) -> str:
    """Return what to do about a version that breaks. search: a PATH in which a package manager is looked for."""
    if not fault.fixed:
        return "Use another version."
    wanted = f"Use {in_digits(fault.fixed)} or newer"
    command = install_command(fault.tool, verb="upgrade", search=search)
    return f"{wanted}: '{command}' brings the newest that is offered." if command else f"{wanted}."


def _finding(tool: str, version: Version, versions: Mapping[str, Version]) -> VersionFinding:
    for fault in BREAKS:
        if fault.tool == tool and fault.first <= version and (not fault.fixed or version < fault.fixed) and _met(fault, versions):
            return VersionFinding(tool, version, VersionStatus.BREAKS, fault)
    tested = TESTED.get(tool, ())
    if version in tested:
        return VersionFinding(tool, version, VersionStatus.TESTED)
    first, last = WORKS.get(tool, (tested[0], tested[0]) if tested else ((), ()))
    if first <= version <= last:
        return VersionFinding(tool, version, VersionStatus.WORKS)
    newest = max((last, *tested))
    newer = f"newer than {in_digits(newest)}, the newest that was tried"
    return VersionFinding(
        tool, version, VersionStatus.UNKNOWN, more=newer if version > newest else "not tried with this collection yet"
    )


def _met(fault: BrokenVersions, versions: Mapping[str, Version]) -> bool:
    """Whether the other tool that a fault needs is there; an unknown one does not count."""
    return fault.beside is None or versions.get(fault.beside[0], ()) >= fault.beside[1]
