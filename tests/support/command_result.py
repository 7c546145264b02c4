# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command left."""

from __future__ import annotations


class CommandResult:
    """Exit code and output; a failed test shows all of it."""

    def __init__(self, rc: int, out: str, err: str) -> None:
        self.rc = rc
        self.out = out
        self.err = err

    def __repr__(self) -> str:
        return f"rc={self.rc}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"
