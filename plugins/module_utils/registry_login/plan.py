# SPDX-License-Identifier: GPL-3.0-or-later
"""Which registry logins beyond the cluster are due or unused: docker's, nerdctl's in a profile, credHelpers. Pure.

What we logged in to is noted, with its lease and without the token. So nothing has to be started to see that all is fresh,
and only what is noted is ever undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ..ecr.renewal import Threshold, due_by_time
from .helper import HELPER, PROGRAM, is_ours
from .model import USER, LoginPlan, LoginVerb, Note, Place, PlaceState, PlannedLogin, could_not


@dataclass(frozen=True)
class Clock:
    """What time it is, and how much life must be left."""

    now: datetime
    threshold: Threshold = field(default_factory=Threshold)


def plan_logins(
    wanted: Mapping[Place, Mapping[str, str]],
    noted: Mapping[Place, Mapping[str, Note]],
    found: Mapping[Place, PlaceState],
    clock: Clock,
    helper_installed: bool = True,
) -> LoginPlan:
    """Return what to do.

    wanted tells for each place the hosts and the fingerprints of the identities that open them; of helpers, their names, and of
    wrappers, their AWS profiles.
    """
    items: list[PlannedLogin] = []
    for place in sorted({*wanted, *noted}):
        hosts, ours, there = wanted.get(place, {}), noted.get(place, {}), found[place]
        helper = Place("helper", place.where)
        going = set(noted.get(helper, {})) - set(wanted.get(helper, {}))
        for host in sorted({*hosts, *ours}):
            item = PlannedLogin(place, host, note=ours.get(host), machine=there.machine)
            if host not in hosts:
                items.append(_leave(item, there, clock))
            elif place.kind == "helper":
                items.append(_help(item, hosts[host], there))
            elif place.kind == "wrapper":
                items.append(_wrap(item, hosts[host], there))
            else:
                # By the time of a login, the entries of credHelpers that are ours and no longer wanted are gone.
                items.append(_enter(item, hosts[host], there, clock, helped=host not in going))
    order = {
        (LoginVerb.TAKE, "helper"): 0,
        (LoginVerb.LOG_OUT, "docker"): 1,
        (LoginVerb.WRITE, "wrapper"): 2,
        (LoginVerb.ADD, "helper"): 3,
        (LoginVerb.REMOVE, "wrapper"): 5,
    }
    items.sort(key=lambda item: order.get((item.verb, item.place.kind), 4))
    return LoginPlan(tuple(items), tuple(_warnings(items, found, helper_installed)))


def _warnings(items: Iterable[PlannedLogin], found: Mapping[Place, PlaceState], helper_installed: bool) -> Iterable[str]:
    hidden = [item.place for item in items if item.place.kind == "wrapper" and item.verb in (LoginVerb.KEEP, LoginVerb.WRITE)]
    if hidden and not found[hidden[0]].on_path:
        where = hidden[0].where
        yield f"docker can't find the credential helpers in '{where}' before that is on PATH. Add it in your shell's profile."
    if not helper_installed and any(
        item.place.kind == "helper" and item.verb in (LoginVerb.KEEP, LoginVerb.ADD) for item in items
    ):
        yield (
            f"docker can't get at the registries of its credHelpers before '{PROGRAM}' is on PATH. "
            "Install it: brew install docker-credential-helper-ecr."
        )


def _enter(item: PlannedLogin, identity: str, there: PlaceState, clock: Clock, helped: bool) -> PlannedLogin:
    if there.unreadable:
        return replace(item, verb=LoginVerb.LOG_IN, failure=there.unreadable)
    reason = _due(item, identity, there, clock)
    if not reason:
        return item
    item = replace(item, verb=LoginVerb.LOG_IN, reason=reason)
    helper = there.helpers.get(item.host)
    if helped and is_ours(helper):
        why = f"docker's config.json names the credential helper '{helper}' for it, which takes no logins."
        return replace(item, failure=could_not(item, f"{why} Take it out of credHelpers, or set O(docker_login=false)."))
    return replace(item, waiting=_away(item, there))


def _due(item: PlannedLogin, identity: str, there: PlaceState, clock: Clock) -> str:
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


def _away(item: PlannedLogin, there: PlaceState) -> str:
    """Say why a profile can't be asked. Returns '' when it can."""
    if item.place.kind != "nerdctl" or (there.machine and there.running):
        return ""
    why = "the profile is not running" if there.machine else "the profile does not exist"
    return could_not(item, f"{why}. Start it with 'colima start {item.place.where}' and run again.")


def _help(item: PlannedLogin, helper: str, there: PlaceState) -> PlannedLogin:
    item = replace(item, value=helper)
    if there.unreadable:
        return replace(item, verb=LoginVerb.ADD, failure=there.unreadable)
    name = there.entries.get(item.host)
    # The plain helper that the user has set stays.
    if name == helper or (name == HELPER and item.note is None):
        return item
    item = replace(item, verb=LoginVerb.ADD)
    if name is None or (is_ours(name) and item.note is not None):
        return item
    remedy = "Take that out of credHelpers, or set O(docker_cred_helpers=false)."
    return replace(item, failure=could_not(item, f"the helper '{name}' is set for it already. {remedy}"))


def _wrap(item: PlannedLogin, profile: str, there: PlaceState) -> PlannedLogin:
    item = replace(item, value=profile)
    known = there.entries.get(item.host)
    if known == profile:
        return item
    item = replace(item, verb=LoginVerb.WRITE)
    if there.unreadable:
        return replace(item, failure=could_not(item, there.unreadable))
    return replace(item, failure=could_not(item, "a file of another program is there. Move it away.")) if known == "" else item


def _leave(item: PlannedLogin, there: PlaceState, clock: Clock) -> PlannedLogin:
    """Return how a noted login that is unwanted now is undone; what another program has put there since then stays."""
    item, found = replace(item, verb=LoginVerb.FORGET, reason="no longer wanted"), there.entries.get(item.host)
    if there.unreadable:
        return replace(item, failure=there.unreadable)
    if item.place.kind == "helper":
        return replace(item, verb=LoginVerb.TAKE, value=found) if found and is_ours(found) else item
    if item.place.kind == "wrapper":
        return replace(item, verb=LoginVerb.REMOVE, value=found) if found else item
    if item.place.kind == "docker":
        return replace(item, verb=LoginVerb.LOG_OUT) if found in ("", USER) else item
    return _leave_profile(item, item.note or Note(), there, clock)


def _leave_profile(item: PlannedLogin, note: Note, there: PlaceState, clock: Clock) -> PlannedLogin:
    if not there.machine or (note.lease and note.machine != there.machine):
        return item
    if not there.running and note.lease and note.lease.expires_at <= clock.now:
        # What is left in there opens nothing any more.
        return item
    item = replace(item, verb=LoginVerb.LOG_OUT)
    return replace(item, waiting=_away(item, there))
