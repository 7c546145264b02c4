# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook of this project in a sentence, written as the reader can type it in the shell that the run was started from.

Every sentence names it as playbooks/stop.yml, with its arguments behind it; a whole command begins with ansible-playbook. In the
shell it is a verb of make, ansible-playbook as it is on PATH, or its path.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

from .plays import OURS

# A comma belongs to a value only where the value goes on behind it.
_VALUE = r"""(?:'[^']*'|"[^"]*"|(?:[^\s'";&|,)]|,(?=\w))*[^\s'";&|,).])"""
_ARGUMENT = rf"--?[a-zA-Z][\w-]*(?:[= ](?!-){_VALUE})?"
_PLAYBOOK = re.compile(
    rf"(?P<quote>')?(?P<program>(?P<path>[^\s']*/)?\bansible-playbook (?P<before>(?:{_ARGUMENT} )*))?"
    rf"(?<![\w-])(?:[\w.~-]*/)*playbooks/(?P<name>\w+)\.yml(?P<after>(?:(?:,| with| and)? {_ARGUMENT})*)"
)
_ONE = re.compile(_ARGUMENT)
# The keys of a result that hold sentences or commands.
_KEYS = frozenset(("actions", "change", "found", "msg", "reason", "refusals", "remedy", "summary", "warnings"))
# The verb of each playbook, where it is not called like it; and the settings that are variables of make, by verb.
VERBS = {"workstation": "converge"}
_OF_SNAPSHOTS = {"snapshot_name": "NAME", "snapshot_profile": "PROFILE"}
OF_MAKE: Mapping[str, Mapping[str, str]] = {
    "doctor": {"doctor_report": "REPORT"},
    "migrate": {"migrate_source": "SOURCE"},
    "move": {"move_profile": "PROFILE"},
    "restore": _OF_SNAPSHOTS,
    "snapshot": _OF_SNAPSHOTS,
}
_SETTING = re.compile(r"-e (?P<name>\w+)=(?P<value>[\w./:-]+)(?= |$)")


class Way(Enum):
    """How the run was started."""

    MAKE = "make"
    PROJECT = "project"
    COLLECTION = "collection"


@dataclass(frozen=True)
class Shell:
    """The shell that a run was started from.

    program: ansible-playbook as it is found there; folder: the playbooks' from there; verbs: what make knows; always: arguments
    that every command needs there, such as the laptop of a collection without an inventory.
    """

    way: Way = Way.PROJECT
    program: str = "ansible-playbook"
    folder: str = "playbooks"
    verbs: frozenset[str] = frozenset()
    always: tuple[str, ...] = ()

    def command(self, playbook: str, arguments: str = "") -> str:
        """Return the command that runs a playbook with arguments, which are written as for a shell."""
        verb = VERBS.get(playbook, playbook)
        given = " ".join(filter(None, (arguments, *self.always)))
        if self.way is Way.MAKE and verb in self.verbs:
            own = [match for match in _SETTING.finditer(given) if match["name"] in OF_MAKE.get(verb, {})]
            given = " ".join(
                _SETTING.sub(lambda match: "" if match["name"] in OF_MAKE.get(verb, {}) else match[0], given).split()
            )
            quoted = f'"{given}"' if not set(given) & set("\"'$`\\") else shlex.quote(given)
            words = ["make", verb, *(f"{OF_MAKE[verb][match['name']]}={match['value']}" for match in own)]
            return " ".join([*words, f"ARGS={quoted}"] if given else words)
        name = f"laptop.containers.{playbook}" if self.way is Way.COLLECTION else f"{self.folder}/{playbook}.yml"
        return " ".join(filter(None, (self.program, name, given)))


def typed(text: str, shell: Shell) -> str:
    """Return a text whose playbooks are commands of this shell; a text outside a command is put in quotes."""

    def command(match: re.Match[str]) -> str:
        if match["path"]:
            # It says itself where it is.
            return match[0]
        # In prose the arguments may stand as "with --tags back and -e a=b".
        arguments = [word[0] for word in _ONE.finditer(f"{match['before'] or ''} {match['after']}")]
        command = shell.command(match["name"], " ".join(arguments))
        if match["quote"]:
            return f"'{command}"
        return command if match["program"] or "'" in command else f"'{command}'"

    return _PLAYBOOK.sub(command, text)


def result_typed(result: Mapping[str, Any], shell: Shell) -> dict[str, Any]:
    """Return a result whose sentences, at any depth, name playbooks as they are typed in this shell."""

    def worded(value: Any, key: str) -> Any:
        if isinstance(value, Mapping):
            return {name: worded(item, name) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [worded(item, key) for item in value]
        return typed(value, shell) if isinstance(value, str) and key in _KEYS else value

    return {key: worded(value, key) for key, value in result.items()}


# The Makefile's variable: the verbs that it knows.
FROM_MAKE = "LAPTOP_MAKE_VERBS"


def shell_of(environment: Mapping[str, str], playbook_dir: str) -> Shell:
    """Return the shell. environment: this run's own, not that of a task."""
    return _shell(environment.get(FROM_MAKE, ""), environment.get("PATH", ""), playbook_dir, str(Path.cwd()), tuple(sys.argv))


@lru_cache(maxsize=4)
def _shell(verbs: str, path: str, playbook_dir: str, here: str, argv: tuple[str, ...]) -> Shell:
    if verbs:
        return Shell(Way.MAKE, _program(path, here), _from(playbook_dir, here), frozenset(verbs.split()))
    if any(word.startswith(OURS) for word in argv):
        return Shell(Way.COLLECTION, _program(path, here), always=_scope(argv))
    return Shell(Way.PROJECT, _program(path, here), _from(playbook_dir, here))


def _program(path: str, here: str) -> str:
    """Return what starts ansible-playbook in a shell with this PATH."""
    if shutil.which("ansible-playbook", path=path):
        return "ansible-playbook"
    own = Path(sys.executable).with_name("ansible-playbook")
    return shlex.quote(_from(str(own), here)) if own.exists() else "ansible-playbook"


def _from(path: str, here: str) -> str:
    """Return a path as it is shortest from here."""
    near = os.path.relpath(path, here)
    return path if near.startswith("../../") else near


def _scope(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the arguments that lead a playbook of an installed collection to its laptops: it has no inventory of its own."""
    kept: list[str] = []
    for place, word in enumerate(argv):
        value = argv[place + 1] if place + 1 < len(argv) else ""
        if word in ("-i", "--inventory", "-l", "--limit") or (word in ("-e", "--extra-vars") and "workstation_hosts" in value):
            kept += [f"{word} {shlex.quote(value)}"]
    return tuple(kept)


def playbook_dir_of(variables: Mapping[str, Any]) -> str:
    """Return the folder of the run's playbook."""
    return str(variables.get("playbook_dir") or "playbooks")
