# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils import host_processes
from ansible_collections.laptop.containers.plugins.module_utils.host_processes import command_of, commands

# The system's own ps, which reads `-o NAME=HEADER` as a Mac's does: the header goes to the end of the word, commas and all.
PS_OF_A_MAC = """
import os, sys
argv, headers = sys.argv[1:], []
for place, word in enumerate(argv):
    if place and argv[place - 1] == "-o" and "=" in word:
        name, _, header = word.partition("=")
        argv[place] = name + "="
        headers.append(header)
if any(headers):
    print(*headers, flush=True)
os.execv({ps!r}, ["ps", *argv])
"""


@pytest.fixture(params=["/proc", "ps"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A system with /proc, and one whose only word about processes is that of its ps."""
    if request.param == "ps":
        ps = shutil.which("ps")
        if ps is None:
            pytest.skip("there is no ps here")
        (tmp_path / "ps").write_text(f"#!{sys.executable}" + PS_OF_A_MAC.format(ps=ps))
        (tmp_path / "ps").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(host_processes, "_PROC", tmp_path / "proc")
    elif not Path("/proc/self/cmdline").exists():
        pytest.skip("there is no /proc here")


@pytest.mark.usefixtures("system")
def test_processes_are_seen_while_they_run_and_not_once_they_have_ended() -> None:
    argv = [sys.executable, "-c", "import sys; sys.stdin.read()", "a-word-of-its-own"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        # Between fork and exec it is still a copy of this one.
        end = time.monotonic() + 20
        while "a-word-of-its-own" not in command_of(process.pid):
            assert time.monotonic() < end
        assert command_of(process.pid)[0] == sys.executable
        assert command_of(process.pid)[-1] == "a-word-of-its-own"
        assert commands()[process.pid][-1] == "a-word-of-its-own"
        assert process.stdin is not None
        process.kill()
        # Nobody has fetched it yet.
        while command_of(process.pid):
            assert time.monotonic() < end
    assert command_of(process.pid) == []
    assert process.pid not in commands()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
@pytest.mark.usefixtures("system")
def test_processes_of_other_users_do_not_count() -> None:
    with subprocess.Popen([shutil.which("sleep") or "sleep", "60"], user=65534) as process:
        try:
            end = time.monotonic() + 20
            while command_of(process.pid)[-1:] != ["60"]:
                assert time.monotonic() < end
            assert process.pid not in commands()
        finally:
            process.kill()
