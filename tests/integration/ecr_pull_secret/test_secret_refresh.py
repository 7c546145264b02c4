# SPDX-License-Identifier: GPL-3.0-or-later
"""The role as ansible-playbook runs it: one task, honest check mode, one sentence on bad input, no token anywhere."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.processes.system import comes_true
from tests.support.ecr_pull_secret.refresh import PLAYBOOK, ROOT, Refresh
from tests.support.ecr_pull_secret.scenario import HOST, age, password, read

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.ecr import Ecr

Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def play(home: Path, apiserver: ApiServer, ecr: Ecr) -> Play:
    """Run workstation.yml with the tag, on this cluster."""
    return Refresh(home, apiserver, ecr)


def test_check_apply_check_apply_with_one_task_each(play: Play, apiserver: ApiServer) -> None:
    apiserver.namespace("role")
    for flags, changed in ((["--check", "--diff"], 1), ([], 1), (["--check"], 0), ([], 0)):
        done = play(*flags, secret_refresh_namespaces=["role"])
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"changed={changed} " in done.stdout
        # A task that finds nothing to do is not shown.
        assert done.stdout.count("Renew the pull secrets that are due") == changed
        assert done.stdout.count("TASK [") == changed
    assert read(apiserver, "role") is not None


def test_no_token_at_the_highest_verbosity_nor_in_temporary_files(play: Play, apiserver: ApiServer, ecr: Ecr, home: Path) -> None:
    apiserver.namespace("leak")
    first = play("-vvvv", "--diff", secret_refresh_namespaces=["leak"])
    old = password(apiserver, "leak")
    ecr.rotate()
    age(apiserver, "leak")
    second = play("-vvvv", "--diff", secret_refresh_namespaces=["leak"], ansible_keep_remote_files=True)
    new = password(apiserver, "leak")
    assert old != new
    assert "changed=1" in first.stdout and "changed=1" in second.stdout
    said = first.stdout + first.stderr + second.stdout + second.stderr
    left = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    for token in (old, new):
        for form in (token, base64.b64encode(f"AWS:{token}".encode()).decode()):
            assert form not in said
            assert all(form.encode() not in content for content in left)


@pytest.mark.parametrize("how", ["limit", "signal"])
def test_a_program_for_credentials_that_hangs_ends_with_the_timers_run(
    apiserver: ApiServer, home: Path, tmp_path: Path, how: str
) -> None:
    """Each look left one more of them."""
    apiserver.namespace("hangs")
    (home / "program").write_text(f"#!/bin/sh\necho $$ >>{home}/pids\nsleep 600 &\necho $! >>{home}/pids\nwait\n")
    (home / "program").chmod(0o755)
    (home / ".aws").mkdir()
    (home / ".aws/config").write_text(f"[profile slow]\nregion = eu-central-1\ncredential_process = {home}/program\n")
    (tmp_path / "hosts.yml").write_text(
        json.dumps({"laptops": {"hosts": {"me": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}})
    )
    given = {
        "secret_refresh_registries": [{"host": HOST, "profile": "slow"}],
        "secret_refresh_kubeconfig": str(apiserver.kubeconfig),
        "secret_refresh_namespaces": ["hangs"],
    }
    playbook = [PLAYBOOK, "-i", str(tmp_path / "hosts.yml"), "playbooks/workstation.yml", "--tags", "secret_refresh"]
    runner = [sys.executable, str(ROOT / "roles/refresh_timer/files/refresh.py"), str(home / "state")]
    minutes = ["--limit=0.5"] if how == "limit" else []
    command = [*runner, *minutes, "--", *playbook, "-e", json.dumps(given)]
    around = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    running = subprocess.Popen(command, cwd=ROOT, env=around, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert comes_true(lambda: (home / "pids").exists() and len(pids(home)) == 2, 28), running.poll()
    if how == "signal":
        running.terminate()
    said, _ = running.communicate(timeout=60)
    assert running.returncode == (1 if how == "limit" else 143), said
    assert comes_true(lambda: not any(Path(f"/proc/{one}").exists() for one in pids(home)), 15)
    if how == "limit":
        status = json.loads((home / "state/refresh.json").read_text())
        assert status["message"] == "Could not finish the playbook: it ran longer than 0.5 minutes."


def pids(home: Path) -> list[str]:
    return (home / "pids").read_text().split()


def test_no_token_in_the_arguments_of_any_process(play: Play, apiserver: ApiServer, ecr: Ecr, tmp_path: Path) -> None:
    import shutil

    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    apiserver.namespace("argv")
    trace = tmp_path / "trace"
    inventory = tmp_path / "inventory.yml"
    own = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"laptops": {"hosts": {"me": own}}}))
    given = {
        "secret_refresh_registries": [HOST],
        "secret_refresh_namespaces": ["argv"],
        "secret_refresh_kubeconfig": str(apiserver.kubeconfig),
    }
    command = [PLAYBOOK, "-i", str(inventory), "playbooks/workstation.yml", "--tags", "secret_refresh", "-e", json.dumps(given)]
    done = subprocess.run(
        ["strace", "-f", "-qq", "-s", "65536", "-e", "trace=execve,open,openat,creat,rename,write", "-o", str(trace), *command],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, **ecr.environment, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
    )  # fmt: skip
    assert "changed=1" in done.stdout, done.stdout + done.stderr
    token = password(apiserver, "argv")
    lines = trace.read_text(errors="replace").splitlines()
    assert any("execve(" in line for line in lines)
    assert not [line[:200] for line in lines if token in line]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param({"secret_refresh_registries": ["registry.example.org"]}, "registry.example.org", id="not an ECR host"),
        pytest.param(
            {"secret_refresh_registries": [{"host": HOST, "profile": "absent"}]}, "'absent' does not exist", id="no profile"
        ),
        pytest.param({"secret_refresh_context": "colima-nowhere"}, "kube context 'colima-nowhere'", id="no context"),
        pytest.param({"secret_refresh_kubeconfig": "/proc/nowhere"}, "kube context 'colima-k8s'", id="no kubeconfig"),
        pytest.param({"secret_refresh_namespaces": ["Team A"]}, "namespace 'Team A'", id="no name for a namespace"),
        pytest.param({"secret_refresh_namespaces": ["nowhere"]}, "the namespace does not exist", id="no namespace"),
        pytest.param({"secret_refresh_before": "13h"}, "secret_refresh_before '13h'", id="longer than a token lives"),
        pytest.param({"secret_refresh_name": "ecr_creds"}, "secret 'ecr_creds'", id="no name for a secret"),
    ],
)
def test_bad_input_is_one_sentence(play: Play, variables: dict[str, Any], said: str) -> None:
    done = play(**variables)
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert "Could not" in output and said in output
    assert "Traceback" not in output


def test_missing_credentials_are_one_sentence(play: Play, ecr: Ecr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(ecr), "environment", {"AWS_ENDPOINT_URL": ecr.url, "AWS_EC2_METADATA_DISABLED": "true"})
    done = play(secret_refresh_name="none-yet")
    assert done.returncode != 0
    assert "there are no AWS credentials for the default identity" in " ".join((done.stdout + done.stderr).split())


def test_without_registries_the_role_does_nothing(play: Play, ecr: Ecr) -> None:
    calls = ecr.calls
    done = play(secret_refresh_registries=[])
    assert done.returncode == 0 and "changed=0" in done.stdout and "skipped=1" in done.stdout
    assert ecr.calls == calls
