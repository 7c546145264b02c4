# SPDX-License-Identifier: GPL-3.0-or-later
"""Which registry logins beyond the cluster are due or unused: docker's, nerdctl's in a profile, credHelpers. Pure.

What we logged in to is noted, with its lease and without the token. So nothing has to be started to see that all is fresh,
and only what is noted is ever undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ..core.durations import Threshold
from ..ecr.lease import Lease, due_by_time

HELPER = "ecr-login"
PROGRAM = f"docker-credential-{HELPER}"
USER = "AWS"
KINDS = ("docker", "helper", "nerdctl")
LOG_IN, LOG_OUT, ADD, TAKE, FORGET = "log in", "log out", "add", "take", "forget"


@dataclass(frozen=True, order=True)
class Place:
    """What keeps logins. kind is docker, helper or nerdctl; where is docker's directory or the name of a profile."""

    kind: str
    where: str

    def __str__(self) -> str:
        return f"nerdctl of profile '{self.where}'" if self.kind == "nerdctl" else "docker"


@dataclass(frozen=True)
class Note:
    """The note of one login. Without a lease it was begun, and its end is unknown."""

    lease: Lease | None = None
    machine: str = ""


@dataclass(frozen=True)
class Found:
    """What a place holds.

    docker: host -> its user as far as that can be seen. helper: host -> the helper that is set. Of nerdctl nothing is known but
    the machine: a mark that changes when it is recreated, empty when it does not exist, and whether it runs.
    unreadable says why the place can't be used at all.
    """

    entries: Mapping[str, str] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""
    running: bool = True
    unreadable: str = ""


@dataclass(frozen=True)
class Item:
    """What happens to one login. verb is empty when it stays as it is; failure and waiting say why nothing can be done."""

    place: Place
    host: str
    verb: str = ""
    reason: str = ""
    note: Note | None = None
    machine: str = ""
    failure: str = ""
    waiting: str = ""

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do, or nothing that can be done."""
        return not self.verb or bool(self.failure or self.waiting)


@dataclass(frozen=True)
class LoginPlan:
    """The items in the order in which they run: a helper would catch the logins that docker should make or forget."""

    items: tuple[Item, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts for which a token is needed."""
        return frozenset(item.host for item in self.items if item.verb == LOG_IN and not item.idle)


@dataclass(frozen=True)
class Outcome:
    """What became of one item."""

    item: Item
    state: str
    lease: Lease | None = None
    failure: str = ""


def foreseen(item: Item) -> Outcome:
    """Return the outcome of an item that is not carried out: fresh, due, failed or waiting."""
    state = "failed" if item.failure else "waiting" if item.waiting else "due" if item.verb else "fresh"
    return Outcome(item, state, item.note.lease if item.note else None, item.failure)


@dataclass(frozen=True)
class Clock:
    """What time it is, and how much life must be left."""

    now: datetime
    threshold: Threshold = field(default_factory=Threshold)


def plan_logins(
    wanted: Mapping[Place, Mapping[str, str]],
    noted: Mapping[Place, Mapping[str, Note]],
    found: Mapping[Place, Found],
    clock: Clock,
    helper_installed: bool = True,
) -> LoginPlan:
    """Return what to do. wanted tells for each place the hosts and the fingerprints of the identities that open them."""
    items: list[Item] = []
    for place in sorted({*wanted, *noted}):
        hosts, ours, there = wanted.get(place, {}), noted.get(place, {}), found[place]
        helper = Place("helper", place.where)
        going = set(noted.get(helper, {})) - set(wanted.get(helper, {}))
        for host in sorted({*hosts, *ours}):
            item = Item(place, host, note=ours.get(host), machine=there.machine)
            if host not in hosts:
                items.append(_leave(item, there, clock))
            elif place.kind == "helper":
                items.append(_help(item, there))
            else:
                # By the time of a login, the entries of credHelpers that are ours and no longer wanted are gone.
                items.append(_enter(item, hosts[host], there, clock, helped=host not in going))
    order = {(TAKE, "helper"): 0, (LOG_OUT, "docker"): 1, (ADD, "helper"): 2}
    items.sort(key=lambda item: order.get((item.verb, item.place.kind), 3))
    return LoginPlan(tuple(items), tuple(_warnings(items, helper_installed)))


