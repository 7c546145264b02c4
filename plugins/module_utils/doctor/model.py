# SPDX-License-Identifier: GPL-3.0-or-later
"""What an examination consists of: kinds of checks, and what each of them found. Pure.

A file of a group declares its kinds, and yields their findings: `HEALTH.ok("it runs", "k8s")`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

# In the order in which they are shown. Each is a tag of doctor.yml.
GROUPS = ("tools", "profiles", "docker", "builders", "kubernetes", "registries", "timers", "network", "policy", "leftovers")


class Status(StrEnum):
    """How a check ended. A note is worth knowing and needs nothing done; unknown: it could not be told, for the reason found."""

    OK = "ok"
    NOTE = "note"
    UNKNOWN = "unknown"
    WARNING = "warning"
    BROKEN = "broken"


# The worst last.
SEVERITY = tuple(Status)


@dataclass(frozen=True)
class Check:
    """One finding. about: the profile, context, registry or file that it is about, empty where there is only one.

    remedy: a command that can be pasted, or a sentence that ends with one; seconds: how long it took to find out.
    """

    id: str
    status: Status
    found: str
    remedy: str = ""
    about: str = ""
    seconds: float = 0.0

    @property
    def group(self) -> str:
        """The group, which begins the id."""
        return self.id.partition(".")[0]

    def timed(self, seconds: float) -> Check:
        """Return the check with how long it took."""
        return replace(self, seconds=round(seconds, 3))

    def public(self) -> dict[str, Any]:
        """Return the result form."""
        shown = asdict(self) | {"status": str(self.status)}
        return {"id": shown.pop("id"), "group": self.group, **shown}


@dataclass(frozen=True)
class CheckKind:
    """A kind of check: its id ("group.what"), and in words what it looks at, for the documentation."""

    id: str
    looks_at: str

    def ok(self, found: str, about: str = "") -> Check:
        """Return that all is as it should be."""
        return Check(self.id, Status.OK, found, "", about)

    def note(self, found: str, remedy: str = "", about: str = "") -> Check:
        """Return something worth knowing."""
        return Check(self.id, Status.NOTE, found, remedy, about)

    def warning(self, found: str, remedy: str, about: str = "") -> Check:
        """Return something that will break, or works worse than it could."""
        return Check(self.id, Status.WARNING, found, remedy, about)

    def broken(self, found: str, remedy: str, about: str = "") -> Check:
        """Return something that does not work."""
        return Check(self.id, Status.BROKEN, found, remedy, about)

    def unknown(self, reason: str, remedy: str = "", about: str = "") -> Check:
        """Return why it could not be told."""
        return Check(self.id, Status.UNKNOWN, reason, remedy, about)


def worst(checks: Iterable[Check]) -> Status:
    """Return the worst status; ok where there is none."""
    return max((check.status for check in checks), key=SEVERITY.index, default=Status.OK)


def counts(checks: Iterable[Check]) -> dict[str, int]:
    """Return how many checks ended in each way, the worst first."""
    listed = [check.status for check in checks]
    return {str(status): listed.count(status) for status in reversed(SEVERITY)}
