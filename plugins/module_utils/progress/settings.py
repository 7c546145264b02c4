# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a laptop as lines: file by file what is set there, as YAML that can be copied. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..core.plan import in_number

_STRENGTH = ("command line", "your own settings", "playbook", "laptop", "group", "team", "default")


def settings_lines(name: str, rows: Sequence[Mapping[str, Any]], *, everything: bool, width: int | None) -> Iterator[str]:
    """Yield what is printed of a laptop's settings. everything: the defaults as well; width: of the terminal, None: unknown."""
    there: dict[tuple[int, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        file, _colon, _line = row["at"].rpartition(":")
        there.setdefault((_rank(row["layer"]), row["layer"], file), []).append(row)
    defaults = sum(row["layer"] == "default" for row in rows)
    yield f"{name}: {_in_numbers(rows, defaults)}"
    for (_strength, layer, file), rows_there in sorted(there.items(), key=lambda item: item[0]):
        # Of the defaults at least the ones that the team's policy does not allow.
        found = [row for row in rows_there if everything or layer != "default" or any(rule["broken"] for rule in row["policy"])]
        if not found:
            continue
        yield ""
        yield f"{layer} ({file})" if file else layer
        for row in sorted(found, key=_line_of):
            yield from _setting(row, width)
    if defaults and not everything:
        yield ""
        yield "The defaults, too: -e settings_show=all"


def _in_numbers(rows: Sequence[Mapping[str, Any]], defaults: int) -> str:
    unknown = sum(not row["role"] for row in rows)
    ill = f"; {in_number(unknown, 'name')} below {'is' if unknown == 1 else 'are'} unknown" if unknown else ""
    return f"{len(rows) - unknown - defaults} of {len(rows) - unknown} settings are not the default{ill}"


def _rank(layer: str) -> int:
    return _STRENGTH.index(layer if layer in _STRENGTH else layer.partition(" ")[0])


def _line_of(row: Mapping[str, Any]) -> int:
    return int(row["at"].rpartition(":")[2] or 0)


def _setting(row: Mapping[str, Any], width: int | None) -> Iterator[str]:
    import yaml

    if row["problem"]:
        text = f"{row['name']}:  # {row['problem']}"
    else:
        room = (width or 130) - 7
        text = yaml.safe_dump({row["name"]: row["value"]}, sort_keys=False, allow_unicode=True, width=room).rstrip()
    number = row["at"].rpartition(":")[2]
    for index, line in enumerate(text.splitlines()):
        yield f"{number if index == 0 else '':>5}  {line}".rstrip()
    for rule in row["policy"]:
        yield f"       # policy: {rule['of']}: it {rule['demand']} ({rule['at']})"
        for found in rule["broken"]:
            yield f"       # BROKEN: {found.partition(';')[0]}. Reason: {rule['reason'].rstrip('.')}. Contact: {rule['contact']}"
    if row["instead_of"]:
        yield f"       # instead of {', '.join(row['instead_of'])}"
