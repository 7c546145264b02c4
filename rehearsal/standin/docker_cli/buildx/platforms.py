# SPDX-License-Identifier: GPL-3.0-or-later
"""Platforms as buildx parses and prints them."""

from __future__ import annotations

from ..flags import Exit

Platform = dict[str, str]

ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "armhf": "arm/v7", "armel": "arm/v6"}
SYSTEMS = {"linux", "darwin", "windows", "freebsd"}
MAJOR = ("amd64", "arm64", "arm", "ppc64le", "s390x", "riscv64", "mips64")
KNOWN = {*MAJOR, "386", "loong64", "mips64le", "mips", "mipsle", "ppc64", "riscv", "wasm"}
SHOWN = 4


def parse(texts: list[str]) -> list[Platform] | None:
    """Return platforms from `--platform a,b --platform c`; None when none was given."""
    if not texts:
        return None
    return [_one(item) for text in texts for item in text.split(",")]


def _one(text: str) -> Platform:
    parts = text.lower().split("/")
    if len(parts) > 3 or not all(parts):
        raise Exit(f'ERROR: "{text}": cannot parse platform specifier: invalid argument\n')
    if len(parts) == 1 and parts[0] not in SYSTEMS:
        if ALIASES.get(parts[0], parts[0]).split("/")[0] not in KNOWN:
            raise Exit(f'ERROR: "{text}": unknown operating system or architecture: invalid argument\n')
        parts = ["linux", *parts]
    system, architecture = parts[0], ALIASES.get(parts[1], parts[1]) if len(parts) > 1 else "amd64"
    architecture, _, variant = architecture.partition("/")
    variant = parts[2] if len(parts) > 2 else variant
    if (architecture, variant) in (("arm64", "v8"), ("arm64", "8"), ("amd64", "v1")):
        variant = ""
    if architecture == "arm" and not variant:
        variant = "v7"
    platform = {"architecture": architecture, "os": system}
    return {**platform, "variant": variant} if variant else platform


def key(platform: Platform) -> str:
    parts = [platform["os"], platform["architecture"], platform.get("variant", "")]
    return "/".join(part for part in parts if part)


def groups(fixed: list[Platform], offered: list[Platform]) -> list[str]:
    """Return the names of all, the fixed ones first and starred."""
    starred = [f"{key(platform)}*" for platform in fixed]
    others = [key(platform) for platform in offered if f"{key(platform)}*" not in starred]
    return list(dict.fromkeys([*starred, *others]))


def shortened(names: list[str]) -> str:
    """Return at most four families, as the table of `buildx ls` shows them."""
    families: dict[str, list[str]] = {}
    for name in sorted(names, key=_rank):
        family = "/".join(name.rstrip("*").split("/")[:2])
        if family in families or len(families) < SHOWN:
            families.setdefault(family, []).append(name)
    out, count = [], 0
    for family, members in families.items():
        star = "*" if any(member.endswith("*") for member in members) else ""
        out.append(members[0] if len(members) == 1 else f"{family}{star} (+{len(members)})")
        count += len(members)
    if len(names) > count:
        out.append(f"({len(names) - count} more)")
    return ", ".join(out)


def _rank(name: str) -> tuple[int, str]:
    architecture = name.rstrip("*").split("/")[1]
    if name.startswith("linux/") and architecture in MAJOR:
        return MAJOR.index(architecture), ""
    return len(MAJOR), "/".join(name.rstrip("*").split("/")[:2])
