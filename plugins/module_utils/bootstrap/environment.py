# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on a laptop, what it should have, and the plan between them. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..core.errors import InputError, RefusedStep, WorkstationError
from ..core.plan import Plan, Step

# Those on which the modules are tested, or are known to run. The newest comes first.
LOWEST, HIGHEST = (3, 11), (3, 14)
# What is fetched where a laptop has none of them.
FETCHED = "3.13"
# The oldest Python that can install uv.
_CAN_INSTALL_UV = (3, 8)


@dataclass(frozen=True)
class Python:
    """A Python of the laptop. whole: whether it can make environments, which Debian packs separately."""

    path: str
    version: tuple[int, ...]
    whole: bool

    @property
    def suits(self) -> bool:
        """Whether the modules run on it."""
        return LOWEST <= self.version[:2] <= HIGHEST


@dataclass(frozen=True)
class EnvironmentSpec:
    """What the options ask for. digest is that of the lock; python is empty where one is to be searched."""

    directory: str
    digest: str
    lock: str = field(repr=False)
    uv_lock: str = field(repr=False)
    python: str
    fetch: bool
    present: bool


@dataclass(frozen=True)
class EnvironmentState:
    """What was found. Where the environment is as it should be, Pythons were not searched."""

    directory: str
    # Of the environment that works; empty where none does.
    digest: str = ""
    version: str = ""
    # Names of environments, the one in use among them.
    made: tuple[str, ...] = ()
    fetched: bool = False
    # Something that this collection did not make has the name of the environment, or of the place of what is fetched.
    foreign: bool = False
    foreign_fetched: bool = False
    system: str = ""
    brew: bool = False
    uv: str = ""
    pythons: tuple[Python, ...] = ()
    unusable: str = ""

    @property
    def interpreter(self) -> str:
        """The environment's Python, whether it is there or not."""
        return f"{self.directory}/python/bin/python"

    @property
    def target(self) -> str:
        """What is made, as a message calls it."""
        return f"Python environment '{self.directory}/python'"

    @property
    def shown(self) -> dict[str, str]:
        """What there is, as a diff shows it."""
        return {"python": f"{self.version}, libraries {self.digest}" if self.digest else ""}

    @property
    def base(self) -> Python | None:
        """The Python to build on: the newest that suits."""
        return max((one for one in self.pythons if one.suits and one.whole), key=lambda one: one.version, default=None)

    @property
    def installer(self) -> Python | None:
        """The Python that can install uv where the laptop has none."""
        return next((one for one in self.pythons if one.whole and one.version >= _CAN_INSTALL_UV), None)


@dataclass(frozen=True)
class Fetch(Step):
    """Fetch a Python with uv: the laptop's own, or one that a Python of the laptop installs for a moment."""

    uv: str = ""
    python: str = ""


@dataclass(frozen=True)
class Build(Step):
    """Build the environment on a Python; empty for the one that was just fetched."""

    python: str = ""


@dataclass(frozen=True)
class Remove(Step):
    """Remove everything that was built and fetched."""


def parse(answer: str) -> EnvironmentState:
    """Return what the laptop's shell said."""
    said: dict[str, list[list[str]]] = {}
    for line in answer.splitlines():
        kind, *words = line.rstrip("\t").split("\t")
        said.setdefault(kind, []).append(words)

    def word(kind: str, number: int = 0) -> str:
        return said[kind][0][number] if kind in said else ""

    pythons = {path: Python(path, version_of(version), whole == "whole") for path, version, whole in said.get("python", ())}
    return EnvironmentState(
        directory=word("directory"),
        digest=word("current"),
        version=word("current", 1),
        made=tuple(words[0] for words in said.get("made", ())),
        fetched="fetched" in said,
        foreign="foreign" in said,
        foreign_fetched="foreign_fetched" in said,
        system=word("system"),
        brew="brew" in said,
        uv=word("uv"),
        pythons=tuple(pythons.values()),
        unusable=word("unusable"),
    )


