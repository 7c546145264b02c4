# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of CONTRIBUTING.md, carried out as the page says on a copy of the project, whole and with each step left out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
# Files outside of the project, or that no recipe touches.
IGNORED = shutil.ignore_patterns(".git", ".venv", ".ansible", ".cache", ".hypothesis", ".*_cache", "__pycache__", "transcripts")
# What says that something is missing.
GENERATED = ("tests/unit/test_generated.py", "tests/unit/doctor/test_documented.py")
GUARDS = (
    *GENERATED,
    "tests/unit/test_layout.py::test_a_roles_argument_spec_repeats_its_defaults",
    "tests/unit/doctor/test_examine.py",
    "tests/unit/modules/test_documented.py",
    "tests/unit/policy/test_options.py",
    "tests/unit/policy/test_settings.py",
    "tests/unit/rehearsal/test_colima_settings.py",
    "tests/unit/test_packaging.py",
    "tests/unit/test_rooms.py",
    "tests/unit/test_layout.py::test_the_action_plugin_knows_every_module_with_a_subject",
    "tests/unit/test_layout.py::test_a_role_has_a_page_of_its_own",
    "tests/unit/test_layout.py::test_a_role_has_a_playbook",
    "tests/unit/modules/test_skeleton.py::test_every_module_is_held_to_this",
    "tests/integration/workstation/test_canaries.py::test_every_module_with_a_subject_is_tried",
    "tests/integration/workstation/test_teardown_restores_home.py::test_everything_is_switched_on",
    "tests/integration/workstation/test_readme.py::test_teardown_has_a_row_for_each_of_its_parts",
)
# Beside the guards: what holds the promises of the new thing.
TRIED = {
    "Add a setting of colima": (
        "tests/property/colima/test_colima_plan.py",
        "tests/property/colima/test_colima_apple_silicon.py",
        "tests/contract/colima/test_config_file.py::test_every_key_is_written[stand-in]",
    ),
    "Add a module with a role": ("-k", "banner", "tests/unit/modules/test_skeleton.py", "tests/unit/core/test_defaults.py"),
}
# By recipe: the files that a person edits, each with the test, or the file of tests, that misses it.
RECIPES = {
    "Add a setting of colima": {
        "plugins/module_utils/colima/model/settings.py": "test_the_documentation_is_that_of_the_options[colima_profile]",
        "plugins/modules/colima_profile.py": "test_the_documentation_is_that_of_the_options[colima_profile]",
        "rehearsal/standin/colima/files/config_file.py": "test_the_stand_in_knows_every_key",
        "changelogs/fragments/swap.yml": "",
    },
    "Add a check of the doctor": {
        "plugins/module_utils/doctor/groups/vms.py": "test_every_check_has_a_state_that_it_must_find",
        "tests/integration/doctor/states.py": "test_every_check_has_a_state_that_it_must_find",
        "changelogs/fragments/rest.yml": "",
    },
    "Add any other option": {
        "plugins/module_utils/nerdctl/task.py": "test_the_documentation_is_that_of_the_options[nerdctl_wrapper]",
        "plugins/modules/nerdctl_wrapper.py": "test_the_documentation_is_that_of_the_options[nerdctl_wrapper]",
        "changelogs/fragments/move_foreign.yml": "",
        "roles/nerdctl/defaults/main.yml": "test_a_roles_argument_spec_repeats_its_defaults[nerdctl]",
        "roles/nerdctl/meta/argument_specs.yml": "test_a_roles_argument_spec_repeats_its_defaults[nerdctl]",
        "roles/nerdctl/tasks/main.yml": "test_no_reason_is_left_of_an_option_that_has_a_setting",
        "roles/doctor/tasks/examine.yml": "test_the_role_hands_over_what_the_other_roles_give_to_their_modules[nerdctl_wrapper]",
        "tests/integration/workstation/test_teardown_restores_home.py": "test_everything_is_switched_on",
    },
    "Add a module with a role": {
        "plugins/module_utils/banner/__init__.py": "test_a_room_says_what_it_is_for[banner]",
        "plugins/module_utils/banner/task.py": "tests/unit/modules/test_skeleton.py",
        "tests/unit/test_rooms.py": "test_every_room_is_on_a_floor",
        "plugins/modules/banner.py": "tests/unit/modules/test_skeleton.py",
        "tests/unit/modules/test_skeleton.py": "test_every_module_is_held_to_this",
        "tests/integration/workstation/test_canaries.py": "test_every_module_with_a_subject_is_tried",
        "roles/banner/defaults/main.yml": "test_a_roles_argument_spec_repeats_its_defaults[banner]",
        "roles/banner/meta/argument_specs.yml": "test_a_roles_argument_spec_repeats_its_defaults[banner]",
        "roles/banner/tasks/main.yml": "test_no_reason_is_left_of_an_option_that_has_a_setting",
        "playbooks/workstation.yml": "test_everything_is_switched_on",
        "playbooks/teardown.yml": "test_teardown_has_a_row_for_each_of_its_parts",
        "docs/teardown.md": "test_teardown_has_a_row_for_each_of_its_parts",
        "tests/integration/workstation/test_teardown_restores_home.py": "",
        "changelogs/fragments/banner.yml": "",
    },
}
OMISSIONS = [(recipe, file, guard) for recipe, files in RECIPES.items() for file, guard in files.items() if guard]


