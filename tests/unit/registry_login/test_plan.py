# SPDX-License-Identifier: GPL-3.0-or-later
"""Which logins are made and undone, as tables: what is wanted, noted and found -> what happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.ecr.renewal import Lease
from ansible_collections.laptop.containers.plugins.module_utils.registry_login.model import (
    LoginPlan,
    LoginVerb,
    Note,
    Place,
    PlaceState,
    PlannedLogin,
)
from ansible_collections.laptop.containers.plugins.module_utils.registry_login.plan import Clock, plan_logins

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DOCKER, HELPER, NERDCTL = Place("docker", "/d"), Place("helper", "/d"), Place("nerdctl", "k8s")
FRESH = Lease(NOW, NOW + timedelta(hours=12), "me")
DUE = Lease(NOW - timedelta(hours=7), NOW + timedelta(hours=5), "me")
OVER = Lease(NOW - timedelta(hours=13), NOW - timedelta(hours=1), "me")
IN = PlaceState(entries={"h": "AWS"})
UP = PlaceState(machine="m")
DOWN = PlaceState(machine="m", running=False)


def plan(place: Place, wanted: bool, note: Note | None, found: PlaceState, installed: bool = True) -> LoginPlan:
    return plan_logins(
        {place: {"h": "ecr-login" if place.kind == "helper" else "me"}} if wanted else {},
        {place: {"h": note}} if note else {},
        {place: found},
        Clock(NOW),
        helper_installed=installed,
    )


@pytest.mark.parametrize(
    ("place", "note", "found", "verb", "reason"),
    [
        pytest.param(DOCKER, None, PlaceState(), "log in", "not logged in by an earlier run", id="first time"),
        pytest.param(DOCKER, Note(FRESH), IN, "", "", id="fresh"),
        pytest.param(DOCKER, Note(FRESH), PlaceState(entries={"h": ""}), "", "", id="fresh, in a credential store"),
        pytest.param(DOCKER, Note(FRESH), PlaceState(), "log in", "no longer has it", id="logged out by hand"),
        pytest.param(DOCKER, Note(DUE), IN, "log in", "5 h are left", id="half of its lifetime is over"),
        pytest.param(DOCKER, Note(OVER), IN, "log in", "has expired", id="expired"),
        pytest.param(
            DOCKER, Note(Lease(NOW, FRESH.expires_at, "other")), IN, "log in", "identity differs", id="another identity"
        ),
        pytest.param(DOCKER, Note(), IN, "log in", "did not end", id="killed in between"),
        pytest.param(NERDCTL, Note(FRESH, "m"), UP, "", "", id="nerdctl fresh"),
        pytest.param(NERDCTL, Note(FRESH, "m"), DOWN, "", "", id="nerdctl fresh, profile stopped"),
        pytest.param(NERDCTL, Note(FRESH, "old"), UP, "log in", "was recreated", id="the profile was recreated"),
        pytest.param(NERDCTL, Note(DUE, "m"), UP, "log in", "5 h are left", id="nerdctl due"),
    ],
)
def test_a_wanted_login(place: Place, note: Note | None, found: PlaceState, verb: str, reason: str) -> None:
    (item,) = plan(place, True, note, found).items
    assert (item.verb, item.failure, item.waiting) == (verb, "", "")
    assert reason in item.reason
    assert plan(place, True, note, found).hosts == ({"h"} if verb else set())


@pytest.mark.parametrize(
    ("found", "why"),
    [(DOWN, "is not running"), (PlaceState(running=False), "the profile does not exist")],
    ids=["stopped", "none"],
)
def test_a_profile_that_does_not_run_waits_with_the_command_that_starts_it(found: PlaceState, why: str) -> None:
    planned = plan(NERDCTL, True, None, found)
    (item,) = planned.items
    assert item.nothing_to_do and why in item.waiting and "'colima start k8s'" in item.waiting
    assert item.waiting.startswith("Could not log nerdctl of profile 'k8s' in to registry 'h': ")
    assert planned.hosts == frozenset()


@pytest.mark.parametrize(
    ("place", "note", "found", "verb"),
    [
        pytest.param(DOCKER, Note(FRESH), IN, "log out", id="ours"),
        pytest.param(DOCKER, Note(FRESH), PlaceState(entries={"h": ""}), "log out", id="ours, in a credential store"),
        pytest.param(DOCKER, Note(FRESH), PlaceState(), "forget", id="gone already"),
        pytest.param(DOCKER, Note(FRESH), PlaceState(entries={"h": "another"}), "forget", id="another user's now"),
        pytest.param(HELPER, Note(), PlaceState(entries={"h": "ecr-login"}), "take", id="our helper"),
        pytest.param(HELPER, Note(), PlaceState(entries={"h": "theirs"}), "forget", id="another helper now"),
        pytest.param(NERDCTL, Note(FRESH, "m"), UP, "log out", id="nerdctl"),
        pytest.param(NERDCTL, Note(FRESH, "old"), UP, "forget", id="of a machine that is gone"),
        pytest.param(NERDCTL, Note(FRESH, "m"), PlaceState(running=False), "forget", id="the profile is gone"),
        pytest.param(NERDCTL, Note(OVER, "m"), DOWN, "forget", id="worthless, in a stopped profile"),
    ],
)
def test_a_login_that_is_no_longer_wanted(place: Place, note: Note, found: PlaceState, verb: str) -> None:
    (item,) = plan(place, False, note, found).items
    assert (item.verb, item.waiting) == (verb, "")


def test_a_login_in_a_stopped_profile_waits_to_be_taken_back() -> None:
    (item,) = plan(NERDCTL, False, Note(FRESH, "m"), DOWN).items
    assert "Could not log nerdctl of profile 'k8s' out of registry 'h': the profile is not running." in item.waiting


@pytest.mark.parametrize(
    ("entries", "verb", "said"),
    [({}, "add", ""), ({"h": "ecr-login"}, "", ""), ({"h": "theirs"}, "add", "'theirs' is set for it already")],
    ids=["none", "there", "another"],
)
def test_a_wanted_helper(entries: dict[str, str], verb: str, said: str) -> None:
    (item,) = plan(HELPER, True, None, PlaceState(entries=entries)).items
    assert item.verb == verb and said in item.failure and bool(item.failure) == bool(said)


@pytest.mark.parametrize(
    ("note", "entry", "verb"),
    [
        pytest.param(None, None, "add", id="none"),
        pytest.param(Note(), "ecr-login-dev", "", id="there"),
        pytest.param(Note(), "ecr-login", "add", id="ours without a profile"),
        pytest.param(None, "ecr-login", "", id="the user's own stays"),
    ],
)
def test_a_helper_with_a_profile(note: Note | None, entry: str | None, verb: str) -> None:
    noted = {HELPER: {"h": note}} if note else {}
    found = PlaceState(entries={"h": entry} if entry else {})
    (item,) = plan_logins({HELPER: {"h": "ecr-login-dev"}}, noted, {HELPER: found}, Clock(NOW)).items
    assert (item.verb, item.failure) == (verb, "")


@pytest.mark.parametrize(
    ("wanted", "entry", "verb", "said"),
    [
        pytest.param(True, None, "write", "", id="missing"),
        pytest.param(True, "dev", "", "", id="there"),
        pytest.param(True, "old", "write", "", id="of another profile"),
        pytest.param(
            True, "", "write", "Could not write credential helper 'w' in '/b': a file of another program", id="not ours"
        ),
        pytest.param(False, "dev", "remove", "", id="unused"),
        pytest.param(False, "", "forget", "", id="unused, not ours"),
        pytest.param(False, None, "forget", "", id="gone"),
    ],
)
def test_a_script_for_a_profile(wanted: bool, entry: str | None, verb: str, said: str) -> None:
    place = Place("wrapper", "/b")
    found = PlaceState(entries={"w": entry} if entry is not None else {})
    noted = {} if wanted else {place: {"w": Note()}}
    (item,) = plan_logins({place: {"w": "dev"}} if wanted else {}, noted, {place: found}, Clock(NOW)).items
    assert item.verb == verb and item.failure.startswith(said) and bool(item.failure) == bool(said)


def test_a_directory_that_is_not_on_path_is_a_warning() -> None:
    place = Place("wrapper", "/b")
    planned = plan_logins({place: {"w": "dev"}}, {}, {place: PlaceState(on_path=False)}, Clock(NOW))
    assert "'/b' before that is on PATH" in planned.warnings[0]


def test_scripts_come_before_the_entries_that_name_them_and_go_after_them() -> None:
    place = Place("wrapper", "/b")
    new = plan_logins({place: {"w": "dev"}, HELPER: {"h": "w"}}, {}, {place: PlaceState(), HELPER: PlaceState()}, Clock(NOW))
    assert [item.verb for item in new.items] == ["write", "add"]
    there = {place: PlaceState(entries={"w": "dev"}), HELPER: PlaceState(entries={"h": "ecr-login-dev"})}
    old = plan_logins({}, {place: {"w": Note()}, HELPER: {"h": Note()}}, there, Clock(NOW))
    assert [item.verb for item in old.items] == ["take", "remove"]


def test_a_helper_that_is_not_installed_is_a_warning_with_the_next_step() -> None:
    assert "brew install" in plan(HELPER, True, None, PlaceState(), installed=False).warnings[0]
    assert plan(DOCKER, True, None, PlaceState(), installed=False).warnings == ()
    assert plan(HELPER, False, Note(), PlaceState(entries={"h": "ecr-login"}), installed=False).warnings == ()


def test_a_login_through_a_helper_that_takes_none_is_refused_unless_it_goes_in_the_same_run() -> None:
    helped = PlaceState(helpers={"h": "ecr-login"})
    (refused,) = plan(DOCKER, True, None, helped).items
    assert "takes no logins" in refused.failure
    both = plan_logins(
        {DOCKER: {"h": "me"}},
        {HELPER: {"h": Note()}},
        {DOCKER: helped, HELPER: PlaceState(entries={"h": "ecr-login"})},
        Clock(NOW),
    )
    assert [(item.verb, item.place.kind, item.failure) for item in both.items] == [
        ("take", "helper", ""),
        ("log in", "docker", ""),
    ]


def test_docker_is_logged_out_before_a_helper_would_catch_it() -> None:
    planned = plan_logins(
        {HELPER: {"h": "ecr-login"}}, {DOCKER: {"h": Note(FRESH)}}, {DOCKER: IN, HELPER: PlaceState()}, Clock(NOW)
    )
    assert [item.verb for item in planned.items] == ["log out", "add"]


@pytest.mark.parametrize("place", [DOCKER, HELPER])
@pytest.mark.parametrize("wanted", [True, False])
def test_a_config_that_can_not_be_read_fails_alone(place: Place, wanted: bool) -> None:
    (item,) = plan(place, wanted, Note(FRESH), PlaceState(unreadable="Could not read it.")).items
    assert item.nothing_to_do and item.failure == "Could not read it."


def test_an_item_with_a_reason_to_wait_or_fail_is_idle() -> None:
    assert PlannedLogin(DOCKER, "h", LoginVerb.LOG_IN, waiting="x").nothing_to_do
    assert PlannedLogin(DOCKER, "h", LoginVerb.LOG_IN, failure="x").nothing_to_do
    assert not PlannedLogin(DOCKER, "h", LoginVerb.LOG_IN).nothing_to_do
