# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer: installed through the service manager's command, for its own laptop, and what it then runs."""

from __future__ import annotations

import json
import os
import plistlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.standin.service_manager import install
from tests.support.ansible_runs import forked_ansible
from tests.support.ecr_pull_secret.scenario import HOST, password, read

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.ecr import Ecr

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
UNIT = "laptop-containers-refresh"
# A laptop that is not the machine which Ansible runs on, as far as Ansible knows.
ELSEWHERE = """
from ansible.plugins.connection.local import DOCUMENTATION as LOCAL, Connection as Local

DOCUMENTATION = LOCAL.replace("name: local", "name: elsewhere")

class Connection(Local):
    transport = "elsewhere"
"""


@pytest.fixture
def desktop(home: Path) -> dict[str, str]:
    """A user's environment with both service managers."""
    install(home / "tools")
    (home / "connections").mkdir()
    (home / "connections" / "elsewhere.py").write_text(ELSEWHERE)
    return {
        **os.environ,
        "PATH": f"{home / 'tools'}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_CONNECTION_PLUGINS": str(home / "connections"),
    }


def play(home: Path, environment: dict[str, str], *flags: str, code: int = 0, connection: str = "local", **variables: Any) -> str:
    """Run the role alone, on one host named me. Returns what the playbook said."""
    (home / "timer.yml").write_text(
        json.dumps(
            [
                {
                    "hosts": "me",
                    "connection": connection,
                    "gather_facts": False,
                    "vars": {
                        "ansible_python_interpreter": sys.executable,
                        "refresh_timer_playbook": str(ROOT / "playbooks" / "workstation.yml"),
                        "refresh_timer_manager": "systemd",
                        **variables,
                    },
                    "roles": ["laptop.containers.refresh_timer"],
                }
            ]
        )
    )
    command = [PLAYBOOK, "-i", "me,", str(home / "timer.yml"), *flags]
    done = forked_ansible.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def files(home: Path) -> set[str]:
    found = [*home.glob("Library/LaunchAgents/*"), *home.glob("Library/Logs/*"), *home.glob(".config/systemd/user/**/*")]
    return {path.name for path in found if path.is_file() or path.is_symlink()}


def service(home: Path) -> str:
    return (home / ".config" / "systemd" / "user" / f"{UNIT}.service").read_text()


@pytest.mark.parametrize("manager", ["systemd", "launchd"])
def test_install_again_and_remove(home: Path, desktop: dict[str, str], manager: str) -> None:
    plan = play(home, desktop, "--check", "--diff", refresh_timer_manager=manager)
    assert "changed=1" in plan and not files(home)
    assert "changed=1" in play(home, desktop, refresh_timer_manager=manager)
    assert "changed=0" in play(home, desktop, refresh_timer_manager=manager)
    if manager == "launchd":
        assert files(home) == {"laptop.containers.refresh.plist"}
        (agent,) = home.glob("Library/LaunchAgents/*")
        command = plistlib.loads(agent.read_bytes())["ProgramArguments"]
        assert command[command.index("--tags") + 1] == "secret_refresh"
        assert "--limit=me" in command
    else:
        assert files(home) == {f"{UNIT}.service", f"{UNIT}.timer"}
        assert '"--limit=me" "--tags" "secret_refresh"' in service(home)
    # launchd still has the agent's former self when it has to load the new one.
    assert "changed=1" in play(home, desktop, refresh_timer_manager=manager, refresh_timer_every=20)
    assert "changed=1" in play(home, desktop, refresh_timer_manager=manager, refresh_timer_state="absent")
    assert not files(home)
    assert "changed=0" in play(home, desktop, refresh_timer_manager=manager, refresh_timer_state="absent")


@pytest.mark.parametrize("verb", ["stop", "disable"])
def test_a_timer_that_the_user_stopped_leaves_nothing_behind(home: Path, desktop: dict[str, str], verb: str) -> None:
    play(home, desktop)
    subprocess.run([home / "tools" / "systemctl", "--user", verb, f"{UNIT}.timer"], check=True)
    play(home, desktop, refresh_timer_state="absent")
    assert not files(home)


