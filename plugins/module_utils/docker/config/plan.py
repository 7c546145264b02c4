# SPDX-License-Identifier: GPL-3.0-or-later
"""What should differ in docker's config.json and beside it, as a plan. Pure: what is on the disk comes in as facts.

An edit names one key and its new value, so it can be made to whatever the file holds at the moment of writing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...core.plan import Plan, Step

# What an edit does to a key that shall not be there.
ABSENT = None
_DESKTOP = "desktop"
_DESKTOP_CONTEXTS = ("desktop-linux", "desktop-windows")
_STORES = {"Darwin": ("osxkeychain",), "Linux": ("secretservice", "pass")}
# Debian and Ubuntu themselves, and docker's own repository, name the packages differently.
_PACKAGES = {
    "docker-buildx": "docker-buildx-plugin or docker-buildx",
    "docker-compose": "docker-compose-plugin or docker-compose-v2",
}


@dataclass(frozen=True)
class Facts:
    """What the plan needs to know of the machine.

    helpers: the system's credential helpers on PATH; desktop: whether Docker Desktop is installed; dead_directories: of the extra
    plugin directories, those that are gone; dead_context: whether the current context is gone or Docker Desktop's without its
    engine; plugins: for each one asked for "found", or ("directory" | "program", path) where docker does not look, or None;
    dangling: plugin links to nothing.
    """

    system: str
    helpers: frozenset[str] = frozenset()
    desktop: bool = False
    dead_directories: frozenset[str] = frozenset()
    dead_context: bool = False
    plugins: Mapping[str, tuple[str, str] | None] = field(default_factory=dict)
    dangling: Sequence[str] = ()
    plugin_directory: str = ""


@dataclass(frozen=True)
class Edit(Step):
    """A change of config.json: the key, what it holds now and what it will hold (ABSENT: it is taken away)."""

    key: str = ""
    before: Any = ABSENT
    after: Any = ABSENT


@dataclass(frozen=True)
class Link(Step):
    """A link among docker's plugins: made to point to a program, or removed where points_to is None."""

    path: str = ""
    points_to: str | None = None


def edit(key: str, before: Any, after: Any) -> Edit:
    """Return the change of one key."""
    detail = f"{_short(before)} -> {_short(after)}"
    return Edit("set" if after is not ABSENT else "take away", f"'{key}' in docker's config.json", detail, key, before, after)


def _short(value: Any) -> str:
    """Return a form without secrets: only settings that this module knows are ever shown."""
    return "nothing" if value is ABSENT else str(value)


def plan_config(config: Mapping[str, Any], facts: Facts, repair: bool) -> Plan:
    """Return the edits and links. With repair, leftovers of Docker Desktop go."""
    steps: list[Step] = []
    warnings: list[str] = []
    after = dict(config)
    if repair:
        for change in _repairs(config, facts, warnings):
            after[change.key] = change.after
            steps.append(change)
        steps += [_unlink(path) for path in facts.dangling]
    for name, place in facts.plugins.items():
        if place is None:
            how = f"brew install {name}" if facts.system == "Darwin" else f"package {_PACKAGES.get(name, name)}"
            warnings.append(f"The docker plugin '{name}' is not installed. Install it ({how}), then run again.")
        elif place[0] == "directory":
            extra = [*(after.get("cliPluginsExtraDirs") or []), place[1]]
            if place[1] not in (after.get("cliPluginsExtraDirs") or []):
                steps = [step for step in steps if not (isinstance(step, Edit) and step.key == "cliPluginsExtraDirs")]
                steps.append(edit("cliPluginsExtraDirs", config.get("cliPluginsExtraDirs"), extra))
                after["cliPluginsExtraDirs"] = extra
        elif place[0] == "program":
            path = f"{facts.plugin_directory}/{name}"
            steps.append(Link("link", f"docker plugin '{name}'", f"{path} -> {place[1]}", path, place[1]))
    shown = [step.key for step in steps if isinstance(step, Edit)]
    return Plan(
        tuple(steps),
        {**{key: config.get(key) for key in shown}, **_links(steps, before=True)},
        {**{key: after.get(key) for key in shown}, **_links(steps, before=False)},
        warnings=tuple(warnings),
    )


def _unlink(path: str) -> Link:
    return Link("remove", f"docker plugin link '{path}'", "its target is gone", path)


