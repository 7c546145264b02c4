# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command of the README and the pages works in a shell after `make setup` alone; the README's are typed, in their order.

The doctor's remedies are typed by tests/integration/doctor/, in the same kind of shell.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import light_lab

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "roles").glob("*/README.md"))]
# What is tried elsewhere, or needs another network.
ELSEWHERE = {
    "make rehearse": "tests/integration/lab/test_run.py",
    "make rehearse KEEP=1": "tests/integration/lab/test_run.py",
    "make setup": "tests/integration/lab/test_make.py",
    "brew bundle": "tests/integration/toolchain/test_toolchain.py",
    "git pull": "needs the repository",
    "git clone https://example.org/laptop/containers laptop.containers && cd laptop.containers": "needs the repository",
    "ansible-galaxy collection install laptop-containers-0.1.0.tar.gz": "tests/integration/workstation/test_own_settings.py",
    "ansible-playbook laptop.containers.workstation -e workstation_hosts=localhost --check": (
        "tests/integration/workstation/test_own_settings.py"
    ),
}
# A verb of make with its variables, quoted or not.
MAKE = re.compile(r"""make(?: [a-z][a-z-]*)+(?: [A-Z_]+=(?:"[^"]*"|'[^']*'|[^\s`'"]+))*""")


def commands() -> list[str]:
    """Return the commands of the README, in their order."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def verbs() -> list[str]:
    """Return every command of make in the README, the pages and the roles' pages."""
    found: list[str] = []
    for page in PAGES:
        text = page.read_text()
        spans = re.findall(r"`(make [^`]+)`", text) + re.findall(r"^\$ (make .*)$", text, re.M)
        found += [match[0] for span in spans for match in MAKE.finditer(span)]
    return list(dict.fromkeys(found))


def environment(**more: str) -> dict[str, str]:
    """A shell in which only the system's programs, and those of a lab, are on PATH."""
    venv = str(Path(sys.executable).parent)
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part != venv)
    assert not (found := shutil.which("ansible-playbook", path=path)), found
    return {**os.environ, "PATH": path, **more}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with light_lab() as lab:
        yield lab


def test_every_command_works_in_its_order(lab: Lab) -> None:
    tried = [command for command in commands() if command not in ELSEWHERE]
    assert len(tried) >= 5
    assert (ROOT / ".venv" / "bin" / "ansible-playbook").exists(), "make setup"
    shell = environment(
        ANSIBLE_INVENTORY=str(ROOT / "inventory" / "rehearsal"),
        ANSIBLE_CACHE_PLUGIN="memory",
        LAPTOP_REHEARSAL_DIR=str(lab.directory),
    )
    for command in tried:
        done = subprocess.run(
            ["bash", "-c", command], cwd=ROOT, env=shell, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("command", verbs())
def test_every_verb_of_the_pages_is_one_of_make_and_runs_what_is_there(command: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{command} --dry-run"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for playbook in re.findall(r"playbooks/\w+\.yml", done.stdout):
        assert (ROOT / playbook).exists(), playbook
    for line in filter(re.compile(r"playbooks/\w+\.yml").search, done.stdout.splitlines()):
        # As the recipe's shell hands them to Ansible.
        words = shlex.split(line)
        for value in map(expanded, (words[place + 1] for place, word in enumerate(words) if word == "-e")):
            assert isinstance(DataLoader().load(value), dict) if value.startswith("{") else "=" in value, value


def expanded(word: str) -> str:
    """Return a word of the recipe after the shell ran its $(…)."""
    if not word.startswith("$("):
        return word
    shell = environment(NAME="2026-11-26", PROFILE="k8s", SOURCE="/h", REPORT="/h/report")
    return subprocess.check_output(["bash", "-c", f'printf %s "{word}"'], cwd=ROOT, env=shell, text=True, timeout=60)


def test_what_is_tried_elsewhere_is_still_in_the_readme_and_there() -> None:
    assert set(ELSEWHERE) <= set(commands())
    for place in ELSEWHERE.values():
        assert not place.startswith("tests/") or (ROOT / place).exists(), place


def test_every_link_of_a_page_leads_to_a_file() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_is_short_and_answers_first_what_it_takes() -> None:
    lines = README.splitlines()
    assert len(lines) <= 150
    first = "\n".join(lines[:40])
    for word in ("macOS and Linux", "Two, because", "memory", "disk", "your team"):
        assert word in first, word


def test_teardown_has_a_row_for_each_of_its_parts() -> None:
    playbook, page = (ROOT / "playbooks" / "teardown.yml").read_text(), (ROOT / "docs" / "teardown.md").read_text()
    roles = re.findall(r"name: laptop\.containers\.(\w+)\n(?! +tasks_from)", playbook)
    rows = list(dict.fromkeys(re.findall(r"^\| `(\w+)`", page, re.M)))
    assert rows == list(dict.fromkeys(roles)), "docs/teardown.md has a row for each role of playbooks/teardown.yml, in its order"
