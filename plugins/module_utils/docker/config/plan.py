# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs in docker's config.json and beside it, as a plan. Pure: what is on the disk comes in as facts.

An edit names one key and its new value, so it can be made to whatever the file holds at the moment of writing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...core.options import suggestion
from ...core.plan import Plan, Step

# What an edit does to a key that is to go.
ABSENT = None
_DESKTOP = "desktop"
_DESKTOP_CONTEXTS = ("desktop-linux", "desktop-windows")
_STORES = {"Darwin": ("osxkeychain",), "Linux": ("secretservice", "pass")}
_EXTRA = "cliPluginsExtraDirs"
# Debian and Ubuntu themselves, and docker's own repository, name the packages differently.
_PACKAGES = {
    "docker-buildx": "docker-buildx-plugin or docker-buildx",
    "docker-compose": "docker-compose-plugin or docker-compose-v2",
}


@dataclass(frozen=True)
class ConfigFacts:
    """What the plan needs to know of the machine.

    helpers: the system's credential helpers on PATH; desktop: whether Docker Desktop is installed; dead_directories: the extra
    plugin directories that are gone; dead_context: whether the current context is gone or Docker Desktop's without its engine;
    plugins: for each one asked for "found", or ("directory" | "program", path) where docker does not look, or None; dangling:
    plugin links to nothing, with what they name.
    """

    system: str
    helpers: frozenset[str] = frozenset()
    desktop: bool = False
    dead_directories: frozenset[str] = frozenset()
    dead_context: bool = False
    plugins: Mapping[str, tuple[str, str] | None] = field(default_factory=dict)
    dangling: Mapping[str, str] = field(default_factory=dict)
    plugin_directory: str = ""


@dataclass(frozen=True)
class EditConfig(Step):
    """A change of config.json: the key, what it holds now and what it will hold (ABSENT: it goes)."""

    key: str = ""
    before: Any = ABSENT
    after: Any = ABSENT


@dataclass(frozen=True)
class LinkPlugin(Step):
    """A link among docker's plugins: what it names now (None: no link), and the program that it will name (None: it goes)."""

    path: str = ""
    found: str | None = None
    points_to: str | None = None


@dataclass(frozen=True)
class ForgetConfigNotes(Step):
    """Remove the notes; silent."""


@dataclass(frozen=True)
class UndoFacts:
    """What undoing needs to know.

    noted: the steps of earlier runs, oldest first; linked: what their links name today; desktop: whether Docker Desktop is
    installed; contexts: which of the former current contexts exist.
    """

    noted: Sequence[EditConfig | LinkPlugin] = ()
    linked: Mapping[str, str] = field(default_factory=dict)
    desktop: bool = False
    contexts: frozenset[str] = frozenset()


def edit(key: str, before: Any, after: Any) -> EditConfig:
    """Return the change of one key."""
    detail = f"{_short(before)} -> {_short(after)}"
    return EditConfig("set" if after is not ABSENT else "remove", f"'{key}' in docker's config.json", detail, key, before, after)


def _short(value: Any) -> str:
    """Return a form without secrets: only settings that this module knows are ever shown."""
    return "nothing" if value is ABSENT else str(value)


def plan_config(config: Mapping[str, Any], facts: ConfigFacts, repair: bool) -> Plan:
    """Return the edits and links. With repair, leftovers of Docker Desktop go."""
    warnings: list[str] = []
    edits = {change.key: change for change in _repairs(config, facts, warnings)} if repair else {}
    links: list[LinkPlugin] = []
    for name, place in facts.plugins.items():
        if place is None:
            warnings.append(_not_installed(name, facts.system))
        elif place[0] == "directory":
            extra = edits[_EXTRA].after if _EXTRA in edits else config.get(_EXTRA)
            listed = extra if isinstance(extra, list) else []
            if place[1] not in listed:
                edits[_EXTRA] = edit(_EXTRA, config.get(_EXTRA), [*listed, place[1]])
        elif place[0] == "program":
            path = f"{facts.plugin_directory}/{name}"
            found = facts.dangling.get(path)
            links.append(LinkPlugin("link", f"docker plugin '{name}'", f"{path} -> {place[1]}", path, found, place[1]))
    replaced = {step.path for step in links}
    gone = [_unlink(path, found) for path, found in facts.dangling.items() if repair and path not in replaced]
    return _plan(config, [*edits.values(), *gone, *links], warnings)


def _not_installed(plugin: str, system: str) -> str:
    how = f"brew install {plugin}" if system == "Darwin" else f"package {_PACKAGES.get(plugin, plugin)}"
    near = suggestion(plugin, _PACKAGES, 0.8) if plugin not in _PACKAGES else ""
    return f"The docker plugin '{plugin}' is not installed.{near} Install it ({how}), then run again."


