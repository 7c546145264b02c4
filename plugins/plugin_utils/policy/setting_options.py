# SPDX-License-Identifier: GPL-3.0-or-later
"""Which option of which module a setting of a role becomes, read from the roles themselves: a new setting is known at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...module_utils.company.network import OPTIONS as COMPANY
from ...module_utils.core.options import suggestion
from ...module_utils.core.subject import Subject
from ...module_utils.policy.path import LEFT_OUT, Entries, Key
from ...module_utils.policy.path import Path as Way
from ..plays import OURS
from ..settings import OF_PLAYBOOKS

ROLES = Path(__file__).resolve().parents[3] / "roles"
# Only what has a default is a setting; the others say where a run takes place and what it reads.
PLAYBOOK_SETTINGS = {name: spec for name, spec in OF_PLAYBOOKS.items() if "default" in spec}
_PLAIN = re.compile(r"\{\{\s*(\w+)\s*(?:\|\s*default\([^()]*\)\s*)?\}\}")
# Settings that become an option together with something else: module, option, and the key inside.
_MIXED: Mapping[str, tuple[str, str, str]] = {
    "colima_host": ("colima_profile", "host", ""),
    "colima_host_weight": ("colima_profile", "host", "weight"),
    "colima_reserve_memory_mib": ("colima_profile", "host", "reserve_memory_mib"),
    "docker_cli_env_file": ("docker_cli_config", "env_file", ""),
    "docker_context_current": ("docker_context", "current_context", ""),
    "move_runtime": ("move", "runtime", ""),
    "secret_refresh_context": ("ecr_pull_secret", "contexts", ""),
    "secret_refresh_unreachable": ("ecr_pull_secret", "unreachable", ""),
    "support_path": ("support", "path", ""),
}
# Modules that get a company's network as one option.
_IN_COMPANY = ("buildx_builder", "colima_profile")


@dataclass(frozen=True)
class Option:
    """An option that a setting becomes.

    name: the timer, of a module that is called once for each. mixed: several settings make the option. key: the suboption.
    """

    module: str
    option: str
    name: str = ""
    mixed: bool = False
    key: str = ""

    def of(self, options: Mapping[str, Any]) -> Any:
        """Return the setting's value in a module's options, LEFT_OUT where there is none."""
        value = options.get(self.option)
        if value is None and (self.module, self.option) in (("colima_profile", "profiles"), ("docker_context", "contexts")):
            # A single one is written without a list.
            return [options]
        if self.key:
            value = value.get(self.key) if isinstance(value, Mapping) else None
        return LEFT_OUT if value is None else value


@dataclass(frozen=True)
class Setting:
    """A setting: its role ("workstation": the playbooks), the specification of its value, its default, and its options."""

    name: str
    role: str
    spec: Mapping[str, Any]
    default: Any
    options: tuple[Option, ...] = ()


class Settings:
    """The settings of all roles, each role read when it is asked for."""

    def __init__(self, loader: Any, subject_of: Callable[[str], Subject[Any, Any] | None]) -> None:
        self._loader, self._subject_of = loader, subject_of
        self._known: dict[str, Setting | None] = {}
        # The loader copies what it has read at each asking; nothing here is changed.
        self._files: dict[Path, Any] = {}

    def __getitem__(self, name: str) -> Setting:
        """Return a setting that is known."""
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def get(self, name: str) -> Setting | None:
        """Return a setting; None for an unknown one."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def mistakes(self, way: Way) -> Iterator[str]:
        """Yield what is wrong with a path: a setting that no role has, or a key that its value can't have."""
        setting = self.get(way.setting)
        if setting is None:
            yield f"setting '{way.setting}' is unknown.{suggestion(way.setting, self._names)}"
            return
        spec, shown = setting.spec, way.setting
        for part in way.parts:
            is_list = spec.get("type") == "list"
            if isinstance(part, Entries):
                if not is_list:
                    yield f"'{shown}' is not a list, so it has no entries"
                    return
                spec, shown = {**spec, "type": spec.get("elements", "str")}, f"{shown}[]"
                inside = spec.get("options")
                if part.key and inside and part.key not in inside:
                    yield f"'{part.key}' is not a key of '{shown}'.{suggestion(part.key, inside)}"
                continue
            yield from _key_mistakes(spec, part, shown, is_list=is_list)
            spec, shown = (spec.get("options") or {}).get(part.name, {"type": "raw"}), f"{shown}.{part.name}"

    @cached_property
    def _names(self) -> list[str]:
        roles = (role for role in ROLES.iterdir() if role.is_dir())
        return sorted({*PLAYBOOK_SETTINGS, *(name for role in roles for name in self._load(role / "defaults" / "main.yml"))})

    def _find(self, name: str) -> Setting | None:
        if name in PLAYBOOK_SETTINGS:
            of_playbook = {"type": PLAYBOOK_SETTINGS[name]["type"]}
            return Setting(name, "workstation", of_playbook, PLAYBOOK_SETTINGS[name]["default"])
        roles = [role for role in ROLES.iterdir() if name.startswith(f"{role.name}_")]
        role = max(roles, key=lambda role: len(role.name), default=None)
        defaults = self._load(role / "defaults" / "main.yml") if role else {}
        if role is None or name not in defaults:
            return None
        options = tuple(dict.fromkeys(self._options(name)))
        spec: Mapping[str, Any] = self._load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"][name]
        plain = next((option for option in options if not option.mixed), None)
        subject = self._subject_of(plain.module) if plain else None
        return Setting(
            name, role.name, subject.argument_spec[plain.option] if subject and plain else spec, defaults[name], options
        )

    def _options(self, name: str) -> Iterator[Option]:
        if name in _MIXED:
            module, option, key = _MIXED[name]
            yield Option(module, option, mixed=True, key=key)
        role, _end, key = name.partition("_")
        if role == "network" and key in COMPANY:
            yield from (Option(module, "company_network", mixed=True, key=key) for module in _IN_COMPANY)
        for module, given in self._calls:
            for option, raw in given.items():
                found = _PLAIN.fullmatch(str(raw))
                if found and found[1] == name:
                    fixed = given.get("name")
                    timer = str(fixed) if fixed is not None and "{" not in str(fixed) else ""
                    yield Option(module, option, timer)

    @cached_property
    def _calls(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Each call of a module in any task file of any role, with its options as they are written."""
        return [
            (module, given)
            for file in sorted(ROLES.glob("*/tasks/*.yml"))
            for task in _in_blocks(self._load(file) or ())
            for action, given in task.items()
            if (module := str(action).removeprefix(OURS)) != action and isinstance(given, Mapping) and self._subject_of(module)
        ]

    def _load(self, file: Path) -> Any:
        if file not in self._files:
            self._files[file] = (self._loader.load_from_file(str(file)) or {}) if file.is_file() else {}
        return self._files[file]


def _in_blocks(tasks: Any) -> Iterator[Mapping[str, Any]]:
    for task in tasks if isinstance(tasks, list) else ():
        if isinstance(task, Mapping):
            yield task
            for part in ("block", "rescue", "always"):
                yield from _in_blocks(task.get(part))


def _key_mistakes(spec: Mapping[str, Any], part: Key, shown: str, *, is_list: bool) -> Iterator[str]:
    if is_list:
        yield f"'{shown}' is a list: write {shown}[].{part.name}"
    elif spec.get("type", "str") not in ("dict", "raw"):
        yield f"'{shown}' has no keys"
    elif spec.get("options") and part.name not in spec["options"]:
        yield f"'{part.name}' is not a key of '{shown}'.{suggestion(part.name, spec['options'])}"
