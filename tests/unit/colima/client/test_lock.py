# SPDX-License-Identifier: GPL-3.0-or-later
"""The one lock: what was read before it was got counts only if nobody else held it then or since."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.laptop.containers.plugins.module_utils.colima.client.lock import exclusive, stamp


def test_what_was_read_counts_until_another_run_held_the_lock(tmp_path: Path) -> None:
    room = tmp_path / "room"
    first = stamp(room)
    with exclusive(room, 1.0, first) as quiet:
        assert quiet
    second = stamp(room)
    with exclusive(room, 1.0, second) as quiet:
        assert quiet
    with exclusive(room, 1.0, second) as quiet:
        assert not quiet


def test_what_was_read_while_another_run_was_at_work_is_read_again_though_it_has_ended(tmp_path: Path) -> None:
    with exclusive(tmp_path, 1.0):
        seen = stamp(tmp_path)
    with exclusive(tmp_path, 1.0, seen) as quiet:
        assert not quiet
