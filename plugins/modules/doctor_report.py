#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: doctor_report
short_description: Report what the doctor found on all laptops of a run
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Runs on the machine that runs the playbook, once for all laptops. Takes from the registered variable O(register) what
    M(laptop.containers.doctor) found on each.
  - Writes the report, says what has changed since an earlier one, and fails if anything is broken on any laptop. Where
    P(laptop.containers.progress#callback) is enabled, it does not fail itself; the run ends with exit code 2 once all is shown.
  - Laptops that could not be reached or examined are named in the report.
options:
  register:
    description: The variable in which each laptop's examination is registered.
    type: str
    default: doctor_result
  show:
    description: What the callback plugin P(laptop.containers.progress#callback) shows of each check.
    type: str
    choices: [findings, all]
    default: findings
  report:
    description:
      - The path of the report, to which C(.json) and C(.html) are added. A path that ends in one of them writes that file alone.
        In a folder they are called C(doctor).
        Empty writes none.
      - Home directories are shown as C(~), and it holds no secret. In check mode nothing is written.
    type: str
    default: ""
  compare:
    description: The path of an earlier report in JSON, to say what has changed since. Empty compares nothing.
    type: str
    default: ""
attributes:
  action_group:
    description: Use C(group/laptop.containers.workstation) in C(module_defaults) to set defaults for all modules.
    support: full
    membership:
      - laptop.containers.workstation
  check_mode:
    description: Writes nothing in C(check_mode).
    support: full
  diff_mode:
    description: The report is not shown as a diff.
    support: none
seealso:
  - module: laptop.containers.doctor
"""

EXAMPLES = r"""
- name: Write the team's page
  laptop.containers.doctor_report:
    report: ~/workstations
  run_once: true
"""

RETURN = r"""
show:
  description: What is shown, O(show).
  returned: when nothing is broken, or O(show=all)
  type: str
files:
  description: The files that were written.
  returned: when nothing is broken, or there are any
  type: list
  elements: str
broken:
  description: The laptops on which something is broken.
  returned: always
  type: list
  elements: str
unreachable:
  description: The laptops that could not be reached or examined.
  returned: when nothing is broken, or there are any
  type: list
  elements: str
changes:
  description:
    - What has changed since the report in O(compare), a line for each check that ended in another way.
  returned: when nothing is broken, or there are any
  type: list
  elements: str
since:
  description: When the report in O(compare) was made, in UTC.
  returned: when there is one
  type: str
"""
