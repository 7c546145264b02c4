# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.elsewhere import Start, start_of
from ansible_collections.laptop.containers.plugins.module_utils.core.processes import age_of

DEV, DEFAULT = Start("colima-dev"), Start("colima")


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
        ("colima start dev --foreground", Start("colima-dev", stays=True)),
        ("colima start -f", Start("colima", stays=True)),
        ("colima start --foreground=true dev", Start("colima-dev", stays=True)),
        ("colima start --foreground=false dev", DEV),
        ("limactl start colima-dev", DEV),
        ("limactl start --tty=false /tmp/colima-dev.yaml", DEV),
        ("/usr/bin/python3 /lab/bin/colima start dev", DEV),
        ("/bin/sh -e /lab/bin/colima start dev", DEV),
    ],
)
def test_a_start_is_known_by_its_words(command: str, start: Start) -> None:
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
