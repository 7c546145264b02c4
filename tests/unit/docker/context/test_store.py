# SPDX-License-Identifier: GPL-3.0-or-later
"""What docker answers about its contexts: taken when it is complete, refused in words when it is not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.in_process_module import ModuleRun

ENTRY: dict[str, Any] = {"Name": "work", "Metadata": {}, "Endpoints": {"docker": {"Host": "unix:///w"}}}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> ModuleRun:
    return ModuleRun(capsys)


@pytest.fixture
def docker(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the docker command answers, as a file; the context 'work' is in docker's store."""
    entry = home / ".docker/contexts/meta" / hashlib.sha256(b"work").hexdigest() / "meta.json"
    entry.parent.mkdir(parents=True)
    entry.write_text(json.dumps(ENTRY))
    (home / "bin").mkdir()
    (home / "bin/docker").write_text(f'#!/bin/sh\necho "$@" >> "{home}/calls"\ncat "{home}/answer"\n')
    (home / "bin/docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}/bin:/usr/bin:/bin")
    return home / "answer"


WORK: dict[str, Any] = {"name": "work", "docker": {"host": "unix:///w"}, "probe_timeout": 0}


def test_an_answer_that_leaves_out_a_complete_context_never_has_it_made_again(run: ModuleRun, home: Path, docker: Path) -> None:
    docker.write_text("[]")
    result = run("docker_context", **WORK)
    assert "it leaves out 'work', whose entry is complete). Run 'docker context ls' to see what docker says." in result["msg"]
    assert (home / "calls").read_text().splitlines() == ["context inspect work"]


@pytest.mark.parametrize(
    "answer",
    [
        '"text"',
        "5",
        '["text"]',
        "[[]]",
        '[{"Name": 5}]',
        '[{"Name": "work", "Endpoints": "text"}]',
        '[{"Name": "work", "Endpoints": {"docker": "text"}}]',
        '[{"Name": "work", "Endpoints": {"docker": {"Host": ["x"]}}}]',
        '[{"Name": "work", "Metadata": "text"}]',
        '[{"Name": "work", "Storage": []}]',
        '[{"Name": "work", "TLSMaterial": {"docker": "ca.pem"}}]',
        "[" * 100_000,
        "nonsense",
    ],
    ids=lambda text: text[:60],
)
def test_an_answer_of_another_shape_is_a_sentence(run: ModuleRun, docker: Path, answer: str) -> None:
    docker.write_text(answer)
    result = run("docker_context", **WORK)
    assert result["msg"].startswith("Could not read the docker contexts: the answer of 'docker context inspect' can't be used (")


def test_a_full_disk_is_told_as_one(run: ModuleRun, home: Path, docker: Path) -> None:
    docker.write_text(json.dumps([ENTRY]))
    (home / "bin/docker").write_text(
        f'#!/bin/sh\ntest "$2" = inspect && exec cat "{docker}"\necho "open /x: no space left on device" >&2\nexit 1\n'
    )
    result = run("docker_context", name="work", docker={"host": "unix:///new"}, probe_timeout=0)
    assert result["msg"] == (
        "Could not update docker context 'work': open /x: no space left on device. Free some disk space, and run again."
    )
    assert (result["changed"], result["actions"]) == (False, [])


def test_the_failure_of_an_answer_keeps_what_docker_said(docker: Path, run: ModuleRun) -> None:
    docker.write_text("nonsense")
    assert run("docker_context", **WORK)["stdout"] == "nonsense"
