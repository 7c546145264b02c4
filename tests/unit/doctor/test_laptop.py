# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks share, with settings that no run would take."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.doctor.laptop import Laptop

from tests.support.in_process_module import ModuleRun


@pytest.mark.parametrize(
    ("profiles", "reason"),
    [
        ("[]", "it is a text, not a list"),
        ({"name": "k8s"}, "it is a mapping, not a list"),
        (["k8s"], "entry 1 is a text, not a mapping"),
    ],
)
def test_profiles_of_a_wrong_form_are_named_in_every_group_that_needs_them(profiles: Any, reason: str) -> None:
    laptop = Laptop({"colima_profile": {"profiles": profiles}}, "", "")
    for ask in (laptop.docker_sockets, laptop.engines):
        with pytest.raises(InputError, match=f"Could not use 'colima_profiles': {reason}"):
            ask()


def test_no_time_at_all_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    refused = ModuleRun(capsys)("doctor", timeout=0)
    assert refused["msg"] == "Could not examine in 0 s: nothing can answer in that time. Set timeout to 20."
