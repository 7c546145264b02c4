# SPDX-License-Identifier: GPL-3.0-or-later
"""The walls of the collection: who may import what, which links exist, what roles promise."""

from __future__ import annotations

import ast
import builtins
import re
from pathlib import Path

import pytest
import yaml

from tests.support.in_process_module import SUBJECTS

ROOT = Path(__file__).resolve().parents[2]
UTILS = sorted((ROOT / "plugins" / "module_utils").rglob("*.py"))
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
HEAVY = {"boto3", "botocore", "kubernetes", "requests", "urllib3", "yaml", "jinja2"}
# They extend classes of those libraries.
HEAVY_FILES = {ROOT / "plugins" / "module_utils" / "kube" / f"{name}.py" for name in ("bounds", "client", "patience")}


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Return the first parts of all absolute imports of a file."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", UTILS, ids=str)
def test_only_the_module_runner_knows_ansible(path: Path) -> None:
    assert ("ansible" in imports(path)) == (path.parts[-2:] == ("core", "module.py"))


@pytest.mark.parametrize("path", UTILS + MODULES, ids=lambda path: path.stem)
def test_heavy_libraries_are_imported_where_they_are_needed(path: Path) -> None:
    if path not in HEAVY_FILES:
        assert not imports(path, top_level_only=True) & HEAVY


@pytest.mark.parametrize("path", UTILS + MODULES, ids=lambda path: path.stem)
def test_files_that_load_heavy_libraries_are_imported_where_they_are_needed(path: Path) -> None:
    if path not in HEAVY_FILES:
        imported = {line.split()[1] for line in path.read_text().splitlines() if re.match(r"from \.", line)}
        assert not {name for name in imported if name.endswith(("kube.client", "kube.patience"))}


@pytest.mark.parametrize("path", UTILS, ids=str)
def test_only_the_cli_seam_starts_processes(path: Path) -> None:
    if path.name != "command.py":
        assert "subprocess" not in imports(path)


@pytest.mark.parametrize("path", UTILS, ids=lambda path: path.stem)
def test_module_utils_never_import_modules(path: Path) -> None:
    text = path.read_text()
    assert "from ..modules" not in text
    assert "plugins.modules" not in text


def test_the_collection_is_reached_through_links_to_single_entries() -> None:
    folder = ROOT / "collections" / "ansible_collections" / "laptop" / "containers"
    links = {entry.name: entry.resolve() for entry in folder.iterdir()}
    assert links == {name: ROOT / name for name in ("galaxy.yml", "meta", "playbooks", "plugins", "roles")}


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_a_roles_argument_spec_repeats_its_defaults(role: Path) -> None:
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text()) or {}
    options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    templated = {name for name, value in defaults.items() if isinstance(value, str) and "{{" in value}
    documented = {name: option["default"] for name, option in options.items() if "default" in option}
    assert {name: value for name, value in defaults.items() if name not in templated} == {
        name: value for name, value in documented.items() if name not in templated
    }
    assert set(defaults) <= set(options)
    assert all(name.startswith(f"{role.name}_") for name in options)


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_a_word_that_is_not_a_state_of_the_role_is_refused_by_its_module(role: Path) -> None:
    word = f"{role.name}_state"
    for task in yaml.safe_load((role / "tasks" / "main.yml").read_text()):
        options = next(value for key, value in task.items() if "." in key)
        for option, value in options.items() if isinstance(options, dict) else ():
            if option == "state":
                assert value == f"{{{{ {word} }}}}"
            elif word in str(value):
                # Beside such an option; never the one that says what goes.
                assert f"if {word} == 'present'" in value


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_a_role_has_a_page_of_its_own(role: Path) -> None:
    assert (role / "README.md").read_text().startswith(f"# {role.name}\n")


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_a_role_has_a_playbook(role: Path) -> None:
    playbooks = "".join(path.read_text() for path in (ROOT / "playbooks").glob("*.yml"))
    assert f"name: laptop.containers.{role.name}\n" in playbooks, f"no playbook imports the role {role.name}"


def test_the_action_plugin_knows_every_module_with_a_subject() -> None:
    # Not by a route in meta/runtime.yml: Ansible asks only an action plugin of the module's own name how to read the options.
    there = {path.stem for path in (ROOT / "plugins" / "action").glob("*.py")}
    assert there == {"converge", *(path.stem for path in MODULES)}
    for path in MODULES:
        is_stub = "from .converge import ActionModule" in (ROOT / "plugins" / "action" / path.name).read_text()
        assert is_stub == (path.stem in SUBJECTS), path.name


@pytest.mark.parametrize("path", UTILS + MODULES, ids=str)
def test_an_unused_value_has_a_name(path: Path) -> None:
    # pylint in ansible-test refuses the bare underscore: use _rest, _index and so on.
    stored = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name) and node.id == "_"]
    assert [node.lineno for node in stored] == []


def test_exceptions_in_docstrings_exist() -> None:
    known, told = set(dir(builtins)), dict[str, Path]()
    for path in (*UTILS, *MODULES):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                known |= {alias.name.rpartition(".")[2] for alias in node.names}
            elif isinstance(node, ast.ClassDef):
                known.add(node.name)
            if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
                names = re.findall(r"Raises? ((?:[A-Z]\w+(?:, (?:and )?| and | or )?)+)", ast.get_docstring(node) or "")
                told |= {name: path for listed in names for name in re.findall(r"[A-Z]\w+", listed)}
    assert len(told) > 20
    assert not {name: path for name, path in told.items() if name not in known}
