# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy of the team holds, whatever layer a setting comes from and however a run is called; and what it allows, runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from rehearsal.standin import brew
from tests.support.ansible_runs import forked_ansible

from .attempts import ATTEMPTS, BY_LAPTOP, CONTACT, GOOD, HOST, LARGE, PLAYS, POLICY, WITHOUT_EFFECT, Attempt

ROOT = Path(__file__).resolve().parents[3]
# What of a home Ansible or the records of refused runs may have made.
MADE = {".ansible", ".config", ".local"}


class Project:
    """A clone of the project of a team that has a policy, and a user's home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("plugins", "roles", "playbooks", "meta", "collections"):
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("ansible.cfg", "galaxy.yml"):
            shutil.copy(ROOT / name, folder / name)
        self.write("inventory/hosts.yml", HOST)
        self.write("inventory/group_vars/all.yml", GOOD)
        self.write("inventory/policy.yml", POLICY)
        (folder / "home").mkdir()

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def run(self, program: str, *arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str, list[Any]]:
        """Run a program of Ansible in the project; return its exit code, what it printed, and the results."""
        here = str(self.folder)
        results = self.folder / "results.jsonl"
        results.unlink(missing_ok=True)
        variables = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": f"{here}/home",
            "LANG": "C.UTF-8",
            "LAPTOP_CONTAINERS_RESULTS": str(results),
            "ANSIBLE_CALLBACKS_ENABLED": "laptop.containers.progress, laptop.containers.results",
        }
        variables |= {name: value.replace("$HERE", here) for name, value in (environment or {}).items()}
        command = [str(Path(sys.executable).with_name(program)), *(one.replace("$HERE", here) for one in arguments)]
        done = forked_ansible.run(
            command, cwd=here, env=variables, capture_output=True, text=True, check=False, timeout=180, stdin=subprocess.DEVNULL
        )
        rows = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        return done.returncode, done.stdout + done.stderr, rows

    def made(self) -> set[str]:
        """Return what of the home did not come from Ansible itself."""
        return {one.name for one in (self.folder / "home").iterdir()} - MADE


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    # Short: sockets below it must fit into their addresses.
    with tempfile.TemporaryDirectory(prefix="po-", dir="/tmp") as folder:
        yield Project(Path(folder))


def refused(said: str) -> bool:
    return "the policy " in said and CONTACT in said


def test_settings_that_keep_it_run(project: Project) -> None:
    code, output, _rows = project.run("ansible-playbook", "playbooks/workstation.yml", "--check")
    assert code == 0, output
    assert "policy" not in output


def test_whatever_a_laptops_own_settings_say(project: Project) -> None:
    hosts = "".join(f"    {name}:\n" for name in BY_LAPTOP)
    variables = "  vars:\n    ansible_connection: local\n    ansible_python_interpreter: '{{ ansible_playbook_python }}'\n"
    project.write("many/hosts.yml", f"laptops:\n  hosts:\n{hosts}{variables}")
    project.write("many/group_vars/all.yml", GOOD)
    for name, text in BY_LAPTOP.items():
        project.write(f"many/host_vars/{name}.yml", text)
    # A link is as good as the file.
    linked = project.folder / "many" / "host_vars" / "plain.yml"
    linked.rename(project.folder / "elsewhere.yml")
    linked.symlink_to(project.folder / "elsewhere.yml")
    code, output, rows = project.run(
        "ansible-playbook", "-i", "many/hosts.yml", "playbooks/workstation.yml", environment={"HOW_TO_RESTART": "always"}
    )
    said = {row["host"]: row["result"].get("msg", "") for row in rows if row["failed"]}
    assert code != 0
    assert {name for name in BY_LAPTOP if not refused(said.get(name, ""))} == set(), output
    assert [row for row in rows if not row["failed"]] == []
    assert "(many/host_vars/too_large.yml:2)" in said["too_large"]
    assert project.made() == set()


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_however_a_run_is_called(project: Project, attempt: Attempt) -> None:
    for name, text in attempt.files.items():
        project.write(name, text)
    try:
        code, output, rows = project.run(
            "ansible-playbook", attempt.playbook, *attempt.arguments, environment=attempt.environment
        )
    finally:
        for name in attempt.files:
            (project.folder / name).unlink()
    assert code != 0, output
    assert refused(output), output
    assert [row for row in rows if not row["failed"]] == []
    assert project.made() == set()


def test_playbooks_of_ones_own(project: Project) -> None:
    names = {f"play{number}": text for number, text in enumerate(PLAYS.values())}
    hosts = "".join(f"    {name}:\n" for name in (*names, "fine"))
    variables = "  vars:\n    ansible_connection: local\n    ansible_python_interpreter: '{{ ansible_playbook_python }}'\n"
    project.write("own/hosts.yml", f"laptops:\n  hosts:\n{hosts}{variables}")
    project.write("own/group_vars/all.yml", GOOD)
    project.write("own/more.yml", "colima_restart: always\n")
    for role, layer in (("wrapping", "defaults"), ("colima", "defaults"), ("varying", "vars")):
        project.write(f"own/playbooks/roles/{role}/{layer}/main.yml", "colima_restart: always\n")
        project.write(
            f"own/playbooks/roles/{role}/tasks/main.yml", "- ansible.builtin.import_role: {name: laptop.containers.colima}\n"
        )
    plays = []
    for name, text in names.items():
        tasks = "".join(f"    {line}\n" for line in text.splitlines())
        # One that is left over keeps Ansible from ending the run with the first play.
        plays.append(
            f"- hosts: [{name}, fine]\n  gather_facts: false\n  tasks:\n"
            f"    - ansible.builtin.meta: end_host\n      when: inventory_hostname == 'fine'\n{tasks}"
        )
    project.write("own/playbooks/own.yml", "\n".join(plays))
    _code, output, rows = project.run("ansible-playbook", "-i", "own/hosts.yml", "own/playbooks/own.yml")
    said = {row["host"]: row["result"].get("msg", "") for row in rows if "policy" in str(row["result"].get("msg"))}
    missing = [title for title, name in zip(PLAYS, names, strict=True) if not refused(said.get(name, ""))]
    # Of an ignored failure the output alone tells.
    ignored = "ignored errors"
    assert missing == [*WITHOUT_EFFECT, ignored], output
    number = [*PLAYS].index(ignored)
    assert refused(output.partition(f"[play{number}]: FAILED")[2].partition("PLAY")[0])
    assert [row for row in rows if row["result"].get("changed")] == []
    assert project.made() == set()


def test_a_single_module_without_a_playbook(project: Project) -> None:
    options = "name=a runtime=containerd memory=64 stop=if_idle"
    code, output, _rows = project.run("ansible", "mine", "-m", "laptop.containers.colima_profile", "-a", options)
    assert code != 0
    assert refused(output), output


def test_a_module_without_its_action_plugin_does_not_run(project: Project) -> None:
    """Ansible takes modules from any directory. There this collection's have nothing to import."""
    code, output, _rows = project.run(
        "ansible",
        "mine",
        "-m",
        "docker_context",
        "-a",
        "current_context=default",
        environment={"ANSIBLE_LIBRARY": "plugins/modules"},
    )
    assert code != 0
    assert project.made() == set(), output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has no rules"),
        ("contact: a\nrules: [\n", "Could not read policy"),
        ("contact: a\ncontact: b\nrules: []\n", "'contact' is there twice"),
        ("contact: a\nrules:\n  - {setting: colima_restrat, value: never, reason: b}\n", "Did you mean 'colima_restart'?"),
        ("contact: a\nrules:\n  - {setting: 'colima_profiles[].memroy', maximum: 1, reason: b}\n", "Did you mean 'memory'?"),
        ("contact: a\nrules:\n  - {setting: colima_profiles.memory, maximum: 1, reason: b}\n", "write colima_profiles[].memory"),
        ("contact: a\nrules:\n  - {setting: colima_restart.x, value: 1, reason: b}\n", "'colima_restart' has no keys"),
    ],
)
def test_a_broken_policy_is_never_passed_over(project: Project, text: str, said: str) -> None:
    project.write("beside/policy.yml", text)
    project.write("beside/hosts.yml", HOST)
    code, output, rows = project.run(
        "ansible-playbook", "-i", "beside/hosts.yml", "playbooks/workstation.yml", "--tags", "nerdctl"
    )
    assert code != 0
    assert said in output
    assert "\nFAILED policy: Could not " in output
    assert [row for row in rows if not row["failed"]] == []


