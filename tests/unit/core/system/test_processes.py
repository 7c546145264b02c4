# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.system import processes as host_processes
from ansible_collections.laptop.containers.plugins.module_utils.core.system.processes import command_of, commands, environment_of

# The system's own ps, which reads `-o NAME=HEADER` as a Mac's does: the header goes to the end of the word, commas and all.
# With -E it prints the environment behind the command.
PS_OF_A_MAC = """
import os, subprocess, sys
argv, headers, more = sys.argv[1:], [], ""
if "-E" in argv:
    argv.remove("-E")
    with open(f"/proc/{{argv[-1]}}/environ") as file:
        more = file.read().rstrip(chr(0)).replace(chr(0), " ")
for place, word in enumerate(argv):
    if place and argv[place - 1] == "-o" and "=" in word:
        name, _, header = word.partition("=")
        argv[place] = name + "="
        headers.append(header)
if any(headers):
    print(*headers)
printed = subprocess.run([{ps!r}, *argv], capture_output=True, text=True).stdout
print(printed.rstrip() + " " + more if more else printed, end="")
"""


@pytest.fixture(params=["/proc", "ps"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A system with /proc, and one whose only word about processes is that of its ps."""
    if request.param == "ps":
        ps = shutil.which("ps")
        if ps is None:
            pytest.skip("ps is missing here")
        (tmp_path / "ps").write_text(f"#!{sys.executable}" + PS_OF_A_MAC.format(ps=ps))
        (tmp_path / "ps").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(host_processes, "_PROC", tmp_path / "proc")
    elif not Path("/proc/self/cmdline").exists():
        pytest.skip("/proc is missing here")


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
        # Its exit code was not fetched yet.
        while command_of(process.pid):
            assert time.monotonic() < end
    assert command_of(process.pid) == []
    assert process.pid not in commands()


@pytest.mark.usefixtures("system")
def test_the_environment_that_a_process_was_started_with() -> None:
    environment = {"HOME": "/h/John Doe", "COLIMA_HOME": "", "LAST": "x=1"}
    with subprocess.Popen([shutil.which("sleep") or "sleep", "60"], env=environment) as process:
        try:
            end = time.monotonic() + 20
            while (found := environment_of(process.pid)) != environment:
                assert time.monotonic() < end, found
        finally:
            process.kill()
    assert environment_of(process.pid) == {}


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
