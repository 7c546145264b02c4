# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes out of a text what others must not read: secrets by their form or their name, and who the laptop belongs to. Pure.

A text of a tool is not ours, so this errs towards hiding: a long run of letters and digits is taken for a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

HIDDEN = "(hidden)"
# What begins with a word for a secret, up to the end of its value: quoted, or up to a blank.
_NAMED = re.compile(
    r"""((?:[A-Za-z0-9_.-]*(?:secret|passw|passphrase|token|credential|api[_-]?key|access[_-]?key|private[_-]?key|auth(?!or))"""
    r"""[A-Za-z0-9_.-]*)["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;&}\[{][^\s,;&}]*)""",
    re.IGNORECASE,
)
_FORMS = (
    (re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"\b(Basic|Bearer)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # User and password in an address, where either may hold an @.
    (re.compile(r"(?<=//)[^\s/]+@"), f"{HIDDEN}@"),
    # AWS' key ids, tokens of GitHub and the like, JSON web tokens.
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"), HIDDEN),
    (re.compile(r"\b(?:gh[pousr]|glpat|xox[abp])[_-][A-Za-z0-9_-]{10,}"), HIDDEN),
    (re.compile(r"\beyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)*"), HIDDEN),
    # A digest names content and hides nothing.
    (re.compile(r"(?<!sha256:)(?<![A-Za-z0-9+/=_-])(?![0-9a-f]{40,64}\b)[A-Za-z0-9+/_-]{40,}={0,2}(?![A-Za-z0-9])"), HIDDEN),
)
# What a setting of such a name may be as well.
_NO_SECRETS = ("true", "false", "null", "none", '""', "''", "0")
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
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    text = _NAMED.sub(_without_value, text)
    if len(owner.home) > 1:
        text = re.sub(rf"{re.escape(owner.home)}(?=/|\b|$)", "~", text)
    for name, instead in ((owner.host, "laptop"), (owner.host.partition(".")[0], "laptop"), (owner.user, "user")):
        if len(name) >= _SHORTEST_NAME:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", instead, text, flags=re.IGNORECASE)
    return text


def _without_value(found: re.Match[str]) -> str:
    name, value = found.groups()
    if value.lower() in _NO_SECRETS:
        return str(found[0])
    quote = value[0] if value[0] in "\"'" else ""
    return f"{name}{quote}{HIDDEN}{quote}"


Redact = Callable[[str], str]
