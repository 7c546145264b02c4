# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed between two reports: which checks ended differently, and which laptops came or went. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..model import SEVERITY, Status

GONE = "gone"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return each check whose status differs: laptop, id, about, the status before and after, and what is found now.

    A check that one of the two did not make counts as gone there, but only a finding is shown: healthy ones come and go. Groups
    that one of the two left out are not compared.
    """
    looked = _groups(before) & _groups(after)
    old, new = _checks(before, looked), _checks(after, looked)
    found = []
    for key in dict.fromkeys((*old, *new)):
        was, now = old.get(key), new.get(key)
        statuses = (was["status"] if was else GONE, now["status"] if now else GONE)
        if statuses[0] != statuses[1] and {*statuses} != {GONE, str(Status.OK)}:
            finding = (now or was or {})["found"]
            names = dict(zip(("laptop", "id", "about"), key, strict=True))
            found.append({**names, "before": statuses[0], "after": statuses[1], "found": finding})
    return sorted(found, key=lambda change: (change["laptop"], -_rank(change["after"]), change["id"]))


def in_words(change: Mapping[str, str], *, with_laptop: bool) -> str:
    """Return a change as a line."""
    where = f"{change['laptop']}: " if with_laptop else ""
    about = f" ({change['about']})" if change["about"] else ""
    before = "new" if change["before"] == GONE else change["before"]
    return f"{where}{change['id']}{about}: {before} -> {change['after']}, {change['found']}"


def _groups(document: Mapping[str, Any]) -> set[str]:
    """Return the groups that a run looked at: the same for all its laptops, of which some were perhaps not reached."""
    reached = [laptop for laptop in document["laptops"] if laptop["reached"]]
    # Older reports have no list of them.
    named = {group for laptop in reached for group in laptop.get("groups") or ()}
    return named or {str(check["group"]) for laptop in reached for check in laptop["checks"]}


def _checks(document: Mapping[str, Any], groups: Collection[str]) -> dict[tuple[str, str, str], Mapping[str, str]]:
    """Return the checks of these groups by laptop, id and what they are about; of equal ones, the worst."""
    found: dict[tuple[str, str, str], Mapping[str, str]] = {}
    for laptop in document["laptops"]:
        for check in laptop.get("checks") or ():
            if check["group"] not in groups:
                continue
            key = (str(laptop["name"]), str(check["id"]), str(check["about"]))
            if key not in found or _rank(check["status"]) > _rank(found[key]["status"]):
                found[key] = check
    return found


def _rank(status: str) -> int:
    return SEVERITY.index(Status(status)) if status != GONE else -1
