# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the file of one's own settings is."""

from __future__ import annotations

DOCUMENTATION = r"""
name: own_settings
author: The laptop.containers contributors (@laptop-containers)
short_description: The file of one's own settings
version_added: 0.1.0
description:
  - Returns the file that C(workstation_settings) names, by default C(laptop.containers/settings.yml) below E(XDG_CONFIG_HOME)
    (C(~/.config)).
  - They are for the laptop that Ansible runs on. For any other laptop, returns C(vars/none.yml), which
    has no settings.
"""
EXAMPLES = r"""
- name: Converge the container workstation
  hosts: laptops
  vars_files:
    - ["{{ lookup('laptop.containers.own_settings') }}", vars/none.yml]
"""
RETURN = r"""
_raw:
  description: The path of one file, which need not exist.
  type: list
  elements: str
"""

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ..module_utils.core.errors import InputError
from ..plugin_utils.own_settings import check_text, file_of


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **_options: Any) -> list[str]:
        """Return the file for the laptop whose variables these are."""
        del terms
        file = file_of(variables or {}, self._templar, os.environ)
        try:
            check_text(Path(file).expanduser())
        except InputError as error:
            raise AnsibleError(error.message) from None
        return [file]