def test_a_policy_that_is_not_found_is_no_free_ticket(project: Project) -> None:
    beside = project.folder / "gone"
    project.write("gone/hosts.yml", HOST)
    (beside / "policy.yml").symlink_to(beside / "nowhere.yml")
    assert "Could not read policy" in project.run("ansible-playbook", "-i", "gone/hosts.yml", "playbooks/workstation.yml")[1]
    (beside / "policy.yml").unlink()
    project.write("gone/policy.yaml", POLICY)
    assert "only policy.yml is read" in project.run("ansible-playbook", "-i", "gone/hosts.yml", "playbooks/workstation.yml")[1]


@pytest.mark.parametrize("value", ["refuse", "recreate", "recreate_with_data_loss"])
def test_a_stop_passes_whatever_it_says_of_fixed_settings(project: Project, value: str) -> None:
    rule = f"contact: {CONTACT}\nrules:\n  - {{setting: colima_on_fixed_change, value: {value}, reason: We decide.}}\n"
    folder = f"stop-{value}"
    project.write(f"{folder}/policy.yml", rule)
    project.write(f"{folder}/hosts.yml", HOST)
    project.write(f"{folder}/group_vars/all.yml", f"{GOOD}colima_on_fixed_change: {value}\n")
    run = ("ansible-playbook", "-i", f"{folder}/hosts.yml", "playbooks/stop.yml", "--check")
    code, output, _rows = project.run(*run)
    assert code == 0, output
    assert "the policy " not in output
    # The rule is in force.
    code, output, _rows = project.run(*run, "-e", "colima_on_fixed_change=warn")
    assert code != 0
    assert refused(output), output


