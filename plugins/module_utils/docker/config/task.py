# SPDX-License-Identifier: GPL-3.0-or-later
"""docker's own configuration as a subject: options, reading, and carrying out each step."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...colima_paths import parse_name, resolve
from ...core.errors import InputError, NotVerified
from ...core.notes import Notes
from ...core.plan import Plan, Step, merge
from ...core.subject import Result, Subject
from ...core.system.files import FileState, check_path, read_file
from ...core.system.home import home
from ...core.system.lock import user_files
from ..client import config_file, docker_directory, read_config
from .env_file import RemoveEnv, WriteEnv, apply_env_file, plan_env_file
from .file import ConfigFile
from .plan import ConfigFacts, EditConfig, ForgetConfigNotes, LinkPlugin, UndoFacts, edited, plan_config, plan_undo
from .properties import NAME, WriteProperties, apply_properties, plan_properties, read_properties
from .surroundings import apply_link, look_around, undo_facts

_PLUGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")


@dataclass(frozen=True)
class DockerConfigSpec:
    """What the options ask for. host: the address of the profile's socket; properties: that it stands in testcontainers' file."""

    present: bool
    repair: bool
    plugins: tuple[str, ...]
    host: str
    env_file: Path | None
    properties: bool
    backup: bool


@dataclass(frozen=True)
class DockerConfigState:
    """What was found: docker's settings, what surrounds them (or what undoing needs to know), and the files for other tools."""

    config: Mapping[str, Any]
    facts: ConfigFacts | UndoFacts
    env: FileState
    properties: FileState


class DockerConfig(Subject[DockerConfigSpec, DockerConfigState]):
    """docker's config.json and what belongs to it."""

    argument_spec = {
        "repair": {"type": "bool", "default": True},
        "plugins": {"type": "list", "elements": "str", "default": ["docker-buildx", "docker-compose"]},
        "profile": {"type": "str", "default": "docker-buildx"},
        "env_file": {"type": "path"},
        "testcontainers": {"type": "bool", "default": False},
        "backup": {"type": "bool", "default": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    work = "converge docker's configuration"

    asked: DockerConfigSpec

    def __init__(self) -> None:
        self.directory = docker_directory(os.environ, home())
        self.file = ConfigFile(config_file(self.directory))
        self.properties = Path(home()) / NAME
        self.notes = Notes("docker_cli_config")
        self.kept: Path | None = None

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> DockerConfigSpec:
        """Return what docker's configuration is to have. Raises InputError."""
        del check_mode
        if params["env_file"]:
            check_path("environment file", params["env_file"])
        for name in params["plugins"]:
            if not _PLUGIN.fullmatch(name):
                raise InputError(f"look for docker plugin {name!r}", "its name is invalid", "Use one such as docker-compose.")
        self.asked = DockerConfigSpec(
            present=params["state"] == "present",
            repair=params["repair"],
            plugins=tuple(params["plugins"]),
            host=resolve(os.environ, platform.system()).socket(parse_name(params["profile"]), "docker"),
            env_file=Path(params["env_file"]) if params["env_file"] else None,
            properties=params["testcontainers"],
            backup=params["backup"],
        )
        return self.asked

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep other runs away from the user's files."""
        return user_files(self.work)

    def read(self, spec: DockerConfigSpec) -> DockerConfigState:
        """Return docker's settings and what surrounds them."""
        config = read_config(self.directory)
        others = (read_file(spec.env_file) if spec.env_file else FileState("absent"), read_properties(self.properties))
        if spec.present:
            return DockerConfigState(
                config, look_around(self.directory, config, spec.plugins, platform.system(), os.environ), *others
            )
        noted = tuple(_steps_of(self.notes.read().get(str(self.directory))))
        return DockerConfigState(config, undo_facts(self.directory, noted, os.environ), *others)

    def plan(self, spec: DockerConfigSpec, current: DockerConfigState) -> Plan:
        """Return the edits and links, then the files for other tools."""
        facts = current.facts
        made = (
            plan_undo(current.config, facts) if isinstance(facts, UndoFacts) else plan_config(current.config, facts, spec.repair)
        )
        host = spec.host if spec.present else None
        plans = [made, plan_properties(self.properties, current.properties, host if spec.properties else None)]
        if spec.env_file is not None:
            plans.append(plan_env_file(spec.env_file, current.env, host))
        return merge(plans)

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if self.asked.present and isinstance(step, EditConfig | LinkPlugin):
            # Noted first: after a kill in between, the change can still be undone.
            self._note(step)
        if isinstance(step, EditConfig):
            # The copy is of the file as it was before the first edit.
            kept = self.file.edit(lambda settings: self._edited(settings, step), self.asked.backup and self.kept is None)
            self.kept = self.kept or kept
        elif isinstance(step, LinkPlugin):
            apply_link(step)
        elif isinstance(step, WriteEnv | RemoveEnv):
            apply_env_file(step)
        elif isinstance(step, WriteProperties):
            apply_properties(step)
        elif isinstance(step, ForgetConfigNotes):
            with self.notes.edit() as notes:
                notes.pop(str(self.directory), None)

    def _edited(self, settings: dict[str, Any], step: EditConfig) -> dict[str, Any]:
        if settings.get(step.key) not in (step.before, step.after):
            reason = "another program changed it a moment ago"
            raise NotVerified(f"{step.verb} {step.target}", reason, "Run again: it continues from there.")
        return edited(settings, [step])

    def _note(self, step: EditConfig | LinkPlugin) -> None:
        if isinstance(step, EditConfig):
            note = {"key": step.key, "before": step.before, "after": step.after}
        else:
            note = {"path": step.path, "points_to": step.points_to}
        with self.notes.edit() as notes:
            before = notes.get(str(self.directory))
            notes[str(self.directory)] = [*(before if isinstance(before, list) else ()), note]

    def public(self, outcome: Result[DockerConfigSpec, DockerConfigState]) -> dict[str, Any]:
        """Return the socket of the profile, and where config.json was kept."""
        socket = outcome.spec.host.removeprefix("unix://")
        return {"socket": socket, **({"backup_file": str(self.kept)} if self.kept else {})}


SUBJECT = DockerConfig


def _steps_of(notes: object) -> Iterator[EditConfig | LinkPlugin]:
    """Yield the noted steps; what can't be one of them is passed over."""
    for note in notes if isinstance(notes, Iterable) else ():
        if isinstance(note, Mapping) and isinstance(note.get("key"), str):
            yield EditConfig("set", "", key=note["key"], before=note.get("before"), after=note.get("after"))
        elif isinstance(note, Mapping) and isinstance(note.get("path"), str):
            yield LinkPlugin("link", "", path=note["path"], points_to=note.get("points_to"))
