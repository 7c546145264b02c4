# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins of nerdctl inside a colima profile: which are due, and that `sudo nerdctl` in the guest really has them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.colima.standin_laptop import ColimaLab, colima_lab
from tests.support.ecr_pull_secret.canaries import files_with, forms_of, traced
from tests.support.ecr_pull_secret.ecr_proxy import Front
from tests.support.ecr_pull_secret.scenario import HOST, Result, run

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.ecr import Ecr

ROOT = Path(__file__).resolve().parents[3]
LOGIN = ["nerdctl", "--profile", "k8s", "--", "login", "--username", "AWS", "--password-stdin", HOST]
LOGOUT = ["nerdctl", "--profile", "k8s", "--", "logout", HOST]


@pytest.fixture(scope="module")
def apiserver(short_path: Path) -> Iterator[Any]:
    from rehearsal.standin.kube_api import KubeApi

    with KubeApi(short_path / "nerdctl-logins") as running:
        yield running


@pytest.fixture
def laptop(ecr: Ecr, monkeypatch: pytest.MonkeyPatch) -> Iterator[ColimaLab]:
    """A laptop with the stand-in colima, whose nerdctl takes everything; its profile k8s runs."""
    ecr.configure(hours=12)
    with colima_lab() as lab:
        for name, value in {**lab.environment, **ecr.environment}.items():
            monkeypatch.setenv(name, value)
        start(lab)
        yield lab


def start(lab: ColimaLab, runtime: str = "containerd") -> None:
    done = lab.run("colima", "start", "k8s", "--runtime", runtime)
    assert done.returncode == 0, done.stderr
    lab.calls()


def nerdctl_calls(lab: ColimaLab) -> list[list[str]]:
    calls = [call[call.index("nerdctl") :] for call in lab.calls() if "nerdctl" in call]
    return [call for call in calls if call[1] == "--profile"]


def states(result: Result) -> dict[str, str]:
    return {row["where"]: row["state"] for row in result.data["logins"]}


def test_check_then_apply_then_check_then_apply(laptop: ColimaLab, apiserver: ApiServer, ecr: Ecr) -> None:
    calls = ecr.calls
    planned = run(apiserver.kubeconfig, check=True, nerdctl_profiles=["k8s"])
    assert (states(planned), ecr.calls, nerdctl_calls(laptop)) == ({"k8s": "due"}, calls, [])
    done = run(apiserver.kubeconfig, nerdctl_profiles=["k8s"])
    assert not done.failed, done.message
    assert (states(done), nerdctl_calls(laptop)) == ({"k8s": "logged_in"}, [LOGIN])
    for check in (True, False):
        again = run(apiserver.kubeconfig, check=check, nerdctl_profiles=["k8s"])
        assert (again.changed, states(again), laptop.calls()) == (False, {"k8s": "fresh"}, [])
    gone = run(apiserver.kubeconfig, state="absent", registries=[])
    assert (states(gone), nerdctl_calls(laptop)) == ({"k8s": "logged_out"}, [LOGOUT])
    assert not run(apiserver.kubeconfig, state="absent", registries=[]).changed


def test_a_profile_that_was_restarted_keeps_its_login_and_a_recreated_one_gets_it_again(
    laptop: ColimaLab, apiserver: ApiServer
) -> None:
    run(apiserver.kubeconfig, nerdctl_profiles=["k8s"])
    laptop.run("colima", "stop", "k8s")
    assert states(run(apiserver.kubeconfig, nerdctl_profiles=["k8s"])) == {"k8s": "fresh"}
    start(laptop)
    assert states(run(apiserver.kubeconfig, nerdctl_profiles=["k8s"])) == {"k8s": "fresh"}
    laptop.run("colima", "delete", "--force", "k8s")
    start(laptop)
    again = run(apiserver.kubeconfig, nerdctl_profiles=["k8s"])
    assert states(again) == {"k8s": "logged_in"}
    assert "(the machine was recreated)" in again.data["actions"][0]
    run(apiserver.kubeconfig, state="absent", registries=[])


