# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere. For one laptop or a fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..model import GROUPS, SEVERITY, Status
from .screen import duration, rank, verdict

_TEMPLATE = Path(__file__).with_name("page.html.j2")


def page(document: Mapping[str, Any], changes: Sequence[Mapping[str, str]] = ()) -> str:
    """Return the page. changes: what is different since an earlier report."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters["duration"] = duration
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    laptops = sorted(document["laptops"], key=lambda one: (-rank(one), one["name"]))
    return template.render(made=document["made"], laptops=list(map(_shown, laptops)), changes=changes, groups=GROUPS)


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
        # The worst of each group; empty for one that was not examined.
        "groups": {group: found[0]["status"] if found else "" for group, found in by_group.items()},
        "drifts": sorted({one["about"] for one in checks if one["id"] == "profiles.drift" and one["status"] != Status.OK}),
        "waits": sorted({one["about"] for one in checks if one["id"] == "profiles.pending" and one["status"] != Status.OK}),
        "colima": next((one["found"] for one in checks if one["id"] == "tools.colima"), ""),
    }