def _warnings(items: Iterable[Item], helper_installed: bool) -> Iterable[str]:
    if not helper_installed and any(item.place.kind == "helper" and item.verb in ("", ADD) for item in items):
        yield (
            f"docker can't get at the registries of its credHelpers before '{PROGRAM}' is on PATH. "
            "Install it: brew install docker-credential-helper-ecr."
        )


def _enter(item: Item, identity: str, there: Found, clock: Clock, helped: bool) -> Item:
    if there.unreadable:
        return replace(item, verb=LOG_IN, failure=there.unreadable)
    reason = _due(item, identity, there, clock)
    if not reason:
        return item
    item = replace(item, verb=LOG_IN, reason=reason)
    if helped and there.helpers.get(item.host) == HELPER:
        why = f"docker's config.json names the credential helper '{HELPER}' for it, which takes no logins."
        return replace(item, failure=could_not(item, f"{why} Take it out of credHelpers, or turn docker_login off."))
    return replace(item, waiting=_away(item, there))


def _due(item: Item, identity: str, there: Found, clock: Clock) -> str:
    note = item.note
    if note is None:
        return "it was not logged in by an earlier run"
    if note.lease is None:
        return "an earlier login did not end"
    if item.place.kind == "docker" and item.host not in there.entries:
        return "docker no longer has it"
    if item.place.kind == "nerdctl" and note.machine != there.machine:
        return "the machine was recreated" if there.machine else "the profile is gone"
    if note.lease.identity != identity:
        return "its identity differs"
    return due_by_time((note.lease,), clock.threshold, clock.now)


def _away(item: Item, there: Found) -> str:
    """Say why a profile can't be asked. Returns '' when it can."""
    if item.place.kind != "nerdctl" or (there.machine and there.running):
        return ""
    why = "the profile is not running" if there.machine else "the profile does not exist"
    return could_not(item, f"{why}. Start it with 'colima start {item.place.where}' and run again.")


def _help(item: Item, there: Found) -> Item:
    if there.unreadable:
        return replace(item, verb=ADD, failure=there.unreadable)
    name = there.entries.get(item.host)
    if name == HELPER:
        return item
    item = replace(item, verb=ADD)
    if name is None:
        return item
    remedy = "Take that out of credHelpers, or turn docker_cred_helpers off."
    return replace(item, failure=could_not(item, f"the helper '{name}' is set for it already. {remedy}"))


def _leave(item: Item, there: Found, clock: Clock) -> Item:
    """Return how a noted login that is no longer wanted is undone; what another program has put there since then stays."""
    item, note = replace(item, verb=FORGET, reason="no longer wanted"), item.note or Note()
    if there.unreadable:
        return replace(item, failure=there.unreadable)
    if item.place.kind == "helper":
        return replace(item, verb=TAKE) if there.entries.get(item.host) == HELPER else item
    if item.place.kind == "docker":
        return replace(item, verb=LOG_OUT) if there.entries.get(item.host) in ("", USER) else item
    if not there.machine or (note.lease and note.machine != there.machine):
        return item
    if not there.running and note.lease and note.lease.expires_at <= clock.now:
        # What is left in there opens nothing any more.
        return item
    item = replace(item, verb=LOG_OUT)
    return replace(item, waiting=_away(item, there))


def could_not(item: Item, why: str) -> str:
    """Return the sentence about an item that failed; why ends with the next step."""
    registry = f"registry '{item.host}'"
    words = {
        LOG_IN: f"log {item.place} in to {registry}",
        LOG_OUT: f"log {item.place} out of {registry}",
        ADD: f"add credential helper '{HELPER}' for {registry} to docker's config.json",
        TAKE: f"remove credential helper '{HELPER}' for {registry} from docker's config.json",
    }
    return f"Could not {words[item.verb]}: {why}"
