# SPDX-License-Identifier: GPL-3.0-or-later
"""What helpers say of volumes, and how containers are kept from writing to them."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed
from ansible_collections.laptop.containers.plugins.module_utils.docker.engine import EngineSilent
from ansible_collections.laptop.containers.plugins.module_utils.docker.stream import EngineRefused
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.pausing import pausing
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.volumes import digest_in


def test_an_answer_that_was_lost_is_no_digest() -> None:
    assert digest_in("786a02f742015903  -\n", "compare") == "786a02f742015903"
    for lost in ("", "\n"):
        with pytest.raises(CommandFailed, match=r"Could not compare: the helper's answer was lost\. Run again"):
            digest_in(lost, "compare")


@pytest.mark.parametrize(
    ("failure", "noted"), [(EngineRefused(409, "it does not run"), False), (EngineSilent("nothing came"), True)]
)
def test_a_container_that_may_be_paused_stays_noted(failure: Exception, noted: bool) -> None:
    notes = dict[str, bool]()

    def change(container: str, verb: str) -> None:
        raise CommandFailed(f"{verb} {container}", str(failure)) from failure

    with pytest.raises(CommandFailed), pausing(change, ["one"], notes.__setitem__):
        pass
    assert notes == {"one": noted}
