# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere. For one laptop or a fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...toolchain.programs import numbers_of
from ..model import GROUPS, SEVERITY, Status
from .screen import HEAD, columns, profile, rank, verdict

_TEMPLATE = Path(__file__).with_name("page.html.j2")
_MOST_NAMES = 12


def page(document: Mapping[str, Any], changes: Sequence[Mapping[str, str]] = ()) -> str:
    """Return the page. changes: what is different since an earlier report."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    laptops = [_shown(one) for one in sorted(document["laptops"], key=lambda one: (-rank(one), one["name"]))]
    return template.render(made=document["made"], laptops=laptops, changes=changes, groups=GROUPS, summary=_summary(laptops))


def _summary(laptops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the page of a fleet begins with."""
    reached = [one for one in laptops if one["reached"]]
    broken = [one["name"] for one in reached if one["verdict"] == Status.BROKEN]
    versions = {one["name"]: one["colima"] for one in reached if numbers_of(one["colima"])}
    oldest = min(versions.values(), key=numbers_of, default="")
    lists = (
        ("broken", broken),
        ("not reached", [one["name"] for one in laptops if not one["reached"]]),
        ("drifting from the settings", [one["name"] for one in reached if one["drifts"]]),
        ("waiting for a restart", [one["name"] for one in reached if one["waits"]]),
        (f"oldest colima ({oldest})", [name for name, version in versions.items() if version == oldest]),
    )
    if len(set(versions.values())) == 1:
        lists = (*lists[:-1], ("colima", [f"{oldest} everywhere"]))
    return {"title": f"{len(laptops)} laptops, {len(broken)} broken", "lists": [(one, _some(names)) for one, names in lists]}


def _some(names: Sequence[str]) -> list[str]:
    more = len(names) - _MOST_NAMES
    return [*names[:_MOST_NAMES], f"and {more} more"] if more > 0 else list(names)


def _shown(laptop: Mapping[str, Any]) -> dict[str, Any]:
    """Return a laptop with what the page says of it."""
    if not laptop["reached"]:
        return {**laptop, "verdict": "unreachable", "title": f"{laptop['name']}: it could not be examined"}
    checks = sorted(laptop["checks"], key=lambda one: (-SEVERITY.index(Status(one["status"])), GROUPS.index(one["group"])))
    by_group = {group: [one for one in checks if one["group"] == group] for group in GROUPS}
    return {
        **laptop,
        "title": verdict(laptop["name"], laptop),
        "findings": [one for one in checks if one["status"] != Status.OK],
        "healthy": [one for one in checks if one["status"] == Status.OK],
        "table": columns([HEAD, *map(profile, laptop["profiles"])]),
        # The worst of each group; empty for one that was not examined.
        "groups": {group: found[0]["status"] if found else "" for group, found in by_group.items()},
        "drifts": sorted({one["about"] for one in checks if one["id"] == "profiles.drift" and one["status"] != Status.OK}),
        "waits": sorted({one["about"] for one in checks if one["id"] == "profiles.pending" and one["status"] != Status.OK}),
        "colima": next((one["found"] for one in checks if one["id"] == "tools.colima"), ""),
    }
