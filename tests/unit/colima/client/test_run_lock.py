# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.run_lock import (
    RunLock,
    RunningStart,
    start_of,
    works_on,
)
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.core.system.processes import age_of

DEV, DEFAULT = RunningStart("colima-dev"), RunningStart("colima")


@pytest.mark.parametrize(
    ("command", "start"),
    [
        ("colima start", DEFAULT),
        ("/opt/homebrew/bin/colima start", DEFAULT),
        ("colima start dev", DEV),
        ("colima start colima-dev", DEV),
        ("colima start default", DEFAULT),
        ("colima restart dev", DEV),
        ("colima restart --force dev", DEV),
        ("colima restart -f dev", DEV),
        ("colima start --cpus 2 --memory 4", DEFAULT),
        ("colima start --cpus 2 dev", DEV),
        ("colima start --cpus=2 dev", DEV),
        ("colima start -c 2 -m 4 dev", DEV),
        ("colima start -c2 -m=4 dev", DEV),
        ("colima start --kubernetes --vz-rosetta --network-address dev", DEV),
        ("colima start -kz dev", DEV),
        ("colima start -kr containerd dev", DEV),
        ("colima start --profile dev", DEV),
        ("colima start --profile=dev", DEV),
        ("colima start -p dev", DEV),
        ("colima start -pdev", DEV),
        ("colima start -p=dev --edit", DEV),
        ("colima start -kp dev", DEV),
        ("colima -p dev start", DEV),
        ("colima --verbose start dev", DEV),
        ("colima start -p dev other", DEV),
        ("colima start -- dev", DEV),
        ("colima start dev --foreground", RunningStart("colima-dev", stays=True)),
        ("colima start -f", RunningStart("colima", stays=True)),
        ("colima start --foreground=true dev", RunningStart("colima-dev", stays=True)),
        ("colima start --foreground=false dev", DEV),
        ("limactl start colima-dev", DEV),
        ("limactl start --tty=false /tmp/colima-dev.yaml", DEV),
        ("/usr/bin/python3 /lab/bin/colima start dev", DEV),
        ("/bin/sh -e /lab/bin/colima start dev", DEV),
    ],
)
def test_a_start_is_known_by_its_words(command: str, start: RunningStart) -> None:
    assert start_of(command.split()) == start


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["colima"],
        ["colima", "-p", "start"],
        ["colima", "status", "start"],
        ["colima", "kubernetes", "start", "-p", "dev"],
        ["colima", "ssh", "--", "service", "docker", "start"],
        ["colima", "start", "no such name"],
        ["colima", "start", "_store"],
        ["limactl", "shell", "colima-dev", "start"],
        ["limactl", "start"],
        ["limactl", "start-at-login", "colima-dev"],
        # A shell whose script begins with a start may be waiting for this very run.
        ["bash", "-c", "colima start dev && make"],
        ["/bin/sh", "-c", "/opt/homebrew/bin/colima", "start", "dev;", "make"],
        ["vim", "notes", "on", "colima", "start", "dev"],
    ],
)
def test_other_words_are_no_start(words: list[str]) -> None:
    assert start_of(words) is None


def test_how_long_a_process_has_been_there() -> None:
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        time.sleep(0.5)
        assert 0.3 < age_of(process.pid) < time.monotonic() - began + 0.5
    assert age_of(process.pid) == 0
    assert age_of(os.getpid()) > 0


def test_what_was_read_counts_until_another_run_held_the_lock(tmp_path: Path) -> None:
    room = tmp_path / "room"
    with RunLock(room, 1.0) as quiet:
        assert quiet
    second = RunLock(room, 1.0)
    third = RunLock(room, 1.0)
    with second as quiet:
        assert quiet
    with third as quiet:
        assert not quiet


def test_a_process_counts_as_left_behind_only_if_it_is_colima_at_work_on_that_vm() -> None:
    assert works_on(["/opt/homebrew/bin/colima", "start", "--profile", "k8s"], "colima-k8s")
    assert works_on(["colima", "stop", "--profile", "default", "--force"], "colima")
    assert not works_on(["/bin/less", "colima.log"], "colima-k8s")
    assert not works_on(["vim", "/home/me/.colima/k8s/colima.yaml"], "colima-k8s")
    assert not works_on(["colima", "start", "--profile", "other"], "colima-k8s")
    assert not works_on([], "colima-k8s")


@pytest.mark.parametrize("text", ["", "x", "1" * 5000, "99999999999999999999", "-4", "1", "0"])
def test_a_note_of_a_process_that_is_not_one_is_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / "colima-k8s.pid").write_text(text)
    with RunLock(tmp_path, 1.0) as quiet:
        assert not quiet
    assert not (tmp_path / "colima-k8s.pid").exists()


def test_a_process_of_the_user_with_colima_in_its_words_is_not_waited_for(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()", "colima"], stdin=subprocess.PIPE) as process:
        (tmp_path / "colima-k8s.pid").write_text(str(process.pid))
        with RunLock(tmp_path, 0.0):
            assert process.poll() is None
        process.kill()


def test_the_lock_is_neither_followed_nor_waited_for_where_it_is_not_a_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("precious")
    for place in ("link", "pipe"):
        (tmp_path / place).mkdir()
    (tmp_path / "link" / "lock").symlink_to(mine)
    os.mkfifo(tmp_path / "pipe" / "lock")
    for place in ("link", "pipe"):
        with pytest.raises(InputError, match=r"it is not a plain file\. Remove it"), RunLock(tmp_path / place, 1.0):
            pass
    assert mine.read_text() == "precious"


def test_a_room_is_made_for_the_user_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with RunLock(tmp_path / "base" / "_lima" / "room", 1.0):
            pass
    finally:
        os.umask(before)
    for path in (tmp_path / "base", tmp_path / "base" / "_lima", tmp_path / "base" / "_lima" / "room"):
        assert path.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "base" / "_lima" / "room" / "lock").stat().st_mode & 0o777 == 0o600
