# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer of a laptop that pulls: installed by the role, run by a real systemd, refused and removed."""

from __future__ import annotations

import json
import os
import plistlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.standin.service_manager import install
from tests.support.ansible_runs import forked_ansible
from tests.support.whole_machine.pulled_project import NOBODY, ROOT, Repository, ssh_signer
from tests.support.whole_machine.user_manager import UserManager

PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
UNIT = "laptop-containers-pull"
# A laptop that is not the machine which Ansible runs on, as far as Ansible knows.
ELSEWHERE = """
from ansible.plugins.connection.local import DOCUMENTATION as LOCAL, Connection as Local

DOCUMENTATION = LOCAL.replace("name: local", "name: elsewhere")

class Connection(Local):
    transport = "elsewhere"
"""
NOTE = {
    "name": "Note which commit ran, and what it was given",
    "ansible.builtin.copy": {
        "content": "{{ lookup('file', playbook_dir ~ '/../text') }} {{ colima_start | default('') }}",
        "dest": "{{ lookup('ansible.builtin.env', 'HOME') }}/converged",
        "mode": "0600",
    },
}


class Desk:
    """The environment of a user with timers, and the role for a laptop named me."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home = home
        (home / "connections").mkdir()
        (home / "connections" / "elsewhere.py").write_text(ELSEWHERE)
        own = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_CONNECTION_PLUGINS": str(home / "connections")}
        self.environment = {**os.environ, **environment, **own}

    def play(self, *flags: str, code: int = 0, connection: str = "local", **variables: Any) -> str:
        """Run the role alone. Returns what the playbook said."""
        given = {"ansible_python_interpreter": sys.executable, "pull_timer_manager": "systemd", **variables}
        role = {"hosts": "me", "connection": connection, "gather_facts": False, "vars": given}
        (self.home / "timer.yml").write_text(json.dumps([{**role, "roles": ["laptop.containers.pull_timer"]}]))
        command = [PLAYBOOK, "-i", "me,", str(self.home / "timer.yml"), *flags]
        done = forked_ansible.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return " ".join((done.stdout + done.stderr).split())

    @property
    def files(self) -> set[str]:
        found = [*self.home.glob("Library/LaunchAgents/*"), *self.home.glob(".config/systemd/user/**/*")]
        return {path.name for path in found if path.is_file() or path.is_symlink()}


@pytest.fixture
def desk(home: Path) -> Desk:
    """With stand-ins of both service managers."""
    install(home / "tools")
    return Desk(home, {"PATH": f"{home / 'tools'}:{os.environ['PATH']}"})


@pytest.mark.parametrize("manager", ["systemd", "launchd"])
def test_install_again_and_remove(desk: Desk, manager: str) -> None:
    given: dict[str, Any] = {"pull_timer_manager": manager, "pull_timer_repository": "git@git.example.com:laptops.git"}
    if manager == "systemd":
        assert "changed=1" in desk.play("--check", "--diff", **given) and not desk.files
    assert "changed=1" in desk.play(**given)
    assert "changed=0" in desk.play(**given)
    if manager == "launchd":
        assert desk.files == {"laptop.containers.pull.plist"}
        (agent,) = desk.home.glob("Library/LaunchAgents/*")
        command = plistlib.loads(agent.read_bytes())["ProgramArguments"]
        assert {"--job=pull", "--jitter=10", "--limit=me", "--on-power", "--skip-tags=pull_timer"} <= set(command)
    else:
        assert desk.files == {f"{UNIT}.service", f"{UNIT}.timer"}
    assert "changed=1" in desk.play(**given, pull_timer_state="absent")
    assert not desk.files


def test_an_address_with_a_password_is_refused_and_not_shown(desk: Desk) -> None:
    said = desk.play("-vvv", code=2, pull_timer_repository="https://me:hunter2@git.example.com/laptops.git")
    assert "Could not set up timer 'pull': its command holds a password" in said
    assert "hunter2" not in said and not desk.files


def test_a_laptop_that_is_elsewhere_needs_a_clone_and_a_python_of_its_own(desk: Desk) -> None:
    given: dict[str, Any] = {"connection": "elsewhere", "pull_timer_repository": "git@git.example.com:laptops.git"}
    said = desk.play(code=2, **given)
    assert "Could not set up timer 'pull': it would run on the laptop" in said
    own: dict[str, Any] = {**given, "pull_timer_project": "~/clone", "pull_timer_python": sys.executable}
    assert f"its command needs '{desk.home}/clone/roles/refresh_timer/files/refresh.py'" in desk.play(code=2, **own)
    assert not desk.files
    (desk.home / "clone").symlink_to(ROOT)
    desk.play(**own)
    service = (desk.home / ".config" / "systemd" / "user" / f"{UNIT}.service").read_text()
    (command,) = [line for line in service.splitlines() if line.startswith("ExecStart=")]
    assert f'"{desk.home}/clone/roles/pull_timer/files/pull.py"' in command and '"--project=~/clone"' in command
    assert "--inventory" not in command and '\\"ansible_connection\\": \\"local\\"' in command


@pytest.fixture
def systemd(home: Path, short_path: Path) -> Iterator[Desk]:
    """With a real systemd of this user."""
    manager = UserManager(short_path / f"user-{home.name}", home)
    manager.log_in()
    yield Desk(home, dict(manager.environment))
    manager.log_out()


@pytest.mark.real("systemd", "ssh-keygen")
def test_systemd_runs_what_clones_verifies_and_converges(systemd: Desk, home: Path) -> None:
    signer, line = ssh_signer(home, "platform")
    (home / "signers").write_text(line)
    team = Repository(home / "team")
    (team.place / "playbooks").mkdir()
    (team.place / "ansible.cfg").write_text("[defaults]\ninventory = hosts.yml\nhome = .ansible\n")
    me = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (team.place / "hosts.yml").write_text(json.dumps({"laptops": {"hosts": {"me": me, "other": me}}}))
    play = {"hosts": "laptops", "gather_facts": False, "tasks": [NOTE]}
    (team.place / "playbooks" / "workstation.yml").write_text(json.dumps([play]))
    commit = team.commit("signed", signer)
    given: dict[str, Any] = {
        "pull_timer_repository": team.url,
        "pull_timer_project": str(home / "clone"),
        "pull_timer_verify_commit": True,
        "pull_timer_signers": str(home / "signers"),
        "pull_timer_jitter": 0,
        "pull_timer_environment": NOBODY,
        "pull_timer_setup": ["sh", "-c", 'echo "$PWD" > ~/prepared'],
    }
    systemd.play(**given)

    def pull() -> dict[str, Any]:
        start = ["systemctl", "--user", "start", f"{UNIT}.service"]
        subprocess.run(start, env=systemd.environment, capture_output=True, timeout=180, check=False)
        found: dict[str, Any] = json.loads((home / ".local" / "state" / "laptop.containers" / "pull.json").read_text())
        return found

    status = pull()
    assert (status["result"], status["commit"]) == ("fresh", commit), status
    assert (home / "converged").read_text() == "signed never"
    assert (home / "prepared").read_text().strip() == str(home / "clone")
    team.commit("unsigned")
    status = pull()
    assert status["result"] == "failed" and "it is not signed" in status["message"], status
    # What failed is not tried again at once.
    assert pull() == status
    assert (home / "converged").read_text() == "signed never"
    systemd.play(**given, pull_timer_state="absent")
    assert not systemd.files
