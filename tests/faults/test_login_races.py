# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that meet over registry logins, with the real docker and nerdctl: each replaces its whole file at every login.

Two processes start together, a hundred times in the long form. No login is lost and no setting of the user's, and undoing both
leaves the file as it was.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.standin.kube_api import KubeApi
from tests.support.colima.standin_laptop import ColimaLab, colima_lab
from tests.support.ecr_pull_secret.ecr_proxy import Front
from tests.support.ecr_pull_secret.scenario import HOST
from tests.support.simultaneous_runs import Run, together
from tests.support.test_runs.tiers import times

if TYPE_CHECKING:
    from rehearsal.services.ecr import Ecr
    from rehearsal.services.registry import Registry

ROUNDS = times(2, 4, 100)
SECOND = "210987654321.dkr.ecr.eu-central-1.amazonaws.com"
THEIRS = {"auths": {"r.example": {"auth": "bWU6c2VjcmV0"}}, "psFormat": "table {{.ID}}"}
CONTEXT = {"name": "work", "docker": {"host": "unix:///w.sock"}, "current": "always", "probe_timeout": 0}
# Behind the stand-in of colima: the real nerdctl, with the login of root in the guest.
GUEST = """#!/bin/sh
test "$1" = exec || exit 0
shift 3
test "$1" = sudo && shift
test "$1" = nerdctl || exit 0
shift
HOME="$REHEARSAL_ROOT_DIR/root" DOCKER_CONFIG="$REHEARSAL_ROOT_DIR/root/.docker" exec {nerdctl} "$@"
"""

pytestmark = pytest.mark.real("docker-cli", "registry")


@pytest.fixture(scope="module")
def apiserver(short_path: Path) -> Iterator[KubeApi]:
    with KubeApi(short_path / "login-races") as running:
        yield running


@pytest.fixture
def surroundings(
    home: Path, aws: Ecr, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """What leads to the lab's registry under ECR's own names."""
    front = Front(tmp_path / "front", registry.address, HOST, SECOND)
    yield {**front.environment, "NO_PROXY": "127.0.0.1,localhost"}
    front.close()


def pull_secret(cluster: KubeApi, name: str, host: str, **options: Any) -> dict[str, Any]:
    return {"kubeconfig": str(cluster.kubeconfig), "name": name, "registries": [host], **options}


def absent(options: Mapping[str, Any]) -> dict[str, Any]:
    return {**options, "registries": [], "state": "absent"}


def failures(results: list[dict[str, Any]]) -> list[str]:
    return [str(result["msg"]) for result in results if result.get("failed")]


def settings(file: Path) -> dict[str, Any]:
    """Return what a file of docker's or nerdctl's settings holds, but for the empty ones that they add."""
    return {key: value for key, value in json.loads(file.read_text()).items() if value}


@pytest.mark.fault("two runs wrote docker's logins at the same moment", there="every other login and setting")
def test_docker_loses_no_login_and_no_setting(apiserver: KubeApi, surroundings: dict[str, str], tmp_path: Path) -> None:
    one, two = (pull_secret(apiserver, name, host, docker_login=True) for name, host in (("one", HOST), ("two", SECOND)))
    lost: list[str] = []
    failed: list[str] = []
    for number in range(ROUNDS):
        home = tmp_path / str(number)
        (home / ".docker").mkdir(parents=True)
        file = home / ".docker/config.json"
        file.write_text(json.dumps(THEIRS, indent="\t"))

        def run(module: str, options: Mapping[str, Any], home: Path = home) -> Run:
            return Run(module, options, {**surroundings, "HOME": str(home)})

        # In turn: two logins; a login and a change of docker's context; a login and a logout.
        second = [("ecr_pull_secret", two), ("docker_context", CONTEXT), ("ecr_pull_secret", absent(two))][number % 3]
        if number % 3 == 2:
            failed += failures(together([run("ecr_pull_secret", two)]))
        failed += failures(together([run("ecr_pull_secret", one), run(*second)]))
        found = settings(file)
        expected = {"r.example", HOST} | ({SECOND} if number % 3 == 0 else set())
        lost += [f"{number}: {host}" for host in sorted(expected ^ found.get("auths", {}).keys())]
        lost += [f"{number}: currentContext"] if number % 3 == 1 and found.get("currentContext") != "work" else []
        for module, options in (("ecr_pull_secret", one), ("ecr_pull_secret", two)):
            failed += failures(together([run(module, absent(options))]))
        failed += failures(together([run("docker_context", {**CONTEXT, "state": "absent"})]))
        lost += [f"{number}: {key}" for key, value in THEIRS.items() if settings(file).get(key) != value]
        shutil.rmtree(home)
    assert (lost, failed) == ([], [])


@pytest.fixture
def laptop(engine: Callable[[str], Path]) -> Iterator[ColimaLab]:
    """A laptop whose profile k8s runs, with the real nerdctl in its guest."""
    with colima_lab() as lab:
        (lab.bin / "guest").write_text(GUEST.format(nerdctl=engine("nerdctl")))
        (lab.bin / "guest").chmod(0o755)
        lab.settings["GUEST"] = str(lab.bin / "guest")
        started = lab.run("colima", "start", "k8s", "--runtime", "containerd")
        assert started.returncode == 0, started.stderr
        yield lab


@pytest.mark.real("nerdctl")
@pytest.mark.fault("two runs wrote nerdctl's logins at the same moment", there="every other login")
def test_nerdctl_loses_no_login(apiserver: KubeApi, surroundings: dict[str, str], laptop: ColimaLab) -> None:
    one, two = (pull_secret(apiserver, name, host, nerdctl_profiles=["k8s"]) for name, host in (("one", HOST), ("two", SECOND)))
    (file,) = [place / "root/root/.docker/config.json" for place in laptop.paths.lima.glob("colima-k8s")]
    file.parent.mkdir(parents=True)
    lost: list[str] = []
    failed: list[str] = []

    def run(options: Mapping[str, Any]) -> Run:
        return Run("ecr_pull_secret", options, {**surroundings, **laptop.environment})

    for number in range(ROUNDS):
        file.write_text(json.dumps(THEIRS))
        if number % 2:
            failed += failures(together([run(two)]))
        failed += failures(together([run(one), run(absent(two) if number % 2 else two)]))
        expected = {"r.example", HOST} | (set() if number % 2 else {SECOND})
        # nerdctl notes a login under the host's name with the port, too.
        found = {host.removesuffix(":443") for host in settings(file)["auths"]}
        lost += [f"{number}: {host}" for host in sorted(expected ^ found)]
        for options in (one, two):
            failed += failures(together([run(absent(options))]))
        lost += [f"{number}: {key}" for key, value in THEIRS.items() if settings(file).get(key) != value]
    assert (lost, failed) == ([], [])
