# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of a run with nothing to do, compared with the smallest playbook that Ansible can run: one ping."""

from __future__ import annotations

from bench.laptop import laptop
from bench.measure import Row, compare

# So many namespaces get the pull secret.
THREE = ("-e", '{"secret_refresh_namespaces": ["default", "team-a", "team-b"]}')


def rows() -> list[Row]:
    """Bring up a lab, converge it once, and measure runs that find nothing to do."""
    with laptop() as lab:
        lab.play("playbooks/workstation.yml", *THREE)
        return [
            compare(
                "no-op workstation.yml with a registry / one-task ping playbook", 1.7,
                lab.unchanged("playbooks/workstation.yml"), lab.ping,
            ),
            compare(
                "no-op workstation.yml without a registry / one-task ping playbook", 1.5,
                lab.unchanged("playbooks/workstation.yml", "-e", '{"secret_refresh_registries": []}'), lab.ping,
            ),
            compare(
                "doctor.yml, 2 profiles and 3 namespaces / one-task ping playbook", 2.5,
                lab.unchanged("playbooks/doctor.yml", *THREE), lab.ping,
            ),
            compare(
                "nothing-due --tags secret_refresh / one-task ping playbook", 0.85,
                lab.unchanged("playbooks/workstation.yml", "--tags", "secret_refresh"), lab.ping,
            ),
        ]  # fmt: skip
