# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in of colima knows every key that the collection sets; it would drop another one, as an old colima does."""

from __future__ import annotations

from ansible_collections.laptop.containers.plugins.module_utils.colima.model.settings import SETTINGS

from rehearsal.standin.colima.files.config_file import KINDS


def test_the_stand_in_knows_every_key() -> None:
    where = "KINDS in rehearsal/standin/colima/files/config_file.py has a row for each setting"
    assert {setting.key for setting in SETTINGS} == set(KINDS), where
