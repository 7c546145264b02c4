# SPDX-License-Identifier: GPL-3.0-or-later
"""Which setting binds which option of which module, tried in every way in which a task can get it; writes docs/policy-options.md.

Usage: python tests/unit/policy/option_table.py [--check]
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "collections")]

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from tests.integration.workstation.test_canaries import OPTIONS

PLUGINS = "ansible_collections.laptop.containers.plugins"
converge: Any = importlib.import_module(f"{PLUGINS}.action.converge")
tasks: Any = importlib.import_module(f"{PLUGINS}.plugin_utils.policy.enforcement")
settings: Any = importlib.import_module(f"{PLUGINS}.plugin_utils.policy.setting_options")
rules: Any = importlib.import_module(f"{PLUGINS}.module_utils.policy.rules")
Reader: Any = importlib.import_module(f"{PLUGINS}.module_utils.core.subject").Reader

PAGE = ROOT / "docs" / "policy-options.md"
WAYS = ("role", "own playbook", "-e")
# Of a list that a module takes, or of a single one in its place.
SINGLE = {"colima_profile": ("profiles", "colima_profiles"), "docker_context": ("contexts", "docker_context_contexts")}
SAMPLES: Mapping[str, Any] = {"str": "x", "path": "/x", "int": 1, "float": 1.0, "bool": True, "list": [], "dict": {}, "raw": "x"}
# Why no rule is about an option: it isn't a setting of any role, and a role gives it itself.
NO_SETTING: Mapping[tuple[str, str], str] = {
    ("brew_bundle", "brewfile"): "made by the role of its files",
    ("buildx_builder", "timeout"): "bounds a wait, changes nothing",
    ("colima_profile", "sizes"): "fixed by the role",
    ("docker_cli_config", "backup"): "keeps a copy",
    ("docker_context", "probe_timeout"): "bounds a wait, changes nothing",
    ("docker_socket_link", "path"): "fixed by the role",
    ("docker_socket_link", "target"): "fixed by the role",
    ("docker_volume_snapshot", "anonymous"): "only what is copied",
    ("docker_volume_snapshot", "timeout"): "bounds a wait, changes nothing",
    ("ecr_pull_secret", "expected_contexts"): "made by the role of the profiles",
    ("local_registry", "expected_contexts"): "made by the role of the profiles",
    ("local_registry", "kubeconfig"): "fixed by the role",
    ("nerdctl_wrapper", "colima"): "fixed by the role",
    ("network", "expected_contexts"): "made by the role of the profiles",
    ("network", "kubeconfig"): "fixed by the role",
    ("bootstrap", "requirements"): "the lock of the project",
    ("bootstrap", "uv"): "the lock of the project",
    ("support", "report"): "the doctor's result",
    ("upgrade", "policy"): "the policy itself",
    ("user_timer", "name"): "names the timer",
    ("user_timer", "command"): "made by the role of its settings",
    ("user_timer", "inherit"): "made by the role of its settings",
    ("user_timer", "leave"): "made by the role of its settings",
    ("user_timer", "needs"): "made by the role of its settings",
    ("user_timer", "directory"): "made by the role of its settings",
    ("user_timer", "here"): "a fact of the run",
    ("user_timer", "starts_vms"): "fixed by the role",
}


@dataclass(frozen=True)
class Row:
    """One option: the setting that binds it, and by way whether a value that breaks a rule is refused."""

    module: str
    option: str
    setting: str = ""
    why: str = ""
    held: Mapping[str, bool] = field(default_factory=dict)


def known() -> Any:
    """Return the settings of all roles."""
    return settings.Settings(DataLoader(), converge.known_subject)


def changing() -> list[str]:
    """Return the modules that change something."""
    return [module for module in sorted(converge.MODULES) if not isinstance(converge.known_subject(module), Reader | None)]


def rows() -> Iterator[Row]:
    """Yield a row for every option of every module that changes something."""
    every = known()
    bound: dict[tuple[str, str], list[tuple[str, Any]]] = {}
    for name in every._names:
        for option in every[name].options:
            bound.setdefault((option.module, option.option), []).append((name, option))
    for module in changing():
        for option in converge.subject_of(module).argument_spec:
            found = bound.get((module, option), [])
            for name, one in found:
                yield Row(module, option, f"{name}{f' (key {one.key})' if one.key else ''}", held=tried(every, name, one))
            if not found and option in _single(module):
                yield Row(module, option, f"{SINGLE[module][1]}[].{option}", held=tried_alone(every, module, option))
            elif not found:
                yield Row(module, option, why=NO_SETTING.get((module, option), ""))


def _single(module: str) -> Mapping[str, Any]:
    return converge.subject_of(module).argument_spec[SINGLE[module][0]]["options"] if module in SINGLE else {}


def tried_alone(every: Any, module: str, option: str) -> dict[str, bool]:
    """Return the same for an option of a single profile or context, which the rule on entries of the list has to hold.

    A role, and a variable of it, give the list.
    """
    several, setting = SINGLE[module]
    (whole,) = (one for one in every[setting].options if one.module == module)
    spec = _single(module)[option]
    value = OPTIONS[module][several][0].get(option, (spec.get("choices") or [SAMPLES[spec.get("type", "str")]])[0])
    entry = {"name": "lab", option: value}
    listed, alone = {**OPTIONS[module], several: [entry]}, dict(entry)
    policy = _policy(every, f"{setting}[].{option}")
    works = {way: _work(way, every[setting], whole, alone if way == "own playbook" else listed) for way in WAYS}
    return {way: any(policy.broken_by(work, lambda _tool: None)) for way, work in works.items()}


def _policy(every: Any, setting: str) -> Any:
    rule = rules.rule_of({"setting": setting, "value": "(nothing is this)", "reason": "A try.", "contact": "x", "at": "x:1"})
    policy: Any = tasks.Policy.__new__(tasks.Policy)
    policy.project, policy.settings, policy.rules = str(ROOT), every, [rule]
    return policy


def tried(every: Any, name: str, option: Any) -> dict[str, bool]:
    """Return for each way whether the policy refuses the value of an option."""
    policy = _policy(every, name)
    given = {**OPTIONS[option.module]}
    spec = converge.subject_of(option.module).argument_spec[option.option]
    given.setdefault(option.option, (spec.get("choices") or [SAMPLES[spec.get("type", "str")]])[0])
    if option.name:
        given["name"] = option.name
    return {way: any(policy.broken_by(_work(way, every[name], option, given), lambda _tool: None)) for way in WAYS}


def _work(way: str, setting: Any, option: Any, given: dict[str, Any]) -> Any:
    role = setting.role if setting.role != "workstation" else ""
    own = way == "own playbook" or not role
    variables = {setting.name: given.get(option.option)} if way == "-e" or not own else {}
    of_role = None if own else SimpleNamespace(_role_path=str(settings.ROLES / role), _role_vars={})
    task = SimpleNamespace(action=f"laptop.containers.{option.module}", _role=of_role, _ds=None)
    templar = Templar(DataLoader(), variables=variables)
    return tasks.Work(task, converge.subject_of(option.module), given, given, variables, templar)


def page() -> str:
    """Return the page."""
    lines = [
        "# What a policy binds",
        "",
        "Generated by `tests/unit/policy/option_table.py`, which tries every cell: a rule about the setting refuses what",
        "a task gets from a role's variable, in a playbook of your own, and with `-e`. An option without a setting says why no",
        "rule is about it. [policy.md](policy.md) has the language of rules.",
        "",
        "| module | option | setting | role | own playbook | -e |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows():
        cells = [("refused" if row.held[way] else "PASSES") for way in WAYS] if row.setting else [f"none: {row.why}", "", ""]
        first = f"`{row.setting}`" if row.setting else "-"
        lines.append(
            f"| `{row.module}` | `{row.option}` | {first} | {' | '.join(cells)} |".replace("|  |", "| - |").replace(
                "|  |", "| - |"
            )
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text() == page() else f"{PAGE.name} is old: run python tests/unit/policy/option_table.py")
    PAGE.write_text(page())
