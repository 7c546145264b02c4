# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check is in the documentation, and in the table of broken laptops or in that of states which only the user can change."""

from __future__ import annotations

from ansible_collections.laptop.containers.plugins.module_utils.doctor.examine import kinds

from tests import doctor_tables
from tests.integration.doctor.states import ELSEWHERE, IN_THE_VMS, NOT_HEALED_BY_COMMAND, ON_THE_LAPTOP


def test_the_page_and_the_module_list_every_check() -> None:
    for file, write in ((doctor_tables.PAGE, doctor_tables.page), (doctor_tables.MODULE, doctor_tables.module)):
        text = file.read_text()
        assert write(text) == text, "run python tests/doctor_tables.py"
        assert all(kind.id in text for kind in kinds())


def test_every_check_has_a_state_that_it_must_find() -> None:
    healed = {state.check for state in (*ON_THE_LAPTOP, *IN_THE_VMS)}
    read = {state.check for state in NOT_HEALED_BY_COMMAND}
    assert len(ON_THE_LAPTOP) + len(IN_THE_VMS) >= 40
    where = "each check has a State in tests/integration/doctor/states.py, and its kind is in KINDS of its group"
    assert healed | read | set(ELSEWHERE) == {kind.id for kind in kinds()}, where
    assert not healed & read