def test_another_shell_changes_nothing_and_its_profile_is_not_the_timers(home: Path, desktop: dict[str, str]) -> None:
    play(home, desktop, secret_refresh_registries=[HOST])
    shell = {**desktop, "PATH": f"/somewhere/else:{desktop['PATH']}", "AWS_PROFILE": "other", "AWS_DEFAULT_PROFILE": "other"}
    said = play(home, shell, secret_refresh_registries=[HOST])
    assert "changed=0" in said
    assert "runs without AWS_PROFILE, which is 'other'" in " ".join(said.split())
    assert "AWS_" not in service(home)
    named = [{"host": HOST, "profile": "dev"}]
    assert "runs without" not in play(home, shell, secret_refresh_registries=named)
    decided = {"AWS_PROFILE": "dev", "AWS_DEFAULT_PROFILE": ""}
    assert "runs without" not in play(home, shell, secret_refresh_registries=[HOST], refresh_timer_environment=decided)
    assert 'Environment="AWS_PROFILE=dev"' in service(home) and "AWS_DEFAULT_PROFILE" not in service(home)


def test_a_timer_that_lets_secrets_expire_is_told(home: Path, desktop: dict[str, str]) -> None:
    assert "lets pull secrets expire" not in play(home, desktop, "--check", refresh_timer_every=360)
    said = play(home, desktop, "--check", refresh_timer_every=600)
    assert "Let it look every 360 minutes or more often" in " ".join(said.split())
    assert "lets pull secrets expire" not in play(home, desktop, "--check", refresh_timer_every=600, secret_refresh_before="11h")


def test_a_private_certificate_and_a_proxy_reach_the_timer(home: Path, desktop: dict[str, str]) -> None:
    around = {"AWS_CA_BUNDLE": "/etc/ca.pem", "https_proxy": "http://proxy:3128", "no_proxy": "localhost"}
    play(home, {**desktop, **around})
    assert all(f'Environment="{name}={value}"' in service(home) for name, value in around.items())


def test_the_password_of_a_proxy_and_a_secret_that_is_refused_are_nowhere(home: Path, desktop: dict[str, str]) -> None:
    proxy = {"HTTPS_PROXY": "http://me:hunt@er2@proxy:3128"}
    shown = {**desktop, "ANSIBLE_INJECT_INVOCATION": "true"}
    # With another interpreter, the packed module runs instead of the action plugin.
    (home / "python3").symlink_to(os.path.realpath(sys.executable))
    for interpreter in (sys.executable, str(home / "python3")):
        python: dict[str, Any] = {"ansible_python_interpreter": interpreter}
        said = play(home, shown, "-vvv", "--diff", "--check", refresh_timer_environment=proxy, **python)
        assert ("module_args" in said) == (interpreter != sys.executable)
        assert "@proxy:3128" in said and "er2" not in said and "hunt" not in said
        said = play(home, shown, "-vvv", code=2, refresh_timer_environment={"AWS_SECRET_ACCESS_KEY": "hunter2"}, **python)
        assert "looks like a secret" in said and "hunter2" not in said
    play(home, desktop, refresh_timer_environment=proxy)
    assert 'HTTPS_PROXY=http://me:hunt@er2@proxy:3128"' in service(home)


def test_a_laptop_that_is_elsewhere_gets_no_timer_of_this_machines_files(home: Path, desktop: dict[str, str]) -> None:
    said = play(home, desktop, code=2, connection="elsewhere", refresh_timer_playbook="")
    assert "Could not set up timer 'refresh': it would run on the laptop" in said
    assert "Run the playbook on the laptop itself, or give the paths of a clone" in " ".join(said.split())
    gone: dict[str, Any] = {
        "refresh_timer_project": str(home / "clone"),
        "refresh_timer_python": sys.executable,
        "refresh_timer_playbook": "",
    }
    said = play(home, desktop, code=2, connection="elsewhere", **gone)
    assert f"its command needs '{home}/clone/roles/refresh_timer/files/refresh.py', which does not exist" in " ".join(
        said.split()
    )
    plan = play(home, desktop, "--check", connection="elsewhere", **gone)
    assert "changed=1" in plan and "which does not exist on this machine" in " ".join(plan.split())
    assert not files(home)
    play(home, desktop, connection="elsewhere", refresh_timer_state="absent")