def test_the_version_of_a_tool(project: Project) -> None:
    rule = 'contact: a\nrules:\n  - {tool: colima, minimum: "0.9.0", reason: Older ones lose settings.}\n'
    project.write("tools/policy.yml", rule)
    project.write("tools/hosts.yml", HOST)
    project.write("bin/colima", "#!/bin/sh\necho colima version 0.8.1\n")
    (project.folder / "bin" / "colima").chmod(0o755)
    path = {"PATH": f"{project.folder}/bin:{Path(sys.executable).parent}:/usr/bin:/bin"}
    run = ("-i", "tools/hosts.yml", "playbooks/workstation.yml", "--check", "--tags")
    code, output, _rows = project.run("ansible-playbook", *run, "colima", environment=path)
    assert code != 0
    assert "Could not work with colima 0.8.1: the policy asks for at least 0.9.0 (tools/policy.yml:3). Reason: Older" in output
    assert project.run("ansible-playbook", *run, "docker_cli", environment=path)[0] == 0


def test_an_upgrade_stays_below_what_the_policy_allows(project: Project) -> None:
    rule = 'contact: a\nrules:\n  - {tool: colima, maximum: "0.9.9", reason: We wait.}\n'
    project.write("upgrade/policy.yml", rule)
    project.write("upgrade/hosts.yml", HOST)
    project.write("bin/colima", "#!/bin/sh\necho colima version 0.9.1\n")
    (project.folder / "bin" / "colima").chmod(0o755)
    brew.install(project.folder / "bin")
    (project.folder / "Cellar/colima/0.9.1").mkdir(parents=True)
    path = {"PATH": f"{project.folder}/bin:{Path(sys.executable).parent}:/usr/bin:/bin"}
    only = ("-e", '{"upgrade_programs": ["colima"]}', "--check", "--tags", "upgrade")
    code, output, rows = project.run(
        "ansible-playbook", "-i", "upgrade/hosts.yml", "playbooks/upgrade.yml", *only, environment=path
    )
    assert code == 0, output
    (waits,) = rows[0]["result"]["pending"]
    assert (waits["kind"], rows[0]["result"]["upgraded"]) == ("policy", [])
    assert "at most 0.9.9 (upgrade/policy.yml:3)" in waits["reason"]


def checks(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    (found,) = [row["result"]["checks"] for row in rows if "checks" in row["result"]]
    return {one["id"]: one["status"] for one in found}


def test_the_doctor_says_whether_it_is_kept(project: Project) -> None:
    run = ("playbooks/doctor.yml", "--tags", "policy")
    code, output, rows = project.run("ansible-playbook", *run)
    assert (code, checks(rows)) == (0, {"policy.settings": "ok"}), output
    code, output, rows = project.run("ansible-playbook", *run, "-e", "colima_restart=always")
    assert (code, checks(rows)) == (2, {"policy.settings": "broken"})
    assert f"Contact: {CONTACT}" in output
    project.write("beside/hosts.yml", HOST)
    project.write("beside/policy.yml", "rules:")
    code, output, rows = project.run("ansible-playbook", "-i", "beside/hosts.yml", *run)
    assert (code, checks(rows)) == (2, {"policy.file": "broken"})


def test_the_settings_say_what_is_fixed(project: Project) -> None:
    code, output, rows = project.run("ansible-playbook", "playbooks/settings.yml", "-e", LARGE)
    assert code == 0
    assert "# policy: colima_stop: it fixes it to 'if_idle' (inventory/policy.yml:18)" in output
    assert "# BROKEN: colima_profiles[k8s].memory is 64. Reason: The laptop's owner works on it as well." in output
    (settings,) = [row["result"]["settings"] for row in rows]
    ruled = {row["name"]: row["policy"] for row in settings if row["policy"]}
    assert len(ruled) == 7
    assert ruled["colima_restart"][0]["broken"] == []
