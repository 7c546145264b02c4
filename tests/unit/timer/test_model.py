# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's timer as files, and what a plan does to them."""

from __future__ import annotations

import plistlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.timer.launchd import launchd_files
from ansible_collections.laptop.containers.plugins.module_utils.timer.model import (
    Installed,
    Timer,
    check_name,
    check_timer,
    plan_timer,
)
from ansible_collections.laptop.containers.plugins.module_utils.timer.systemd import check_for_systemd, systemd_files
from hypothesis import given
from hypothesis import strategies as st

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
        pytest.param(replace(DONE, active=False), False, ["start"], id="the user stopped it"),
        pytest.param(replace(DONE, enabled=False), False, ["restart"], id="the user disabled it"),
        pytest.param(OLD, False, ["rewrite", "rewrite", "restart"], id="changed"),
        pytest.param(DONE, True, ["stop", "remove", "remove"], id="remove"),
        pytest.param(NOTHING, True, [], id="nothing to remove"),
        pytest.param(replace(DONE, active=False), True, ["stop", "remove", "remove"], id="remove what does not run"),
        pytest.param(replace(NOTHING, enabled=True), True, ["stop"], id="remove a link that leads nowhere"),
    ],
)
def test_a_timer_gets_what_its_state_needs(current: Installed, absent: bool, verbs: list[str]) -> None:
    steps = plan_timer(TIMER, FILES, current, absent=absent).steps
    assert [step.verb for step in steps if not step.silent] == verbs


@pytest.mark.parametrize("password", ["hunter2", "hunt@er2", "h/unt@er2", "hunt%25er2"])
def test_the_password_of_a_proxy_stays_out_of_the_diff(password: str) -> None:
    timer = replace(TIMER, environment={"HTTPS_PROXY": f"http://me:{password}@proxy:3128", "NO_PROXY": "a@b"})
    for files in (systemd_files(timer, HOME), launchd_files(timer, HOME)):
        plan = plan_timer(timer, files, Installed(dict.fromkeys(files), False), absent=False)
        assert "er2" not in str(plan.diff) and "hunt" not in str(plan.diff)
        assert "//***@proxy:3128" in str(plan.diff) and "a@b" in str(plan.diff)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"name": "../x"}, "its name", id="a path as name"),
        pytest.param({"command": ()}, "absolute path", id="no command"),
        pytest.param({"command": ("run",)}, "absolute path", id="a bare program"),
        pytest.param({"minutes": -1}, "-1 minutes", id="never"),
        pytest.param({"minutes": 5000}, "5000 minutes", id="too rarely"),
        pytest.param({"minutes": 10**5000}, "so many minutes", id="far too rarely"),
        pytest.param({"environment": {"AWS_SECRET_ACCESS_KEY": "x"}}, "looks like a secret", id="a secret"),
        pytest.param({"environment": {"A B": "x"}}, "'A B' is an invalid name of a variable", id="a variable with a space"),
        pytest.param({"environment": {"A\nB": "x"}}, "is an invalid name of a variable", id="a variable on two lines"),
        pytest.param({"directory": "here"}, "directory 'here' is not absolute", id="a relative directory"),
        pytest.param({"command": ("/bin/run", "a\nExecStart=evil")}, "its command holds a line break", id="a smuggled line"),
        pytest.param({"command": ("/bin/run", "a\rb")}, "its command holds a line break", id="a carriage return"),
        pytest.param({"environment": {"A": "\x1b[0m"}}, "its environment holds a line break or another", id="an escape"),
        pytest.param({"directory": "/a\0b"}, "its directory holds a line break or another", id="a zero"),
        pytest.param({"directory": "/a\ud800"}, "its directory holds a line break or another", id="half a character"),
    ],
)
def test_an_invalid_timer_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        check_timer(replace(TIMER, **change))


@pytest.mark.parametrize("name", ["Bob's", 'a"b', "a$b", "a\\b"])
def test_a_program_that_no_unit_can_name_is_refused(name: str) -> None:
    said = r"systemd does not start a program with . in its path, and '/home/.*/py' has one\. Give"
    with pytest.raises(InputError, match=said):
        check_for_systemd(replace(TIMER, command=(f"/home/{name}/py",)))
    # In its arguments they can be quoted.
    check_for_systemd(replace(TIMER, command=("/home/ö 50%/py", name)))


@pytest.mark.parametrize("directory", ["/home/me/x\\", "/home/me/x ", "/home/me/x\t"])
def test_a_directory_that_no_unit_can_name_is_refused(directory: str) -> None:
    with pytest.raises(InputError, match="ends in a backslash, or begins or ends with a space"):
        check_for_systemd(replace(TIMER, directory=directory))
    check_for_systemd(replace(TIMER, directory="/home/me/a \\b"))


@given(
    word=st.text(max_size=8),
    value=st.text(max_size=8),
    directory=st.text(max_size=8).map(lambda text: f"/{text}"),
)
def test_any_timer_is_refused_or_has_one_form(word: str, value: str, directory: str) -> None:
    timer = replace(TIMER, command=("/bin/run", word), environment={"A": value}, directory=directory)
    try:
        check_timer(timer)
        check_for_systemd(timer)
    except InputError:
        return
    (agent,) = launchd_files(timer, HOME).values()
    read = plistlib.loads(agent.encode())
    assert (read["ProgramArguments"], read["EnvironmentVariables"], read["WorkingDirectory"]) == (
        list(timer.command),
        timer.environment,
        directory,
    )
    service = next(iter(systemd_files(timer, HOME).values()))
    assert [line.partition("=")[0] for line in service.splitlines() if "=" in line] == [
        *("Description", "Type", "Environment", "WorkingDirectory", "ExecStart", "Nice"),
    ]


def test_a_timer_to_remove_needs_a_name_alone() -> None:
    check_name("refresh")
    with pytest.raises(InputError, match="Could not set up timer 'a b': its name may hold lower case letters"):
        check_name("a b")
