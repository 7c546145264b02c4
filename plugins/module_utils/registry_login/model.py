# SPDX-License-Identifier: GPL-3.0-or-later
"""Places that keep logins, what is noted and found there, and what happens to each login. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ..ecr.renewal import Lease

USER = "AWS"
KINDS = ("docker", "helper", "nerdctl", "wrapper")


class LoginVerb(StrEnum):
    """What is done to a login: to a helper of docker's config.json, ADD and TAKE; to a wrapper, WRITE and REMOVE."""

    KEEP = ""
    LOG_IN = "log in"
    LOG_OUT = "log out"
    ADD = "add"
    TAKE = "take"
    WRITE = "write"
    REMOVE = "remove"
    FORGET = "forget"


@dataclass(frozen=True, order=True)
class Place:
    """What keeps logins. kind is docker, helper, nerdctl or wrapper; where is a directory or the name of a colima profile.

    In a wrapper's place, the helpers take the part of hosts.
    """

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
class PlaceState:
    """What a place holds.

    docker: host -> its user as far as that can be seen. helper: host -> the helper that is set. Of nerdctl nothing is known but
    the machine: a mark that changes when it is recreated, empty when it does not exist, and whether it runs.
    wrapper: helper -> its AWS profile, empty for a file that is not ours; on_path tells whether docker finds the directory.
    unreadable says why the place can't be used at all.
    """

    entries: Mapping[str, str] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""
    running: bool = True
    on_path: bool = True
    unreadable: str = ""


@dataclass(frozen=True)
class PlannedLogin:
    """What happens to one login. verb: KEEP when it stays as it is; failure and waiting say why nothing can be done.

    value is the helper of a host, or the AWS profile of a helper.
    """

    place: Place
    host: str
    verb: LoginVerb = LoginVerb.KEEP
    reason: str = ""
    note: Note | None = None
    machine: str = ""
    value: str = ""
    failure: str = ""
    waiting: str = ""

    @property
    def nothing_to_do(self) -> bool:
        """Whether there is nothing to do, or nothing that can be done."""
        return not self.verb or bool(self.failure or self.waiting)

    @property
    def lease(self) -> Lease | None:
        """The lease of the login that is noted."""
        return self.note.lease if self.note else None


@dataclass(frozen=True)
class LoginPlan:
    """The items in the order in which they run: a helper would catch the logins that docker should make or forget."""

    items: tuple[PlannedLogin, ...] = ()
    warnings: tuple[str, ...] = ()

    def without(self, away: Mapping[Place, str]) -> LoginPlan:
        """Return the plan with what waits for a place that is away, and why; an empty reason is that of a place that comes."""
        return replace(self, items=tuple(replace(item, waiting=away.get(item.place, item.waiting)) for item in self.items))

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts for which a token is needed."""
        return frozenset(item.host for item in self.items if item.verb == LoginVerb.LOG_IN and not item.nothing_to_do)


@dataclass(frozen=True)
class Outcome:
    """What became of one item."""

    item: PlannedLogin
    state: str
    lease: Lease | None = None
    failure: str = ""


def planned_outcome(item: PlannedLogin) -> Outcome:
    """Return the outcome of an item that is not carried out: fresh, due, failed or waiting."""
    state = "failed" if item.failure else "waiting" if item.waiting else "due" if item.verb else "fresh"
    return Outcome(item, state, item.lease, item.failure)


def could_not(item: PlannedLogin, why: str) -> str:
    """Return the sentence about an item that failed; why ends with the next step."""
    registry = f"registry '{item.host}'"
    words = {
        LoginVerb.LOG_IN: f"log {item.place} in to {registry}",
        LoginVerb.LOG_OUT: f"log {item.place} out of {registry}",
        LoginVerb.ADD: f"add credential helper '{item.value}' for {registry} to docker's config.json",
        LoginVerb.TAKE: f"remove credential helper '{item.value}' for {registry} from docker's config.json",
        LoginVerb.WRITE: f"write credential helper '{item.host}' in '{item.place.where}'",
        LoginVerb.REMOVE: f"remove credential helper '{item.host}' from '{item.place.where}'",
    }
    return f"Could not {words[item.verb]}: {why}"
