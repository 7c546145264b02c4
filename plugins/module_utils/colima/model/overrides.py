# SPDX-License-Identifier: GPL-3.0-or-later
"""Single settings of profiles by the profile's name, laid over the list of profiles. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...colima_paths import short_name
from ...core.defaults import complete
from ...core.entries import kind_of
from ...core.errors import InputError
from ...core.options import problems, suggestion

Spec = Mapping[str, Any]


def overridden(profiles: Sequence[Mapping[str, Any]], overrides: Mapping[str, Any], spec: Spec) -> list[Mapping[str, Any]]:
    """Return the profiles with what is said of them by name; a mapping among the settings is merged, a list replaced.

    spec: the options of one profile. Raises InputError for a profile that is not listed, and for what no profile can have; all
    that is wrong is in its "refusals".
    """
    names = {short_name(str(profile.get("name") or "")): profile for profile in profiles}
    wrong = [*_twice(list(overrides))]
    wrong += [sentence for name, given in overrides.items() for sentence in _wrong(str(name), given, list(names), spec)]
    if wrong:
        raise InputError(" ".join(wrong), refusals=wrong)
    laid = {short_name(str(name)): _completed(given, spec) for name, given in overrides.items()}
    return [_merged(profile, laid.get(name, {})) for name, profile in names.items()] if laid else list(profiles)


def _twice(given: Sequence[object]) -> Iterator[str]:
    """Yield a sentence for each profile that has overrides under two names, such as k8s and colima-k8s."""
    first: dict[str, str] = {}
    for name in map(str, given):
        other = first.setdefault(short_name(name), name)
        if other != name:
            yield f"Could not override profile '{other}' twice: '{name}' is the same profile. Write everything below one of them."


def _wrong(name: str, given: object, known: list[str], spec: Spec) -> list[str]:
    if short_name(name) not in known:
        near = suggestion(name, known) or f" Use one of {', '.join(known)}."
        return [f"Could not override profile '{name}': O(profiles) does not have it.{near}"]
    if not isinstance(given, Mapping):
        return [f"Could not override profile '{name}': it is {kind_of(given)}, not a mapping. Write 'option: value' below it."]
    if "name" in given:
        return [f"Could not override 'name' of profile '{name}': a name stays. List another profile in O(profiles)."]
    empty = [
        f"Could not override '{option}' of profile '{name}': it has no value. Give it one, or remove the line."
        for option in _empty(given, spec)
    ]
    return [*empty, *(problem.sentence for problem in problems(spec, given, verb=f"override profile '{name}' by"))]


def _empty(given: Mapping[str, Any], spec: Spec) -> Iterator[str]:
    """Yield the options without a value, as far as they are known."""
    for option, value in given.items():
        if option in spec and value is None:
            yield option
        elif isinstance(value, Mapping):
            yield from (f"{option}.{inner}" for inner in _empty(value, spec.get(option, {}).get("options") or {}))


def _completed(given: Mapping[str, Any], spec: Spec) -> dict[str, Any]:
    return complete({option: option_spec for option, option_spec in spec.items() if option in given}, given)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with what another one says; what that leaves out stays."""
    result = dict(below)
    for option, value in above.items():
        lower = result.get(option)
        if isinstance(value, Mapping) and isinstance(lower, Mapping):
            result[option] = _merged(lower, value)
        elif value is not None:
            result[option] = value
    return result
