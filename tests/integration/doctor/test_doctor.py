# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor itself: finds nothing on a healthy laptop, touches nothing, waits for nothing, and says so in one screen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.system.processes import commands

from tests.support.lab_playbooks import light_lab
from tests.support.patient import AUTHORITIES, VENV, Patient
from tests.support.time_limits import in_time
from tests.support.whole_machine.homes import tree

from .states import NOT_HEALED_BY_COMMAND, State
from .ways import hang_engine

# What a look at a stopped laptop may start: none of them changes anything.
READS = {
    "colima": ("list", "status", "ssh", "version"),
    "limactl": ("--version", "disk", "list", "shell"),
    "docker": ("--version", "version", "context", "buildx"),
    "kubectl": ("version",),
}


def test_before_the_first_run_every_check_has_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in AUTHORITIES:
        monkeypatch.delenv(name, raising=False)
    with light_lab() as lab:
        laptop = Patient(lab, lab.environment).examine()
    assert {check["status"] for check in laptop["checks"]} <= {"ok", "note", "warning", "broken"}
    assert [row["state"] for row in laptop["profiles"]] == ["absent", "absent"]
    (health,) = (check for check in laptop["checks"] if check["id"] == "profiles.health" and check["about"] == "k8s")
    assert "playbooks/workstation.yml" in health["remedy"] and health["remedy"].endswith(" --tags colima")


def test_a_healthy_laptop_has_no_finding(patient: Patient) -> None:
    laptop = patient.examine()
    assert [check for check in laptop["checks"] if check["status"] != "ok"] == []
    assert (patient.code, laptop["verdict"]) == (0, "ok")
    rows = {row["name"]: (row["state"], row["cpus"], row["memory_gib"], row["disk_gib"]) for row in laptop["profiles"]}
    assert rows == {"docker-buildx": ("running", 4, 12, 100), "k8s": ("running", 4, 12, 100)}
    screen = patient.output.partition("PLAY RECAP")[2]
    assert "rehearsal: the workstation is well (all " in screen
    assert len(screen.splitlines()) < 24 and "\x1b[" not in screen


@pytest.mark.long("the doctor three times; test_fleet.py asks other laptops")
def test_on_another_laptop_the_module_finds_the_same(patient: Patient) -> None:
    here = patient.examine()
    # Another path of the interpreter counts as another one, so Ansible packs the module and sends it.
    patient.variables["ansible_python_interpreter"] = str(VENV / f"python3.{sys.version_info.minor}")
    elsewhere = patient.examine()
    ids = [[(check["id"], check["about"], check["status"]) for check in laptop["checks"]] for laptop in (here, elsewhere)]
    assert ids[0] == ids[1]
    patient.play("doctor", "-vvv", "--tags", "tools")
    assert " EXEC " in patient.output and "AnsiballZ_doctor.py" in patient.output


def test_all_checks_are_shown_on_request(patient: Patient) -> None:
    patient.play("doctor", "-e", "doctor_show=all", "--tags", "tools")
    assert "OK        tools.program (limactl" in patient.output or "tools.program (colima" in patient.output


def test_nothing_is_changed_or_started_on_a_laptop_whose_vms_are_stopped(patient: Patient) -> None:
    patient.shell("colima stop k8s && colima stop docker-buildx")
    calls = Path(patient.inside["REHEARSAL_CALLS"])
    calls.unlink(missing_ok=True)
    before = tree(patient.home)
    laptop = patient.examine()
    assert tree(patient.home) == before
    assert {row["state"] for row in laptop["profiles"]} == {"stopped"}
    assert {check["status"] for check in laptop["checks"] if check["id"] == "profiles.health"} == {"warning"}
    # What needs a running VM is neither broken nor asked.
    assert [check for check in laptop["checks"] if check["status"] in ("broken", "unknown")] == []
    assert patient.code == 0
    for line in calls.read_text().splitlines() if calls.exists() else ():
        program, *words = json.loads(line)["argv"]
        assert words and words[0] in READS[Path(program).name], line
    patient.converge()


