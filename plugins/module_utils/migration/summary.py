# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory in sentences, for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..core.plan import in_number, size_in_words
from ..docker.names import DockerNames
from .model import Inventory, MoveSpec
from .plan import left_behind
from .wording import listed


def summary(source: Inventory, names: DockerNames, commands: Mapping[str, str]) -> Iterator[str]:
    """Yield what the source and the laptop have, and what a move leaves behind.

    commands: what makes containers again, by name.
    """
    layers = source.layers_size or sum(one.size for one in source.images)
    yield f"{in_number(len(source.images), 'image')} ({size_in_words(layers)}){_named(source)}"
    anonymous = sum(one.anonymous for one in source.volumes)
    note = _nameless(anonymous)
    size = size_in_words(sum(one.size or 0 for one in source.volumes))
    yield f"{in_number(len(source.volumes), 'volume')} ({size}){note}"
    running = [one.name for one in source.containers if one.writing]
    yield f"{in_number(len(source.containers), 'container')}, of which these run: {_all(running)}"
    yield f"Networks of the user's: {_all(source.networks)}"
    current = f"; current: {names.current}" if names.current else ""
    yield f"Docker contexts: {_all(names.contexts)}{current}"
    yield f"Builders: {_all(names.builders)}"
    yield f"Credentials: {_all(list(_credentials(names)))}"
    # What has no name is counted above.
    yield from left_behind(source, MoveSpec(dangling=True, anonymous=True))
    for name, command in commands.items():
        yield f"Again '{name}': {command}"


def _named(source: Inventory) -> str:
    return _nameless(sum(not one.tags for one in source.images))


def _nameless(number: int) -> str:
    return f", {number} of them without a name, which moves only on request" if number else ""


def _credentials(names: DockerNames) -> Iterator[str]:
    if names.helper:
        yield f"all with the helper '{names.helper}'"
    for host, helper in names.helpers:
        yield f"{host} with the helper '{helper}'"
    for host in names.logins:
        yield f"{host} in config.json"


def _all(names: Sequence[str]) -> str:
    return listed(names) if names else "none"
