# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster has, as far as pull secrets go. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .model import PullSecretState


@dataclass(frozen=True)
class Account:
    """One service account: the secrets it pulls with, and those among them that we added. whole: both are known."""

    namespace: str
    name: str
    version: str
    pulls_with: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    whole: bool = True

    def marked(self, secret: str) -> bool:
        """Whether the entry for this secret is our work."""
        return secret in self.marks

    def after(self, secret: str, linked: bool) -> Account:
        """Return the account with the entry, or without it."""
        pulls_with, marks = ([name for name in names if name != secret] for names in (self.pulls_with, self.marks))
        added = [secret] if linked else []
        return replace(self, pulls_with=(*pulls_with, *added), marks=(*marks, *added))


@dataclass(frozen=True)
class View:
    """What was read of one cluster.

    wanted are the namespaces in scope; missing those of them that do not exist, unsure those of which that is not known.
    refused says why a namespace could not be read, unlinked why its service accounts could not. complete is false when secrets
    outside the scope could not be seen.
    unmatched_parts of the scope find nothing. unreachable says why the cluster does not answer, failed why it can't be used.
    comes says why that does no harm: the same run makes the cluster, or starts it. seen_later: what it has is not known before.
    """

    context: str
    wanted: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()
    secrets: Mapping[str, PullSecretState] = field(default_factory=dict)
    accounts: Mapping[str, tuple[Account, ...]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    unlinked: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
    unmatched_parts: tuple[str, ...] = ()
    unreachable: str = ""
    comes: str = ""
    seen_later: bool = False
    failed: str = ""

    @property
    def unserved(self) -> list[str]:
        """The namespaces in scope that could be read and have no secret."""
        return [name for name in self.wanted if name not in self.secrets and name not in self.refused]
