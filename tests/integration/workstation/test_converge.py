# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin: on the laptop itself a task runs inside Ansible, once; elsewhere as a module."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name

from tests.support.ansible_runs import forked_ansible
from tests.support.colima.standin_laptop import colima_lab

ROOT = Path(__file__).resolve().parents[3]
PACKED = "AnsiballZ_nerdctl_wrapper"


class Laptop:
    """A home of its own, and a playbook of one task for it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.home.mkdir()
        colima = folder / "colima"
        colima.write_text("#!/bin/sh\nexit 1\n")
        colima.chmod(0o755)
        self.options: dict[str, object] = {"wrappers": [{"profile": "k8s"}], "colima": str(colima)}
        self.wrapper = self.home / ".local" / "bin" / "nerdctl"
        self.module = "nerdctl_wrapper"
        self.task: dict[str, object] = {}
        self.interpreter = sys.executable

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the task as often as a test likes; return exit status and everything printed."""
        task = {"name": "Put it there", f"laptop.containers.{self.module}": self.options, **self.task}
        play = {"hosts": "all", "gather_facts": False, "environment": {"HOME": str(self.home)}, "tasks": [task]}
        (self.folder / "play.yml").write_text(json.dumps([play]))
        host = {"ansible_connection": "local", "ansible_python_interpreter": self.interpreter}
        (self.folder / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"laptop": host}}}))
        environment = {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_DISPLAY_OK_HOSTS": "true",
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            # Newer cores leave out of a result what it was asked with, unless told.
            "ANSIBLE_INJECT_INVOCATION": "true",
        }
        command: list[str | Path] = [
            Path(sys.executable).with_name("ansible-playbook"),
            "-vvv",
            "-i",
            "hosts.yml",
            "play.yml",
            *arguments,
        ]
        done = forked_ansible.run(
            command, cwd=self.folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


def test_on_the_laptop_itself_no_module_is_packed(laptop: Laptop) -> None:
    code, printed = laptop.run("--check")
    assert code == 0 and "changed=1" in printed and not laptop.wrapper.exists()
    code, printed = laptop.run()
    assert code == 0 and "changed=1" in printed and PACKED not in printed
    assert "--profile k8s" in laptop.wrapper.read_text()
    code, printed = laptop.run()
    assert code == 0 and "changed=0" in printed and PACKED not in printed
    # The task's own environment counted: the wrapper's default place is below HOME.
    assert str(laptop.wrapper) in printed


def test_warnings_of_a_settled_task_are_shown(laptop: Laptop) -> None:
    laptop.run()
    _, printed = laptop.run()
    assert PACKED not in printed
    assert f"warning '{laptop.wrapper.parent}' is not on the PATH of this run" in " ".join(printed.split())


def test_a_failure_is_one_sentence(laptop: Laptop) -> None:
    laptop.options["wrappers"] = [{"profile": "no good name"}]
    code, printed = laptop.run()
    assert code != 0 and PACKED not in printed and "no good name" in printed
    assert "Traceback" not in printed


def test_an_unknown_option_is_refused_with_the_nearest_known_one(laptop: Laptop) -> None:
    laptop.options["wrapers"] = []
    code, printed = laptop.run()
    assert code != 0 and not laptop.wrapper.exists()
    assert "Could not use option 'wrapers': it is unknown. Did you mean 'wrappers'?" in " ".join(printed.split())


def test_all_invalid_options_are_told_at_once(laptop: Laptop) -> None:
    laptop.options = {"wrappers": [{"profil": "k8s", "state": "off"}], "completion": ["tcsh"]}
    code, printed = laptop.run()
    said = " ".join(printed.split())
    assert code != 0
    assert "option 'profil' of entry 1 in 'wrappers': it is unknown. Did you mean 'profile'?" in said
    assert "'off' as 'state' of entry 1 in 'wrappers': it is not a choice. Use one of present, absent." in said
    assert "'tcsh' as 'completion': it is not a choice. Use one of bash, zsh, fish." in said


def test_every_subject_is_made_in_the_environment_of_its_task(laptop: Laptop) -> None:
    # Before, it would look into the home of the user who runs Ansible.
    laptop.module, laptop.options = "docker_cli_config", {"plugins": ["buildx"], "profile": "docker-buildx"}
    laptop.task = {"environment": {"HOME": str(laptop.home), "DOCKER_CONFIG": str(laptop.home / "config")}}
    (laptop.home / "config").mkdir()
    (laptop.home / "config" / "config.json").write_text('{"credsStore": "desktop", "currentContext": "gone"}')
    code, printed = laptop.run("--check", "--diff")
    assert code == 0, printed
    assert "credsStore" in printed


def test_defaults_for_the_group_of_all_modules_count(laptop: Laptop) -> None:
    laptop.task, laptop.options = {"module_defaults": {"group/laptop.containers.workstation": laptop.options}}, {}
    code, printed = laptop.run()
    assert code == 0 and "changed=1" in printed and PACKED not in printed
    assert laptop.wrapper.exists()


def test_defaults_for_the_group_count_where_a_module_is_packed(laptop: Laptop) -> None:
    link, socket = laptop.home / "docker.sock", laptop.home / "engine.sock"
    laptop.module, laptop.options = "docker_socket_link", {"path": str(link)}
    defaults = {"group/laptop.containers.workstation": {"target": str(socket)}}
    laptop.task = {"module_defaults": defaults, "delegate_to": "laptop"}
    code, printed = laptop.run()
    assert code == 0 and "AnsiballZ_docker_socket_link" in printed
    assert link.readlink() == socket


@pytest.mark.parametrize("case", ["another interpreter", "delegated"])
def test_a_task_that_would_not_run_here_is_left_to_the_module(laptop: Laptop, case: str) -> None:
    laptop.run()
    if case == "another interpreter":
        other = laptop.folder / "python"
        other.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        other.chmod(0o755)
        laptop.interpreter = str(other)
    else:
        laptop.task = {"delegate_to": "laptop"}
    code, printed = laptop.run()
    assert code == 0 and "changed=0" in printed and PACKED in printed


def test_an_invalid_value_names_its_entry(laptop: Laptop) -> None:
    laptop.module = "colima_profile"
    laptop.options = {"profiles": [{"name": "dev", "runtime": "podman"}]}
    code, printed = laptop.run()
    assert code != 0 and "AnsiballZ_colima_profile" not in printed
    assert "Could not use 'podman' as 'runtime' of 'dev' in 'profiles'" in " ".join(printed.split())


def test_credentials_in_options_are_not_printed_at_any_verbosity(laptop: Laptop) -> None:
    laptop.module = "colima_profile"
    laptop.options = {
        "name": "dev",
        "env": {"API_TOKEN": "s3cr3t-of-mine", "PROXY": "http://me:hunter-22@proxy", "DEBUG": "true"},
    }
    # Sockets of a profile need a short path.
    with tempfile.TemporaryDirectory(prefix="lc-", dir="/tmp") as place:
        laptop.task = {"environment": {"COLIMA_HOME": place}}
        code, printed = laptop.run("--check", "-vvvvv", "--diff")
    assert code == 0 and "API_TOKEN" in printed
    assert "s3cr3t-of-mine" not in printed and "hunter-22" not in printed


def test_a_cluster_that_does_not_answer_is_a_failure(laptop: Laptop) -> None:
    # Which namespaces match is unknown.
    cluster = {"name": "away", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "away", "context": {"cluster": "away", "user": "me"}}
    user = {"name": "me", "user": {"token": "none"}}
    config = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context], "users": [user]}
    (laptop.home / "kubeconfig").write_text(json.dumps(config))
    laptop.module = "ecr_pull_secret"
    laptop.options = {
        "registries": ["123456789012.dkr.ecr.eu-central-1.amazonaws.com"],
        "namespaces": ["team-*"],
        "contexts": ["away"],
        "kubeconfig": "~/kubeconfig",
    }
    code, printed = laptop.run()
    assert code != 0 and "127.0.0.1:1" in printed


def test_a_note_is_removed_without_a_change(laptop: Laptop) -> None:
    laptop.module, laptop.options = "colima_profile", {"name": "dev", "state": "stopped", "host": {"system": "Darwin"}}
    with colima_lab() as lab:
        (lab.home / ".colima").mkdir()
        lab.converge({"name": "dev", "state": "present"})
        note = lab.paths.fresh(parse_name("dev"))
        note.touch()
        laptop.task = {"environment": lab.environment}
        for arguments, there in ((["--check"], True), ([], False)):
            code, printed = laptop.run(*arguments)
            assert (code, "changed=0" in printed, note.exists()) == (0, True, there), printed
