# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what each setting is on a laptop, and where that comes from; see the module of the same name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.colima.model.shown import without_secrets
from ..module_utils.core.errors import WorkstationError
from ..module_utils.core.secrecy.patterns import NOT_SHOWN
from ..module_utils.policy.judge import Violation, demands
from ..module_utils.policy.rules import Rule
from ..plugin_utils.layers import Place, layers_of, places_of
from ..plugin_utils.policy.files import policy_files
from ..plugin_utils.settings import OF_PLAYBOOKS, mentioned, why_unknown, wrong_options
from ..plugin_utils.templates import unread
from .converge import known_subject

_SPEC = {"show": {"type": "str", "choices": ["set", "all"], "default": "set"}}
_ROLES = Path(__file__).resolve().parents[2] / "roles"


class ActionModule(ActionBase):
    """See the documentation of the module."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the settings, and whether the defaults are to be shown as well."""
        super().run(tmp, task_vars)
        if wrong := wrong_options(self._task, _SPEC, {"show": "settings_show"}):
            return {"failed": True, "msg": wrong}
        _spec, options = self.validate_argument_spec(_SPEC)
        try:
            return {"changed": False, "show": options["show"], "settings": list(self._settings(task_vars or {}))}
        except WorkstationError as error:
            # A broken policy; of settings, the problem is in their row.
            return {"failed": True, **error.result}

    def _settings(self, variables: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        play, project = self._task.get_play(), str(Path.cwd())
        manager = play.get_variable_manager()
        layers = layers_of(play, manager._inventory.get_host(variables["inventory_hostname"]))
        roles = {role.name: self._of_role(role) for role in sorted(_ROLES.iterdir()) if role.is_dir()}
        defaults = {name: value for values in roles.values() for name, value in values["defaults"].items()}
        private = {name: value for values in roles.values() for name, value in values["vars"].items()}
        known = {**defaults, **variables}
        templar = self._templar.copy_with_new_env(available_variables={**known, **private})
        policy = self._policy(known, templar)
        yield from self._unknown(
            {*defaults, *private, *OF_PLAYBOOKS, *(f"{role}_result" for role in roles)}, defaults, layers, project
        )
        for role, names in {**{role: values["defaults"] for role, values in roles.items()}, "workstation": OF_PLAYBOOKS}.items():
            for name in names:
                places = places_of(name, layers, project)
                if places or name in defaults:
                    yield {
                        "role": role,
                        "name": name,
                        **_value(name, templar, known[name]),
                        **_from(places),
                        "policy": policy.get(name, []),
                    }

    def _unknown(
        self, known: set[str], settings: Mapping[str, Any], layers: list[tuple[str, Mapping[str, Any]]], project: str
    ) -> Iterator[dict[str, Any]]:
        """Yield what is set and looks like a setting, and that no role knows."""
        written = {name: value for _layer, values in layers for name, value in values.items()}
        helpers = mentioned(written, known)
        prefixes = (*(f"{role.name}_" for role in _ROLES.iterdir()), "settings_", "workstation_")
        for name, value in written.items():
            if name not in known | helpers and (why := why_unknown(name, known, settings, prefixes)):
                place = _from(places_of(name, layers, project))
                yield {"role": "", "name": name, "value": without_secrets(value), "problem": why, **place, "policy": []}

    def _policy(self, variables: Mapping[str, Any], templar: Any) -> dict[str, list[dict[str, Any]]]:
        """Return what the team's policy says of settings. Raises WorkstationError for an invalid policy."""
        files = policy_files(self._task.get_play())
        found: dict[str, list[dict[str, Any]]] = {}
        if files:
            from ..plugin_utils.policy.enforcement import Policy

            for rule, broken in Policy(files, self._loader, known_subject).kept(variables, templar):
                found.setdefault(rule.subject, []).append(_of_rule(rule, broken))
        return found

    def _of_role(self, role: Path) -> dict[str, dict[str, Any]]:
        files = {kind: role / kind / "main.yml" for kind in ("defaults", "vars")}
        return {kind: self._loaded(file) if file.exists() else {} for kind, file in files.items()}

    def _loaded(self, file: Path) -> dict[str, Any]:
        return self._loader.load_from_file(str(file), trusted_as_template=True) or {}


def _of_rule(rule: Rule, broken: list[Violation]) -> dict[str, Any]:
    return {
        "of": str(rule.path),
        "demand": demands(rule),
        "reason": rule.reason,
        "contact": rule.contact,
        "at": rule.at,
        "broken": [problem.found for problem in broken],
    }


def _value(name: str, templar: Any, raw: Any) -> dict[str, Any]:
    """Return a value as it counts, without what could be a secret; or why it can't be read."""
    try:
        value = json.loads(json.dumps(templar.template(raw), default=lambda _vaulted: NOT_SHOWN))
    except Exception as error:
        sentence, _text = unread(name, error, templar.available_variables, OF_PLAYBOOKS)
        return {"value": None, "problem": sentence}
    return {"value": without_secrets(value), "problem": ""}


def _from(places: list[Place]) -> dict[str, Any]:
    if not places:
        return {"layer": "default", "at": "", "instead_of": []}
    first, *others = places
    return {"layer": first.layer, "at": first.at, "instead_of": [other.at or other.layer for other in others]}
