# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions of the programs as a subject that only reads, and on request refuses versions that are known to break."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.plan import Plan
from ..core.subject import Reader, Result
from .judge import VersionFinding, VersionStatus, findings, refusals
from .programs import in_digits
from .read import versions

IGNORE, WARN, REFUSE = "ignore", "warn", "refuse"


class Toolchain(Reader[str, list[VersionFinding]]):
    """What is known of the programs on this laptop."""

    argument_spec = {"known_to_break": {"type": "str", "choices": [WARN, REFUSE, IGNORE], "default": WARN}}
    work = "look at the versions of the programs"

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> str:
        """Return what is done about a version that is known to break."""
        del check_mode
        answer: str = params["known_to_break"]
        return answer

    def read(self, spec: str) -> list[VersionFinding]:
        """Return what is known of each program."""
        del spec
        return findings(versions())

    def plan(self, spec: str, current: list[VersionFinding]) -> Plan:
        """Return an empty plan, with warnings or refusals."""
        if spec == REFUSE:
            return Plan(refusals=tuple(refusals(current)))
        broken = [finding for finding in current if finding.state == VersionStatus.BREAKS] if spec == WARN else []
        return Plan(warnings=tuple(f"{finding.sentence} {finding.remedy}" for finding in broken))

    def public(self, outcome: Result[str, list[VersionFinding]]) -> dict[str, Any]:
        """Return all of them."""
        return {
            "programs": [
                {
                    "name": finding.tool,
                    "version": in_digits(finding.version),
                    "state": str(finding.state),
                    "sentence": finding.sentence,
                    "remedy": finding.remedy,
                }
                for finding in outcome.after
            ]
        }


SUBJECT = Toolchain
