# SPDX-License-Identifier: GPL-3.0-or-later
"""ConfigMaps of ours over histories: settings change, clusters sleep, people edit and delete, and runs are killed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import hypothesis.strategies as some
from ansible_collections.laptop.containers.plugins.module_utils.config_maps import (
    ConfigMapPlace,
    ConfigMapsState,
    ConfigMapState,
    ConfigMapStep,
    NoteConfigMap,
    apply_each,
    plan_config_maps,
)
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import Plan, Step
from hypothesis import example, given

CONTEXTS, NAMESPACES, KEYS = ("one", "two"), ("a", "b"), ["PROXY", "ca.crt"]
PLACES = [ConfigMapPlace(context, namespace, "company") for context in CONTEXTS for namespace in NAMESPACES]
CONTENTS = some.dictionaries(some.sampled_from(KEYS), some.sampled_from(["x", "y"]), min_size=1)
WANTED = some.dictionaries(some.sampled_from(PLACES), CONTENTS)
DEEDS = ("delete", "edit", "share", "create", "drop namespace", "make namespace", "sleep", "wake", "refuse")
PEOPLE = some.tuples(some.sampled_from(DEEDS), some.sampled_from(PLACES))


@dataclass
class World:
    """Two clusters, and the notes. Each ConfigMap has its data, and whether it is ours."""

    namespaces: set[tuple[str, str]] = field(default_factory=lambda: {(place.context, place.namespace) for place in PLACES})
    maps: dict[ConfigMapPlace, ConfigMapState] = field(default_factory=dict)
    asleep: set[str] = field(default_factory=set)
    notes: set[ConfigMapPlace] = field(default_factory=set)
    refusing: set[ConfigMapPlace] = field(default_factory=set)
    uids: int = 0

    def read(self, wanted: Mapping[ConfigMapPlace, object]) -> ConfigMapsState:
        return ConfigMapsState({place: self.state(place) for place in {*self.notes, *wanted}}, frozenset(self.notes))

    def state(self, place: ConfigMapPlace) -> ConfigMapState:
        if place.context in self.asleep:
            return ConfigMapState(why="nothing answers")
        there = self.maps.get(place)
        return there or ConfigMapState(homeless=(place.context, place.namespace) not in self.namespaces)

    def apply(self, plan: Plan, steps: int | None = None) -> None:
        """Carry out a plan, or the first so many writes of it, as it is when it is killed then."""
        if plan.refusals:
            return
        if steps is None:
            with contextlib.suppress(WorkstationError):
                apply_each(plan, self.carry_out, lambda _said: None)
            return
        for write in [one for step in plan.steps for one in self.writes(step)][:steps]:
            write()

    def carry_out(self, step: Step) -> None:
        for write in self.writes(step):
            if isinstance(step, ConfigMapStep) and step.place in self.refusing:
                raise WorkstationError(f"change {step.place}", "the cluster refuses it")
            write()

    def writes(self, step: object) -> Iterator[Callable[[], object]]:
        if isinstance(step, NoteConfigMap):
            yield lambda: (self.notes.add if step.there else self.notes.discard)(step.place)
        elif isinstance(step, ConfigMapStep) and step.data is None:
            yield lambda: self.maps.pop(step.place)
        elif isinstance(step, ConfigMapStep):
            yield lambda: self.notes.add(step.place)
            yield lambda: self.put(step.place, step.data or {}, ours=True)

    def put(self, place: ConfigMapPlace, data: Mapping[str, str], *, ours: bool) -> None:
        """Write as a server-side apply does: our keys are these, and people's stay."""
        before = self.maps.get(place) or ConfigMapState()
        old = before.data or {}
        kept = {key: value for key, value in old.items() if key in before.theirs}
        # Who is overruled owns it no more; who wrote the same still does.
        theirs = {key for key in before.theirs if data.get(key, old[key]) == old[key]}
        self.uids += 1
        owned = frozenset(data) if ours else frozenset()
        self.maps[place] = ConfigMapState(
            {**kept, **data}, before.uid or str(self.uids), ours, owned, frozenset(theirs if ours else data)
        )

    def live(self, what: str, place: ConfigMapPlace) -> None:
        """Let a person do something."""
        there = self.maps.get(place)
        home = (place.context, place.namespace)
        if what == "sleep":
            self.asleep.add(place.context)
        elif what == "wake":
            self.asleep.discard(place.context)
        elif what == "refuse":
            self.refusing.add(place)
        elif what == "drop namespace":
            self.namespaces.discard(home)
            self.maps = {one: state for one, state in self.maps.items() if (one.context, one.namespace) != home}
        elif what == "make namespace":
            self.namespaces.add(home)
        elif what == "delete":
            self.maps.pop(place, None)
        elif what == "edit" and there:
            edited = {"ca.crt": "edited", "mine": "kept"}
            owned, theirs = there.owned - edited.keys(), there.theirs | edited.keys()
            self.maps[place] = replace(there, data={**(there.data or {}), **edited}, owned=owned, theirs=theirs)
        elif what == "share" and there and there.data:
            self.maps[place] = replace(there, theirs=there.theirs | {min(there.data)})
        elif what == "create" and not there and home in self.namespaces:
            self.put(place, {"theirs": "kept"}, ours=False)


RUNS = some.tuples(WANTED, some.none() | some.integers(0, 6), some.lists(PEOPLE, max_size=4))


@example([({PLACES[0]: {"PROXY": "x"}}, None, [("refuse", PLACES[0])]), ({}, None, [])], {})
@given(some.lists(RUNS, max_size=5), WANTED)
def test_ours_are_as_wanted_and_theirs_stay(history: list[tuple[dict, int | None, list]], wanted: dict) -> None:  # type: ignore[type-arg]
    world = World()
    for asked, killed, people in history:
        world.apply(plan_config_maps(asked, world.read(asked), ()), killed)
        for what, place in people:
            world.live(what, place)
            assert all(state.data["theirs"] == "kept" for state in world.maps.values() if not state.ours and state.data)
    world.asleep.clear()
    world.refusing.clear()
    theirs = {place: state for place, state in world.maps.items() if not state.ours}
    shared = {place: state for place, state in world.maps.items() if state.ours and state.theirs}
    plan = plan_config_maps(wanted, world.read(wanted), ())
    world.apply(plan)
    assert {place: world.maps[place] for place in theirs} == theirs
    assert bool(plan.refusals) == bool(theirs.keys() & wanted.keys())
    if plan.refusals:
        return
    # A key that a person has put into an unwanted ConfigMap keeps it.
    kept = shared.keys() - wanted.keys()
    assert kept <= {place for place in world.maps for pending in plan.pending if pending.target == str(place)}
    ours = {place: state.owned_data for place, state in world.maps.items() if state.ours and place not in kept}
    possible = {place: data for place, data in wanted.items() if (place.context, place.namespace) in world.namespaces}
    assert ours == possible
    for place in shared.keys() & possible.keys():
        stays = {key: (shared[place].data or {})[key] for key in shared[place].theirs - possible[place].keys()}
        assert stays.items() <= (world.maps[place].data or {}).items()
    assert {place for pending in plan.pending for place in wanted if pending.target == str(place)} == wanted.keys() - possible
    assert plan_config_maps(wanted, world.read(wanted), ()).steps == ()
