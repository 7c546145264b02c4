# SPDX-License-Identifier: GPL-3.0-or-later
"""How much room a move needs, and how much there is, in bytes and in a line for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.plan import size_in_words
from .model import Image


@dataclass(frozen=True)
class Room:
    """needed: where the move puts everything, with what is unpacked meanwhile. packing: at the source while it packs images.

    free: None where it is not known.
    """

    needed: int = 0
    packing: int = 0
    free: int | None = None

    @property
    def lacks(self) -> bool:
        """Whether it is known not to be enough."""
        return self.free is not None and self.needed > self.free

    def line(self, place: str) -> str:
        """Return it for a person; empty where nothing is to be copied. place: "at the target", say."""
        if not self.needed:
            return ""
        free = "" if self.free is None else f", where {size_in_words(self.free)} are free"
        packing = f" While it packs images, the source needs up to {size_in_words(self.packing)} more." if self.packing else ""
        return f"The move needs {size_in_words(self.needed)} {place}{free}.{packing}"

    def public(self, place: str, *, check_mode: bool) -> dict[str, Any]:
        """Return the result form. After a real run the line would tell of what is past."""
        line = self.line(place) if check_mode else ""
        return {"room": {"needed": self.needed, "packing": self.packing, "free": self.free}, "summary": [line] if line else []}


def size_of_images(images: Iterable[Image], layers_size: int) -> int:
    """Return what images take: no more than all layers of the engine, each once. layers_size: 0 where it is not known."""
    whole = sum(image.size for image in images)
    return min(whole, layers_size or whole)


def packing(portions: Iterable[Sequence[Image]], at_once: int = 1) -> int:
    """Return what an engine keeps a second time while it packs or unpacks portions, so many at once."""
    sizes = sorted((sum(image.size for image in one) for one in portions), reverse=True)
    return sum(sizes[:at_once])
