# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a user's kubeconfig looks like, a change of our entry leaves all of theirs as it was, for every reader of the file."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.kube import kubeconfig
from ansible_collections.laptop.containers.plugins.module_utils.kube.kubeconfig import Change

from tests.support.kubeconfig_texts import LISTS, OURS, Writer

FILES = 5_000 if os.environ.get("LAPTOP_LONG") else 300
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
    told = subprocess.run(
        [engine("kubeconfig-reader")],
        input=json.dumps([{"old": old, "new": new, "name": OURS} for old, new in pairs]),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = told.stdout.splitlines()
    assert len(answers) == FILES
    wrong = [(seed, answer, *pairs[seed]) for seed, answer in enumerate(answers) if answer != "equal"]
    assert wrong == []
