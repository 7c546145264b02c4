# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `laptop.containers.sized`: profiles with sizes that fit the laptop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.colima.sizing import sized as _sized
from ..module_utils.core.errors import WorkstationError

DOCUMENTATION = r"""
name: sized
short_description: Give each colima profile its share of the laptop
version_added: 0.1.0
author: The laptop.containers contributors (@laptop-containers)
description:
  - Fills in C(cpu) (CPUs) and C(memory) (GiB) of every profile that has none, as a share of the laptop.
  - A share is the profile's C(weight) (default 1) divided by the sum of all weights and the laptop's own, taken of the whole
    laptop, rounded down to whole CPUs and GiB, at least 1. Two profiles get one third each, and a third stays with the laptop.
  - A profile's own C(cpu) or C(memory) is kept, and does not change the share of another profile.
  - Every profile that is not C(absent) has its share, whether C(started), C(present) or C(stopped), so that stopping one, or
    starting it again, never resizes another. A profile that is C(absent) is passed through.
  - Fails when the sum of those that are not stopped is more than the laptop has, or than its memory less the reserve.
positional: host
options:
  _input:
    description: The profiles, as given to M(laptop.containers.colima_profile), each with an optional C(weight).
    type: list
    elements: dict
    required: true
  host:
    description:
      - The laptop. C(cpus) (logical CPUs) and C(memory_mib) (MiB) are required;
        C(weight) (default 1) is the laptop's own share; C(reserve_memory_mib) (default 1024) is never given to profiles.
    type: dict
    required: true
"""

EXAMPLES = r"""
# 12 CPUs and 36 GiB give each profile 4 CPUs and 12 GiB
sizes: "{{ [{'name': 'k8s'}, {'name': 'docker-buildx'}] | laptop.containers.sized({'cpus': 12, 'memory_mib': 36864}) }}"

# Twice as much for one, 2 CPUs for the other
weighted: >-
  {{ [{'name': 'k8s', 'weight': 2}, {'name': 'docker-buildx', 'cpu': 2}]
     | laptop.containers.sized({'cpus': 12, 'memory_mib': 36864}) }}
"""

RETURN = r"""
_value:
  description: The profiles with C(cpu) and C(memory), without C(weight).
  type: list
  elements: dict
"""


def sized(profiles: list[dict[str, Any]], host: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the profiles with their sizes; see DOCUMENTATION."""
    try:
        return _sized(profiles, host)
    except WorkstationError as error:
        raise AnsibleFilterError(error.message) from error


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"sized": sized}
