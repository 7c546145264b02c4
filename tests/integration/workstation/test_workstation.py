# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole playbook in a lab of its own, as a user types it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.ansible_runs import forked_ansible
from tests.support.whole_machine.homes import tree

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))


@dataclass(frozen=True)
class Lab:
    """A lab that is up, and the way to play against it."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "LAPTOP_REHEARSAL_DIR": str(self.folder),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_FORCE_COLOR": "0",
        }

    def play(self, *arguments: str, playbook: str = "playbooks/workstation.yml") -> subprocess.CompletedProcess[str]:
        return forked_ansible.run(
            [PLAYBOOK, "-i", "inventory/rehearsal", playbook, *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def tool(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a tool as the user of the rehearsed laptop."""
        inside = json.loads((self.folder / "environment.json").read_text())
        path = shutil.which(argv[0], path=inside["PATH"])
        assert path is not None, f"{argv[0]} is not in the lab"
        return subprocess.run(
            [path, *argv[1:]], env={**os.environ, **inside}, capture_output=True, text=True, timeout=60, check=False
        )

    def rehearsal(self, verb: str, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "rehearsal", verb, "--dir", str(self.folder), *arguments],
            cwd=ROOT, env=self.environment, check=True, capture_output=True, timeout=180,
        )  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A light lab in a short path (Unix socket paths are limited)."""
    with tempfile.TemporaryDirectory(prefix="lc-", dir="/tmp") as folder:
        lab = Lab(Path(folder) / "lab")
        lab.rehearsal("up", "--grade", "light")
        try:
            yield lab
        finally:
            lab.rehearsal("down")


def changed(output: str) -> int:
    """Return the number of changed tasks of the only host."""
    found = re.search(r"changed=(\d+)", output)
    assert found, output
    return int(found.group(1))


def flat(output: str) -> str:
    """Return what was printed as one line, wherever it was broken."""
    return " ".join(output.split())


def fingerprint(folder: Path) -> dict[str, tuple[str, str]]:
    """Return what every file of a folder is, by name. Logs and the file of Ansible's own temporary folder do not count."""
    passing = ("logs", "tmp", "home/.ansible", "run")
    return {name: one for name, one in tree(folder).items() if not name.startswith(passing) and one[0][0] not in "ds"}


def test_check_mode_on_an_empty_lab_prints_the_plan_and_changes_nothing(lab: Lab) -> None:
    before = fingerprint(lab.folder)
    done = lab.play("--check", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert changed(done.stdout) >= 4
    assert "k8s" in done.stdout and "docker-buildx" in done.stdout and "colima-buildx" in done.stdout
    coming = "the cluster does not exist yet; this run creates it"
    assert f"create pull secret colima-k8s/default/ecr-creds ({coming})" in done.stdout
    assert "create namespace colima-k8s/team-a" in done.stdout and "is a guess" not in done.stdout
    assert fingerprint(lab.folder) == before


def test_a_run_converges_and_a_second_run_changes_nothing(lab: Lab) -> None:
    first = lab.play()
    assert first.returncode == 0, first.stdout + first.stderr
    assert changed(first.stdout) >= 4
    rows = {row["name"]: row for row in map(json.loads, lab.tool("colima", "list", "--json").stdout.splitlines())}
    assert {name: (row["status"], row["runtime"], row["cpus"], row["memory"] >> 30) for name, row in rows.items()} == {
        "k8s": ("Running", "containerd+k3s", 4, 12),
        "docker-buildx": ("Running", "docker", 4, 12),
    }
    assert lab.tool("docker", "context", "show").stdout.strip() == "colima-buildx"
    second = lab.play()
    assert (second.returncode, changed(second.stdout)) == (0, 0), second.stdout


def test_nothing_is_due_right_after(lab: Lab) -> None:
    done = lab.play("--tags", "secret_refresh")
    assert (done.returncode, changed(done.stdout)) == (0, 0), done.stdout
    assert "WORKSTATION" in done.stdout and "TASK" not in done.stdout


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        pytest.param(
            {"colima_profiles": [{"name": "x", "runtime": "podman"}]},
            "'podman' as 'runtime' of 'x' in 'colima_profiles': it is not a choice. Use one of docker, containerd",
            id="unknown runtime",
        ),
        pytest.param({"colima_profiles": ["k8s"]}, "'colima_profiles': entry 1 is a text", id="profiles by name only"),
        pytest.param({"colima_profiles": [{"name": "x", "kubernetes": True}]}, "'kubernetes' of 'x'", id="kubernetes as a truth"),
        pytest.param({"colima_profiles": [{"name": ""}]}, "Could not use this profile name: it is empty", id="an empty name"),
        pytest.param({"colima_state": "off"}, "'off' as 'colima_state'", id="a state of profiles for the role"),
        pytest.param({"secret_refresh_state": "stopped"}, "'stopped' as 'secret_refresh_state'", id="secret_refresh_state"),
        pytest.param({"colima_profiles": [{"name": "x", "cpu": 0}]}, "cpu is 0", id="zero CPUs"),
        pytest.param({"colima_profiles": [{"name": "x", "memory": -2}]}, "memory is -2", id="negative memory"),
        pytest.param({"colima_profiles": [{"name": "x", "disk": -5}]}, "disk", id="negative disk"),
        pytest.param({"colima_profiles": [{"name": "colima-default"}]}, "colima-default", id="a name that hits another profile"),
        pytest.param({"colima_profiles": [{"name": "_lima"}]}, "_lima", id="a name that is colima's own folder"),
        pytest.param({"colima_profiles": [{"name": "a b"}]}, "a b", id="a name that Lima refuses"),
        pytest.param({"colima_host": {"cpus": 1, "memory_mib": 8192}}, "together they need 2 CPUs", id="one CPU"),
        pytest.param(
            {"colima_profiles": [{"name": "docker-buildx", "runtime": "docker", "disk": 10}]}, "docker-buildx", id="disk shrink"
        ),
        pytest.param({"secret_refresh_registries": ["registry.example.org"]}, "registry.example.org", id="not an ECR host"),
        pytest.param({"secret_refresh_context": "colima-nowhere"}, "colima-nowhere", id="an unknown kube context"),
    ],
)
def test_bad_input_is_one_clear_sentence_and_changes_nothing(lab: Lab, variables: dict[str, object], message: str) -> None:
    before = fingerprint(lab.folder)
    done = lab.play("-e", json.dumps(variables))
    assert done.returncode != 0, done.stdout
    said = done.stdout + done.stderr
    assert message in flat(said)
    # A sentence of this collection, never Python's or Ansible's, that ends in what to do.
    assert re.search(
        r"Could not .+\. (Use|Set|Give|Lower|Write|Begin|Choose|Keep|Name|Add|Pass|Start|Correct|Put)\b", flat(said)
    ), said
    assert not re.search(r"Traceback|must be one of|unable to convert|expected dicts|not iterable|_Ansible", said)
    after = fingerprint(lab.folder)
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == set()


