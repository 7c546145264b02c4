# SPDX-License-Identifier: GPL-3.0-or-later
"""A task asks each thing once: programs, the API server and AWS, in a run with nothing to do and in one with a change."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.lab.laptop import Lab
from rehearsal.standin.kube_api import KubeApi
from tests.support.ecr_pull_secret.api_server_proxy import Front
from tests.support.lab_playbooks import play

PROGRAMS = ("colima", "limactl", "docker", "kubectl")
# Notes a call of a play itself; what a program calls in turn is its own affair.
SHIM = """#!/bin/sh
if test -z "$NOTED"; then echo "{program} $*" >> {log}; fi
NOTED=1 exec {real} "$@"
"""
# What looks and changes nothing: once before the steps, and once after them.
READS = (
    "colima list",
    "colima ssh",
    "colima status",
    "limactl disk list",
    "limactl list",
    "docker context inspect",
    "docker version",
)
# A change of a profile with Kubernetes restarts it. What changed meanwhile is asked again: whether it stopped, and, once it runs,
# its address and its k3s for the kubeconfig.
AROUND_A_RESTART = {"colima list --json": 4, "colima ssh --profile k8s -- sudo cat /etc/rancher/k3s/k3s.yaml": 3}
LOG_IN = """#!/bin/sh
echo log-in >> {log}
echo '{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {{"token": "of-the-lab"}}}}'
"""


class Laptop:
    """A light lab whose programs note who calls them."""

    def __init__(self, folder: Path) -> None:
        self.lab = Lab(folder / "lab")
        self.lab.up("light")
        self.log = folder / "calls"
        # Beside the lab's own programs: docker looks for its plugins from there.
        shims = self.lab.directory / "shims"
        shims.mkdir()
        environment = self.lab.environment
        for program in PROGRAMS:
            real = next(
                (Path(part) / program for part in environment["PATH"].split(":") if (Path(part) / program).exists()), None
            )
            if real is not None:
                (shims / program).write_text(SHIM.format(program=program, log=self.log, real=real))
                (shims / program).chmod(0o755)
        self.lab.environment_file.write_text(json.dumps({**environment, "PATH": f"{shims}:{environment['PATH']}"}))

    def calls(self, *arguments: str) -> Counter[str]:
        """Run the playbook, and return the calls that it made."""
        self.log.write_text("")
        play(self.lab, "playbooks/workstation.yml", *arguments)
        return Counter(self.log.read_text().splitlines())


@pytest.fixture(scope="module")
def laptop() -> Iterator[Laptop]:
    with tempfile.TemporaryDirectory(prefix="lk-", dir="/tmp") as folder:
        laptop = Laptop(Path(folder))
        try:
            laptop.calls()
            yield laptop
        finally:
            laptop.lab.down()


@pytest.mark.parametrize("role", ["colima", "nerdctl", "docker_cli", "docker_context", "buildx", "secret_refresh"])
def test_a_task_with_nothing_to_do_asks_nothing_twice(laptop: Laptop, role: str) -> None:
    repeated = {call: count for call, count in laptop.calls("--tags", role).items() if count > 1}
    assert repeated == {}


def test_a_run_with_nothing_to_do_asks_nothing_in_a_vm(laptop: Laptop) -> None:
    calls = laptop.calls()
    assert "colima list --json" in calls
    assert [call for call in calls if call.startswith(("colima ssh", "colima status", "limactl shell"))] == []


@pytest.mark.parametrize(
    ("role", "settings"),
    [
        ("colima", {"colima_profiles": [{"name": "k8s", "disk": 120}, {"name": "docker-buildx"}], "colima_restart": "always"}),
        ("docker_context", {"docker_context_current": "default"}),
    ],
)
def test_a_task_with_a_change_asks_once_before_and_once_after_it(laptop: Laptop, role: str, settings: dict[str, object]) -> None:
    calls = laptop.calls("--tags", role, "-e", json.dumps(settings))
    reads = {call: count for call, count in calls.items() if call.startswith(READS)}
    allowed = {call: AROUND_A_RESTART.get(call, 2) if role == "colima" else 2 for call in reads}
    assert {call: count for call, count in reads.items() if count > allowed[call]} == {}
    assert {call: count for call, count in calls.items() if call not in reads and count > 1} == {}


@pytest.fixture
def front(laptop: Laptop, tmp_path: Path) -> Iterator[Front]:
    """A cluster that is reached through a proxy which notes each request, and through a program that logs in."""
    with KubeApi(tmp_path / "cluster") as cluster:
        for name in ("one", "two"):
            cluster.namespace(name)
        front = Front(cluster, lambda _method, _path: None)
        program = tmp_path / "log-in"
        program.write_text(LOG_IN.format(log=laptop.log))
        program.chmod(0o755)
        kubeconfig = json.loads(front.kubeconfig(tmp_path / "kubeconfig").read_text())
        entry = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}
        kubeconfig["users"][0]["user"] = {"exec": entry}
        (laptop.lab.home / "kubeconfig").write_text(json.dumps(kubeconfig))
        yield front
        front.shutdown()
        front.server_close()


def test_a_refresh_asks_the_cluster_its_login_program_and_aws_once(laptop: Laptop, front: Front) -> None:
    def refresh(**variables: str) -> tuple[Counter[str], int, Counter[str]]:
        front.seen.clear()
        known = len(laptop.lab.ecr.requests)
        given = {
            "secret_refresh_kubeconfig": str(laptop.lab.home / "kubeconfig"),
            "secret_refresh_namespaces": ["one", "two"],
            **variables,
        }
        calls = laptop.calls("--tags", "secret_refresh", "-e", json.dumps(given))
        requests = Counter(f"{method} {path}" for method, path, _ in front.seen)
        assert set(requests.values()) == {1}
        tokens = Counter(request["region"] for request in laptop.lab.ecr.requests[known:])
        return calls, sum(not request.startswith("GET ") for request in requests), tokens

    due = ({"log-in": 1}, 2, {"eu-central-1": 1, "us-east-1": 1})
    laptop.lab.ecr.configure(hours=11)
    assert refresh() == due
    laptop.lab.ecr.configure(hours=12)
    assert refresh() == ({"log-in": 1}, 0, {})
    assert refresh(secret_refresh_before="11h30m") == due
