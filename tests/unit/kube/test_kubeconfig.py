# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError, RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.kube import kubeconfig

K3S = {
    "clusters": [{"name": "default", "cluster": {"server": "https://127.0.0.1:6443", "certificate-authority-data": "Q0E="}}],
    "users": [{"name": "default", "user": {"client-certificate-data": "Q0M=", "client-key-data": "S0VZ"}}],
    "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
}
MINE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "work", "cluster": {"server": "https://work"}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me"}}],
    "users": [{"name": "me", "user": {"token": "t"}}],
    "current-context": "work",
    "preferences": {},
}


def test_an_entry_is_added_beside_what_is_there() -> None:
    entry = kubeconfig.entry_from_k3s(K3S)
    result = kubeconfig.with_entry(MINE, "colima-k8s", entry, make_current=False)
    assert kubeconfig.is_complete(result, "colima-k8s")
    assert result["current-context"] == "work"
    assert kubeconfig.without_entry(result, "colima-k8s") == MINE
    assert kubeconfig.with_entry(result, "colima-k8s", entry, make_current=False) == result


def test_the_namespace_that_the_user_chose_stays() -> None:
    entry = kubeconfig.entry_from_k3s(K3S)
    config = kubeconfig.with_entry({}, "a", entry, make_current=True)
    config["contexts"][0]["context"]["namespace"] = "team"
    again = kubeconfig.with_entry(config, "a", {**entry, "cluster": {"server": "https://new"}}, make_current=False)
    assert again["contexts"] == [{"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "team"}}]
    assert again["clusters"] == [{"name": "a", "cluster": {"server": "https://new"}}]


def test_the_reachable_address_replaces_the_loopback_one() -> None:
    assert kubeconfig.entry_from_k3s(K3S, "192.168.64.2")["cluster"]["server"] == "https://192.168.64.2:6443"


def test_a_cluster_that_is_not_up_is_told() -> None:
    with pytest.raises(InputError, match="Is Kubernetes up"):
        kubeconfig.entry_from_k3s({})


@pytest.mark.parametrize(
    ("config", "dangling"),
    [({}, True), ({"current-context": "gone"}, True), ({**MINE}, False), ({**MINE, "current-context": ""}, True)],
)
def test_a_current_context_that_is_not_there_dangles(config: dict[str, Any], dangling: bool) -> None:
    assert kubeconfig.is_dangling(config) is dangling


def test_the_file_stays_a_link_and_is_private(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "config"
    real.parent.mkdir()
    real.write_text("{}")
    real.chmod(0o644)
    link = tmp_path / "config"
    link.symlink_to(real)
    kubeconfig.save(link, MINE)
    assert link.is_symlink()
    assert (kubeconfig.load(link), real.stat().st_mode & 0o777) == (MINE, 0o600)
    assert [path.name for path in real.parent.iterdir()] == ["config"]


@pytest.mark.parametrize("text", ["a: [", "- a", "text", "contexts: 3", "users: {a: b}", "a: 2020-13-45"])
def test_a_file_that_is_no_kubeconfig_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(InputError, match="Could not read kubeconfig"):
        kubeconfig.load(file)
    assert file.read_text() == text


def test_kubectls_lock_is_waited_for_and_a_stale_one_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "sub" / "config"
    lock = tmp_path / "sub" / "config.lock"
    with kubeconfig.locked(file):
        assert lock.exists()
        with pytest.raises(RefusedStep, match=r"remove that file"), kubeconfig.locked(file, wait=0.2):
            pass
    assert not lock.exists()
    lock.write_text("")
    os.utime(lock, (time.time() - 100, time.time() - 100))
    with kubeconfig.locked(file, wait=0.2):
        pass


def test_the_first_file_of_kubeconfig_counts() -> None:
    assert kubeconfig.path_from({"KUBECONFIG": ":/a:/b", "HOME": "/h"}) == Path("/a")
    assert kubeconfig.path_from({"HOME": "/h"}) == Path("/h/.kube/config")
