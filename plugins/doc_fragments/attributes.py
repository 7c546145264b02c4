# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that every module shares."""

from __future__ import annotations


class ModuleDocFragment:
    """The promises that all modules of the collection make."""

    DOCUMENTATION = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/laptop.containers.workstation) in C(module_defaults) to set defaults for all modules.
    support: full
    membership:
      - laptop.containers.workstation
  check_mode:
    description: Can run in C(check_mode) and return the changed status without changing anything.
    support: full
  diff_mode:
    description: Returns what has changed, or would change in C(check_mode), without any secret.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""
    INFO = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/laptop.containers.workstation) in C(module_defaults) to set defaults for all modules.
    support: full
    membership:
      - laptop.containers.workstation
  check_mode:
    description: Can run in C(check_mode); it only reads.
    support: full
  diff_mode:
    description: Returns what has changed; an info module changes nothing.
    support: none
    details:
      - Nothing is changed.
  idempotent:
    description: Changes nothing, however often it runs.
    support: full
"""
    # Of modules whose engines are behind a company's network: the settings of the role network, as a mapping.
    COMPANY_NETWORK = r"""
options:
  company_network:
    type: dict
    suboptions:
      authorities:
        description: As O(laptop.containers.network#module:authorities).
        type: list
        elements: path
        default: []
      local_authorities:
        description: As O(laptop.containers.network#module:local_authorities).
        type: bool
        default: false
      http_proxy:
        description: As O(laptop.containers.network#module:http_proxy).
        type: str
        default: ""
      https_proxy:
        description: As O(laptop.containers.network#module:https_proxy).
        type: str
        default: ""
      no_proxy:
        description: As O(laptop.containers.network#module:no_proxy).
        type: list
        elements: str
        default: []
      mirrors:
        description: As O(laptop.containers.network#module:mirrors).
        type: list
        elements: dict
        default: []
        suboptions:
          registry:
            description: As in M(laptop.containers.network).
            type: str
            required: true
          url:
            description: As in M(laptop.containers.network).
            type: str
            required: true
      dns_servers:
        description: As O(laptop.containers.network#module:dns_servers).
        type: list
        elements: str
        default: []
      dns_domains:
        description: As O(laptop.containers.network#module:dns_domains).
        type: dict
        default: {}
"""
