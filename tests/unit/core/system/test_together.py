# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls side by side: their answers in order, the first failure, and a Ctrl-C that waits for none of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from functools import partial

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.system.together import together

from tests.support.lab_playbooks import ROOT

# One call waits for a server that accepts connections and never answers.
SILENT = """
import os, socket
from ansible_collections.laptop.containers.plugins.module_utils.core.system.together import together
server = socket.create_server(("127.0.0.1", 0))
def ask():
    connection = socket.create_connection(server.getsockname())
    # Not print(): Python could end while this thread holds its lock.
    os.write(1, b"asked\\n")
    connection.recv(1)
together({"quick": int, "silent": ask})
"""


def test_calls_run_side_by_side_and_answer_in_order() -> None:
    all_run = threading.Barrier(3, timeout=20)

    def meet(key: str) -> str:
        all_run.wait()
        return key

    answers = together({key: partial(meet, key) for key in ("c", "a", "b")})
    assert list(answers.items()) == [("c", "c"), ("a", "a"), ("b", "b")]


def test_a_failure_is_raised_when_all_have_ended() -> None:
    ended: list[str] = []

    def fail() -> None:
        raise LookupError("no such tool")

    with pytest.raises(LookupError, match="no such tool"):
        together({"fails": fail, "ends": partial(ended.append, "yes")})
    assert ended == ["yes"]


def test_ctrl_c_waits_for_no_silent_server() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "collections")))}
    command = [sys.executable, "-c", SILENT]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "asked\n"
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=20)
    assert "KeyboardInterrupt" in errors
    assert run.returncode == -signal.SIGINT