@pytest.mark.parametrize("gone", [False, True], ids=["stopped", "never made"])
def test_a_profile_that_does_not_run_is_said_as_for_the_cluster(
    laptop: ColimaLab, apiserver: ApiServer, ecr: Ecr, gone: bool
) -> None:
    laptop.run("colima", *(["delete", "--force"] if gone else ["stop"]), "k8s")
    laptop.calls()
    run(apiserver.kubeconfig)
    calls = ecr.calls
    failed = run(apiserver.kubeconfig, nerdctl_profiles=["k8s"])
    why = "the profile does not exist" if gone else "the profile is not running"
    sentence = f"Could not log nerdctl of profile 'k8s' in to registry '{HOST}': {why}. "
    assert failed.failed and failed.message == sentence + "Start it with 'colima start k8s' and run again."
    assert failed.states == {"default": "fresh"}
    waiting = run(apiserver.kubeconfig, nerdctl_profiles=["k8s"], unreachable="pending")
    assert not waiting.failed and not waiting.changed and states(waiting) == {"k8s": "waiting"}
    assert waiting.data["pending"][0]["remedy"] == failed.message
    planned = run(apiserver.kubeconfig, check=True, nerdctl_profiles=["k8s"])
    assert not planned.failed and sentence in str(planned.data["warnings"])
    # A token that can't be used is not asked for.
    assert (ecr.calls, laptop.calls()) == (calls, [])


def test_another_runtime_is_named_and_the_others_are_served(laptop: ColimaLab, apiserver: ApiServer) -> None:
    done = laptop.run("colima", "start", "plain", "--runtime", "docker")
    assert done.returncode == 0, done.stderr
    failed = run(apiserver.kubeconfig, nerdctl_profiles=["k8s", "plain"])
    assert failed.failed and states(failed) == {"k8s": "logged_in", "plain": "failed"}
    assert "nerdctl of profile 'plain'" in failed.message and "only supports containerd" in failed.message
    run(apiserver.kubeconfig, state="absent", registries=[])


