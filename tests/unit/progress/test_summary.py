# SPDX-License-Identifier: GPL-3.0-or-later
"""What the closing summary says of a laptop, and of one among many."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.progress import summary
from ansible_collections.laptop.containers.plugins.module_utils.progress.fleet import LaptopOutcome
from ansible_collections.laptop.containers.plugins.module_utils.progress.summary import Failure, Summary, failure_of

PENDING = {"target": "profile 'k8s'", "change": "cpu 2 -> 4", "reason": "1 container runs", "remedy": "Stop it."}
CHANGED = {"changed": True, "actions": ["create profile 'k8s'"], "pending": [PENDING], "warnings": ["Ansible prints this."]}
SAME = {"changed": False, "warnings": [{"event": {"msg": "It is old."}}, "It is old."], "current": "a", "contexts": [{}]}


def shown(of: Summary, *, checked: bool = False, not_reached: tuple[str, ...] = ()) -> dict[str, list[str]]:
    return {block.title: [*block.lines] for block in of.blocks(checked=checked, not_reached=not_reached) if block.lines}


def after(*answers: dict[str, Any], failed: bool = False, looked: bool = False, checked: bool = False) -> Summary:
    found = Summary()
    for answer in answers:
        found.add(answer, failed=failed, looked=looked or checked, checked=checked)
    return found


def test_a_run_says_what_it_changed_what_waits_and_how_to_use_what_is_there() -> None:
    assert shown(after(CHANGED, SAME)) == {
        "changed": ["create profile 'k8s'"],
        "pending": ["profile 'k8s': cpu 2 -> 4, because 1 container runs. Stop it."],
        "warning": ["It is old."],
        "use it": ["docker uses context a"],
    }


def test_a_check_says_what_would_change_and_offers_nothing_that_is_only_planned() -> None:
    planned = after({**SAME, "changed": True, "actions": ["one", "one"]}, checked=True)
    assert shown(planned, checked=True) == {"would change": ["one"]}
    assert shown(Summary(), checked=True) == {"would change": ["nothing"]}


def test_what_a_plan_and_its_task_both_say_in_a_check_is_told_once() -> None:
    move = {"changed": True, "actions": ["copy"], "pending": [PENDING], "summary": ["The move needs 3 GiB."]}
    found = shown(after(move, move, checked=True), checked=True)
    assert {title: len(lines) for title, lines in found.items()} == {"found": 1, "would change": 1, "pending": 1}


def test_a_look_before_a_run_is_told_only_where_the_run_does_nothing() -> None:
    looked = after({"actions": ["free 3 GiB"]}, looked=True)
    assert shown(looked) == {"would change": ["free 3 GiB"]}
    looked.add(CHANGED, failed=False, looked=False, checked=False)
    assert "would change" not in shown(looked)


def test_a_failure_comes_last_with_what_was_done_before_and_what_it_kept_from_its_turn() -> None:
    failed = after({"actions": ["one"], "current": "a", "contexts": [{}]}, failed=True)
    failed.failure = failure_of({"msg": "Could not  do it:\nno."}, "colima")
    assert shown(failed, not_reached=("buildx", "buildx", "nerdctl")) == {
        "changed": ["one"],
        "not reached": ["buildx, nerdctl"],
        "FAILED colima:": ["Could not do it: no."],
    }
    # Nothing is said to have changed: a failed task may have done something.
    assert "changed" not in shown(Summary(failure=Failure("colima", "No.")))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"msg": "No.", "kind": "settings"}, Failure("settings", "No.")),
        ({"problems": 2, "kind": "settings"}, Failure("settings", "2 problems, listed above; nothing was changed.")),
        ({"problems": 3, "kind": "policy"}, Failure("policy", "3 problems, listed above; this task changed nothing.")),
        ({"problems": 1, "kind": "policy", "msg": "One."}, Failure("policy", "One.")),
        ({"module_stdout": "Traceback"}, Failure("colima", "it gave no reason", unknown=True)),
        ({"msg": "A.", "refusals": ["A."]}, Failure("colima", "A.")),
        ({"msg": "Found 2", "refusals": ["A\nb.", "C."]}, Failure("colima", "Found 2", each=("A b.", "C."))),
        ({"msg": "2 failed", "failures": ["A.", "B."]}, Failure("colima", "2 failed", each=("A.", "B."))),
    ],
)
def test_a_failure_is_told_by_its_kind(answer: dict[str, Any], expected: Failure) -> None:
    assert failure_of(answer, "colima") == expected


def test_several_reasons_are_numbered_a_line_each() -> None:
    failed = Summary(failure=failure_of({"msg": "Found 2", "refusals": ["A.", "B."]}, "colima"))
    assert shown(failed)["FAILED colima:"] == ["1. A.", "2. B."]


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (Summary(failure=Failure("colima", "No.")), LaptopOutcome.FAILED),
        (Summary(away="asleep"), LaptopOutcome.AWAY),
        (Summary(reached={""}), LaptopOutcome.LEFT_ALONE),
        (Summary(reached={"colima"}, actions=["one"]), LaptopOutcome.CHANGED),
        (Summary(reached={"colima"}, pending=["one"]), LaptopOutcome.PENDING),
        (Summary(reached={"colima"}), LaptopOutcome.UNCHANGED),
    ],
)
def test_of_many_laptops_each_has_one_outcome(found: Summary, outcome: LaptopOutcome) -> None:
    laptop = found.of_fleet("anna")
    assert (laptop.name, laptop.outcome) == ("anna", outcome)
    assert laptop.reason == {LaptopOutcome.FAILED: "colima: No.", LaptopOutcome.AWAY: "asleep"}.get(outcome, "")


def test_hints_name_profiles_with_sizes_and_the_current_context() -> None:
    profile = {
        "name": "k8s", "instance": "colima-k8s", "status": "Running", "runtime": "containerd", "cpu": 4, "memory": 12,
        "kubernetes": True, "containerd_socket": "unix:///h/.colima/k8s/containerd.sock",
    }  # fmt: skip
    assert summary.hints_of({"profiles": [profile], "contexts": [{}], "current": "colima-buildx"}) == [
        "profile k8s: containerd, 4 CPUs, 12 GiB, unix:///h/.colima/k8s/containerd.sock",
        "kubectl --context colima-k8s get pods",
        "docker uses context colima-buildx",
    ]


def test_a_profile_that_goes_is_told_without_its_sizes() -> None:
    assert summary.hints_of({"profiles": [{"name": "k8s", "status": "running", "disk": 100, "pending": []}]}) == []
    upgraded = {"name": "colima", "from": "0.9.1", "to": "0.10.3", "back": "brew unlink colima"}
    assert summary.hints_of({"upgraded": [upgraded]}) == ["back to colima 0.9.1: brew unlink colima"]


def test_a_pending_change_is_one_sentence() -> None:
    item = {"target": "profile 'k8s'", "change": "cpu 2 -> 4", "reason": "1 container runs", "remedy": "Stop it."}
    assert summary.pending_line(item) == "profile 'k8s': cpu 2 -> 4, because 1 container runs. Stop it."