def _plan(config: Mapping[str, Any], steps: Sequence[Step], warnings: Sequence[str]) -> Plan:
    before = {step.key: config.get(step.key) for step in steps if isinstance(step, EditConfig)}
    after = {step.key: step.after for step in steps if isinstance(step, EditConfig)}
    before |= {step.path: step.found for step in steps if isinstance(step, LinkPlugin)}
    after |= {step.path: step.points_to for step in steps if isinstance(step, LinkPlugin)}
    return Plan(tuple(steps), before, after, warnings=tuple(warnings))


def _unlink(path: str, found: str) -> LinkPlugin:
    return LinkPlugin("remove", f"docker plugin link '{path}'", "its target is gone", path, found)


def _repairs(config: Mapping[str, Any], facts: ConfigFacts, warnings: list[str]) -> Iterator[EditConfig]:
    if not facts.desktop:
        yield from _without_desktop(config, facts, warnings)
    extra = config.get(_EXTRA)
    if isinstance(extra, list) and any(item in facts.dead_directories for item in extra if isinstance(item, str)):
        alive = [item for item in extra if not (isinstance(item, str) and item in facts.dead_directories)]
        yield edit(_EXTRA, extra, alive or ABSENT)
    if facts.dead_context:
        yield edit("currentContext", config.get("currentContext"), ABSENT)


def _without_desktop(config: Mapping[str, Any], facts: ConfigFacts, warnings: list[str]) -> Iterator[EditConfig]:
    """Yield the edits after which docker asks no credential helper of Docker Desktop's."""
    store, helpers = config.get("credsStore"), config.get("credHelpers")
    if store == _DESKTOP:
        other = next((name for name in _STORES.get(facts.system, ()) if name in facts.helpers), ABSENT)
        yield edit("credsStore", store, other)
        if other is ABSENT:
            warnings.append(
                "docker keeps new logins unencrypted in its config.json now, as no credential helper is installed. "
                "Install one (brew install docker-credential-helper), set credsStore to its name, and log in again."
            )
    if isinstance(helpers, dict) and _DESKTOP in helpers.values():
        left = {host: name for host, name in helpers.items() if name != _DESKTOP}
        yield edit("credHelpers", helpers, left or ABSENT)


def of_docker_desktop(path_or_context: str) -> bool:
    """Whether a plugin directory, a link's target or a context's name comes from Docker Desktop."""
    return "Docker.app/" in path_or_context + "/" or path_or_context in _DESKTOP_CONTEXTS


def plan_undo(config: Mapping[str, Any], undo: UndoFacts) -> Plan:
    """Return the steps that undo earlier ones, last first. What was changed since then stays, and so does what docker needs."""
    steps: list[Step] = []
    lost: dict[str, str] = {}
    now, linked = dict(config), dict(undo.linked)
    for note in reversed(undo.noted):
        if isinstance(note, EditConfig) and now.get(note.key) == note.after and note.key not in lost:
            missing = _missing(note.key, note.before, undo)
            if missing:
                lost[note.key] = (
                    f"'{note.key}' in docker's config.json was not set back to {_short(note.before)}, "
                    f"as {missing} and docker would fail."
                )
                continue
            steps.append(edit(note.key, note.after, note.before))
            now[note.key] = note.before
        elif isinstance(note, LinkPlugin) and note.points_to is not None and linked.get(note.path) == note.points_to:
            # A run that was killed may have noted it twice.
            del linked[note.path]
            steps.append(
                LinkPlugin("remove", f"docker plugin link '{note.path}'", "made by an earlier run", note.path, note.points_to)
            )
    if undo.noted:
        steps.append(ForgetConfigNotes("forget", "the changes of earlier runs", silent=True))
    return _plan(config, steps, tuple(lost.values()))


def _missing(key: str, value: Any, undo: UndoFacts) -> str:
    """Return what docker would miss with a former value; empty when it is all there."""
    if key == "currentContext" and value not in (ABSENT, "", "default", *undo.contexts):
        return f"the context '{value}' does not exist"
    names = value.values() if isinstance(value, dict) else (value,)
    if key in ("credsStore", "credHelpers") and _DESKTOP in names and not undo.desktop:
        return f"the program 'docker-credential-{_DESKTOP}' is not installed"
    return ""


def edited(config: Mapping[str, Any], edits: Sequence[EditConfig]) -> dict[str, Any]:
    """Return the settings with the edits made: other keys and the order stay."""
    changed = dict(config)
    for item in edits:
        if item.after is ABSENT:
            changed.pop(item.key, None)
        else:
            changed[item.key] = item.after
    return changed