def _links(steps: Sequence[Step], before: bool) -> dict[str, str | None]:
    return {
        step.path: None if before == (step.points_to is not None) else (step.points_to or "a link to nothing")
        for step in steps
        if isinstance(step, Link)
    }


def _repairs(config: Mapping[str, Any], facts: Facts, warnings: list[str]) -> list[Edit]:
    edits = []
    store = config.get("credsStore")
    if store == _DESKTOP and not facts.desktop:
        other = next((name for name in _STORES.get(facts.system, ()) if name in facts.helpers), ABSENT)
        edits.append(edit("credsStore", store, other))
        if other is ABSENT:
            warnings.append(
                "docker keeps new logins unencrypted in its config.json now, as no credential helper is installed. "
                "Install one (brew install docker-credential-helper), set credsStore to its name, and log in again."
            )
    helpers = config.get("credHelpers")
    if isinstance(helpers, dict) and not facts.desktop and _DESKTOP in helpers.values():
        left = {host: name for host, name in helpers.items() if name != _DESKTOP}
        edits.append(edit("credHelpers", helpers, left or ABSENT))
    extra = config.get("cliPluginsExtraDirs")
    if isinstance(extra, list) and any(item in facts.dead_directories for item in extra if isinstance(item, str)):
        alive = [item for item in extra if not (isinstance(item, str) and item in facts.dead_directories)]
        edits.append(edit("cliPluginsExtraDirs", extra, alive or ABSENT))
    if facts.dead_context:
        edits.append(edit("currentContext", config.get("currentContext"), ABSENT))
    return edits


def of_docker_desktop(path_or_context: str) -> bool:
    """Whether a plugin directory, a link's target or a context's name is one that Docker Desktop makes."""
    return "Docker.app/" in path_or_context + "/" or path_or_context in _DESKTOP_CONTEXTS


def plan_undo(
    config: Mapping[str, Any],
    notes: Sequence[Mapping[str, Any]],
    linked: Mapping[str, str | None],
    desktop: bool,
    contexts: Collection[str],
) -> Plan:
    """Return the steps that take earlier edits back, last first. What somebody changed since then stays as it is.

    So does what docker would fail on. notes are the earlier steps; linked tells what the links of these notes point to today,
    desktop whether Docker Desktop is installed, contexts which of the former contexts are there.
    """
    steps: list[Step] = []
    lost: dict[str, str] = {}
    now = dict(config)
    for note in reversed(notes):
        if "key" in note and now.get(note["key"]) == note["after"] and note["key"] not in lost:
            missing = _missing(note["key"], note["before"], desktop, contexts)
            if missing:
                lost[note["key"]] = (
                    f"'{note['key']}' in docker's config.json was not set back to {_short(note['before'])}, "
                    f"as {missing} and docker would fail."
                )
                continue
            steps.append(edit(note["key"], note["after"], note["before"]))
            now[note["key"]] = note["before"]
        elif "path" in note and note["points_to"] is not None and linked.get(note["path"]) == note["points_to"]:
            steps.append(Link("remove", f"docker plugin link '{note['path']}'", "made by an earlier run", note["path"]))
    before = {step.key: step.before for step in reversed(steps) if isinstance(step, Edit)}
    after = {step.key: step.after for step in steps if isinstance(step, Edit)}
    return Plan(tuple(steps), before, after, warnings=tuple(lost.values()))


def _missing(key: str, value: Any, desktop: bool, contexts: Collection[str]) -> str:
    """Return what docker would miss with a former value; empty when it is all there."""
    if key == "currentContext" and value not in (ABSENT, "", "default", *contexts):
        return f"the context '{value}' does not exist"
    names = value.values() if isinstance(value, dict) else (value,)
    if key in ("credsStore", "credHelpers") and _DESKTOP in names and not desktop:
        return f"the program 'docker-credential-{_DESKTOP}' is not installed"
    return ""


def edited(config: Mapping[str, Any], edits: Sequence[Edit]) -> dict[str, Any]:
    """Return the settings with the edits made: other keys and the order stay."""
    changed = dict(config)
    for item in edits:
        if item.after is ABSENT:
            changed.pop(item.key, None)
        else:
            changed[item.key] = item.after
    return changed
