# SPDX-License-Identifier: GPL-3.0-or-later
"""The same on real virtual machines: two first starts beside the slower one alone, and a run with nothing to do beside a ping.

Takes 15 minutes where machines are emulated, so it runs only when it is named: `make bench SUITES=machines`.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from bench.laptop import ROOT, Laptop, laptop
from bench.measure import Row, compare, seconds
from rehearsal import machines
from rehearsal.lab.run import MACHINES_INVENTORY

Profile = dict[str, Any]


def rows() -> list[Row]:
    """Start both profiles from nothing, each alone, and both again for a run that finds nothing to do."""
    if reason := machines.missing():
        raise SystemExit(f"Could not measure machines: {reason}")
    profiles = yaml.safe_load((ROOT / MACHINES_INVENTORY / "group_vars" / "all.yml").read_text())["colima_profiles"]
    with laptop("machines", MACHINES_INVENTORY, tuple(machines.as_owner())) as lab:
        alone = max(_first_start(lab, profile) for profile in profiles)
        both = _first_start(lab, *profiles)
        return [
            Row("first start of two machines at once / the slower one alone", both, alone, both / alone, 1.6),
            _no_op(lab),
        ]


def _first_start(lab: Laptop, *profiles: Profile) -> float:
    """Return the seconds of a run that makes these profiles, none of which is left afterwards."""
    only = ("-e", json.dumps({"colima_profiles": profiles}))
    took = seconds(lambda: lab.play("playbooks/workstation.yml", "--tags", "colima", *only))
    names = [profile["name"] for profile in profiles]
    lab.play("playbooks/teardown.yml", *only, "-e", json.dumps({"colima_delete_data": True, "colima_confirm_data_loss": names}))
    return took


def _no_op(lab: Laptop) -> Row:
    lab.play("playbooks/workstation.yml")
    name = "no-op workstation.yml on real machines / one-task ping playbook"
    return compare(name, 1.7, lab.unchanged("playbooks/workstation.yml"), lab.ping)
