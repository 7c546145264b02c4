# SPDX-License-Identifier: GPL-3.0-or-later
"""What options a timer refuses."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.timer.task import UserTimer


@pytest.mark.parametrize(
    ("option", "minutes", "said"),
    [
        ("limit", 0.0, "use 0 as O(limit): nothing ends in that time. Set it to minutes, such as 15."),
        ("limit", -5.0, "use -5 as O(limit): nothing ends in that time. Set it to minutes, such as 15."),
        ("jitter", -1.0, "use -1 as O(jitter): it is less than 0. Set it to minutes, or to 0 for none."),
    ],
)
def test_minutes_with_which_every_run_would_fail_are_refused(option: str, minutes: float, said: str) -> None:
    params = {name: spec.get("default") for name, spec in UserTimer.argument_spec.items()}
    with pytest.raises(InputError) as caught:
        UserTimer().parse({**params, "name": "look", "command": ["/bin/true"], option: minutes}, check_mode=True)
    assert caught.value.message == f"Could not {said}"
