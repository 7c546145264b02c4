# SPDX-License-Identifier: GPL-3.0-or-later
"""What helpers say of volumes."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.volumes import digest_in


def test_an_answer_that_was_lost_is_no_digest() -> None:
    assert digest_in("786a02f742015903  -\n", "compare") == "786a02f742015903"
    for lost in ("", "\n"):
        with pytest.raises(CommandFailed, match=r"Could not compare: the helper's answer was lost\. Run again"):
            digest_in(lost, "compare")