@dataclass(frozen=True)
class Block:
    """A block of the page: what becomes of a file. A hunk is the present lines and the new lines."""

    file: str
    hunks: tuple[tuple[str, str], ...]

    def apply(self, root: Path) -> None:
        path = root / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text() if path.exists() else ""
        for before, after in self.hunks:
            assert not before or text.count(before) == 1, f"{self.file} does not hold these lines once:\n{before}"
            text = text.replace(before, after) if before else text + after
        path.write_text(text)


def blocks_of(recipe: str) -> list[Block]:
    section = re.split(r"^## ", PAGE, flags=re.M)
    (text,) = (part for part in section if part.startswith(f"{recipe}\n"))
    found = []
    for body in re.findall(r"^   ```diff\n(.*?)^   ```$", text, flags=re.M | re.S):
        file, *lines = (line.removeprefix("   ") for line in body.splitlines())
        parts = "\n".join(lines).split("\n@@\n")
        found.append(Block(file, tuple(hunk(part.split("\n")) for part in parts)))
    return found


def hunk(lines: list[str]) -> tuple[str, str]:
    kept = [line or " " for line in lines]
    before, after = ("".join(f"{line[1:]}\n" for line in kept if line[0] in marks) for marks in (" -", " +"))
    return before, after


class Copy:
    """A copy of the project."""

    def __init__(self, root: Path) -> None:
        self.root = root / "copy"
        shutil.copytree(ROOT, self.root, symlinks=True, ignore=IGNORED)
        # tests/tables.sh ends with what has changed.
        subprocess.run(["git", "init", "-q", self.root], check=True)

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        own = f"{self.root}/collections"
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": f"{self.root}/ansible.cfg",
            "ANSIBLE_COLLECTIONS_PATH": own,
            "LAPTOP_QUICK": "1",
        }
        return subprocess.run(argv, cwd=self.root, env=environment, capture_output=True, text=True, timeout=300, check=False)

    def generate(self) -> None:
        written = self.run("tests/tables.sh")
        assert written.returncode == 0, written.stdout + written.stderr

    def failing(self, guards: Iterable[str] = GUARDS) -> set[str]:
        """Return the names of the guards that fail."""
        # A file of tests that can't be read fails.
        how = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--continue-on-collection-errors")
        done = self.run(sys.executable, "-m", "pytest", *how, *guards)
        failed = set(re.findall(r"^(?:FAILED|ERROR) (?:\S+?::)?(\S+)", done.stdout, flags=re.M))
        assert bool(failed) == bool(done.returncode), done.stdout + done.stderr
        return failed


@pytest.mark.each_row
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_complete(recipe: str, tmp_path: Path) -> None:
    copy, blocks = Copy(tmp_path), blocks_of(recipe)
    assert [block.file for block in blocks] == list(RECIPES[recipe])
    for block in blocks:
        block.apply(copy.root)
    assert copy.failing(GENERATED) != set(), "the last step can be left out"
    copy.generate()
    assert copy.failing() == set()
    assert recipe not in TRIED or copy.failing(TRIED[recipe]) == set()


@pytest.mark.long("starts a dozen runs of pytest; test_a_recipe_is_complete leaves out the last step of each recipe")
@pytest.mark.parametrize(("recipe", "left_out", "guard"), OMISSIONS, ids=[file for _recipe, file, _guard in OMISSIONS])
def test_a_step_that_is_left_out_is_missed(recipe: str, left_out: str, guard: str, tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    for block in blocks_of(recipe):
        if block.file != left_out:
            block.apply(copy.root)
    copy.run("tests/tables.sh")
    assert guard in copy.failing()
