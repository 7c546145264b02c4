# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal that records what a person sees on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import termios

import pyte


class Terminal:
    """A program writes to other; the test reads from ours."""

    def __init__(self, columns: int, rows: int = 300) -> None:
        self.ours, self.other = pty.openpty()
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        fcntl.ioctl(self.other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.set_blocking(self.ours, False)

    def read(self) -> bool:
        """Read what was written. Returns False when there was nothing, or the other end is closed."""
        with contextlib.suppress(OSError):
            data = os.read(self.ours, 65536)
            self._stream.feed(data)
            return bool(data)
        return False

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without the empty lines."""
        while self.read():
            pass
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def close(self) -> None:
        """Close both sides."""
        for file in (self.ours, self.other):
            with contextlib.suppress(OSError):
                os.close(file)
