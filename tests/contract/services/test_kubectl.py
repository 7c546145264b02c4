# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for kubectl against the real one: the commands that colima calls, and simple reads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443"}} for name in ("b", "a")],
    "users": [{"name": name, "user": {"token": f"token-{name}"}} for name in ("b", "a")],
    "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in ("b", "a")],
    "current-context": "b",
    "preferences": {},
}

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["stand-in", "real"])
def kubectl(request: pytest.FixtureRequest, engine: Callable[[str], Path]) -> Kubectl:
    """Both kubectls, as functions."""
    stand_in = [sys.executable, "-c", "import sys; from rehearsal.standin.kubectl import main; sys.exit(main())"]
    command = stand_in if request.param == "stand-in" else [str(engine("kubectl"))]

    def run(*arguments: str, **variables: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **{key: str(value) for key, value in variables.items()}, "PYTHONPATH": str(ROOT)}
        return subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, timeout=30, check=False)

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A kubeconfig with two clusters."""
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(CONFIG))
    return path


def names(text: str, kind: str) -> list[str]:
    return [entry["name"] for entry in yaml.safe_load(text)[kind] or []]


def test_view_shows_entries_in_the_order_of_their_names(kubectl: Kubectl, config: Path) -> None:
    found = yaml.safe_load(kubectl("config", "view", "--raw", KUBECONFIG=config).stdout)
    assert [entry["name"] for entry in found["contexts"]] == ["a", "b"]
    assert found["users"][0] == {"name": "a", "user": {"token": "token-a"}}
    assert found["current-context"] == "b"


def test_view_without_raw_hides_secrets(kubectl: Kubectl, config: Path) -> None:
    assert "token-a" not in kubectl("config", "view", KUBECONFIG=config).stdout


def test_of_two_files_the_first_wins(kubectl: Kubectl, config: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    mine = {**CONFIG, "current-context": "a", "clusters": [{"name": "a", "cluster": {"server": "https://elsewhere:1"}}]}
    other.write_text(yaml.safe_dump(mine))
    found = yaml.safe_load(kubectl("config", "view", "--raw", KUBECONFIG=f"{other}:{config}").stdout)
    assert {entry["name"]: entry["cluster"]["server"] for entry in found["clusters"]} == {
        "a": "https://elsewhere:1",
        "b": "https://b:6443",
    }
    assert found["current-context"] == "a"


def test_missing_files_are_empty(kubectl: Kubectl, tmp_path: Path) -> None:
    done = kubectl("config", "view", "--raw", KUBECONFIG=tmp_path / "none")
    found = yaml.safe_load(done.stdout)
    assert (done.returncode, found["clusters"] or [], found["current-context"]) == (0, [], "")


def test_use_context_switches(kubectl: Kubectl, config: Path) -> None:
    done = kubectl("config", "use-context", "a", KUBECONFIG=config)
    assert (done.returncode, done.stdout) == (0, 'Switched to context "a".\n')
    assert kubectl("config", "current-context", KUBECONFIG=config).stdout == "a\n"


def test_use_of_an_unknown_context_is_refused(kubectl: Kubectl, config: Path) -> None:
    done = kubectl("config", "use-context", "c", KUBECONFIG=config)
    assert (done.returncode, done.stderr) == (1, 'error: no context exists with the name: "c"\n')


def test_no_current_context_is_an_error(kubectl: Kubectl, tmp_path: Path) -> None:
    done = kubectl("config", "current-context", KUBECONFIG=tmp_path / "none")
    assert (done.returncode, done.stderr) == (1, "error: current-context is not set\n")


@pytest.mark.parametrize(("kind", "left"), [("contexts", ["b"]), ("clusters", ["b"]), ("users", ["b"])])
def test_unset_takes_one_entry_out(kubectl: Kubectl, config: Path, kind: str, left: list[str]) -> None:
    done = kubectl("config", "unset", f"{kind}.a", KUBECONFIG=config)
    assert (done.returncode, done.stdout) == (0, f'Property "{kind}.a" unset.\n')
    assert names(config.read_text(), kind) == left


def test_unset_of_what_is_not_there_succeeds(kubectl: Kubectl, config: Path) -> None:
    assert kubectl("config", "unset", "contexts.missing", KUBECONFIG=config).returncode == 0
    assert sorted(names(config.read_text(), "contexts")) == ["a", "b"]


def test_unset_of_the_current_context_leaves_the_rest(kubectl: Kubectl, config: Path) -> None:
    kubectl("config", "unset", "current-context", KUBECONFIG=config)
    found = yaml.safe_load(config.read_text())
    assert not found.get("current-context")
    assert len(found["contexts"]) == 2


def test_reads_through_an_unreachable_server_fail(kubectl: Kubectl, config: Path) -> None:
    text = config.read_text().replace("https://b:6443", "https://127.0.0.1:1")
    config.write_text(text)
    assert kubectl("get", "ns", KUBECONFIG=config).returncode == 1


@pytest.mark.real("kubernetes")
def test_get_reads_the_real_api(kubectl: Kubectl, apiserver: object) -> None:
    path = apiserver.kubeconfig  # type: ignore[attr-defined]
    found = kubectl("get", "namespaces", "-o", "name", KUBECONFIG=path).stdout.split()
    assert "namespace/default" in found
    refused = kubectl("get", "secret", "nothing", "-n", "default", KUBECONFIG=path)
    assert (refused.returncode, refused.stderr) == (1, 'Error from server (NotFound): secrets "nothing" not found\n')
