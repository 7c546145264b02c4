# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes out of a text what others must not read: secrets by their form or their name, and who the laptop belongs to. Pure.

What a secret looks like, core knows; a bundle is also free of the secrets that this run knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..core.secrecy.known import hide
from ..core.secrecy.patterns import redact as without_secrets

# A shorter name would be found in half of all words.
_SHORTEST_NAME = 3


@dataclass(frozen=True)
class Owner:
    """Whom the laptop belongs to: what is replaced in every text."""

    home: str
    user: str
    host: str


def redact(text: str, owner: Owner) -> str:
    """Return a text without secrets; the home directory is ~, the user's name "user", the laptop's "laptop"."""
    text = without_secrets(hide(text))
    if len(owner.home) > 1:
        text = re.sub(rf"{re.escape(owner.home)}(?=/|\b|$)", "~", text)
    for name, instead in ((owner.host, "laptop"), (owner.host.partition(".")[0], "laptop"), (owner.user, "user")):
        if len(name) >= _SHORTEST_NAME:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", instead, text, flags=re.IGNORECASE)
    return text


Redact = Callable[[str], str]
