# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with the longest name that there is (255 bytes) are replaced as any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.system.files import (
    replace_if_unchanged,
    replace_link,
    write_atomically,
)

LONGEST = ["a" * 255, "ä" * 127 + "a", "😀" * 63 + "abc"]


@pytest.mark.parametrize("name", LONGEST, ids=["one byte", "two bytes", "four bytes"])
def test_a_file_with_the_longest_name_is_replaced(tmp_path: Path, name: str) -> None:
    assert len(name.encode()) == 255
    file = tmp_path / name
    write_atomically(file, "one")
    assert replace_if_unchanged(file, "two", 0o600, b"one")
    assert file.read_text() == "two"
    file.unlink()
    file.symlink_to("one")
    replace_link(file, "two", "one")
    assert str(file.readlink()) == "two"
    assert list(tmp_path.iterdir()) == [file]
