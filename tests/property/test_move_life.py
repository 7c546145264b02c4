# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens between the steps of a move, nothing is lost, nothing foreign is touched, and each run says the truth.

A history is made of a number. To play one again: play(*history(NUMBER)).
"""

from __future__ import annotations

import os
import random

import pytest

from tests.support.migration.life import OUTSIDE, SIDES, TARGET, Event, play

LONG = "LAPTOP_LONG" in os.environ
LIVES = 20_000 if LONG else 500
# What long runs have found: a person tags another image at the target while a run copies; one writes to a volume that a run
# replaces, after the run has read it.
FOUND = (8337, 18196, 13378)
TURNS = 4
TAGS = ("app:1", "app:2")
# Of another pair, and of the user's own making.
FOREIGN = ("laptop.containers.moving-0123abcd-labelled", "laptop.containers.moving-mine")
# About as many requests and notes as a run has that copies one volume.
MOMENTS = 75
# And from its first note on.
NOTED = 24


class History:
    """What happens in one life: mostly to one volume of one source, so that events meet."""

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)  # noqa: S311 - not for secrets
        self.source = self._one("old", "other")
        self.volumes = ("db",) if self._chance(0.6) else ("db", "cache")
        self.tags = TAGS if self._chance(0.3) else TAGS[:1] if self._chance(0.3) else ()

    def _one(self, *some: str) -> str:
        return self.random.choice(some)

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _from(self) -> str:
        return self.source if self._chance(0.85) else self._one("old", "other")

    def _side(self) -> str:
        return self.random.choice((self._from(), self._from(), TARGET, TARGET, self._one(*SIDES)))

    def events(self) -> list[Event]:
        """Return all of it."""
        found = [Event("use", (self.source, name)) for name in self.volumes if self._chance(0.9)]
        found += [Event("tag", (self._one(self.source, *SIDES), tag, self._one("1", "2"))) for tag in self.tags]
        for _turn in range(TURNS):
            if self._chance(0.1):
                found += self.random.choice((self.replacement, self.farewell))()
                continue
            found += [self.of_people() for _ in range(self.random.randrange(3))]
            found.append(self.retirement() if self._chance(0.2) else self.run())
        return found

    def replacement(self) -> list[Event]:
        """Return what makes a run replace a copy, and what happens between the new copy's completion and its arrival."""
        name = self._one(*self.volumes)
        used, moved = Event("use", (self.source, name)), Event("run", (self.source, -1, None, {}))
        strike, moment = self.random.choice(((Event("kill"), 4), (Event("use", (TARGET, name)), 2)))
        struck = Event("run", (self.source, self.random.randrange(moment), strike, {}, True))
        return [used, moved, used, struck, moved]

    def farewell(self) -> list[Event]:
        """Return what leads to a question that is answered with yes but for one thing: a container, or the settings."""
        name = self._one(*self.volumes)
        moved, held = Event("run", (self.source, -1, None, {})), Event("hold", (self.source, name, "paused"))
        kept = (self._one("", "colima-") + self.source,)
        return [moved, *self.random.choice(((held, self.retirement()), (self.retirement(kept),)))]

    def of_people(self) -> Event:
        """Return what a person does."""
        side, name = self._side(), self._one(*self.volumes)
        common = [
            Event("use", (side, name)),
            Event("use", (side, name)),
            Event("use", (side, name, True)),
            Event("remove", (side, name)),
            Event("prune", (TARGET,)),
            Event("tag", (side, self._one(*TAGS), self.random.choice(("1", "2", "3", None)))),
        ]
        rare = [
            Event("prune", (side,)),
            Event("hold", (side, name, self._one("running", "paused", "exited"))),
            Event("release", (side,)),
            Event("write", (self._from(), name, self._chance(0.5))),
            Event("put_outside", (self._from(),)),
            Event("put_foreign", (self._one(*FOREIGN),)),
            Event("forget"),
            Event("tear"),
            Event("fill", (self._chance(0.5),)),
        ]
        return self.random.choice(common if self._chance(0.65) else rare)

    def run(self) -> Event:
        """Return a run, and what happens in it."""
        options: dict[str, object] = {}
        if self._chance(0.15):
            options["replace"] = [*self.volumes, *self.tags]
        if self._chance(0.1):
            options["leave"] = [self._one(*self.volumes, *self.tags)]
        if self._chance(0.2):
            options["pause"] = True
        struck = self.random.random()
        if struck < 0.35:
            return Event("run", (self._from(), -1, None, options))
        strike = Event("kill")
        if struck > 0.9:
            strike = Event("cut", (self.random.randrange(200),))
        elif struck > 0.7:
            name = self._one(*self.volumes)
            some = (Event("use", (TARGET, name)), Event("remove", (self.source, name)), Event("write", (self.source, name, True)))
            strike = self.random.choice((*some, self.of_people()))
        # Between a complete copy and its arrival is where most can go wrong.
        if strike.what == "kill" and self._chance(0.6):
            return Event("run", (self._from(), self.random.randrange(NOTED), strike, options, True))
        return Event("run", (self._from(), self.random.randrange(MOMENTS * len(self.volumes)), strike, options))

    def retirement(self, kept: tuple[str, ...] = ()) -> Event:
        """Return the question whether a source may go. kept: profiles that the settings have."""
        return Event("retire", (self._from(), (OUTSIDE,) if self._chance(0.5) else (), kept))


def history(number: int) -> tuple[list[Event], str]:
    """Return a history, and the source that is moved from at its end."""
    made = History(number)
    return made.events(), made.source


def test_nothing_is_lost_and_each_run_says_the_truth() -> None:
    for number in (*FOUND, *range(LIVES)):
        try:
            play(*history(number))
        except BaseException as error:
            error.add_note(f"History {number}: {history(number)}")
            raise


# As many as a run has from the note of a complete copy to its end, in which the copy takes the place of an older one.
REPLACING = 60
STRIKES = (Event("kill"), Event("use", (TARGET, "db")), Event("hold", (TARGET, "db", "exited")))
BETWEEN = {
    "nothing": (),
    "the laptop forgets": (Event("forget"),),
    "a container wants to start": (Event("hold", (TARGET, "db", "running")),),
    "the source is used": (Event("use", ("old", "db")),),
    "the source's is removed": (Event("remove", ("old", "db")),),
    "the target's is used": (Event("use", (TARGET, "db")),),
    "another source comes": (Event("use", ("other", "db")), Event("run", ("other", -1, None, {}))),
    "it is asked for the end": (Event("retire", ("old", (), ())),),
}


@pytest.mark.parametrize("between", BETWEEN)
def test_a_replacement_that_is_struck_at_any_moment_loses_nothing(between: str) -> None:
    used, moved = Event("use", ("old", "db")), Event("run", ("old", -1, None, {}))
    number = list(BETWEEN).index(between)
    for moment in range(REPLACING) if LONG else range(number % 5, REPLACING, 5):
        for strike in STRIKES if LONG or not number else STRIKES[:1]:
            struck = Event("run", ("old", moment, strike, {}, True))
            try:
                play([used, moved, used, struck, *BETWEEN[between], moved])
            except BaseException as error:
                error.add_note(f"Moment {moment}: {strike}")
                raise
