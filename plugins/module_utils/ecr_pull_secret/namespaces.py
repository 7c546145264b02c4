# SPDX-License-Identifier: GPL-3.0-or-later
"""Which namespaces are meant: names, globs, 'all', what a label selector finds, minus what is excluded. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass

from ..core.errors import InputError
from ..kube.objects import check_name

ALL = "all"


@dataclass(frozen=True)
class Scope:
    """Which namespaces are meant: names, globs or 'all', plus a label selector, minus excluded names and globs."""

    namespaces: tuple[str, ...]
    selector: str = ""
    excluded: tuple[str, ...] = ()

    @property
    def explicit(self) -> bool:
        """Whether the names alone decide, so that the cluster need not be asked which namespaces it has."""
        return not self.selector and not any(is_pattern(name) for name in self.namespaces)


def is_pattern(name: str) -> bool:
    """Whether a namespace entry stands for several."""
    return name == ALL or any(letter in name for letter in "*?[")


def scope_from(namespaces: Iterable[str] | None, selector: str, excluded: Iterable[str]) -> Scope:
    """Return the scope of the options. Without names it is 'default', or what the selector finds."""
    names = tuple(dict.fromkeys(namespaces)) if namespaces is not None else (() if selector else ("default",))
    left_out = tuple(excluded)
    for name in (*names, *left_out):
        if not is_pattern(name):
            check_name(name, "namespace")
    if not names and not selector:
        raise InputError(
            "choose namespaces",
            "the list is empty",
            "Name some in O(namespaces), write 'all' there, or set O(namespace_selector).",
        )
    return Scope(names, selector, left_out)


def choose(scope: Scope, existing: Iterable[str], labelled: Iterable[str]) -> tuple[str, ...]:
    """Return the namespaces in scope. Names are kept even when they do not exist; patterns only find what does."""
    there = list(existing)
    found = set(labelled)
    for name in scope.namespaces:
        found.update(_matches(name, there) if is_pattern(name) else (name,))
    return tuple(sorted(one for one in found if not any(fnmatch.fnmatchcase(one, bad) for bad in scope.excluded)))


def unmatched_parts(scope: Scope, existing: Iterable[str], labelled: Iterable[str]) -> tuple[str, ...]:
    """Return the globs and the selector that find no namespace at all, which is never meant."""
    there = list(existing)
    globs = [f"'{name}'" for name in scope.namespaces if is_pattern(name) and not _matches(name, there)]
    return (*globs, *([f"the selector '{scope.selector}'"] if scope.selector and not list(labelled) else []))


def _matches(pattern: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if pattern == ALL or fnmatch.fnmatchcase(name, pattern)]