def test_a_laptop_that_is_elsewhere_runs_its_own_clone_on_itself(home: Path, desktop: dict[str, str]) -> None:
    (home / "clone").symlink_to(ROOT)
    own: dict[str, Any] = {
        "refresh_timer_project": str(home / "clone"),
        "refresh_timer_python": sys.executable,
        "refresh_timer_playbook": "",
    }
    play(home, {**desktop, "XDG_STATE_HOME": f"{home}/of/the/controller"}, connection="elsewhere", **own)
    (command,) = [line for line in service(home).splitlines() if line.startswith("ExecStart=")]
    assert f'"{home}/clone/roles/refresh_timer/files/refresh.py" "{home}/.local/state/laptop.containers"' in command
    assert f'"{home}/clone/playbooks/workstation.yml" "--limit=me"' in command
    assert "--inventory" not in command and '\\"ansible_connection\\": \\"local\\"' in command


def test_a_tilde_is_the_home_directory_as_no_shell_reads_it_for_the_timer(home: Path, desktop: dict[str, str]) -> None:
    (home / "clone").symlink_to(ROOT)
    (home / "venv").symlink_to(Path(sys.executable).parents[1])
    ping = {"name": "Ping", "ansible.builtin.ping": {}, "tags": ["secret_refresh"]}
    (home / "ping.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [ping]}]))
    (home / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"me": None}}}))
    own: dict[str, Any] = {
        "refresh_timer_project": "~/clone",
        "refresh_timer_python": f"~/venv/bin/{Path(sys.executable).name}",
        "refresh_timer_playbook": "~/ping.yml",
        "refresh_timer_inventory": ["~/hosts.yml"],
    }
    play(home, desktop, connection="elsewhere", **own)
    subprocess.run([home / "tools" / "systemctl", "--user", "start", f"{UNIT}.service"], check=True, timeout=120)
    status = json.loads((home / ".local" / "state" / "laptop.containers" / "refresh.json").read_text())
    assert status["result"] == "fresh", status


def test_a_python_that_no_unit_can_name_is_refused(home: Path, desktop: dict[str, str]) -> None:
    (home / "Bob's").symlink_to(Path(sys.executable).parents[1])
    python: dict[str, Any] = {"refresh_timer_python": str(home / "Bob's" / "bin" / Path(sys.executable).name)}
    said = " ".join(play(home, desktop, "--check", code=2, **python).split())
    assert "Could not set up timer 'refresh': systemd does not start a program with ' in its path, and" in said
    play(home, desktop, refresh_timer_state="absent", **python)


@pytest.mark.real("kubernetes")
def test_what_the_timer_runs_renews_for_its_own_laptop(
    home: Path, apiserver: ApiServer, ecr: Ecr, desktop: dict[str, str]
) -> None:
    for name in ("alice", "bob"):
        apiserver.namespace(name)
    hosts = {
        name: {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "secret_refresh_namespaces": [name]}
        for name in ("alice", "bob")
    }
    settings = {
        "secret_refresh_registries": [HOST],
        "secret_refresh_kubeconfig": str(apiserver.kubeconfig),
        "secret_refresh_service_accounts": ["not-there-yet"],
        "workstation_environment": {**ecr.environment, "PATH": desktop["PATH"]},
        "workstation_refresh_timer": True,
        "refresh_timer_manager": "systemd",
    }
    (home / "inventory.yml").write_text(json.dumps({"laptops": {"hosts": hosts, "vars": settings}}))
    command = [PLAYBOOK, "playbooks/workstation.yml", "-i", str(home / "inventory.yml"), "--tags", "refresh_timer"]
    forked_ansible.run([*command, "--limit", "alice"], cwd=ROOT, env=desktop, capture_output=True, timeout=120, check=True)
    state = home / ".local" / "state" / "laptop.containers"
    for result in ("renewed", "fresh"):
        subprocess.run([home / "tools" / "systemctl", "--user", "start", f"{UNIT}.service"], check=True, timeout=120)
        status = json.loads((state / "refresh.json").read_text())
        assert (status["result"], status["secrets"], status["last_success"]) == (result, 1, status["time"]), status
    token = password(apiserver, "alice")
    assert all(token not in path.read_text() for path in state.rglob("*") if path.is_file())
    assert read(apiserver, "bob") is None
