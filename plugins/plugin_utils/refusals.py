# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module itself refuses of its options, and which part of them each sentence is about.

A sentence does not tell programs what it is about. So the options are tried without each of their parts: the smallest one without
which it isn't said is to blame, if there is only one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils.core.errors import WorkstationError, in_words
from ..module_utils.core.subject import Subject

# Of ansible-core's validator.
_LACKS = re.compile(r"missing required arguments: (?P<options>.+) found in (?P<place>.+)")
# What is said of some options.
Judge = Callable[[Mapping[str, Any]], Collection[str]]


class Part(NamedTuple):
    """A part of the options: its key (a number in a list), and its value."""

    key: Any
    value: Any


# What an entry is called by: without it, something else is said of the entry.
_NAMES = ("account_id", "host", "name", "path", "profile", "region")
IsWritten = Callable[[Part, list[Part]], bool]


def refusals(
    subject: Subject[Any, Any], options: Mapping[str, Any], names: Mapping[str, str], *, check_mode: bool
) -> tuple[list[str], tuple[str, ...]]:
    """Return what the module says against its options, and the programs that it needs where it says nothing.

    names: the variable of each option. Raises TypeError for options that JSON can't hold.
    """
    checked = ArgumentSpecValidator(subject.argument_spec, **subject.rules).validate(json.loads(json.dumps(options)))
    if checked.error_messages:
        return [_worded(message, names) for message in checked.error_messages], ()
    try:
        return [], subject.programs(subject.parse(checked.validated_parameters, check_mode=check_mode))
    except WorkstationError as error:
        sentences = error.context.get("refusals") or [error.message]
        return [in_words(str(text), names) for text in sentences], ()


def _worded(message: str, names: Mapping[str, str]) -> str:
    """Return Ansible's sentence on an entry that lacks something as one of ours; any other as it is."""
    found = _LACKS.fullmatch(message)
    if found is None:
        return message
    option, *inside = found["place"].split(" -> ")
    # A company's network is one option of several modules; each of its own has a variable.
    variable = names.get(inside[-1] if inside else option) or names.get(option, option)
    within = f" ({inside[-1]})" if inside and inside[-1] not in names else ""
    return f"Could not use an entry of '{variable}'{within}: it has no {found['options']}. Add that."


def all_refusals(
    options: Mapping[str, Any],
    sentences: Collection[str],
    judge: Judge,
    is_written: IsWritten,
    *,
    spec: Mapping[str, Any],
    turns: range,
) -> Iterator[tuple[str, list[Part]]]:
    """Yield each refusal with the way to the part that it is about; empty where that can't be told.

    A module stops at its first refusal: without the part that is to blame, it tells the next. sentences: the first ones. turns:
    how often that is tried, from 0 where nothing was found in the options before.
    """
    for turn in turns:
        ways = {sentence: part_to_blame(options, sentence, sentences, judge, is_written, spec=spec) for sentence in sentences}
        # A sentence that appears only later, and names no part, may come from the part that is gone.
        yield from ((sentence, way) for sentence, way in ways.items() if way or not turn)
        way = next(filter(None, ways.values()), [])
        if not way:
            return
        options = without_emptied(without(options, way, spec), way)
        before, sentences = sentences, judge(options)
        if set(before) <= set(sentences):
            return


def part_to_blame(
    options: Mapping[str, Any],
    sentence: str,
    sentences: Collection[str],
    judge: Judge,
    is_written: IsWritten,
    *,
    spec: Mapping[str, Any] | None = None,
) -> list[Part]:
    """Return the way to the smallest part that a sentence is about, from the option down; empty where that can't be told.

    sentences: every refusal of the options as they are. is_written: whether a user has written a part, given with the way to
    it. A part that no user has written is not to blame. spec: the options' specification.
    """
    others = set(sentences) - {sentence}
    way: list[Part] = []
    while True:
        parts = [(part, left) for part, left in _without_each(options, [step.key for step in way]) if is_written(part, way)]
        tried = [(part, set(judge(left))) for part, left in parts]
        # What is said instead may only tell that this part was needed; or it stood behind the sentence all the time.
        found = [part for part, said in tried if said <= others] or [part for part, said in tried if sentence not in said]
        if len(found) > 1:
            # Without what it needs, of an entry nothing else is said at all.
            found = [part for part in found if not is_required(spec or {}, [*way, part])]
        if len(found) != 1:
            return way
        way += found


def is_required(spec: Mapping[str, Any], way: list[Part]) -> bool:
    """Whether what is around the part at the end of a way needs it."""
    inner: Mapping[str, Any] = {"options": spec}
    for part in way:
        if isinstance(part.key, str):
            inner = (inner.get("options") or {}).get(part.key, {})
    return bool(way) and isinstance(way[-1].key, str) and bool(inner.get("required"))


def without_emptied(options: Any, way: list[Part]) -> Any:
    """Return the options without the list or mapping that has lost its only entry on this way: it would be refused for that."""
    for length in range(len(way) - 1, 0, -1):
        *outer, key = [step.key for step in way[:length]]
        for part, left in list(_without_each(options, outer)):
            if part.key == key and isinstance(part.value, Mapping | list | tuple) and not part.value:
                options = left
    return options


def without(options: Any, way: list[Part], spec: Mapping[str, Any]) -> Any:
    """Return the options without the part at the end of a way; without its entry, where the entry needs it."""
    keys = [step.key for step in way]
    if len(keys) > 1 and (is_required(spec, way) or keys[-1] in _NAMES):
        keys = keys[:-1]
    for part, left in _without_each(options, keys[:-1]):
        if part.key == keys[-1]:
            return left
    return options


def _without_each(options: Any, way: list[Any]) -> Iterator[tuple[Part, Any]]:
    """Yield each part of what is at the end of a way, with the options as they are without it."""
    if way:
        for part, left in _without_each(options[way[0]], way[1:]):
            yield part, _replaced(options, way[0], left)
    elif isinstance(options, Mapping):
        for key, value in options.items():
            yield Part(key, value), {name: item for name, item in options.items() if name != key}
    elif isinstance(options, list | tuple):
        for number, value in enumerate(options):
            yield Part(number, value), [*options[:number], *options[number + 1 :]]


def _replaced(options: Any, key: Any, value: Any) -> Any:
    if isinstance(options, Mapping):
        return {**options, key: value}
    return [*options[:key], value, *options[key + 1 :]]
