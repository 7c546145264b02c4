# SPDX-License-Identifier: GPL-3.0-or-later
"""What messages call an option: a user of a role reads the variable that they can set, a user of a module its option."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import in_words, result_in_words
from ansible_collections.laptop.containers.plugins.plugin_utils.settings import variables_of

from tests.support.in_process_module import SUBJECTS

ROOT = Path(__file__).resolve().parents[3]
UTILS = ROOT / "plugins" / "module_utils"
# The role whose task runs the messages of a room, by room; a room that several subjects share belongs to the one of a role.
ROLES = {
    "buildx": "buildx",
    "colima": "colima",
    "docker/config": "docker_cli",
    "docker/context": "docker_context",
    "ecr": "secret_refresh",
    "nerdctl": "nerdctl",
    "ecr_pull_secret": "secret_refresh",
    "registry_login": "secret_refresh",
    "timer": "refresh_timer",
}
MARKED = re.compile(r"\b[OE]\((\w+)(?:=[^()]*)?\)")


def loaded(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def task_of(role: str) -> tuple[str, dict[str, str]]:
    """Return the module that a role calls, and the variable of each of its options."""
    folder = ROOT / "roles" / role
    for written in yaml.safe_load((folder / "tasks" / "main.yml").read_text()):
        action = next((key for key in written if key.startswith("laptop.containers.")), None)
        if action:
            names = SimpleNamespace(
                _default_vars=loaded(folder / "defaults" / "main.yml"), _role_vars=loaded(folder / "vars" / "main.yml")
            )
            return action.rpartition(".")[2], variables_of(SimpleNamespace(_ds=written, action=action, _role=names))
    raise AssertionError(f"{role} calls no module")


def sentences(room: str) -> Iterator[tuple[str, str]]:
    """Yield where and what for each text of a room that people read; what is filled in later is {}."""
    for path in sorted((UTILS / room).rglob("*.py")):
        tree = ast.parse(path.read_text())
        passed_over = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body and isinstance(node.body[0], ast.Expr)
        }
        passed_over |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            text = text_of(node)
            if " " in text and id(node) not in passed_over:
                yield f"{path.relative_to(UTILS)}:{getattr(node, 'lineno', 0)}", text


def text_of(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pytest.mark.parametrize(("room", "role"), ROLES.items(), ids=list(ROLES))
def test_a_message_names_what_the_user_of_a_role_can_set(room: str, role: str) -> None:
    module, variables = task_of(role)
    spec = SUBJECTS[module].argument_spec
    # What the entries of the role's lists have, too, is called the same by both.
    own = {
        option
        for option, name in variables.items()
        if "_" in option and option not in spec.get("profiles", {}).get("options", ())
    }
    for where, text in sentences(room):
        for option in MARKED.findall(text):
            assert option in spec, f"{where}: {module} has no option {option}"
            shown = in_words(text, variables)
            assert variables[option] in shown and not MARKED.search(shown), f"{where}: {shown}"
        bare = own.intersection(re.findall(r"\w+", MARKED.sub("", text)))
        assert not bare, f"{where}: write O({bare.pop()}), so that a role shows its variable: {text}"


def test_options_are_shown_as_their_reader_writes_them() -> None:
    text = "Set O(adopt=true), run with E(restart=always), or leave out O(prune)."
    assert in_words(text, {}) == "Set adopt: true, run with restart: always, or leave out prune."
    variables = {"adopt": "x_adopt", "restart": "x_restart", "prune": "x_prune"}
    assert in_words(text, variables) == "Set x_adopt: true, run with -e x_restart=always, or leave out x_prune."


def test_only_the_sentences_of_a_result_are_worded() -> None:
    result = {"pending": [{"reason": "O(restart) is never"}], "warnings": ["O(prune)"], "diff": {"before": {"text": "O(prune)"}}}
    assert result_in_words(result, {"restart": "x_restart", "prune": "x_prune"}) == {
        "pending": [{"reason": "x_restart is never"}],
        "warnings": ["x_prune"],
        "diff": {"before": {"text": "O(prune)"}},
    }