def test_a_socket_that_hangs_costs_three_seconds_at_most(patient: Patient) -> None:
    began = time.monotonic()
    patient.examine()
    healthy = time.monotonic() - began
    hang_engine(patient)
    try:
        # Beside other tests all else may take twice as long the second time.
        laptop = in_time(2 * healthy + 3.0, patient.examine)
        (engine,) = [check for check in laptop["checks"] if check["id"] == "docker.engine"]
        assert (engine["status"], "nothing answered within 2 s" in engine["found"]) == ("warning", True)
        patient.shell(engine["remedy"])
    except AssertionError:
        # Tests that follow need the engine.
        patient.shell("colima restart docker-buildx")
        raise


def test_a_profile_that_another_program_is_starting_is_not_called_broken(patient: Patient) -> None:
    patient.shell("colima stop k8s")
    slowly = {**os.environ, **patient.inside, "REHEARSAL_RESUME_SECONDS": "8"}
    with subprocess.Popen(["sh", "-c", "exec colima start k8s"], env=slowly, stderr=subprocess.DEVNULL) as start:
        while not (patient.colima / "_lima" / "colima-k8s" / "ha.pid").exists():
            assert start.poll() is None
            time.sleep(0.05)
        laptop = patient.examine()
        assert start.poll() is None
        (health,) = [check for check in laptop["checks"] if check["id"] == "profiles.health" and check["about"] == "k8s"]
        assert (health["status"], health["found"].startswith("it is being started (process ")) == ("note", True)
        assert start.wait(60) == 0
    patient.converge()


def test_a_program_that_hangs_is_given_up_and_ended(patient: Patient) -> None:
    program = patient.lab.bin / "colima"
    text = program.read_text()
    seconds = f"7{os.getpid()}"
    program.write_text(f"#!/bin/sh\nexec sleep {seconds}\n")
    patient.play("doctor", "--tags", "profiles,docker,leftovers", "-e", "doctor_timeout=5", "-e", "doctor_show=all")
    program.write_text(text)
    assert patient.code == 0, patient.output
    assert "it did not end within 5 s" in patient.output
    # What needs no colima is examined all the same.
    assert "docker.context (colima-buildx): unix://" in patient.output
    assert not [words for words in commands().values() if words[:2] == ["sleep", seconds]]


