# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer: installed through the service manager's command, and what it runs."""

from __future__ import annotations

import json
import os
import plistlib
import subprocess
import sys
import textwrap
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


def refresh(home: Path, script: str, *flags: str, path: str | None = None) -> tuple[int, dict[str, Any], str]:
    """Run what the timer runs, with a script in the playbook's place. Returns exit code, status and log."""
    state = home / "state"
    (home / "script.py").write_text(textwrap.dedent(script))
    environment = {**os.environ, "PATH": path or os.environ["PATH"]}
    command = [sys.executable, str(RUNNER), str(state), *flags, "--", sys.executable, str(home / "script.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "" and done.stderr == ""
    log = state / "refresh.log"
    status = json.loads((state / "refresh.json").read_text()) if (state / "refresh.json").exists() else {}
    return done.returncode, status, log.read_text() if log.exists() else ""


FRESH = """
print('ok: [me] => {"changed": false, "secrets": [{"expires_at": "2027-01-01T00:00:00Z"}], "actions": [], "pending": []}')
"""
RENEWED = """
print('changed: [me] => {"changed": true, "secrets": [{"expires_at": "2027-01-01T00:00:00Z"}], "actions": ["renew x"]}')
"""
WAITING = """
print('ok: [me] => {"changed": false, "secrets": [], "pending": [{"remedy": "Start it."}]}')
"""
FAILED = """
import sys
print('fatal: [me]: FAILED! => {"changed": false, "msg": "Could not do it: no. Try again."}')
sys.exit(2)
"""
LOGIN = """
import json, sys
told = "Could not do it: over. Log in with 'aws sso login --profile dev' and run again."
print("fatal: [me]: FAILED! => " + json.dumps({"changed": False, "msg": told}))
sys.exit(2)
"""


def test_a_run_with_nothing_due_is_quiet(home: Path) -> None:
    code, status, log = refresh(home, FRESH)
    assert (code, status["result"], status["expires_at"], log) == (0, "fresh", "2027-01-01T00:00:00Z", "")


def test_a_renewal_is_one_line_in_the_log(home: Path) -> None:
    _, status, log = refresh(home, RENEWED)
    assert status["result"] == "renewed"
    assert log.endswith("renewed: renew x\n") and log.count("\n") == 1


def test_a_stopped_profile_is_quiet_and_keeps_what_was_known(home: Path) -> None:
    refresh(home, FRESH)
    code, status, log = refresh(home, WAITING)
    assert (code, status["result"], status["message"], log) == (0, "waiting", "Start it.", "")
    assert status["expires_at"] == "2027-01-01T00:00:00Z"


def test_after_a_failure_it_waits_and_then_longer(home: Path) -> None:
    code, status, log = refresh(home, FAILED)
    assert (code, status["failures"], status["message"]) == (1, 1, "Could not do it: no. Try again.")
    assert "failed: Could not do it" in log
    assert refresh(home, FRESH)[:2] == (0, status)
    _, second, _ = refresh(home, FAILED, "--force")
    assert second["failures"] == 2
    assert second["not_before"] > status["not_before"]
    assert refresh(home, FRESH, "--force")[1]["failures"] == 0


def test_an_sso_login_is_told_once_and_looked_for_every_time(home: Path) -> None:
    tools = home / "tools"
    tools.mkdir()
    (tools / "notify-send").write_text('#!/bin/sh\necho "$*" >> "$HOME/told"\n')
    (tools / "notify-send").chmod(0o755)
    for _ in range(2):
        _, status, _ = refresh(home, LOGIN, "--notify", path=f"{tools}:/usr/bin:/bin")
        assert status["login"] == "aws sso login --profile dev"
    assert (home / "told").read_text().count("aws sso login --profile dev") == 1
    assert refresh(home, FRESH, "--notify")[1]["result"] == "fresh"


def test_on_a_mac_the_notification_goes_through_its_own_program(home: Path) -> None:
    tools = home / "tools"
    tools.mkdir()
    (tools / "osascript").write_text('#!/bin/sh\necho "$*" >> "$HOME/told"\n')
    (tools / "osascript").chmod(0o755)
    refresh(home, LOGIN, "--notify", path=f"{tools}:/usr/bin:/bin")
    assert (home / "told").read_text() == (
        '-e display notification "Pull secrets can\'t be renewed. Run: aws sso login --profile dev" '
        'with title "laptop.containers"\n'
    )


def test_a_login_in_a_stopped_profile_is_quiet_until_it_runs(home: Path) -> None:
    text = "Could not log nerdctl of profile 'k8s' in to registry 'x': the profile is not running. Start it."
    answer = {"changed": False, "secrets": [], "pending": [{"remedy": text}]}
    code, status, log = refresh(home, f"print({'ok: [me] => ' + json.dumps(answer)!r})")
    assert (code, status["result"], status["message"], log) == (0, "waiting", text, "")


def test_a_playbook_that_does_not_start_is_a_failure_with_a_reason(home: Path) -> None:
    _, status, _ = refresh(home, "import sys; print('ERROR! the playbook could not be found'); sys.exit(1)")
    assert status["message"] == "ERROR! the playbook could not be found"


def test_two_runs_never_overlap(home: Path) -> None:
    import fcntl

    (home / "state").mkdir()
    with (home / "state" / "refresh.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, status, _ = refresh(home, FRESH)
    assert (code, status) == (0, {})


def test_the_log_makes_room(home: Path) -> None:
    state = home / "state"
    state.mkdir()
    for _ in range(4):
        (state / "refresh.log").write_text("x" * 300_000)
        refresh(home, RENEWED)
    assert {path.name for path in state.glob("refresh.log*")} == {"refresh.log", "refresh.log.1", "refresh.log.2"}
    assert (state / "refresh.log").stat().st_size < 1000


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
