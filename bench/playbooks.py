# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of a run with nothing to do, compared with the smallest playbook that Ansible can run: one ping."""

from __future__ import annotations

import re

from bench.laptop import ROOT, Laptop, laptop
from bench.measure import Row, compare

# So many namespaces get the pull secret.
THREE = ("-e", '{"secret_refresh_namespaces": ["default", "team-a", "team-b"]}')
WITHOUT_REGISTRY = ("-e", '{"secret_refresh_registries": []}')


def rows() -> list[Row]:
    """Bring up a lab, converge it once, and measure runs that find nothing to do."""
    with laptop() as lab:
        lab.play("playbooks/workstation.yml", *THREE)
        return [
            compare(
                "no-op workstation.yml with a registry / one-task ping playbook", 1.6,
                lab.unchanged("playbooks/workstation.yml"), lab.ping,
            ),
            compare(
                "no-op workstation.yml without a registry / one-task ping playbook", 1.4,
                lab.unchanged("playbooks/workstation.yml", *WITHOUT_REGISTRY), lab.ping,
            ),
            compare(
                "no-op workstation.yml, role network off / the same playbook without the role", 1.03,
                lab.unchanged("playbooks/workstation.yml", *WITHOUT_REGISTRY),
                lab.unchanged(_without_network(lab), *WITHOUT_REGISTRY),
                pairs=15,
            ),
            compare(
                "doctor.yml, 2 profiles and 3 namespaces / one-task ping playbook", 1.8,
                lab.unchanged("playbooks/doctor.yml", *THREE), lab.ping,
            ),
            compare(
                "nothing-due --tags secret_refresh / one-task ping playbook", 1.05,
                lab.unchanged("playbooks/workstation.yml", "--tags", "secret_refresh"), lab.ping,
            ),
        ]  # fmt: skip


def _without_network(lab: Laptop) -> str:
    """Write the playbook without the role that tells everything of a company's network; return its path."""
    text = (ROOT / "playbooks/workstation.yml").read_text().replace("vars/none.yml", str(ROOT / "playbooks/vars/none.yml"))
    left, found = re.subn(r"    - name: The company's network\n(?:      .*\n)+\n", "", text)
    if found != 1 or "network" in left:
        raise SystemExit("playbooks/workstation.yml names the role network elsewhere, too")
    path = lab.folder / "workstation.yml"
    path.write_text(left)
    return str(path)
