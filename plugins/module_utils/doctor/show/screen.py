# SPDX-License-Identifier: GPL-3.0-or-later
"""An examination as lines for a terminal: the verdict, the profiles, and what is not well, each with what helps. Pure."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ...core.plan import in_number
from ..model import GROUPS, SEVERITY, Status

_INDENT = 10
HEAD = ("profile", "state", "runtime", "CPUs", "memory", "disk used", "on laptop", "uptime", "address")
# What a narrow terminal does without, in this order.
_SPARE = ("on laptop", "runtime", "uptime", "address")


class Line(NamedTuple):
    """One line, and the status that it is about, for its colour."""

    text: str
    tone: str = ""


def screen(name: str, result: Mapping[str, Any], *, everything: bool = False, width: int | None = None) -> list[Line]:
    """Return the lines about one laptop. width: that of the terminal, None where lines are not broken."""
    shown = [row for row in result["checks"] if everything or row["status"] != Status.OK]
    lines = [Line(text, result["verdict"]) for text in _wrapped(headline(name, result), width)]
    if result["profiles"]:
        lines += [Line(""), *(Line(row) for row in table([HEAD, *map(profile, result["profiles"])], width))]
    for group in _alike(shown):
        lines += [Line(""), *_finding(group, width)] if not everything else _finding(group, width)
    return lines


def fleet(laptops: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Return a table with a line for each laptop, the worst first."""
    found = sorted(laptops, key=lambda laptop: (-rank(laptop), laptop["name"]))
    rows = [
        ("laptop", "verdict", "worst"),
        *((laptop["name"], laptop["verdict"] if laptop["reached"] else "unreachable", _worst_of(laptop)) for laptop in found),
    ]
    tones = ["", *(laptop["verdict"] if laptop["reached"] else "unknown" for laptop in found)]
    return [Line(text, tone) for text, tone in zip(table(rows), tones, strict=True)]


def rank(laptop: Mapping[str, Any]) -> int:
    """Return how bad a laptop is; what could not be reached may be anything."""
    return SEVERITY.index(Status(laptop["verdict"])) if laptop["reached"] else len(SEVERITY)


def headline(name: str, result: Mapping[str, Any]) -> str:
    """Return the first line."""
    total = sum(result["counts"].values())
    # What says the same is shown once, and counts once.
    counts = Counter(group[0]["status"] for group in _alike(result["checks"]))
    if not total:
        return f"{name}: nothing was examined, as --tags and --skip-tags leave no group"
    parts = [
        in_number(counts[status], word) if word else f"{counts[status]} {status}"
        for status, word in _COUNTED
        if counts.get(status)
    ]
    what = f"{', '.join(parts)} in {total} checks" if parts else f"all {total} checks are well"
    subject = "the workstation" if set(GROUPS) <= set(result.get("groups") or GROUPS) else "what was examined"
    return f"{name}: {subject} {_VERDICTS[result['verdict']]} ({what}, {result['seconds']:.1f} s)"


_VERDICTS = {
    "ok": "is well",
    "note": "is well",
    "unknown": "could not be examined whole, and nothing else is wrong",
    "warning": "works, and needs attention",
    "broken": "is broken",
}
# Each status with the noun that is counted; none where the status itself is shown.
_COUNTED = (("broken", ""), ("warning", "warning"), ("unknown", ""), ("note", "note"))


def table(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Return rows as lines with aligned columns. width: that of the terminal, for which spare columns are left out."""
    shown = columns(rows)
    lines = _aligned(shown)
    for spare in _SPARE:
        if width and max(map(len, lines)) > width and spare in shown[0]:
            place = shown[0].index(spare)
            shown = [(*row[:place], *row[place + 1 :]) for row in shown]
            lines = _aligned(shown)
    return lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _wrapped(text: str, width: int | None, indent: int = 0) -> list[str]:
    """Return a text as lines that fit behind an indent; a word is never broken."""
    room = max(30, width - indent - 1) if width else 0
    return textwrap.wrap(text, room, break_on_hyphens=False, break_long_words=False) if room else [text]


def columns(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Return the rows below a heading without the columns that are empty in all of them."""
    kept = [number for number in range(len(rows[0])) if len(rows) == 1 or any(row[number] for row in rows[1:])]
    return [tuple(row[number] for number in kept) for row in rows]


def profile(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the row of one profile, under HEAD."""
    # Only a VM that runs can tell; the size alone would read as what is used.
    used = "?" if row["disk_used_gib"] is None else f"{row['disk_used_gib']:g}"
    return (
        row["name"],
        row["state"],
        row["runtime"] + (" + Kubernetes" if row["kubernetes"] else ""),
        str(row["cpus"] or ""),
        f"{row['memory_gib']:g} GiB" if row["memory_gib"] else "",
        f"{used} of {row['disk_gib']} GiB" if row["disk_gib"] else "",
        f"{row['disk_on_laptop_gib']:g} GiB" if row["disk_on_laptop_gib"] else "",
        duration(row["uptime_seconds"]),
        row["address"],
    )


def duration(seconds: float | None) -> str:
    """Return a time as people say it."""
    if seconds is None:
        return ""
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {word}"
    return f"{seconds:.0f} s"


def _alike(rows: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return the findings, the worst first, those together that say the same."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: -SEVERITY.index(Status(row["status"]))):
        groups.setdefault((row["status"], row["found"], row["remedy"]), []).append(row)
    return list(groups.values())


def _finding(group: Sequence[Mapping[str, Any]], width: int | None) -> list[Line]:
    first = group[0]
    ids = ", ".join(dict.fromkeys(row["id"] for row in group))
    about = ", ".join(dict.fromkeys(row["about"] for row in group if row["about"]))
    text = f"{ids}{f' ({about})' if about else ''}: {first['found']}"
    lines = _wrapped(text, width, _INDENT)
    marks = [first["status"].upper().ljust(_INDENT), *[" " * _INDENT] * (len(lines) - 1)]
    shown = [Line(mark + line, first["status"]) for mark, line in zip(marks, lines, strict=True)]
    # Never broken: it is there to be pasted.
    return [*shown, Line(f"{'':{_INDENT}}{first['remedy']}")] if first["remedy"] else shown


def _worst_of(laptop: Mapping[str, Any]) -> str:
    if not laptop["reached"]:
        return str(laptop["reason"])
    bad = [row for row in laptop["checks"] if row["status"] not in (Status.OK, Status.NOTE)]
    bad.sort(key=lambda row: -SEVERITY.index(Status(row["status"])))
    return "; ".join(f"{row['id']}{f' ({about})' if (about := row['about']) else ''}: {row['found']}" for row in bad[:2])
