# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `laptop.containers.with_state`: a role's list of entries in the state of the role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.core.entries import with_state as _with_state
from ..module_utils.core.errors import WorkstationError

DOCUMENTATION = r"""
name: with_state
short_description: Give a role's list of entries the state of the role
version_added: 0.1.0
author: The laptop.containers contributors (@laptop-containers)
description:
  - Returns the entries as they are where the role is C(present), and each with C(state=absent) where it is C(absent).
  - Fails for any other word, and for a list that is none, so that a typing error can't be taken for a wish to remove everything.
positional: state, variable
options:
  _input:
    description: The entries.
    type: list
    elements: dict
    required: true
  state:
    description: C(present) or C(absent).
    type: str
    required: true
  variable:
    description: Name of the variable that holds the entries, for the message of a failure.
    type: str
    required: true
"""

EXAMPLES = r"""
gone: "{{ colima_profiles | laptop.containers.with_state('absent', 'colima_profiles') }}"
"""

RETURN = r"""
_value:
  description: The entries.
  type: list
  elements: dict
"""


def with_state(entries: Any, state: Any, variable: str) -> list[dict[str, Any]]:
    """Return the entries in that state; see DOCUMENTATION."""
    try:
        return _with_state(entries, state, variable)
    except WorkstationError as error:
        raise AnsibleFilterError(error.message) from error


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"with_state": with_state}