def test_a_colima_that_says_later_that_it_does_not_run_is_believed(
    laptop: ColimaLab, apiserver: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = '#!/bin/sh\necho \'time="x" level=fatal msg="colima [profile=k8s] is not running"\' >&2\nexit 1\n'
    front = laptop.root / "front"
    front.mkdir()
    (front / "colima").write_text(script)
    (front / "colima").chmod(0o755)
    monkeypatch.setenv("PATH", f"{front}:{laptop.environment['PATH']}")
    waiting = run(apiserver.kubeconfig, nerdctl_profiles=["k8s"], unreachable="pending")
    assert not waiting.failed and states(waiting) == {"k8s": "waiting"}
    assert "colima [profile=k8s] is not running. Start it with 'colima start k8s'" in waiting.data["pending"][0]["remedy"]


def test_a_name_that_colima_can_not_use_is_refused(laptop: ColimaLab, apiserver: ApiServer) -> None:
    refused = run(apiserver.kubeconfig, nerdctl_profiles=["../x"])
    assert refused.failed and "Could not use profile name '../x'" in refused.message


class Engines:
    """The lab with a real containerd behind profile k8s, and its registry under ECR's own name."""

    def __init__(self, lab: Lab, front: Front) -> None:
        self.lab, self.front = lab, front
        self.environment = {**lab.environment, **lab.ecr.environment, **front.environment, "NO_PROXY": "127.0.0.1,localhost"}

    def type(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Type a command on the laptop."""
        program = shutil.which(argv[0], path=self.environment["PATH"])
        assert program is not None
        command = [program, *argv[1:]]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)

    def nerdctl(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """What colima's wrapper runs: `sudo nerdctl ...` in the guest."""
        return self.type("colima", "nerdctl", "--profile", "k8s", "--", *argv)


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    place = Path(tempfile.mkdtemp(prefix="ln-", dir="/tmp"))
    lab = Lab(place / "lab")
    front = None
    try:
        lab.up("real")
        front = Front(place / "front", lab.registry.address, HOST)
        made = Engines(lab, front)
        started = made.type("colima", "start", "k8s", "--runtime", "containerd")
        assert started.returncode == 0, started.stderr
        yield made
    finally:
        if front:
            front.close()
        lab.down()
        shutil.rmtree(place)


@pytest.mark.real("docker", "containerd", "kubernetes", "registry", "buildx", "buildkit", "kubectl")
def test_root_in_the_guest_pulls_and_pushes_with_the_login_until_it_is_taken_back(
    engines: Engines, apiserver: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in engines.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    image = f"{HOST}/team/nerd:1"
    built = engines.nerdctl("build", "--quiet", "--tag", image, str(tmp_path))
    assert built.returncode == 0, built.stderr
    assert engines.nerdctl("push", "--quiet", image).returncode != 0

    engines.lab.ecr.configure(hours=11)
    done = run(apiserver.kubeconfig, nerdctl_profiles=["k8s"])
    engines.lab.ecr.configure(hours=12)
    assert not done.failed, done.message
    pushed = engines.nerdctl("push", "--quiet", image)
    assert pushed.returncode == 0, pushed.stderr
    engines.nerdctl("rmi", "--force", image)
    assert engines.nerdctl("pull", "--quiet", image).returncode == 0

    # What was given out is worth nothing; the next renewal brings the new token.
    old = engines.lab.ecr.token()
    engines.lab.ecr.rotate()
    engines.nerdctl("rmi", "--force", image)
    assert engines.nerdctl("pull", "--quiet", image).returncode != 0
    renewed = run(apiserver.kubeconfig, nerdctl_profiles=["k8s"], refresh_before="11h30m")
    assert states(renewed) == {"k8s": "logged_in"}
    assert engines.nerdctl("pull", "--quiet", image).returncode == 0
    assert all(token not in json.dumps([done.text, renewed.text]) for token in (old, engines.lab.ecr.token()))

    assert states(run(apiserver.kubeconfig, state="absent", registries=[])) == {"k8s": "logged_out"}
    engines.nerdctl("rmi", "--force", image)
    assert engines.nerdctl("pull", "--quiet", image).returncode != 0


@pytest.mark.real("docker", "containerd", "kubernetes", "registry", "buildx", "buildkit", "kubectl")
def test_a_login_that_succeeds_leaves_the_token_in_the_guest_alone(
    engines: Engines, apiserver: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (tmp_path / "inventory.yml").write_text(json.dumps({"laptops": {"hosts": {"me": own}}}))
    given = {
        "secret_refresh_registries": [HOST],
        "secret_refresh_kubeconfig": str(apiserver.kubeconfig),
        "secret_refresh_nerdctl_profiles": ["k8s"],
    }
    playbook = str(Path(sys.executable).with_name("ansible-playbook"))
    temporary = dict.fromkeys(("TMPDIR", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TEMP"), str(tmp_path))
    command = (playbook, "-vvvv", "--diff", "-i", str(tmp_path / "inventory.yml"), "playbooks/workstation.yml")
    environment = {**engines.environment, **temporary, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(
        [*traced(tmp_path / "trace"), *command, "--tags", "secret_refresh", "-e", json.dumps(given)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "log nerdctl" in done.stdout, done.stdout[-3000:] + done.stderr
    forms = forms_of(engines.lab.ecr.token())
    calls = (tmp_path / "trace").read_text(errors="replace")
    assert "--password-stdin" in calls
    assert not [form for form in forms if form in done.stdout + done.stderr + calls]
    # Root's own file in the guest is the one place where nerdctl needs it.
    (kept,) = files_with(forms, engines.lab.directory, tmp_path)
    assert kept.parts[-3:] == ("root", ".docker", "config.json"), kept
    for name, value in engines.environment.items():
        monkeypatch.setenv(name, value)
    assert states(run(apiserver.kubeconfig, state="absent", registries=[])) == {"k8s": "logged_out"}
    assert files_with(forms, engines.lab.directory) == set()


@pytest.mark.real("docker", "containerd", "kubernetes", "registry", "buildx", "buildkit", "kubectl")
def test_a_registry_that_refuses_is_named_without_the_token(
    engines: Engines, apiserver: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in engines.environment.items():
        monkeypatch.setenv(name, value)
    # A token of another region, which the registry does not take.
    elsewhere = {"host": HOST.replace("eu-central-1", "us-east-1"), "aliases": [HOST]}
    failed = run(apiserver.kubeconfig, nerdctl_profiles=["k8s"], registries=[elsewhere])
    assert failed.failed and f"Could not log nerdctl of profile 'k8s' in to registry '{HOST}':" in failed.message
    assert "exit status 1" not in failed.message
    assert engines.lab.ecr.token(region="us-east-1") not in failed.text
    run(apiserver.kubeconfig, state="absent", registries=[])
