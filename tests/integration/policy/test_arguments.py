# SPDX-License-Identifier: GPL-3.0-or-later
"""What the environment of a play holds stands in no argument of a process: neither for a version nor for a module."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.plugin_utils.task_environment import run_in_environment

from tests.support.ecr_pull_secret.canaries import traced

ROOT = Path(__file__).resolve().parents[3]
CANARY = "hunter2-canary"
PROXY = f"http://me:{CANARY}@proxy:3128"
POLICY = """\
contact: platform@example.com
rules:
  - tool: colima
    minimum: "0.1.0"
    reason: Older ones lose data.
"""
# Tells what it was started with, it and all above it.
COLIMA = """#!/bin/sh
{ echo "proxy $HTTPS_PROXY"
for one in /proc/[0-9]*; do tr '\\0' ' ' <"$one/cmdline"; echo; done; } >>"$TOLD" 2>/dev/null
echo "colima version 0.10.3"
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A directory with a program that tells all arguments of all processes."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/colima").write_text(COLIMA)
    (tmp_path / "bin/colima").chmod(0o755)
    return tmp_path / "bin"


def test_a_proxys_password_stands_in_no_argument_of_a_version_or_a_module(home: Path, programs: Path, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    told, log, trace = tmp_path / "told", tmp_path / "log", tmp_path / "trace"
    (tmp_path / "policy.yml").write_text(POLICY)
    around = {"HTTPS_PROXY": PROXY, "TOLD": str(told), "PATH": f"{programs}:{os.environ['PATH']}"}
    task = {"laptop.containers.colima_profile": {"profiles": [], "restart": "never"}}
    play = {"hosts": "me", "connection": "local", "gather_facts": False, "environment": "{{ around }}", "tasks": [task]}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    (tmp_path / "around.json").write_text(json.dumps({"around": around}))
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"me": {}}}}))
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [str(program), "-i", "hosts.yml", "play.yml", "-e", "@around.json", "--check", "-vvvv"]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_LOG_PATH": str(log),
        "TMPDIR": str(tmp_path / "tmp"),
    }
    done = subprocess.run(
        [*traced(trace), *command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert told.exists(), done.stdout[-3000:] + done.stderr[-2000:]
    said = told.read_text()
    assert f"proxy {PROXY}" in said
    assert CANARY not in said.replace(f"proxy {PROXY}", "")
    arguments = [line.partition("], ")[0] for line in trace.read_text().splitlines()]
    assert [line for line in arguments if CANARY in line] == []
    assert CANARY not in log.read_text() + done.stdout + done.stderr
    # The module ran, and its environment is gone from the disk.
    assert "AnsiballZ_colima_profile" in trace.read_text()
    assert [*(tmp_path / "tmp").glob("laptop.*")] == []


@pytest.mark.parametrize("value", ["a b", "line\nbreak\n", 'it\'s "$HOME" `id` \\', "", "ä"])
def test_every_value_arrives_and_the_rest_of_stdin_is_the_commands(value: str) -> None:
    class Action:
        """The two functions of an action that are used."""

        def _compute_environment_string(self) -> str:
            return f"ODD={shlex.quote(value)} OTHER=x"

        def _low_level_execute_command(self, command: str, in_data: bytes) -> dict[str, Any]:
            done = subprocess.run(["/bin/sh", "-c", command], input=in_data, capture_output=True, check=False)
            return {"rc": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}

    done = run_in_environment(Action(), ("sh", "-c", 'printf "%s|%s|" "$ODD" "$1"; cat', "sh", "one two"), "three\nfour")
    assert done == {"rc": 0, "stdout": f"{value}|one two|three\nfour", "stderr": ""}
