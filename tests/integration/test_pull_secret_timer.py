# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer: installed through the service manager's command, and what it runs."""

from __future__ import annotations

import json
import os
import plistlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.pull_secret_lab import HOST, password

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.ecr import Ecr

ROOT = Path(__file__).resolve().parents[2]
RUNNER = ROOT / "roles" / "refresh_timer" / "files" / "refresh.py"
PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))

# What the two commands do with what these tests need of them: they remember what is loaded, and refuse what is not there.
SYSTEMCTL = """#!/bin/sh
state="$HOME/.systemctl"; mkdir -p "$state"; echo "$*" >> "$state/calls"
shift; verb=$1; shift
case "$1" in --now|--quiet) shift;; esac
units="$HOME/.config/systemd/user"
case "$verb" in
  is-active) test -e "$state/$1.active";;
  is-enabled) test -e "$state/$1.enabled";;
  enable) test -e "$units/$1" && touch "$state/$1.enabled";;
  restart) test -e "$units/$1" && touch "$state/$1.active";;
  disable) rm -f "$state/$1.active" "$state/$1.enabled";;
esac
"""
LAUNCHCTL = """#!/bin/sh
state="$HOME/.launchctl"; mkdir -p "$state"; echo "$*" >> "$state/calls"
case "$1" in
  print) test -e "$state/${2##*/}";;
  bootout) test -e "$state/${2##*/}" && rm "$state/${2##*/}";;
  bootstrap) name=$(basename "$3" .plist); test -e "$state/$name" && { echo "Bootstrap failed: 5" >&2; exit 5; }
    test -e "$3" && touch "$state/$name";;
esac
"""


@pytest.fixture
def desktop(home: Path) -> dict[str, str]:
    """A user's environment with both service managers."""
    tools = home / "tools"
    tools.mkdir()
    for name, script in (("systemctl", SYSTEMCTL), ("launchctl", LAUNCHCTL)):
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    return {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}


def play(home: Path, environment: dict[str, str], *flags: str, **variables: Any) -> str:
    (home / "timer.yml").write_text(
        json.dumps(
            [
                {
                    "hosts": "localhost",
                    "connection": "local",
                    "gather_facts": False,
                    "vars": {"ansible_python_interpreter": sys.executable, **variables},
                    "roles": ["laptop.containers.refresh_timer"],
                }
            ]
        )
    )
    command = [PLAYBOOK, "-i", "localhost,", str(home / "timer.yml"), *flags]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("manager", ["systemd", "launchd"])
def test_install_again_and_remove(home: Path, desktop: dict[str, str], manager: str) -> None:
    def files() -> set[str]:
        found = [*home.glob("Library/LaunchAgents/*"), *home.glob(".config/systemd/user/*")]
        return {path.name for path in found}

    plan = play(home, desktop, "--check", "--diff", refresh_timer_manager=manager)
    assert "changed=1" in plan and not files()
    assert "changed=1" in play(home, desktop, refresh_timer_manager=manager)
    assert "changed=0" in play(home, desktop, refresh_timer_manager=manager)
    if manager == "launchd":
        assert files() == {"laptop.containers.refresh.plist"}
        (agent,) = home.glob("Library/LaunchAgents/*")
        command = plistlib.loads(agent.read_bytes())["ProgramArguments"]
        assert command[command.index("--tags") + 1] == "secret_refresh"
    else:
        assert files() == {"laptop-containers-refresh.service", "laptop-containers-refresh.timer"}
    assert "changed=1" in play(home, desktop, refresh_timer_manager=manager, refresh_timer_every=20)
    assert "changed=1" in play(home, desktop, refresh_timer_manager=manager, refresh_timer_state="absent")
    assert not files()
    assert "changed=0" in play(home, desktop, refresh_timer_manager=manager, refresh_timer_state="absent")


@pytest.mark.real("kubernetes")
def test_what_the_timer_runs_renews_for_real(home: Path, apiserver: ApiServer, ecr: Ecr, desktop: dict[str, str]) -> None:
    apiserver.namespace("timed")
    (home / "inventory.yml").write_text(
        json.dumps(
            {
                "laptops": {
                    "hosts": {"me": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}},
                    "vars": {
                        "secret_refresh_registries": [HOST],
                        "secret_refresh_namespaces": ["timed"],
                        "secret_refresh_kubeconfig": str(apiserver.kubeconfig),
                    },
                }
            }
        )
    )
    command = [PLAYBOOK, "playbooks/workstation.yml", f"--inventory={home / 'inventory.yml'}", "--tags", "secret_refresh"]
    whole = [sys.executable, str(RUNNER), str(home / "state"), "--", *command]
    for result in ("renewed", "fresh"):
        done = subprocess.run(
            whole, cwd=ROOT, env={**desktop, **ecr.environment}, capture_output=True, text=True, timeout=120, check=False
        )
        status = json.loads((home / "state" / "refresh.json").read_text())
        assert (done.returncode, done.stdout, status["result"]) == (0, "", result), status
    assert status["secrets"] == 1
    token = password(apiserver, "timed")
    assert all(token not in path.read_text() for path in (home / "state").iterdir())
