# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundle for support: what is in it, and that nothing in it is a secret."""

from __future__ import annotations

import getpass
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import light_lab, play

CANARY = "c4naryS3cret"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with light_lab() as lab:
        profile = {"name": "docker-buildx", "runtime": "docker", "env": {"DEPLOY_TOKEN": CANARY, "PLAIN": CANARY}}
        play(lab, "playbooks/workstation.yml", "--tags", "colima", "-e", json.dumps({"colima_profiles": [profile]}))
        yield lab


@pytest.fixture(scope="module")
def bundle(lab: Lab) -> dict[str, str]:
    """What is in a bundle that was made with secrets in every file that goes into it."""
    state = Path(lab.environment["XDG_STATE_HOME"]) / "laptop.containers"
    for file in (state / "refresh.log", lab.home / ".colima" / "_lima" / "colima-docker-buildx" / "ha.stderr.log"):
        with file.open("a") as handle:
            handle.write(f"could not reach https://me:{CANARY}@proxy.example.org from {lab.home}/x, password={CANARY}\n")
    (record, *_) = (state / "runs").glob("*.jsonl")
    with record.open("a") as handle:
        handle.write(json.dumps({"task": "x", "stderr": f"Authorization: Bearer {CANARY}.{CANARY}"}) + "\n")
    path = lab.home / "support.tar.gz"
    assert "files)" in play(lab, "playbooks/support.yml", "--check", "-e", f"support_path={path}")
    assert not path.exists()

    said = play(lab, "playbooks/support.yml", "-e", f"support_path={path}")

    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as archive:
        found = {}
        for member in archive.getmembers():
            content = archive.extractfile(member)
            assert content is not None
            name = member.name.removeprefix("support/")
            found[name] = content.read().decode()
            # The run lists what is in it.
            assert f"{name} ({member.size} bytes)" in said
    return found


def test_it_holds_what_helps(bundle: dict[str, str]) -> None:
    assert {"doctor.json", "timers/refresh.log", "colima/docker-buildx/settings.json"} <= set(bundle)
    assert any(name.startswith("runs/") for name in bundle)
    assert "lima/colima-docker-buildx/ha.stderr.log" in bundle
    assert json.loads(bundle["doctor.json"])["checks"]
    settings = json.loads(bundle["colima/docker-buildx/settings.json"])
    assert settings["runtime"] == "docker" and set(settings["env"]) == {"DEPLOY_TOKEN", "PLAIN"}
    assert "create profile 'docker-buildx'" in "".join(text for name, text in bundle.items() if name.startswith("runs/"))


def test_no_secret_and_no_home_is_in_it(lab: Lab, bundle: dict[str, str]) -> None:
    for name, text in bundle.items():
        assert CANARY not in text, name
        assert str(lab.home) not in text, name
        assert f"/{getpass.getuser()}/" not in text, name


def test_a_file_that_is_there_is_not_written_over(lab: Lab, bundle: dict[str, str]) -> None:
    path = lab.home / "mine.tar.gz"
    path.write_text("mine")
    with pytest.raises(AssertionError, match="there is a file of that name"):
        play(lab, "playbooks/support.yml", "-e", f"support_path={path}")
    assert path.read_text() == "mine"
