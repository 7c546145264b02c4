# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a user's kubeconfig looks like, a change of our entry leaves all of theirs as it was, for every reader of the file."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.kube import kubeconfig
from ansible_collections.laptop.containers.plugins.module_utils.kube.entry import find_entry
from ansible_collections.laptop.containers.plugins.module_utils.kube.kubeconfig import Change
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.support.colima.strategies import LONG
from tests.support.kubeconfig_texts import LISTS, OURS, Writer
from tests.support.test_runs.tiers import times

FILES = times(20, 300, 5_000)
ENTRY = {
    "cluster": {"server": "https://127.0.0.1:6443", "certificate-authority-data": "Q0E="},
    "user": {"client-certificate-data": "Q0M=", "client-key-data": "eQ==", "username": "y", "token": "12345e6"},
}
CHANGES = (Change(OURS, ENTRY), Change(OURS, ENTRY, OURS), Change(OURS), Change(OURS, current="w0"))


def rewritten(path: Path, seed: int) -> tuple[str, str, list[str], Change]:
    """Return a file's text before and after a change, the lines that had to stay, and the change."""
    text, fixed = Writer(seed).file()
    path.write_bytes(text.encode())
    change = CHANGES[seed % len(CHANGES)]
    kubeconfig.rewrite(path, change)
    return text, path.read_bytes().decode(), fixed, change


def others(text: str) -> dict[str, Any]:
    """Return what PyYAML reads besides our entry."""
    config = yaml.safe_load(text)
    return {plural: [item for item in config.get(plural) or () if item["name"] != OURS] for plural in LISTS}


@pytest.mark.parametrize("part", range(10))
def test_entries_and_lines_that_are_not_ours_stay(tmp_path: Path, part: int) -> None:
    for seed in range(part, FILES, 10):
        old, new, fixed, change = rewritten(tmp_path / "config", seed)
        assert others(new) == others(old), (seed, old)
        lines = iter(new.splitlines())
        missing = [line for line in fixed if line.strip() and line not in lines]
        assert not missing, (seed, missing)
        entry = kubeconfig.parts(yaml.safe_load(new), OURS)
        assert entry == {} if change.entry is None else {kind: entry[kind] for kind in ENTRY} == change.entry, (seed, new)


@pytest.mark.real("kubeconfig-reader")
def test_kubectl_finds_entries_that_are_not_ours_equal(tmp_path: Path, engine: Callable[[str], Path]) -> None:
    pairs = [rewritten(tmp_path / "config", seed)[:2] for seed in range(FILES)]
    compared = subprocess.run(
        [engine("kubeconfig-reader")],
        input=json.dumps([{"old": old, "new": new, "name": OURS} for old, new in pairs]),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = compared.stdout.splitlines()
    assert len(answers) == FILES
    wrong = [(seed, answer, *pairs[seed]) for seed, answer in enumerate(answers) if answer != "equal"]
    assert wrong == []


keys = some.sampled_from(["name", "cluster", "user", "context", "server", "exec", "token", "clusters", "users", "contexts", "a"])


def entries(inner: some.SearchStrategy[Any]) -> some.SearchStrategy[dict[str, Any]]:
    """Mappings with keys of a kubeconfig."""
    return some.dictionaries(keys, inner | some.just("a"), max_size=4)


scalars = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8) | some.dates()
values = some.recursive(scalars, lambda inner: some.lists(inner, max_size=3) | entries(inner), max_leaves=12)


@settings(parent=LONG)
@given(some.binary(max_size=60) | entries(some.lists(entries(values), max_size=3) | values).map(yaml.safe_dump).map(str.encode))
def test_whatever_a_file_holds_only_failures_in_words_come_out(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config"
        file.write_bytes(data)
        for act in (kubeconfig.load, lambda path: find_entry("a", [path]), lambda path: kubeconfig.rewrite(path, CHANGES[0])):
            with contextlib.suppress(WorkstationError):
                act(file)