def version_of(text: str) -> tuple[int, ...]:
    """Return a version as numbers."""
    return tuple(int(part) for part in text.split("."))


def new_name(digest: str) -> str:
    """Return the name of an environment that is to be built; no two are alike, as two runs may build at once."""
    return f"python-{digest}-{secrets.token_hex(3)}"


def plan(spec: EnvironmentSpec, current: EnvironmentState) -> Plan:
    """Return what has to be done."""
    if not spec.present:
        there = bool(current.made or current.fetched)
        return Plan((Remove("remove", current.target),), current.shown, {"python": ""}) if there else Plan()
    if current.foreign:
        what = f"make {current.target}"
        return Plan(refusals=(RefusedStep(what, "something else is there", "Move it away, or set O(directory)."),))
    if current.digest == spec.digest:
        return Plan()
    base = current.base
    if base is not None:
        return _building(spec, current, _words(base.version), python=base.path)
    if not spec.fetch or spec.python or not (current.uv or current.installer):
        return Plan(refusals=(_none_suits(spec, current),))
    return _fetching(spec, current)


def _building(spec: EnvironmentSpec, current: EnvironmentState, version: str, *first: Step, python: str = "") -> Plan:
    """Return the plan that builds on a Python. first: what brings that."""
    build = Build("update" if current.digest else "make", current.target, f"Python {version}", python=python)
    return Plan((*first, build), current.shown, {"python": f"{version}, libraries {spec.digest}"})


def _fetching(spec: EnvironmentSpec, current: EnvironmentState) -> Plan:
    """Return the plan that fetches a Python and builds on it."""
    place, installer = f"{current.directory}/fetched", current.installer
    if current.foreign_fetched:
        remedy = "Move it away, set O(directory), or install a Python there."
        return Plan(refusals=(RefusedStep(f"fetch Python {FETCHED}", f"something else is at '{place}'", remedy),))
    python = installer.path if installer and not current.uv else ""
    fetch = Fetch("fetch", f"Python {FETCHED} into '{place}'", uv=current.uv, python=python)
    return _building(spec, current, FETCHED, fetch)


def _none_suits(spec: EnvironmentSpec, current: EnvironmentState) -> WorkstationError:
    """Return why there is nothing to build on, with the command that helps."""
    wanted = f"{_words(LOWEST)} to {_words(HIGHEST)}"
    partial = next((one for one in current.pythons if one.suits and not one.whole), None)
    if partial is not None:
        package = f"python{_words(partial.version[:2])}-venv"
        reason, remedy = f"{partial.path} lacks the modules venv and ensurepip", f"Run 'sudo apt-get install {package}' there."
    elif current.unusable:
        reason, remedy = f"{current.unusable} does not run", "Correct O(python)."
    elif spec.python and current.pythons:
        reason = f"{spec.python} is Python {_words(current.pythons[0].version)}, and {wanted} are supported"
        remedy = "Correct O(python), or leave it empty."
    else:
        found = _listed(f"{one.path} ({_words(one.version)})" for one in current.pythons)
        reason = f"the laptop has no Python {wanted}" + (f", only {found}" if found else "")
        remedy = f"{_how_to_install(current)}, or set O(fetch=true)." if not spec.fetch else f"{_how_to_install(current)}."
    return InputError(f"make {current.target}", reason, remedy)


def _how_to_install(current: EnvironmentState) -> str:
    if current.brew:
        return f"Run 'brew install python@{FETCHED}' there"
    if current.system == "Darwin":
        return (
            "Install Homebrew there, which asks for your password: "
            '/bin/bash -c "$(curl -fsSL https://raw.githubusercontent.com/Homebrew/install/HEAD/install.sh)", '
            f"then run 'brew install python@{FETCHED}'"
        )
    return "Install one there ('sudo apt-get install python3 python3-venv', 'sudo dnf install python3')"


def _words(version: Iterable[int]) -> str:
    return ".".join(map(str, version))


def _listed(words: Iterable[str]) -> str:
    return " and ".join(words)