def test_a_profile_that_is_stopped_when_the_secret_is_due_is_named(lab: Lab) -> None:
    assert lab.tool("colima", "stop", "k8s").returncode == 0
    done = lab.play("--tags", "secret_refresh")
    assert done.returncode != 0
    assert "colima-k8s" in done.stdout + done.stderr
    again = lab.play()
    assert again.returncode == 0, again.stdout


def test_a_teardown_that_is_refused_takes_nothing_back(lab: Lab) -> None:
    before = fingerprint(lab.folder)
    done = lab.play("-e", "colima_delete_data=true", playbook="playbooks/teardown.yml")
    assert done.returncode != 0
    assert "its name is not in colima_confirm_data_loss" in flat(done.stdout + done.stderr)
    assert re.findall(r"TASK \[laptop\.containers\.(\w+)", done.stdout) == ["colima"]
    assert fingerprint(lab.folder) == before


def test_a_teardown_that_finds_a_damaged_docker_configuration_takes_nothing_back(lab: Lab) -> None:
    inside = json.loads((lab.folder / "environment.json").read_text())
    path = Path(inside["HOME"]) / ".docker/config.json"
    text = path.read_text()
    path.write_text(text.rstrip().removesuffix("}"))
    before = fingerprint(lab.folder)
    done = lab.play(playbook="playbooks/teardown.yml")
    assert done.returncode != 0
    assert "Could not read docker's configuration" in flat(done.stdout + done.stderr)
    assert fingerprint(lab.folder) == before
    path.write_text(text)


def test_the_plan_of_a_teardown_has_each_step_once_and_no_hints_of_what_goes(lab: Lab) -> None:
    before = fingerprint(lab.folder)
    done = lab.play("--check", playbook="playbooks/teardown.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.partition("WORKSTATION")[2]
    assert summary.count("remove nerdctl wrapper") == 1
    assert summary.count("delete the VM of profile 'k8s'") == 1
    assert "use it" not in summary
    assert "Callback dispatch" not in done.stdout + done.stderr
    assert fingerprint(lab.folder) == before


def test_teardown_takes_everything_back_and_keeps_the_data(lab: Lab) -> None:
    done = lab.play(playbook="playbooks/teardown.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert lab.tool("colima", "list", "--json").stdout == ""
    assert "colima-buildx" not in lab.tool("docker", "context", "ls").stdout
    assert lab.tool("docker", "context", "show").stdout.strip() == "default"
    inside = json.loads((lab.folder / "environment.json").read_text())
    assert not (Path(inside["HOME"]) / ".local/bin/nerdctl").exists()
    disks = Path(inside["HOME"]) / ".colima" / "_lima" / "_disks"
    assert sorted(path.parent.name for path in disks.glob("*/datadisk")) == ["colima-docker-buildx", "colima-k8s"]
    again = lab.play(playbook="playbooks/teardown.yml")
    assert (again.returncode, changed(again.stdout)) == (0, 0), again.stdout
    # No profile, no cluster: there is nothing to wait for.
    assert "pending" not in again.stdout.partition("WORKSTATION")[2]


def test_profiles_that_are_asked_to_be_stopped_leave_the_pull_secrets_pending(lab: Lab) -> None:
    assert lab.play().returncode == 0
    stopped = lab.play("-e", "colima_state=stopped", "-e", "secret_refresh_before=99%")
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    rows = [json.loads(row)["status"] for row in lab.tool("colima", "list", "--json").stdout.splitlines()]
    assert rows == ["Stopped", "Stopped"]
    summary = stopped.stdout.partition("WORKSTATION")[2]
    assert "pending" in summary and "FAILED" not in summary
    again = lab.play()
    assert again.returncode == 0, again.stdout + again.stderr
