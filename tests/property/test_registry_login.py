# SPDX-License-Identifier: GPL-3.0-or-later
"""Laws of registry logins, over generated specs, notes and machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ansible_collections.laptop.containers.plugins.module_utils.ecr.renewal import Lease
from ansible_collections.laptop.containers.plugins.module_utils.registry_login.helper import HELPER
from ansible_collections.laptop.containers.plugins.module_utils.registry_login.model import LoginPlan, Note, Place, PlaceState
from ansible_collections.laptop.containers.plugins.module_utils.registry_login.plan import Clock, plan_logins
from hypothesis import given
from hypothesis import strategies as some

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CLOCK = Clock(NOW)
PLACES = [Place("docker", "/d"), Place("helper", "/d"), Place("nerdctl", "k8s"), Place("nerdctl", "other")]
hosts = some.sampled_from(["a", "b", "c"])
moments = some.integers(-30, 30).map(lambda hours: NOW + timedelta(hours=hours))
leases = some.builds(Lease, moments, moments, some.sampled_from(["me", "other"]))
notes = some.builds(Note, some.none() | leases, some.sampled_from(["", "one", "two"]))
specs = some.dictionaries(some.sampled_from(PLACES), some.dictionaries(hosts, some.just("me"))).map(
    lambda spec: {place: dict.fromkeys(hosts, HELPER) if place.kind == "helper" else hosts for place, hosts in spec.items()}
)
noted_logins = some.dictionaries(some.sampled_from(PLACES), some.dictionaries(hosts, notes, min_size=1))
users = some.dictionaries(hosts, some.sampled_from(["AWS", "", "another"]))
helpers = some.dictionaries(hosts, some.sampled_from([HELPER, "theirs"]))
machines = some.builds(PlaceState, machine=some.sampled_from(["", "one", "two"]), running=some.booleans())
Wishes = Mapping[Place, Mapping[str, str]]
Notes = Mapping[Place, Mapping[str, Note]]


@some.composite
def laptops(draw: some.DrawFn) -> dict[Place, PlaceState]:
    """What all places hold; docker and its helpers are two views of one file."""
    named = draw(helpers)
    return {
        PLACES[0]: PlaceState(entries=draw(users), helpers=named),
        PLACES[1]: PlaceState(entries=named),
        PLACES[2]: draw(machines),
        PLACES[3]: draw(machines),
    }


def carried_out(plan: LoginPlan, noted: Notes, found: Mapping[Place, PlaceState]) -> tuple[Notes, dict[Place, PlaceState]]:
    """Return notes and laptop after the plan."""
    left = {place: dict(entries) for place, entries in noted.items()}
    after = {place: replace(view, entries=dict(view.entries)) for place, view in found.items()}
    for item in plan.items:
        if item.nothing_to_do:
            continue
        entries = dict(after[item.place].entries)
        if item.verb in ("log in", "add"):
            lease = Lease(NOW, NOW + timedelta(hours=12), "me") if item.verb == "log in" else None
            left.setdefault(item.place, {})[item.host] = Note(lease, item.machine)
            entries[item.host] = HELPER if item.verb == "add" else "AWS"
        else:
            left[item.place].pop(item.host)
            if item.verb != "forget":
                entries.pop(item.host, None)
        after[item.place] = replace(after[item.place], entries=entries)
    after[PLACES[0]] = replace(after[PLACES[0]], helpers=after[PLACES[1]].entries)
    return {place: entries for place, entries in left.items() if entries}, after


@given(specs, noted_logins, laptops())
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(wanted: Wishes, noted: Notes, found: dict[Place, PlaceState]) -> None:
    if PLACES[0] in wanted and PLACES[1] in wanted:
        wanted = {place: entries for place, entries in wanted.items() if place != PLACES[1]}
    after = carried_out(plan_logins(wanted, noted, found, CLOCK), noted, found)
    assert all(item.nothing_to_do for item in plan_logins(wanted, *after, CLOCK).items)


@given(specs, noted_logins, laptops())
def test_only_what_is_noted_is_undone_and_never_what_belongs_to_others(
    wanted: Wishes, noted: Notes, found: dict[Place, PlaceState]
) -> None:
    for item in plan_logins(wanted, noted, found, CLOCK).items:
        if item.verb in ("log out", "take", "forget"):
            assert item.host in noted[item.place] and item.host not in wanted.get(item.place, {})
        if item.verb in ("log out", "take") and item.place.kind != "nerdctl":
            assert found[item.place].entries[item.host] not in ("another", "theirs")


@given(specs, noted_logins, laptops())
def test_a_token_is_asked_for_only_where_it_can_be_used(wanted: Wishes, noted: Notes, found: dict[Place, PlaceState]) -> None:
    plan = plan_logins(wanted, noted, found, CLOCK)
    for item in plan.items:
        if item.verb == "log in" and not item.nothing_to_do:
            there = found[item.place]
            assert item.place.kind != "nerdctl" or (there.machine and there.running)
    assert plan.hosts <= {host for entries in wanted.values() for host in entries}


@given(some.text(max_size=200) | some.none())
def test_whatever_a_tool_prints_becomes_one_line_without_the_last_full_stop(text: str | None) -> None:
    from ansible_collections.laptop.containers.plugins.module_utils.registry_login.apply import _said

    said = _said(text or "")
    assert said and not said.endswith(".")
