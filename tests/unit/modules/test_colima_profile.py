# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' options and answers; what they do to a colima is in tests/integration."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import ToolMissing

from tests.support.in_process_module import ModuleRun, messages

HOST = {"system": "Darwin", "arch": "arm64", "cpus": 12, "memory_mib": 36864, "disk_free_mib": 500_000}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleRun:
    # A laptop on which nothing is installed.
    monkeypatch.setenv("PATH", str(home))
    monkeypatch.setattr("ansible_collections.laptop.containers.plugins.module_utils.core.system.command.USUAL_DIRECTORIES", ())
    assert shutil.which("colima") is None
    return ModuleRun(capsys)


def test_a_plan_needs_nothing_installed(run: ModuleRun, home: Path) -> None:
    result = run("colima_profile", check=True, name="dev", cpu=4, memory=8, host=HOST)
    assert result["changed"]
    assert result["actions"] == ["create profile 'dev' (docker, 4 CPUs, 8 GiB, disk 100 GiB)"]
    assert result["diff"]["before"] == {"dev": {"state": "absent"}}
    assert result["diff"]["after"]["dev"]["cpu"] == 4
    assert messages(result) == [ToolMissing("colima", "docker").message]
    assert list(home.iterdir()) == []


SECRETS = ("s3cr3t-of-mine", "hunter-22", "me:hunter-22", "splunk-0123", "git-4567")


@pytest.mark.parametrize("listed", [False, True], ids=["one profile", "a list"])
def test_credentials_are_hidden_and_harmless_words_stay(run: ModuleRun, monkeypatch: pytest.MonkeyPatch, listed: bool) -> None:
    logged: list[str] = []
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.log", lambda _self, msg, **_: logged.append(str(msg)))
    profile = {
        "name": "dev",
        "env": {"API_TOKEN": SECRETS[0], "HTTPS_PROXY": "http://me:hunter-22@proxy:3128", "DEBUG": "true", "MY_KEY": "dev"},
        "docker": {"debug": True, "log-opts": {"splunk-token": SECRETS[3]}, "proxies": {"http-proxy": "http://me:hunter-22@proxy"}},
        "provision": [{"script": "git clone https://git-4567@git.example/x"}],
    }  # fmt: skip
    options = {"profiles": [profile]} if listed else profile
    result = run("colima_profile", check=True, host=HOST, **options)
    said = str(result) + "".join(logged)
    assert "Invoked with" in said
    assert [secret for secret in SECRETS if secret in said] == []
    # The short words of env are not hidden wherever they occur.
    assert result["actions"] == ["create profile 'dev' (docker, 2 CPUs, 2 GiB, disk 100 GiB)"]
    assert result["diff"]["after"]["dev"]["env"] == dict.fromkeys(profile["env"], "(not shown)")
    assert result["diff"]["after"]["dev"]["docker"]["debug"] is True


@pytest.mark.parametrize("option", ["timeout", "stall_timeout"])
def test_a_time_that_is_over_before_it_begins_is_refused(run: ModuleRun, option: str) -> None:
    result = run("colima_profile", check=True, name="dev", host=HOST, **{option: -5})
    assert result["msg"].startswith(
        f"Could not use -5 as {option}: it is not between 1 and 1000000 seconds. Use seconds, such as "
    )


def test_a_run_says_what_is_missing(run: ModuleRun, home: Path) -> None:
    result = run("colima_profile", name="dev", host=HOST)
    assert result["msg"] == ToolMissing("colima", "docker").message
    assert list(home.iterdir()) == []


def test_absent_without_colima_is_no_change(run: ModuleRun) -> None:
    assert run("colima_profile", name="dev", state="absent", host=HOST)["changed"] is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "one of the following is required: profiles, name"),
        ({"name": "a", "profiles": []}, "mutually exclusive: profiles|name"),
        ({"profiles": [], "cpu": 2}, "mutually exclusive: profiles|cpu"),
        ({"name": "a", "runtime": "podman"}, "value of runtime must be one of"),
        ({"name": "colima-default", "host": HOST}, "Could not use profile name 'colima-default'"),
    ],
)
def test_options_that_do_not_go_together(run: ModuleRun, options: dict[str, Any], message: str) -> None:
    result = run("colima_profile", **options)
    assert message in result["msg"]
    assert "Traceback" not in result["msg"]


def test_values_of_env_are_in_no_result(run: ModuleRun) -> None:
    result = run("colima_profile", check=True, name="dev", env={"TOKEN": "hunter2"}, host=HOST)
    result.pop("invocation", None)  # newer cores leave it out
    assert "hunter2" not in str(result)
    assert "TOKEN" in str(result["diff"])


def test_info_never_fails_for_what_is_absent(run: ModuleRun) -> None:
    result = run("colima_profile_info", names=["dev"])
    assert (result["installed"], result["changed"]) == (False, False)
    assert [(profile["name"], profile["status"], profile["problems"]) for profile in result["profiles"]] == [
        ("dev", "absent", [])
    ]
    assert run("colima_profile_info")["profiles"] == []


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of colima's into which this user can't look, as after `sudo colima` under a strict umask."""
    with tempfile.TemporaryDirectory(prefix="closed-", dir="/tmp") as place:
        Path(place).chmod(0o755)
        base = Path(place) / ".colima"
        base.mkdir(mode=0o700 if os.geteuid() == 0 else 0)
        monkeypatch.setenv("HOME", place)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        yield base
        os.seteuid(user)
        base.chmod(0o700)


@pytest.mark.parametrize(
    ("module", "options", "what"),
    [
        ("colima_profile", {"name": "dev", "check": True}, "converge"),
        ("colima_profile", {"name": "dev", "host": {**HOST, "disk_free_mib": 9999}, "check": True}, "converge"),
        ("colima_profile_info", {}, "read"),
        ("colima_profile_info", {"names": ["dev"]}, "read"),
    ],
)
def test_a_directory_that_is_closed_to_the_user_is_named(
    run: ModuleRun, closed: Path, module: str, options: dict[str, Any], what: str
) -> None:
    result = run(module, **options)
    assert result["msg"].startswith(f"Could not {what} the colima profiles: '{closed / '_lima'}")
    assert result["msg"].endswith("': permission denied. Check that path, and run again.")
