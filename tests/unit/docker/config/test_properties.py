# SPDX-License-Identifier: GPL-3.0-or-later
"""~/.testcontainers.properties: our line counts, everything of the user's stays, and without ours the file is what it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.docker.config.properties import with_ours, without_ours
from hypothesis import given
from hypothesis import strategies as st

from tests.support.in_process_module import ModuleRun

HOST = "unix:///home/me/.colima/docker-buildx/docker.sock"
THEIRS = (
    "",
    "testcontainers.reuse.enable=true\n",
    "#Modified by Testcontainers\r\ndocker.client.strategy=x\r\n",
    "docker.host=tcp\\://10.0.0.1\\:2375\nchecks.disable=true",
    "\n\n",
    "docker.host = unix:///var/run/docker.sock",
)


def last_host(text: str) -> str:
    """Return what a reader of properties takes, of which the last of a name counts."""
    found = dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, value in found.items()}.get("docker.host", "")


@pytest.mark.parametrize("theirs", THEIRS)
def test_ours_counts_and_goes_without_a_trace(theirs: str) -> None:
    text = with_ours(theirs, HOST)
    assert text.startswith(theirs) and last_host(text) == HOST
    assert with_ours(text, HOST) == text
    assert without_ours(text) == without_ours(theirs) == theirs
    # Another profile's engine takes its place.
    assert last_host(with_ours(text, "unix:///other")) == "unix:///other"
    assert with_ours(with_ours(text, "unix:///other"), HOST) == text


@pytest.mark.parametrize("theirs", THEIRS)
def test_what_is_added_behind_it_stays(theirs: str) -> None:
    added = with_ours(theirs, HOST) + "ryuk.disabled=true\n"
    assert with_ours(added, HOST) == added
    left = without_ours(added)
    assert left.startswith(theirs) and left.splitlines()[-1] == "ryuk.disabled=true"
    # The user's own address, written later, gives way again, as long as ours is asked for.
    assert last_host(with_ours(added + "docker.host=unix:///mine\n", HOST)) == HOST


@given(st.lists(st.sampled_from(["a=1", "docker.host=x", "# note", "", " docker.host : y", "b=\\", "é=ü"])), st.booleans())
def test_any_text_comes_back(lines: list[str], is_open: bool) -> None:
    theirs = "\n".join(lines) + ("" if is_open or not lines else "\n")
    assert without_ours(with_ours(theirs, HOST)) == theirs


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path) -> ModuleRun:
    monkeypatch.setenv("COLIMA_HOME", f"{home}/.colima")
    return ModuleRun(capsys)


def test_the_file_is_changed_on_request_and_comes_back(run: ModuleRun, home: Path) -> None:
    file = home / ".testcontainers.properties"
    written = b"docker.host=tcp://u:hunter2@far\r\nx=1"
    file.write_bytes(written)
    file.chmod(0o600)
    assert not run("docker_cli_config", plugins=[])["changed"]
    checked = run("docker_cli_config", check=True, plugins=[], testcontainers=True)
    assert file.read_bytes() == written
    done = run("docker_cli_config", plugins=[], testcontainers=True)
    assert "hunter2" not in str(checked)
    assert done["actions"] == checked["actions"] == [f"set 'docker.host' in '{file}'"]
    assert f"docker.host=unix://{home}/.colima/docker-buildx/docker.sock\n" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert not run("docker_cli_config", plugins=[], testcontainers=True)["changed"]
    run("docker_cli_config", plugins=[], state="absent")
    assert file.read_bytes() == written


def test_a_file_of_ours_alone_goes(run: ModuleRun, home: Path) -> None:
    run("docker_cli_config", plugins=[], testcontainers=True)
    assert (home / ".testcontainers.properties").exists()
    # Opting out is enough.
    assert run("docker_cli_config", plugins=[])["changed"]
    assert not (home / ".testcontainers.properties").exists()


def test_what_is_no_text_is_refused_and_left_alone(run: ModuleRun, home: Path) -> None:
    file = home / ".testcontainers.properties"
    file.write_bytes(b"x=\xff\n")
    failed = run("docker_cli_config", plugins=[], testcontainers=True)
    assert failed["failed"] and "the file is not text" in failed["msg"] and file.read_bytes() == b"x=\xff\n"
    assert not run("docker_cli_config", plugins=[], state="absent")["changed"]
