# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere. For one laptop or a fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...toolchain.programs import numbers_of
from ..model import GROUPS, SEVERITY, Status
from .screen import HEAD, columns, headline, profile, rank

_TEMPLATE = Path(__file__).with_name("page.html.j2")
_MOST_NAMES = 12


def page(document: Mapping[str, Any], changes: Sequence[Mapping[str, str]] = ()) -> str:
    """Return the page. changes: what is different since an earlier report."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    laptops = [_shown(laptop) for laptop in sorted(document["laptops"], key=lambda laptop: (-rank(laptop), laptop["name"]))]
    return template.render(made=document["made"], laptops=laptops, changes=changes, groups=GROUPS, summary=_summary(laptops))


def _summary(laptops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the page of a fleet begins with."""
    reached = [laptop for laptop in laptops if laptop["reached"]]
    broken = [machine["name"] for machine in reached if machine["verdict"] == Status.BROKEN]
    versions = {machine["name"]: machine["colima"] for machine in reached if numbers_of(machine["colima"])}
    oldest = min(versions.values(), key=numbers_of, default="")
    lists = (
        ("broken", broken),
        ("not reached", [laptop["name"] for laptop in laptops if not laptop["reached"]]),
        ("drifting from the settings", [machine["name"] for machine in reached if machine["drifts"]]),
        ("waiting for a restart", [machine["name"] for machine in reached if machine["waits"]]),
        (f"oldest colima ({oldest})", [name for name, version in versions.items() if version == oldest]),
    )
    if len(set(versions.values())) == 1:
        lists = (*lists[:-1], ("colima", [f"{oldest} everywhere"]))
    return {"title": f"{len(laptops)} laptops, {len(broken)} broken", "lists": [(title, _some(names)) for title, names in lists]}


def _some(names: Sequence[str]) -> list[str]:
    more = len(names) - _MOST_NAMES
    return [*names[:_MOST_NAMES], f"and {more} more"] if more > 0 else list(names)


def _shown(laptop: Mapping[str, Any]) -> dict[str, Any]:
    """Return a laptop with what the page says of it."""
    if not laptop["reached"]:
        return {**laptop, "verdict": "unreachable", "title": f"{laptop['name']}: it could not be examined"}
    checks = sorted(
        laptop["checks"], key=lambda laptop: (-SEVERITY.index(Status(laptop["status"])), GROUPS.index(laptop["group"]))
    )
    by_group = {group: [check for check in checks if check["group"] == group] for group in GROUPS}
    return {
        **laptop,
        "title": headline(laptop["name"], laptop),
        "findings": [check for check in checks if check["status"] != Status.OK],
        "healthy": [check for check in checks if check["status"] == Status.OK],
        "table": columns([HEAD, *map(profile, laptop["profiles"])]),
        # The worst of each group; empty for a group that was not examined.
        "groups": {group: found[0]["status"] if found else "" for group, found in by_group.items()},
        "drifts": sorted(
            {check["about"] for check in checks if check["id"] == "profiles.drift" and check["status"] != Status.OK}
        ),
        "waits": sorted(
            {check["about"] for check in checks if check["id"] == "profiles.pending" and check["status"] != Status.OK}
        ),
        "colima": next((check["found"] for check in checks if check["id"] == "tools.colima"), ""),
    }
