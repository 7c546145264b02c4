# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of colima: which profile it means, and what every command needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..console import Log
from ..files.places import Profile, profile_named
from ..files.settings import Settings
from .flags import Flag, Parsed, UsageError, parse

if TYPE_CHECKING:
    from .app import App

GLOBAL = (Flag("profile", "str", "default", "p"), Flag("verbose", short="v"), Flag("very-verbose"))
# Commands whose first word is a profile.
TAKE_PROFILE = ("start", "stop", "restart", "delete", "status", "list", "version", "update", "ssh-config")
FORCE = Flag("force", short="f")


class Call:
    """One call of colima."""

    def __init__(self, settings: Settings, command: str) -> None:
        self.settings = settings
        self.process = settings.process
        self.log = Log(self.process.stderr)
        self.command = command
        self.parsed = Parsed({})
        self.chosen = False
        self.profile = Profile("colima", "colima", "default", Path(), Path())

    def parse(self, rest: list[str], *flags: Flag, words: int = 0, interspersed: bool = True) -> Parsed:
        """Read the flags of a command and find its profile."""
        self.parsed = parse([*GLOBAL, *flags], rest, interspersed)
        takes = self.command in TAKE_PROFILE
        limit = 1 if takes else words
        if len(self.parsed.words) > limit >= 0:
            if limit == 0:
                raise UsageError(f'unknown command "{self.parsed.words[0]}" for "colima {self.command}"')
            raise UsageError(f"accepts at most {limit} arg(s), received {len(self.parsed.words)}")
        name = self.settings.environ.get("COLIMA_PROFILE", "")
        if takes and self.parsed.words and "profile" not in self.parsed.changed:
            name = self.parsed.words[0]
        if "profile" in self.parsed.changed:
            name = self.parsed["profile"]
        self.chosen = bool(name)
        self.profile = profile_named(name, self.settings, self.log)
        return self.parsed

    @property
    def app(self) -> App:
        """colima for the profile. Raises Fatal."""
        from .app import App

        return App(self.settings, self.profile, self.log)
