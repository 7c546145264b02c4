# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError, RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.kube import kubeconfig
from ansible_collections.laptop.containers.plugins.module_utils.kube.kubeconfig import Change
from ansible_collections.laptop.containers.plugins.module_utils.kube.lock import locked

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
ADD = Change("a", kubeconfig.entry_from_k3s(K3S))


def test_an_entry_is_added_beside_what_is_there() -> None:
    entry = kubeconfig.entry_from_k3s(K3S)
    result = kubeconfig.changed(MINE, Change("colima-k8s", entry))
    assert kubeconfig.is_complete(result, "colima-k8s")
    assert result["current-context"] == "work"
    assert kubeconfig.changed(result, Change("colima-k8s")) == MINE
    assert kubeconfig.changed(result, Change("colima-k8s", entry)) == result


def test_the_namespace_that_the_user_chose_stays() -> None:
    entry = kubeconfig.entry_from_k3s(K3S)
    config = kubeconfig.changed({}, Change("a", entry, "a"))
    config["contexts"][0]["context"]["namespace"] = "team"
    again = kubeconfig.changed(config, Change("a", {**entry, "cluster": {"server": "https://new"}}))
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
    assert kubeconfig.rewrite(link, ADD)
    assert link.is_symlink()
    assert kubeconfig.is_complete(kubeconfig.load(link), "a")
    assert real.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in real.parent.iterdir()] == ["config"]
    assert not kubeconfig.rewrite(link, ADD)


BEFORE = """\
# my clusters
apiVersion: v1
kind: Config
users:
  - name: me # at work
    user: {token: "12345e6", username: "y"}

current-context: me   # keep
clusters:
- cluster:
    server: https://work
  name: work
# the end
"""


def test_an_added_entry_changes_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(BEFORE)
    kubeconfig.rewrite(file, ADD)
    assert (
        file.read_text()
        == """\
# my clusters
apiVersion: v1
kind: Config
users:
  - name: me # at work
    user: {token: "12345e6", username: "y"}
  - name: a
    user:
      client-certificate-data: Q0M=
      client-key-data: S0VZ

current-context: me   # keep
clusters:
- cluster:
    server: https://work
  name: work
- name: a
  cluster:
    server: https://127.0.0.1:6443
    certificate-authority-data: Q0E=
contexts:
- name: a
  context:
    cluster: a
    user: a
# the end
"""
    )
    kubeconfig.rewrite(file, Change("a"))
    assert file.read_text() == BEFORE.replace("# the end", "contexts: []\n# the end")


@pytest.mark.parametrize(
    "text",
    [
        "users: [{name: b, user: {}}]\n",
        "users:\n- name: b\n  user: &u {token: t}\n- name: a\n  user: *u\n",
        "users:\n- name: a\n  user: &u\n    token: t\n- name: b\n  user: *u\n",
        "clusters: []\nclusters: []\n",
        '{"users": [{"name": "b", "user": {"token": "1"}}]}',
    ],
    ids=["brackets", "a reference in our entry", "an anchor in our entry", "a key twice", "JSON"],
)
def test_a_file_that_can_not_be_changed_line_by_line_is_refused_and_stays(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(RefusedStep, match=r"^Could not change entry 'a' of kubeconfig '.*: .*\. Write the file in block style"):
        kubeconfig.rewrite(file, ADD)
    assert file.read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "clusters: [{name: a, cluster: text}]",
        "contexts: [{name: a, context: 5}]",
        "users: [a, 5, null]",
        "contexts: [{name: [a]}]",
    ],
)
def test_an_entry_with_a_wrong_type_counts_as_incomplete(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    config = kubeconfig.load(file)
    assert not kubeconfig.is_complete(config, "a")
    assert kubeconfig.is_dangling({**config, "current-context": 5})
    assert kubeconfig.holds(config, config, "b")
    assert kubeconfig.is_complete(kubeconfig.changed(config, ADD), "a")


@pytest.mark.parametrize(
    "text", ["a: [", "- a", "text", "contexts: 3", "users: {a: b}", "[" * 100_000, "- " * 100_000, "? " * 9_999]
)
def test_a_file_that_is_no_kubeconfig_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(InputError, match="Could not read kubeconfig"):
        kubeconfig.load(file)
    with pytest.raises(InputError, match="Could not read kubeconfig"):
        kubeconfig.rewrite(file, ADD)
    assert file.read_text() == text


def test_a_number_beyond_all_bounds_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(f"preferences: {{a: {'9' * 5000}, b: 1e400, c: .nan, d: 2020-13-45}}\n")
    assert kubeconfig.rewrite(file, ADD)


def test_a_directory_in_the_place_of_the_file_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    for act in (kubeconfig.load, lambda path: kubeconfig.rewrite(path, ADD)):
        with pytest.raises(InputError, match=r"^Could not read kubeconfig '.*config': is a directory\. Name a file\.$"):
            act(tmp_path / "config")


def test_a_file_in_the_place_of_the_directory_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / ".kube").write_text("")
    with pytest.raises(InputError, match="Could not lock kubeconfig"), locked(tmp_path / ".kube" / "config"):
        pass


def test_the_first_file_of_kubeconfig_counts() -> None:
    assert kubeconfig.path_from({"KUBECONFIG": ":/a:/b", "HOME": "/h"}) == Path("/a")
    assert kubeconfig.path_from({"HOME": "/h"}) == Path("/h/.kube/config")


def test_a_reader_waits_while_kubectl_has_emptied_the_file(tmp_path: Path) -> None:
    file, lock = tmp_path / "config", tmp_path / "config.lock"
    file.write_text("")
    lock.write_text("")

    def write() -> None:
        file.write_text("current-context: work\n")
        lock.unlink()

    writer = threading.Timer(0.1, write)
    writer.start()
    assert kubeconfig.load(file) == {"current-context": "work"}
    writer.join()


def test_a_reader_without_a_lock_never_finds_less_than_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(BEFORE)
    over = threading.Event()
    seen: list[bytes] = []

    def read() -> None:
        while not over.is_set():
            seen.append(file.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for change in [ADD, Change("a")] * 50:
        kubeconfig.rewrite(file, change)
    over.set()
    reader.join()
    assert all(text.startswith(b"# my clusters") and text.endswith(b"# the end\n") for text in seen)


def test_thousands_of_entries_of_one_name_are_removed_as_fast_as_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("contexts:\n" + "- name: colima-k8s\n  context: {}\n" * 20_000 + "- name: mine\n  context: {}\n")
    began = time.process_time()
    kubeconfig.load(path)
    reading = time.process_time() - began
    assert kubeconfig.rewrite(path, Change("colima-k8s"))
    # Some 3 times as long; 21 times where the cost grows with the square of the entries.
    assert time.process_time() - began < 10 * reading
    assert path.read_text() == "contexts:\n- name: mine\n  context: {}\n"
