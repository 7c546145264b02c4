# SPDX-License-Identifier: GPL-3.0-or-later
"""What an attached container prints: the engine puts its two outputs into frames, each behind a head with its kind and size."""

from __future__ import annotations

import select
import struct
from collections.abc import Iterator

from .stream import PIECE, Exchange

_HEAD = struct.Struct(">BxxxL")
_STDERR = 2


def frames(exchange: Exchange, *, forever: bool = False) -> Iterator[tuple[bool, memoryview]]:
    """Yield the output piece by piece, and whether it is of the error output.

    forever: the container may be silent for any time, until one side hangs up.
    """
    head, wrong, missing = b"", False, 0
    readable = select.poll()
    readable.register(exchange.socket, select.POLLIN)
    while (not forever or exchange.buffer or readable.poll()) and (piece := exchange.read(PIECE)):
        left = memoryview(piece)
        while left:
            if missing:
                some, left = left[:missing], left[missing:]
                missing -= len(some)
                yield wrong, some
                continue
            taken = _HEAD.size - len(head)
            head, left = head + left[:taken], left[taken:]
            if len(head) == _HEAD.size:
                kind, missing = _HEAD.unpack(head)
                head, wrong = b"", kind == _STDERR
