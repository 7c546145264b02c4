# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role secret_refresh makes of the profiles' names: colima knows each by two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

VARIABLES = yaml.safe_load((Path(__file__).resolve().parents[3] / "roles/secret_refresh/vars/main.yml").read_text())


@pytest.mark.parametrize(
    ("name", "context", "stopped"),
    [
        ("k8s", "colima-k8s", True),
        ("colima-k8s", "colima-k8s", True),
        ("default", "colima", True),
        ("colima", "colima", True),
        ("k8s", "colima-other", False),
        ("other", ["colima-other", "colima-k8s"], False),
    ],
)
def test_a_cluster_whose_profile_is_to_be_stopped_is_not_waited_for(name: str, context: Any, stopped: bool) -> None:
    variables = {"colima_profiles": [{"name": name, "state": "stopped"}], "secret_refresh_context": context}
    template = trust_as_template(VARIABLES["__secret_refresh_stopped"])
    assert Templar(DataLoader(), variables=variables).template(template) is stopped