def test_it_says_when_a_laptop_pulled_and_why_it_skipped_or_failed(patient: Patient) -> None:
    patient.variables |= {"pull_timer_repository": "git@git.example.com:laptops.git", "pull_timer_manager": "systemd"}
    (installed,) = [check for check in patient.checks("timers.installed") if check["about"] == "pull"]
    assert installed["status"] == "broken" and "--tags pull_timer" in installed["remedy"]
    patient.shell(installed["remedy"])

    def ago(hours: int) -> str:
        return (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")

    skip, failure = {"time": ago(3), "message": "on battery"}, {"time": ago(72), "message": "it is not signed"}
    status = {"time": ago(5), "result": "fresh", "commit": "0a1b2c3d4e5f", "last_skip": skip, "last_failure": failure}
    place = Path(patient.inside["XDG_STATE_HOME"]) / "laptop.containers" / "pull.json"

    def found(**changes: Any) -> tuple[str, str]:
        place.write_text(json.dumps({**status, **changes}))
        (last,) = [check for check in patient.checks("timers.last_run") if check["about"] == "pull"]
        return last["status"], last["found"]

    said, text = found()
    assert said == "ok" and text.startswith("ran 5 h ago (fresh) of commit 0a1b2c3d4e5f, next about ")
    assert text.endswith("; skipped 3 h ago: on battery; failed 3 days ago: it is not signed")
    late = "it ran last 4 days ago; skipped 3 h ago: on battery; failed 3 days ago: it is not signed"
    assert found(time=ago(96)) == ("warning", late)
    failed = "its last run, 5 h ago, failed: it is not signed; skipped 3 h ago: on battery"
    assert found(result="failed", message="it is not signed") == ("broken", failed)
    place.unlink()
    patient.variables["pull_timer_state"] = "absent"
    patient.play("workstation", "--tags", "pull_timer")
    assert patient.code == 0, patient.output


def test_a_tag_examines_its_group_alone_and_a_misspelt_one_is_refused(patient: Patient) -> None:
    laptop = patient.examine("tools", "timers")
    assert {check["group"] for check in laptop["checks"]} == set(laptop["groups"]) == {"tools", "timers"}
    patient.play("doctor", "--tags", "kubernets")
    assert patient.code == 2
    assert "Could not use tag 'kubernets': no task has it. Did you mean 'kubernetes'?" in " ".join(patient.output.split())


def test_a_tag_to_be_skipped_leaves_out_its_group_alone(patient: Patient, tmp_path: Path) -> None:
    patient.play(
        "doctor", "--tags", "tools,timers,docker", "--skip-tags", "docker,kubernetes", "-e", f"doctor_report={tmp_path}/"
    )
    (laptop,) = json.loads((tmp_path / "doctor.json").read_text())["laptops"]
    assert {check["group"] for check in laptop["checks"]} == {"tools", "timers"}
    patient.play("doctor", "--skip-tags", "registries,kubernetes,network", "-e", f"doctor_report={tmp_path}/most.json")
    (laptop,) = json.loads((tmp_path / "most.json").read_text())["laptops"]
    assert set(laptop["groups"]) == {"tools", "profiles", "docker", "builders", "timers", "policy", "leftovers"}
    assert {check["group"] for check in laptop["checks"]} >= {"tools", "profiles", "docker", "timers"}


def test_a_report_is_written_once_asked_for_and_compared_with_an_earlier_one(patient: Patient, tmp_path: Path) -> None:
    patient.play("doctor", "--tags", "docker", "-e", f"doctor_report={tmp_path}/first")
    assert {file.name for file in tmp_path.iterdir()} == {"first.json", "first.html"}
    document = json.loads((tmp_path / "first.json").read_text())
    assert (document["kind"], document["schema"], len(document["laptops"])) == ("laptop.containers/doctor", 1, 1)
    for file in tmp_path.iterdir():
        assert str(patient.home) not in file.read_text()
    patient.shell("docker context use default")
    patient.play(
        "doctor", "--tags", "docker", "-e", f"doctor_compare={tmp_path}/first.json", "-e", f"doctor_report={tmp_path}/n.html"
    )
    assert "docker.current: ok -> warning, docker uses 'default' instead of 'colima-buildx'" in patient.output
    assert "docker uses &#39;default&#39;" in (tmp_path / "n.html").read_text()
    patient.play("doctor", "--tags", "docker", "--check", "-e", f"doctor_report={tmp_path}/checked")
    assert not (tmp_path / "checked.json").exists()
    patient.play("doctor", "--tags", "docker", "-e", f"doctor_compare={tmp_path}/first.html")
    last = patient.output.splitlines()[-1]
    assert (
        patient.code == 2 and last.startswith("FAILED doctor: Could not compare with") and "it is not JSON. Give the JSON" in last
    )
    patient.play("doctor", "--tags", "docker", "-e", "doctor_show=everything")
    last = patient.output.splitlines()[-1]
    why = "Could not use 'everything' as 'doctor_show': it is not a choice. Use one of findings, all."
    assert last == f"FAILED settings: {why} (CLI option '-e')"
    patient.converge()


def test_no_secret_is_in_a_report_or_on_the_screen(patient: Patient, tmp_path: Path) -> None:
    patient.inside["HTTPS_PROXY"] = "http://ada:canary-of-the-proxy@127.0.0.1:9"
    patient.play("doctor", "-vvv", "-e", f"doctor_report={tmp_path}/all", "-e", "doctor_show=all")
    tokens = [patient.lab.ecr.token(account, region) for account in ("123456789012",) for region in ("eu-central-1", "us-east-1")]
    for text in (patient.output, *(file.read_text() for file in tmp_path.iterdir())):
        assert not [
            secret for secret in (*tokens, "canary-of-the-proxy", patient.inside["AWS_SECRET_ACCESS_KEY"]) if secret in text
        ]


@pytest.mark.parametrize("state", NOT_HEALED_BY_COMMAND, ids=lambda state: state.name)
def test_what_only_the_user_can_change_is_found_and_told(patient: Patient, state: State) -> None:
    state.happens(patient)
    found = [check for check in patient.checks(state.check) if check["status"] != "ok" and state.about in (check["about"], "")]
    assert [check["status"] for check in found][:1] == [state.status], patient.output
    assert found[0]["remedy"] or state.status == "note"
    patient.shell("rm -f ~/.local/bin/docker-credential-desktop")
    (patient.settings / "policy.yml").unlink(missing_ok=True)
