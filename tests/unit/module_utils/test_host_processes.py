# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys

from ansible_collections.laptop.containers.plugins.module_utils.host_processes import command_of, commands


def test_processes_are_seen_while_they_run_and_not_once_they_have_ended() -> None:
    argv = [sys.executable, "-c", "import sys; sys.stdin.read()", "a-word-of-its-own"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        # Between fork and exec it is still a copy of this one.
        while "a-word-of-its-own" not in command_of(process.pid):
            assert process.poll() is None
        assert command_of(process.pid)[-1] == "a-word-of-its-own"
        assert any("a-word-of-its-own" in command for command in commands())
        assert process.stdin is not None
        process.kill()
        # Nobody has fetched it yet.
        while command_of(process.pid):
            pass
    assert command_of(process.pid) == []
    assert not any("a-word-of-its-own" in command for command in commands())
