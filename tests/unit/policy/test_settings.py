# SPDX-License-Identifier: GPL-3.0-or-later
"""Which options the settings of the roles become, and which paths a rule may have."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.policy.path import path_from
from ansible_collections.laptop.containers.plugins.module_utils.policy.rules import rules_from
from ansible_collections.laptop.containers.plugins.plugin_utils.policy.files import read
from ansible_collections.laptop.containers.plugins.plugin_utils.policy.setting_options import PLAYBOOK_SETTINGS, Settings
from ansible_collections.laptop.containers.plugins.plugin_utils.settings import OF_PLAYBOOKS

# By its name: an action plugin extends a class that has no types.
known_subject = import_module("ansible_collections.laptop.containers.plugins.action.converge").known_subject
ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "inventory" / "policy.example.yml"
DEFAULTS: Mapping[str, Any] = {
    name: value
    for file in sorted(ROOT.glob("roles/*/defaults/main.yml"))
    for name, value in (yaml.safe_load(file.read_text()) or {}).items()
}


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings(DataLoader(), known_subject)


@pytest.mark.parametrize("name", [*DEFAULTS, *PLAYBOOK_SETTINGS])
def test_every_setting_is_known_and_its_options_exist(settings: Settings, name: str) -> None:
    setting = settings[name]
    for option in setting.options:
        subject = known_subject(option.module)
        assert subject is not None
        assert option.option in subject.argument_spec
        assert not option.key or option.key in subject.argument_spec[option.option]["options"]


def test_the_settings_of_playbooks_are_theirs() -> None:
    assert PLAYBOOK_SETTINGS.keys() <= {*OF_PLAYBOOKS}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("colima_profiles", [("colima_profile", "profiles", ""), ("network", "profiles", "")]),
        ("docker_cli_state", [("docker_cli_config", "state", ""), ("docker_socket_link", "state", "")]),
        ("refresh_timer_every", [("user_timer", "every", "refresh")]),
        ("autostart_state", [("user_timer", "state", "autostart")]),
    ],
)
def test_settings_become_options(settings: Settings, name: str, options: list[tuple[str, str, str]]) -> None:
    assert [(one.module, one.option, one.name) for one in settings[name].options] == options


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("colima_profiles[].kubernetes.enabled", ""),
        ("colima_profiles[runtime=docker].docker.any-key.below", ""),
        ("workstation_environment.DOCKER_HOST", ""),
        ("colima_host.memory_mib", ""),
        ("secret_refresh_registries[].host", ""),
        ("colima_profile[].memory", "Did you mean 'colima_profiles'?"),
        ("made_up", "setting 'made_up' is unknown."),
        ("colima_profiles[].memroy", "Did you mean 'memory'?"),
        ("colima_profiles[rutime=docker].memory", "Did you mean 'runtime'?"),
        ("colima_profiles[].kubernetes.on", "'on' is not a key of 'colima_profiles[].kubernetes'."),
        ("colima_profiles.memory", "write colima_profiles[].memory"),
        ("colima_restart[]", "is not a list"),
        ("colima_restart.x", "has no keys"),
    ],
)
def test_a_path_is_held_against_the_options(settings: Settings, path: str, said: str) -> None:
    found = [*settings.mistakes(path_from(path))]
    assert any(said in text for text in found) if said else found == []


def test_the_example_is_right_and_is_that_of_the_page(settings: Settings) -> None:
    document, lines = read(EXAMPLE)
    rules = rules_from(document, str(EXAMPLE), lines)
    assert [text for rule in rules if rule.path for text in settings.mistakes(rule.path)] == []
    page = (ROOT / "docs" / "policy.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    assert yaml.safe_load(page) == document


def test_a_rule_knows_its_line(tmp_path: Path) -> None:
    file = tmp_path / "policy.yml"
    rules = "  - tool: colima\n    value: '1.2'\n    reason: b\n\n  - {tool: docker, value: '1.2', reason: b}\n"
    file.write_text(f"contact: a\n# why\nrules:\n{rules}")
    document, lines = read(file)
    assert [rule.at for rule in rules_from(document, "policy.yml", lines)] == ["policy.yml:4", "policy.yml:8"]


@pytest.mark.parametrize(
    "text", ["contact: a\ncontact: b\n", "a: {b: 1, b: 2}\n", "- [", "a: !vault x\n", "a: \x00\n", "--- 1\n--- 2\n"]
)
def test_what_is_no_plain_yaml_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "policy.yml"
    file.write_text(text)
    with pytest.raises(InputError, match="Could not read policy"):
        read(file)
