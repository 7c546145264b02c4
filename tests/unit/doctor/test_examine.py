# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups side by side: what hangs or fails is unknown and holds nothing up; every check is documented."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.doctor.examine import FILES, kinds, run
from ansible_collections.laptop.containers.plugins.module_utils.doctor.model import (
    GROUPS,
    Check,
    CheckKind,
    Status,
    counts,
    worst,
)
from ansible_collections.laptop.containers.plugins.module_utils.doctor.settings import MODULES

from tests.support.in_process_module import SUBJECTS

ROOT = Path(__file__).resolve().parents[3]
KIND = CheckKind("tools.program", "whether it is there")


def well(_laptop: Any) -> Iterator[Check]:
    yield KIND.ok("there", "docker")


def test_what_hangs_is_unknown_and_costs_the_bound_alone() -> None:
    release = threading.Event()

    def hangs(_laptop: Any) -> Iterator[Check]:
        yield KIND.ok("before")
        release.wait(30)

    began = time.monotonic()
    found = run({("docker", "docker"): hangs, ("tools", "tools"): well}, None, 0.3)
    took = time.monotonic() - began
    release.set()
    assert [(check.id, check.status) for check in found] == [
        ("tools.program", Status.OK),
        ("docker.examined", Status.UNKNOWN),
        ("tools.program", Status.OK),
    ]
    assert 0.3 <= took < 3


def test_a_failure_is_unknown_with_its_reason_and_remedy() -> None:
    def fails(_laptop: Any) -> Iterator[Check]:
        yield KIND.ok("before")
        raise WorkstationError("read it", "it is locked", "Unlock it.")

    before, failed = run({("docker", "docker"): fails}, None, 3)
    assert before.status == Status.OK
    assert (failed.id, failed.status, failed.found) == ("docker.examined", Status.UNKNOWN, "could not read it: it is locked")
    assert failed.remedy == "Unlock it."


def test_a_fault_of_the_doctor_hides_no_other_check() -> None:
    def faulty(_laptop: Any) -> Iterator[Check]:
        yield KIND.ok("before")
        raise KeyError("x")

    found = run({("docker", "docker"): faulty, ("tools", "tools"): well}, None, 3)
    assert [check.status for check in found] == [Status.OK, Status.UNKNOWN, Status.OK]
    assert "KeyError" in found[1].found


def test_each_check_says_how_long_it_took() -> None:
    def slow(_laptop: Any) -> Iterator[Check]:
        time.sleep(0.1)
        yield KIND.ok("slow")
        yield KIND.ok("quick")

    slowly, quickly = run({("tools", "tools"): slow}, None, 3)
    assert slowly.seconds >= 0.1 > quickly.seconds


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [([], "ok"), (["ok", "note"], "note"), (["unknown", "note"], "unknown"), (["warning", "unknown"], "warning"),
     (["warning", "broken", "ok"], "broken")],
)  # fmt: skip
def test_the_verdict_is_the_worst_status(statuses: list[str], verdict: str) -> None:
    checks = [Check("tools.program", Status(status), "") for status in statuses]
    assert worst(checks) == verdict
    assert sum(counts(checks).values()) == len(statuses)


def test_every_kind_belongs_to_the_group_of_its_file_and_has_an_id_of_its_own() -> None:
    listed = kinds()
    assert len({kind.id for kind in listed}) == len(listed)
    assert {kind.id.partition(".")[0] for kind in listed} == set(GROUPS) == set(FILES)
    assert all(kind.looks_at.startswith(("whether", "how", "when")) for kind in listed)


def test_the_settings_know_the_subject_of_each_module() -> None:
    for module, (_role, subject) in MODULES.items():
        assert SUBJECTS["user_timer" if module.endswith("_timer") else module].__module__.endswith(f".module_utils.{subject}")


def _options(role: str, module: str) -> dict[str, Any]:
    tasks = yaml.safe_load((ROOT / "roles" / role / "tasks" / "main.yml").read_text())
    return next(task[f"laptop.containers.{module}"] for task in tasks if f"laptop.containers.{module}" in task)


@pytest.mark.parametrize("module", MODULES)
def test_the_role_hands_over_what_the_other_roles_give_to_their_modules(module: str) -> None:
    task = yaml.safe_load((ROOT / "roles" / "doctor" / "tasks" / "examine.yml").read_text())[0]
    given = task["laptop.containers.doctor"][module]
    if isinstance(given, str):
        given = next(task["vars"][name] for name in task["vars"] if name in given)
    # What a run of several roles knows of its earlier tasks, an examination does not have.
    called = "user_timer" if module.endswith("_timer") else module
    wanted = {option: value for option, value in _options(MODULES[module][0], called).items() if option != "expected_contexts"}
    assert given == wanted


def test_the_playbook_has_a_tag_for_each_group_and_the_settings_of_each_role() -> None:
    play = yaml.safe_load((ROOT / "playbooks" / "doctor.yml").read_text())[0]
    *settings, groups, examination = play["tasks"]
    assert groups["tags"] == ["doctor", *GROUPS]
    # Another tag, where it is to be skipped, would leave out the whole examination.
    assert examination["tags"] == ["always"]
    roles = {task["ansible.builtin.import_role"]["name"].rpartition(".")[2] for task in settings}
    assert roles == {role for role, _subject in MODULES.values()}
    assert yaml.safe_load((ROOT / "roles" / "doctor" / "vars" / "main.yml").read_text())["__doctor_groups"] == list(GROUPS)
