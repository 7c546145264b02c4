# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an engine from which all was moved may go, and why not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..core.errors import RefusedStep, WorkstationError
from ..core.plan import in_number
from .model import Inventory, Moved, Volume, same
from .plan import listed

PLAYBOOK = "playbooks/migrate.yml"
_IN_ITS_VM = "With it goes what else is in its VM, such as the data of a cluster's volumes"
# How a person removes what colima did not make.
_BY_HAND = "colima did not make it. Remove it by its own means, such as: brew uninstall --cask docker-desktop"


@dataclass(frozen=True)
class Retirement:
    """An engine that is to go. profile: of colima, empty for another engine. confirm: the name that was repeated.

    kept: the profiles that the settings have.
    """

    source: str
    profile: str
    confirm: str
    kept: tuple[str, ...]

    @property
    def what(self) -> str:
        """What it is, for messages."""
        return f"retire '{self.source}'"


def reasons_against(
    wish: Retirement, source: Inventory, target: Inventory, moved: Mapping[str, Moved]
) -> Iterator[WorkstationError]:
    """Yield why the engine has to stay."""
    if wish.profile in wish.kept:
        yield RefusedStep(wish.what, f"the settings have profile '{wish.profile}'", "Take it out of colima_profiles first.")
    running = [one.name for one in source.containers if one.writing]
    if running:
        yield RefusedStep(wish.what, f"containers run in it: {listed(running)}", "Stop them, and run again.")
    if left := missing(source, target, moved):
        yield RefusedStep(wish.what, f"not at the target: {listed(left)}", f"Move that with {PLAYBOOK}, or remove it there.")
    if wish.confirm != wish.source:
        yield RefusedStep(wish.what, "all that is in it would be lost", f"Repeat its name: E(confirm={wish.source}).")


def missing(source: Inventory, target: Inventory, moved: Mapping[str, Moved]) -> list[str]:
    """Return the images and volumes with a name that the target does not have from the source."""
    return [*_images(source, target), *(f"volume '{one.name}'" for one in _volumes(source, target, moved))]


def compared(
    equal: Mapping[tuple[str, str], bool], source: Inventory, target: Inventory, moved: Mapping[str, Moved]
) -> Iterator[str]:
    """Yield how much was compared, and what of the source was not. equal: by kind and name."""
    images = sum(kind == "image" for kind, _name in equal)
    yield f"{in_number(images, 'image')} and {in_number(len(equal) - images, 'volume')} are the same on both sides"
    if left := missing(source, target, moved):
        yield f"Not moved: {listed(left)}"


def _images(source: Inventory, target: Inventory) -> Iterator[str]:
    there = {tag: image for image in target.images for tag in image.tags}
    for image in source.images:
        for tag in image.tags:
            if tag not in there or not same(there[tag], image):
                yield f"image '{tag}'"


def _volumes(source: Inventory, target: Inventory, moved: Mapping[str, Moved]) -> list[Volume]:
    whole = {one.name for one in target.volumes if one.name in moved and not moved[one.name].temporary}
    return [one for one in source.volumes if not one.outside and not one.anonymous and one.name not in whole]


def in_words(wish: Retirement, source: Inventory) -> Sequence[str]:
    """Return what goes with the engine, and how it goes."""
    stopped = [one.name for one in source.containers]
    anonymous = sum(one.anonymous for one in source.volumes)
    lines = [f"'{wish.source}': all of its images and volumes with a name are at the target"]
    if stopped:
        lines.append(f"With it go {in_number(len(stopped), 'container')}: {listed(stopped)}")
    if anonymous:
        lines.append(f"With it go {in_number(anonymous, 'volume')} without a name")
    return [*lines, _IN_ITS_VM if wish.profile else _BY_HAND]
