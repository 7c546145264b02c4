# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the option of modules whose engines are behind a company's network."""

from __future__ import annotations


class ModuleDocFragment:
    """The settings of the role network, as a mapping."""

    DOCUMENTATION = r"""
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
