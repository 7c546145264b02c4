# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's timer as files, and what a plan does to them."""

from __future__ import annotations

import plistlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.timer.units import (
    Installed,
    Timer,
    check_for_systemd,
    check_timer,
    launchd_files,
    plan_timer,
    secrets_in,
    systemd_files,
)

TIMER = Timer("refresh", ("/bin/run", "a b", "50%", "$HOME", 'say "x"'), 30, {"PATH": "/bin", "X": "a b%"}, "/tmp/my project")
HOME = Path("/home/me")


def test_the_launchd_agent_starts_at_log_in_and_every_so_often() -> None:
    ((path, content),) = launchd_files(TIMER, HOME).items()
    agent = plistlib.loads(content.encode())
    assert path == "/home/me/Library/LaunchAgents/laptop.containers.refresh.plist"
    assert (agent["Label"], agent["RunAtLoad"]) == ("laptop.containers.refresh", True)
    # A StartInterval that falls into sleep is dropped; a calendar's start is made up for at wake.
    assert agent["StartCalendarInterval"] == [{"Minute": 0}, {"Minute": 30}] and "StartInterval" not in agent
    assert agent["ProgramArguments"] == list(TIMER.command)
    assert agent["EnvironmentVariables"] == TIMER.environment
    assert agent["WorkingDirectory"] == "/tmp/my project"
    # An agent that is kept alive restarts without end when it fails.
    assert "KeepAlive" not in agent
    # What Python says of a script that is gone would be lost otherwise.
    assert agent["StandardErrorPath"] == "/home/me/Library/Logs/laptop.containers.refresh.log"


def test_the_systemd_units_make_up_for_what_was_slept_through() -> None:
    service, timer = systemd_files(TIMER, HOME / ".config").values()
    assert "OnUnitActiveSec=32min\nOnCalendar=*:00,30\nPersistent=true" in timer
    assert 'ExecStart="/bin/run" "a b" "50%%" "$$HOME" "say \\"x\\""' in service
    assert 'Environment="X=a b%%"' in service
    assert "WorkingDirectory=/tmp/my project" in service


FILES = systemd_files(TIMER, HOME / ".config")
NOTHING = Installed(dict.fromkeys(FILES), active=False)
DONE = Installed(dict(FILES), active=True, enabled=True)
OLD = Installed(dict.fromkeys(FILES, "old"), active=True, enabled=True)


@pytest.mark.parametrize(
    ("current", "absent", "verbs"),
    [
        pytest.param(NOTHING, False, ["write", "write", "start"], id="install"),
        pytest.param(DONE, False, [], id="nothing to do"),
        pytest.param(replace(DONE, active=False), False, ["start"], id="somebody stopped it"),
        pytest.param(replace(DONE, enabled=False), False, ["restart"], id="somebody disabled it"),
        pytest.param(OLD, False, ["rewrite", "rewrite", "restart"], id="changed"),
        pytest.param(DONE, True, ["stop", "remove", "remove"], id="remove"),
        pytest.param(NOTHING, True, [], id="nothing to remove"),
        pytest.param(replace(DONE, active=False), True, ["stop", "remove", "remove"], id="remove what does not run"),
        pytest.param(replace(NOTHING, enabled=True), True, ["stop"], id="remove a link that leads nowhere"),
    ],
)
def test_a_timer_gets_what_its_state_needs(current: Installed, absent: bool, verbs: list[str]) -> None:
    assert [step.verb for step in plan_timer(TIMER, FILES, current, absent).steps] == verbs


@pytest.mark.parametrize("password", ["hunter2", "hunt@er2", "h/unt@er2", "hunt%25er2"])
def test_the_password_of_a_proxy_stays_out_of_the_diff(password: str) -> None:
    timer = replace(TIMER, environment={"HTTPS_PROXY": f"http://me:{password}@proxy:3128", "NO_PROXY": "a@b"})
    for files in (systemd_files(timer, HOME), launchd_files(timer, HOME)):
        plan = plan_timer(timer, files, Installed(dict.fromkeys(files), False), False)
        assert "er2" not in str(plan.diff) and "hunt" not in str(plan.diff)
        assert "//***@proxy:3128" in str(plan.diff) and "a@b" in str(plan.diff)


def test_what_must_not_be_seen_of_the_options() -> None:
    environment = {
        "HTTPS_PROXY": "http://me:hunt@er2@proxy:3128",
        "http_proxy": "http://me@proxy",
        "AWS_SECRET_ACCESS_KEY": "hidden",
    }
    command = ["/bin/run", "--extra-vars", '{"proxy": "https://you:s3cret@proxy"}', "user@host"]
    assert secrets_in(command, environment) == {"me:hunt@er2", "you:s3cret", "hidden"}
    # As somebody may give them who has not read which types they are.
    assert secrets_in("/bin/run http://a:b@c", "HTTPS_PROXY=http://me:hunter2@proxy") == {"a:b", "me:hunter2"}
    assert secrets_in(None, None) == set()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"name": "../x"}, "its name", id="a path as name"),
        pytest.param({"command": ()}, "absolute path", id="no command"),
        pytest.param({"command": ("run",)}, "absolute path", id="a bare program"),
        pytest.param({"minutes": 0}, "0 minutes", id="never"),
        pytest.param({"minutes": 5000}, "5000 minutes", id="too rarely"),
        pytest.param({"environment": {"AWS_SECRET_ACCESS_KEY": "x"}}, "looks like a secret", id="a secret"),
        pytest.param({"command": ("/bin/run", "a\nExecStart=evil")}, "line break", id="a smuggled line"),
    ],
)
def test_what_can_not_be_meant_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_timer(replace(TIMER, **change), absent=False)


@pytest.mark.parametrize("name", ["Bob's", 'a"b', "a$b", "a\\b"])
def test_a_program_that_systemd_starts_from_no_unit_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"systemd starts no program with . in its path, and '/home/.*/py' has one\. Give"):
        check_for_systemd(replace(TIMER, command=(f"/home/{name}/py",)))
    # In its arguments they can be quoted.
    check_for_systemd(replace(TIMER, command=("/home/ö 50%/py", name)))
