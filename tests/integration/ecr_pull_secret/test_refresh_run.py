# SPDX-License-Identifier: GPL-3.0-or-later
"""What the timer runs (refresh.py), with a script in the playbook's place: status, log, pauses, lock and signals."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rehearsal.processes.system import comes_true

ROOT = Path(__file__).resolve().parents[3]
RUNNER = ROOT / "roles" / "refresh_timer" / "files" / "refresh.py"


def refresh(home: Path, script: str, *flags: str, path: str | None = None) -> tuple[int, dict[str, Any], str]:
    """Run what the timer runs, with a script in the playbook's place. Returns exit code, status and log."""
    state = home / "state"
    (home / "script.py").write_text(textwrap.dedent(script))
    environment = {**os.environ, "PATH": path or os.environ["PATH"]}
    command = [sys.executable, str(RUNNER), str(state), *flags, "--", sys.executable, str(home / "script.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "" and done.stderr == ""
    log = state / "refresh.log"
    status = json.loads((state / "refresh.json").read_text()) if (state / "refresh.json").exists() else {}
    return done.returncode, status, log.read_text() if log.exists() else ""


def answers(*results: dict[str, Any], code: int = 0) -> str:
    """Return a playbook that leaves the results of its tasks as the callback writes them; the failed ones have a msg."""
    rows = [{"host": "me", "task": "Renew", "failed": "msg" in result, "result": result} for result in results]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    return f"import os, sys\nopen(os.environ['LAPTOP_CONTAINERS_RESULTS'], 'w').write({text!r})\nsys.exit({code})\n"


ROW = {"expires_at": "2027-01-01T00:00:00Z"}
FRESH = answers({"changed": False, "secrets": [ROW], "actions": [], "pending": []})
RENEWED = answers({"changed": True, "secrets": [ROW], "actions": ["renew x"]})
WAITING = answers({"changed": False, "secrets": [], "pending": [{"remedy": "Start it."}]})
FAILED = answers({"changed": False, "msg": "Could not do it: no. Try again."}, code=2)
LOGIN = answers(
    {
        "changed": False,
        "msg": "Could not do it: over. Log in with 'aws sso login --profile dev' and run again.",
        "kind": "sso_expired",
    },
    code=2,
)


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


def test_a_first_failure_is_looked_at_once_more_as_the_network_is_slow_to_wake(home: Path) -> None:
    awake = f"""
import pathlib, sys
awake = pathlib.Path({str(home / "awake")!r})
if not awake.exists():
    awake.touch()
    sys.exit(2)
{FRESH}
"""
    code, status, log = refresh(home, awake, "--again=0.01")
    assert (code, status["result"], status["failures"], log) == (0, "fresh", 0, "")
    count = f"open({str(home / 'count')!r}, 'a').write('x')"
    for script in (LOGIN, FRESH, FAILED, FAILED):
        refresh(home, f"{count}\n{script}", "--force", "--again=0.01")
    assert (home / "count").read_text() == "xxxxx"


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


def test_a_login_that_is_one_way_among_several_is_not_waited_for(home: Path) -> None:
    text = (
        "Could not get a token: there are no AWS credentials. Name a profile, or log in with 'aws sso login' or 'aws configure'."
    )
    _, status, _ = refresh(home, answers({"msg": text, "kind": "no_credentials"}, code=2))
    assert (status["message"], status["login"]) == (text, "")
    assert status["not_before"] > status["time"]


@pytest.mark.each_row
@pytest.mark.parametrize("profile", ["dev", "börse"])
def test_on_a_mac_the_notification_goes_through_its_own_program(home: Path, profile: str) -> None:
    tools = home / "tools"
    tools.mkdir()
    (tools / "osascript").write_text('#!/bin/sh\necho "$*" >> "$HOME/told"\n')
    (tools / "osascript").chmod(0o755)
    refresh(home, LOGIN.replace("dev", profile), "--notify", path=f"{tools}:/usr/bin:/bin")
    assert (home / "told").read_text() == (
        f'-e display notification "Pull secrets can\'t be renewed. Run: aws sso login --profile {profile}" '
        'with title "laptop.containers"\n'
    )


def test_a_login_in_a_stopped_profile_is_quiet_until_it_runs(home: Path) -> None:
    text = "Could not log nerdctl of profile 'k8s' in to registry 'x': the profile is not running. Start it."
    answer = {"changed": False, "secrets": [], "pending": [{"remedy": text}]}
    code, status, log = refresh(home, answers(answer))
    assert (code, status["result"], status["message"], log) == (0, "waiting", text, "")


def test_a_playbook_that_does_not_start_is_a_failure_with_a_reason(home: Path) -> None:
    _, status, _ = refresh(home, "import sys; print('ERROR! the playbook could not be found'); sys.exit(1)")
    assert status["message"] == "ERROR! the playbook could not be found"


def test_two_runs_never_overlap(home: Path) -> None:
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


def test_a_service_account_that_is_missing_is_not_a_stopped_profile(home: Path) -> None:
    item = {"target": "service account colima-k8s/default/web", "reason": "it does not exist", "remedy": "Create it."}
    row = {"expires_at": "2027-01-01T00:00:00Z"}
    answer = {"changed": False, "secrets": [row], "pending": [item]}
    _, status, _ = refresh(home, answers(answer))
    assert (status["result"], status["last_success"]) == ("fresh", status["time"])
    away = {"target": "cluster other", "reason": "the cluster can't be reached", "remedy": "Start it."}
    answer["pending"] = [item, away]
    _, second, _ = refresh(home, answers(answer))
    assert (second["result"], second["message"], second["last_success"]) == ("waiting", "Start it.", status["time"])


def test_every_host_that_answers_counts(home: Path) -> None:
    renewed = {"changed": True, "secrets": [{"expires_at": "2027-01-02T00:00:00Z"}], "actions": ["renew x"]}
    fresh = {"changed": False, "secrets": [{"expires_at": "2027-01-01T00:00:00Z"}], "actions": []}
    later = {"changed": False, "ping": "pong"}
    _, status, _ = refresh(home, answers(renewed, fresh, later))
    assert (status["result"], status["secrets"], status["expires_at"]) == ("renewed", 2, "2027-01-01T00:00:00Z")
    failure = {"changed": False, "msg": "Could not do it: no."}
    code, status, _ = refresh(home, answers(failure, renewed, fresh, later, code=2))
    assert (code, status["result"], status["message"]) == (1, "failed", "Could not do it: no.")


MODULE = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({"fails": {"type": "bool"}})
if module.params["fails"]:
    module.fail_json(msg="Could not do it: over. Log in with 'aws sso login' and run again.", kind="sso_expired", secrets=[])
module.exit_json(changed=True, actions=["renew x"], secrets=[{"expires_at": "2027-01-01T00:00:00Z"}])
"""


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("flags", [[], ["-vv"], ["-vvv"]])
def test_the_results_of_a_real_playbook_are_read(
    home: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], loop: bool, fails: bool
) -> None:
    (home / "library").mkdir()
    (home / "library" / "renew.py").write_text(MODULE)
    each = {"renew": {"fails": "{{ item }}"}, "loop": [False, fails]} if loop else {"renew": {"fails": fails}}
    (home / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [{"name": "Renew", **each}]}]))
    monkeypatch.setenv("ANSIBLE_LIBRARY", str(home / "library"))
    ansible = [str(Path(sys.executable).with_name("ansible-playbook")), str(home / "play.yml"), "-i", "me,", "-c", "local"]
    command = [
        sys.executable,
        str(RUNNER),
        str(home / "state"),
        "--",
        *ansible,
        "-e",
        f"ansible_python_interpreter={sys.executable}",
    ]
    subprocess.run([*command, *flags], cwd=ROOT, capture_output=True, timeout=120, check=False)
    status = json.loads((home / "state" / "refresh.json").read_text())
    secrets = loop + (not fails)
    if fails:
        said = ("failed", "Could not do it: over. Log in with 'aws sso login' and run again.", "aws sso login")
    else:
        said = ("renewed", "; ".join(["renew x"] * (1 + loop)), "")
    assert (status["result"], status["message"], status["login"], status["secrets"]) == (*said, secrets)


def test_a_pause_that_was_written_under_a_wrong_clock_is_not_waited_for(home: Path) -> None:
    refresh(home, FAILED)
    file = home / "state" / "refresh.json"
    ahead = datetime.now(UTC) + timedelta(days=3)
    file.write_text(json.dumps({**json.loads(file.read_text()), "not_before": ahead.strftime("%Y-%m-%dT%H:%M:%SZ")}))
    assert refresh(home, FRESH)[1]["result"] == "fresh"


# Says who it is, in a file that appears at once with its content, and then takes its time.
SLOW = """
import os, pathlib, time
place = pathlib.Path(os.environ["HOME"])
(place / "part").write_text(str(os.getpid()))
(place / "part").rename(place / "playbook")
time.sleep(60)
"""


def started(home: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a run whose playbook takes its time; returns it and the playbook's process."""
    (home / "script.py").write_text(SLOW)
    command = [sys.executable, str(RUNNER), str(home / "state"), "--", sys.executable, str(home / "script.py")]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until((home / "playbook").exists)
    return run, int((home / "playbook").read_text())


def until(holds: Callable[[], bool]) -> None:
    assert comes_true(holds, 20)


def free(home: Path) -> bool:
    """Whether the lock is free: neither a run holds it, nor a playbook that continues without its run."""
    with (home / "state" / "refresh.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def test_a_run_that_is_ended_ends_its_playbook(home: Path) -> None:
    run, playbook = started(home)
    run.terminate()
    assert run.wait(20) == 128 + signal.SIGTERM
    assert free(home)
    with pytest.raises(ProcessLookupError):
        os.kill(playbook, signal.SIGTERM)
    assert not (home / "state" / "refresh.json").exists()


def test_while_the_playbook_of_a_killed_run_goes_on_no_other_begins(home: Path) -> None:
    run, playbook = started(home)
    run.kill()
    run.wait(20)
    try:
        assert not free(home)
        assert refresh(home, FRESH)[:2] == (0, {})
    finally:
        os.kill(playbook, signal.SIGKILL)
    until(lambda: free(home))
    assert refresh(home, FRESH)[1]["result"] == "fresh"
