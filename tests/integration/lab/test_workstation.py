# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole workstation with real engines: containers run, and images are pulled with what the cluster's secret says."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import lab_of_grade, play

ROOT = Path(__file__).resolve().parents[3]
HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
DOCKER = ("docker", "--context", "colima-buildx")

pytestmark = pytest.mark.real("docker", "containerd", "kubernetes", "registry", "buildx", "buildkit", "kubectl")


class Workstation:
    """A converged lab with real engines."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def play(self, *arguments: str) -> str:
        """Run the playbook; returns its output."""
        return play(self.lab, "playbooks/workstation.yml", *arguments)

    def type(self, *argv: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Type a command on the laptop."""
        environment = {**os.environ, **self.lab.environment}
        program = shutil.which(argv[0], path=environment["PATH"])
        assert program is not None, argv[0]
        return subprocess.run(
            [program, *argv[1:]], env=environment, input=given, capture_output=True, text=True, timeout=120, check=False
        )

    def password(self) -> str:
        """The registry's password, read back from the secret in the cluster."""
        secret = json.loads(self.type("kubectl", "get", "secret", "ecr-creds", "-n", "team-a", "-o", "json").stdout)
        auths = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]
        user, _, password = base64.b64decode(auths[HOST]["auth"]).decode().partition(":")
        assert user == "AWS"
        return password

    def log_in(self, password: str) -> int:
        """docker login at the lab's registry; the exit code."""
        argv = (*DOCKER, "login", "--username", "AWS", "--password-stdin", self.lab.registry.address)
        return self.type(*argv, given=password).returncode


@pytest.fixture(scope="module")
def workstation() -> Iterator[Workstation]:
    """One lab for this file."""
    with lab_of_grade("real") as lab:
        # Tokens of one hour, so that a refresh "2h" before their end is due at once.
        lab.ecr.configure(hours=1)
        converged = Workstation(lab)
        converged.play()
        yield converged


def test_a_container_runs_through_the_context(workstation: Workstation, image: Path) -> None:
    built = workstation.type("env", "DOCKER_BUILDKIT=0", *DOCKER, "build", "--quiet", "--tag", "local:1", str(image))
    assert built.returncode == 0, built.stderr
    ran = workstation.type(*DOCKER, "run", "--rm", "local:1")
    assert (ran.returncode, ran.stdout.split()[:1]) == (0, ["buildctl"]), ran.stderr


def test_an_image_is_pulled_with_the_clusters_secret_and_not_without(workstation: Workstation, image: Path) -> None:
    name = f"{workstation.lab.registry.address}/team/app:1"
    built = workstation.type("env", "DOCKER_BUILDKIT=0", *DOCKER, "build", "--quiet", "--tag", name, str(image))
    assert built.returncode == 0, built.stderr
    assert workstation.type(*DOCKER, "push", "--quiet", name).returncode != 0
    assert workstation.log_in("wrong") != 0
    assert workstation.log_in(workstation.password()) == 0
    pushed = workstation.type(*DOCKER, "push", "--quiet", name)
    assert pushed.returncode == 0, pushed.stderr
    workstation.type(*DOCKER, "rmi", "--force", name)
    assert workstation.type(*DOCKER, "pull", "--quiet", name).returncode == 0

    # The token is rotated: what was given out is worth nothing until the refresh ran.
    workstation.lab.ecr.rotate()
    workstation.type(*DOCKER, "rmi", "--force", name)
    assert workstation.type(*DOCKER, "pull", "--quiet", name).returncode != 0
    workstation.play("--tags", "secret_refresh", "--extra-vars", "secret_refresh_before=2h")
    assert workstation.log_in(workstation.password()) == 0
    pulled = workstation.type(*DOCKER, "pull", "--quiet", name)
    assert pulled.returncode == 0, pulled.stderr


def test_nerdctl_pulls_with_the_clusters_secret(workstation: Workstation, image: Path) -> None:
    name = f"{workstation.lab.registry.address}/team/nerd:1"
    nerdctl = ("colima", "nerdctl", "--profile", "k8s", "--", "--insecure-registry")
    assert workstation.type(*nerdctl, "build", "--quiet", "--tag", name, str(image)).returncode == 0
    assert workstation.type(*nerdctl, "push", "--quiet", name).returncode != 0
    login = workstation.type(
        *nerdctl, "login", "--username", "AWS", "--password-stdin", workstation.lab.registry.address, given=workstation.password()
    )
    assert login.returncode == 0, login.stderr
    assert workstation.type(*nerdctl, "push", "--quiet", name).returncode == 0


def test_nerdctl_completes_through_the_virtual_machine(workstation: Workstation) -> None:
    asked = ("--tags", "nerdctl", "--extra-vars", '{"nerdctl_completion": ["bash"]}')
    file = workstation.lab.home / ".data/bash-completion/completions/nerdctl"
    assert "changed=1" in workstation.play(*asked)
    assert "changed=0" in workstation.play(*asked)
    # As bash does it on the tab key: the file's function asks the command, which asks nerdctl in the VM.
    typed = f'. {file}; COMP_WORDS=(nerdctl ima); COMP_CWORD=1; COMP_LINE="nerdctl ima"; COMP_POINT=11'
    ready = "_get_comp_words_by_ref() { words=(nerdctl ima); cword=1; cur=ima; prev=nerdctl; }"
    shown = workstation.type("bash", "-c", f'{typed}; {ready}; __start_nerdctl; echo "${{COMPREPLY[@]}}"')
    assert "image" in shown.stdout, shown.stderr
    assert "changed=1" in workstation.play("--tags", "nerdctl")
    assert not file.exists()


def test_a_second_run_changes_nothing(workstation: Workstation) -> None:
    assert "changed=0" in workstation.play()
