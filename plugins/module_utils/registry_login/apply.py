# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs in and out through the real commands, and edits credHelpers; no failure stops the others.

The token goes through stdin only. What is begun is noted first, so that a run that is killed leaves nothing unknown behind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from ..core.errors import CommandFailed, InputError, TimedOut, WorkstationError, naming_files
from ..core.secrecy.known import hide, learn
from ..core.system.command import Cli
from ..core.system.files import read_file, replace_if_unchanged
from ..core.system.logfmt import final_message
from ..core.system.macos import UNLOCK_KEYCHAIN
from ..docker.client import config_file, docker_cli
from ..docker.config.file import ConfigFile
from ..ecr.renewal import TokenLike, lease_of
from .helper import PROGRAM, is_ours, profile_of, script_of
from .model import USER, LoginPlan, LoginVerb, Note, Outcome, Place, PlannedLogin, could_not, planned_outcome
from .notes import Notes
from .read import look

_SECONDS = 60.0
_UNLOCK = f"Unlock the keychain (credsStore) in this session: {UNLOCK_KEYCHAIN}. Then run again."
# Without an engine docker asks the registry itself. An engine would ask from its VM, and only for those who may use it.
_NO_ENGINE = "unix:///nonexistent/docker.sock"
_PREFIX = re.compile(r"^(?:Error response from daemon|Error|error logging in to \S+|FATA\[\d+\])[: ]\s*")
DONE = {
    LoginVerb.LOG_IN: "logged_in",
    LoginVerb.LOG_OUT: "logged_out",
    LoginVerb.ADD: "added",
    LoginVerb.TAKE: "removed",
    LoginVerb.WRITE: "added",
    LoginVerb.REMOVE: "removed",
    LoginVerb.FORGET: "forgotten",
}


@dataclass(frozen=True)
class Access:
    """What a login needs: the token, and the fingerprint of the identity that it was issued to."""

    token: TokenLike
    identity: str


def apply_logins(
    plan: LoginPlan, access: Mapping[str, Access], notes: Notes, environment: Mapping[str, str]
) -> tuple[list[Outcome], list[Path]]:
    """Run the items in their order. Returns what became of all, and where docker's config.json has been kept.

    A login without a token stays undone.
    """
    outcomes: list[Outcome] = []
    kept: list[Path] = []
    for (verb, place), group in groupby(plan.items, key=lambda item: (item.verb, item.place)):
        items = list(group)
        busy = [item for item in items if not item.nothing_to_do and (verb != LoginVerb.LOG_IN or item.host in access)]
        outcomes += [planned_outcome(item) for item in items if item not in busy]
        if busy and verb in (LoginVerb.ADD, LoginVerb.TAKE):
            outcomes += _edit(busy, verb, place, notes, kept)
        else:
            outcomes += [_apply(item, access.get(item.host), notes, environment) for item in busy]
    return outcomes, kept


def _edit(items: Sequence[PlannedLogin], verb: LoginVerb, place: Place, notes: Notes, kept: list[Path]) -> list[Outcome]:
    hosts = [item.host for item in items]

    def change(settings: dict[str, Any]) -> dict[str, Any]:
        helpers = settings.get("credHelpers") or {}
        if not isinstance(helpers, dict):
            raise InputError("its credHelpers is not a mapping. Repair docker's config.json by hand.")
        if verb == LoginVerb.ADD:
            after = helpers | {item.host: item.value for item in items if is_ours(helpers.get(item.host, item.value))}
        else:
            after = {host: name for host, name in helpers.items() if host not in hosts or not is_ours(name)}
        if after:
            return {**settings, "credHelpers": after}
        return {key: value for key, value in settings.items() if key != "credHelpers"}

    try:
        for host in hosts if verb == LoginVerb.ADD else ():
            notes.write(place, host, Note())
        backup = ConfigFile(config_file(Path(place.where))).edit(change)
        kept += [backup] if backup else []
        for host in hosts if verb == LoginVerb.TAKE else ():
            notes.write(place, host, None)
    except WorkstationError as error:
        return [Outcome(item, "failed", failure=could_not(item, error.message)) for item in items]
    return [Outcome(item, DONE[verb]) for item in items]


