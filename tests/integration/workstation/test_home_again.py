# SPDX-License-Identifier: GPL-3.0-or-later
"""With everything switched on, a teardown gives back the home that was there, file by file and byte by byte."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import light_lab, play
from tests.support.whole_machine.homes import changes, tree

EVERYTHING = {
    "workstation_refresh_timer": True,
    "workstation_autostart": True,
    "workstation_idle_stop": "2h",
    "docker_cli_env_file": "~/docker.env",
    "docker_cli_testcontainers": True,
    "secret_refresh_service_accounts": ["default"],
}
NO_DATA_LEFT = {"colima_delete_data": True, "colima_confirm_data_loss": ["k8s", "docker-buildx"]}


@pytest.fixture
def lab() -> Iterator[Lab]:
    with light_lab() as lab:
        yield lab


def test_teardown_gives_back_the_home_that_was_there(lab: Lab) -> None:
    # What a user has had before, where the workstation has files of its own. The first is as docker writes it.
    config = '{\n\t"auths": {},\n\t"psFormat": "table"\n}'
    mine = {".docker/config.json": config, ".local/bin/mine": "mine\n", ".zshrc": "# mine\n", ".testcontainers.properties": "x=1"}
    for name, text in mine.items():
        (lab.home / name).parent.mkdir(parents=True, exist_ok=True)
        (lab.home / name).write_text(text)
    before = tree(lab.home)
    properties = lab.home / ".testcontainers.properties"
    play(lab, "playbooks/workstation.yml", "-e", json.dumps(EVERYTHING))
    assert {"docker.env", ".kube/config", ".local/bin/nerdctl", ".docker/contexts"} <= set(tree(lab.home))
    assert "docker.host=unix://" in properties.read_text()
    play(lab, "playbooks/teardown.yml", "-e", json.dumps({**EVERYTHING, **NO_DATA_LEFT}))
    after = tree(lab.home)
    assert changes(before, after) == {}
    kubeconfig = yaml.safe_load((lab.home / ".kube/config").read_text())
    assert not any(kubeconfig[kind] for kind in ("clusters", "contexts", "users"))
