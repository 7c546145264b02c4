# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about a name that no role has."""

from __future__ import annotations

from ansible_collections.laptop.containers.plugins.plugin_utils.settings import why_unknown

KNOWN = ("upgrade_result", "upgrade_stop")


def test_what_a_role_leaves_behind_is_not_suggested_as_a_setting() -> None:
    assert why_unknown("upgrade_results", KNOWN, KNOWN[1:], ("upgrade_",)) == "it is unknown. Did you mean 'upgrade_stop'?"
    assert why_unknown("upgrade_x", KNOWN[:1], (), ("upgrade_",)).startswith("it is unknown. Correct it, or remove it;")