def _apply(item: PlannedLogin, access: Access | None, notes: Notes, environment: Mapping[str, str]) -> Outcome:
    try:
        if item.verb == LoginVerb.LOG_IN and access is not None:
            # What was noted still holds until the new login is there; of a first one it is only known that it was begun.
            notes.write(item.place, item.host, item.note or Note())
            _log_in(item, access.token.password, environment)
            lease = lease_of(access.token, access.identity)
            notes.write(item.place, item.host, Note(lease, item.machine))
            return Outcome(item, DONE[item.verb], lease)
        if item.verb == LoginVerb.LOG_OUT:
            _log_out(item, environment)
        if item.verb == LoginVerb.WRITE:
            notes.write(item.place, item.host, Note())
            _write_wrapper(item)
            return Outcome(item, DONE[item.verb])
        if item.verb == LoginVerb.REMOVE:
            _remove_wrapper(item)
        notes.write(item.place, item.host, None)
    except WorkstationError as error:
        return _not_done(item, error.message)
    return Outcome(item, DONE[item.verb])


def _not_done(item: PlannedLogin, why: str) -> Outcome:
    # A logout waits for its VM: where that is about to go, the login goes with it.
    if item.place.kind == "nerdctl" and (item.verb == LoginVerb.LOG_OUT or "not running" in why):
        return Outcome(replace(item, waiting=why), "waiting", item.lease)
    return Outcome(item, "failed", item.lease, why)


def _write_wrapper(item: PlannedLogin) -> None:
    file = _wrapper(item)
    state = read_file(file)
    known = state.kind == "file" and profile_of(state.text)
    found = state.text.encode() if known else None
    with naming_files(f"write credential helper '{item.host}'"):
        if not replace_if_unchanged(file, script_of(item.value), 0o755, found):
            raise InputError(could_not(item, "another program has just written that file. Move it away."))


def _remove_wrapper(item: PlannedLogin) -> None:
    file = _wrapper(item)
    with naming_files(f"remove credential helper '{item.host}'"):
        if profile_of(read_file(file).text):
            file.unlink()


def _wrapper(item: PlannedLogin) -> Path:
    return Path(item.place.where) / f"{PROGRAM[: PROGRAM.index('ecr-')]}{item.host}"


def _log_in(item: PlannedLogin, password: str, environment: Mapping[str, str]) -> None:
    _run(item, "login", "--username", USER, "--password-stdin", item.host, stdin=password)
    if item.place.kind == "docker" and item.host not in look([item.place], environment)[item.place].entries:
        raise CommandFailed(
            could_not(item, "docker reported success, but its config.json lists no login for it. Run 'docker info' and see.")
        )


def _log_out(item: PlannedLogin, environment: Mapping[str, str]) -> None:
    _run(item, "logout", item.host)
    # docker exits with 0 also when its credential store refuses, as a keychain that is locked (over ssh, say).
    if item.place.kind == "docker" and item.host in look([item.place], environment)[item.place].entries:
        raise CommandFailed(could_not(item, f"docker reported success, but keeps the login. {_UNLOCK}"))


def _run(item: PlannedLogin, *args: str, stdin: str = "") -> None:
    """Run docker, or nerdctl as colima's wrapper does: with sudo, so that `sudo nerdctl pull` reads the login."""
    if item.place.kind == "docker":
        tool, words = docker_cli({"DOCKER_CONFIG": item.place.where, "DOCKER_HOST": _NO_ENGINE}), args
    else:
        tool = Cli("colima", "", {"COLIMA_PROFILE": None})
        words = ("nerdctl", "--profile", item.place.where, "--", *args)
    learn(stdin, users=[USER])
    try:
        tool.run(*words, stdin=stdin, timeout=_SECONDS)
    except TimedOut:
        raise CommandFailed(
            could_not(item, f"no answer within {_SECONDS:g} s. Check network, VPN and proxy, and run again.")
        ) from None
    except CommandFailed as error:
        why = _said(hide(str(error.context.get("stderr", "")) or str(error.context.get("stdout", ""))))
        raise CommandFailed(could_not(item, f"{why}. {_next_step(why, item)}")) from None


def _said(text: str) -> str:
    """Return what a tool gave as its reason, on one line."""
    return _PREFIX.sub("", final_message(text))[:300].rstrip(". ") or "the command failed and said nothing"


def _next_step(why: str, item: PlannedLogin) -> str:
    if "not running" in why and item.place.kind == "nerdctl":
        return f"Start it with 'colima start {item.place.where}' and run again."
    if re.search(r"keychain|User interaction is not allowed|-25308", why):
        return _UNLOCK
    if "docker-credential-" in why:
        return "Install that credential helper, or correct credsStore in docker's config.json."
    if re.search(r"unauthorized|denied|401|403", why, re.IGNORECASE):
        return "The registry refuses the token: check that the identity may use this registry."
    return "Check that this machine reaches the registry (network, VPN, proxy), and run again."
