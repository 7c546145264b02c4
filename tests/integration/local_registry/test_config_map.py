# SPDX-License-Identifier: GPL-3.0-or-later
"""The ConfigMap of a local registry in a real API server: written once, ours alone, and removed where it was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.ansible_runs.cluster_roles import leading_nowhere, role_alone
from tests.support.in_process_module import ModuleRun

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer

pytestmark = pytest.mark.real("kubernetes")
PATH = "/api/v1/namespaces/kube-public/configmaps"
OURS = f"{PATH}/local-registry-hosting"
HOSTS: dict[str, Any] = {
    "host": "localhost:5000",
    "host_from_containers": "host.lima.internal:5000",
    "help": "https://wiki.example.com/x: #y",
}


class Cluster:
    """The module on the API server, and what the server has."""

    def __init__(self, server: ApiServer, run: ModuleRun, home: Path) -> None:
        self.server, self.run = server, run
        self.notes = home / ".local" / "state" / "laptop.containers" / "local_registry.json"
        self.kubeconfig = server.kubeconfig

    def registry(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        return self.run("local_registry", check=check, **{"kubeconfig": str(self.kubeconfig), **options})

    @property
    def found(self) -> dict[str, Any] | None:
        _status, answer = self.server.request("GET", PATH)
        items: list[dict[str, Any]] = answer["items"]
        return next((one for one in items if one["metadata"]["name"] == "local-registry-hosting"), None)

    @property
    def text(self) -> str:
        assert self.found is not None
        return str(self.found["data"]["localRegistryHosting.v1"])

    def write(self, text: str) -> None:
        """Write one as another tool would."""
        body = {"metadata": {"name": "local-registry-hosting"}, "data": {"localRegistryHosting.v1": text}}
        self.server.request("POST", PATH, body)


@pytest.fixture
def cluster(apiserver: ApiServer, capsys: pytest.CaptureFixture[str], home: Path) -> Cluster:
    made = Cluster(apiserver, ModuleRun(capsys), home)
    if made.found is not None:
        apiserver.request("DELETE", OURS)
    return made


def test_it_is_written_changed_and_removed(cluster: Cluster) -> None:
    assert cluster.registry(check=True, **HOSTS)["actions"] == [
        "write configmap kube-public/local-registry-hosting of colima-k8s"
    ]
    assert cluster.found is None and not cluster.notes.exists()
    assert cluster.registry(**HOSTS)["changed"] and not cluster.registry(**HOSTS)["changed"]
    assert yaml.safe_load(cluster.text) == {
        "host": "localhost:5000",
        "hostFromContainerRuntime": "host.lima.internal:5000",
        "help": "https://wiki.example.com/x: #y",
    }
    assert cluster.registry(host="localhost:5001")["actions"] == [
        "change configmap kube-public/local-registry-hosting of colima-k8s"
    ]
    assert cluster.text == 'host: "localhost:5001"\n'
    assert cluster.registry(check=True, state="absent")["changed"] and cluster.found is not None
    assert cluster.registry(state="absent")["changed"] and cluster.found is None
    assert not cluster.registry(state="absent")["changed"] and not cluster.notes.exists()


def test_an_edited_value_of_ours_is_put_right_and_what_was_added_stays(cluster: Cluster) -> None:
    cluster.registry(host="localhost:5000")
    edited = cluster.found
    assert edited is not None
    edited["data"] = {"localRegistryHosting.v1": "host: x", "mine": "y"}
    edited["metadata"]["annotations"] = {"mine": "z"}
    assert cluster.server.request("PUT", OURS, edited)[0] == 200
    assert cluster.registry(host="localhost:5000")["changed"]
    found = cluster.found
    assert found is not None and cluster.text == 'host: "localhost:5000"\n'
    assert (found["data"]["mine"], found["metadata"]["annotations"]["mine"]) == ("y", "z")


def test_one_of_another_tool_is_never_touched(cluster: Cluster) -> None:
    cluster.write("host: localhost:32000\n")
    refused = cluster.registry(host="localhost:5000")
    assert "another tool has written it" in refused["msg"]
    assert "kubectl --context colima-k8s --namespace kube-public delete configmap local-registry-hosting" in refused["msg"]
    assert not cluster.registry(state="absent")["changed"]
    assert cluster.text == "host: localhost:32000\n"


def test_a_cluster_that_does_not_answer_is_pending_and_asked_again(cluster: Cluster, home: Path) -> None:
    cluster.registry(host="localhost:5000")
    cluster.kubeconfig = leading_nowhere(cluster.kubeconfig, home / "away")
    asked: list[dict[str, Any]] = [{"host": "localhost:5000"}, {"state": "absent"}]
    for options in asked:
        answer = cluster.registry(**options)
        assert not answer["changed"] and answer["pending"][0]["kind"] == "unreachable", answer
    # In check mode a cluster that the run is going to start need not answer yet.
    planned = cluster.registry(check=True, host="localhost:5000", expected_contexts=["colima-k8s"])
    assert planned["changed"] and not planned["pending"]
    # A kubeconfig that does not know the context: nothing leads there, and the note waits for the day on which something does.
    cluster.kubeconfig.write_text("{}")
    gone = cluster.registry(state="absent")
    assert not gone["changed"] and not gone["pending"] and cluster.notes.exists()
    cluster.kubeconfig = cluster.server.kubeconfig
    assert cluster.registry(state="absent")["changed"] and cluster.found is None


def test_the_role_removes_it_when_its_setting_goes(cluster: Cluster, home: Path) -> None:
    converge = role_alone(home, "laptop.containers.local_registry", local_registry_kubeconfig=str(cluster.server.kubeconfig))
    # It is off by itself.
    assert "skipped=1" in converge() and cluster.found is None
    assert "changed=1" in converge(local_registry_host="localhost:5000")
    assert "changed=1" in converge() and cluster.found is None
    assert "skipped=1" in converge()
