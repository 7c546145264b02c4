# SPDX-License-Identifier: GPL-3.0-or-later
"""The run that renews pull secrets, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.ansible_runs import forked_ansible
from tests.support.ecr_pull_secret.scenario import HOST

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.ecr import Ecr

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))


class Refresh:
    """workstation.yml with the tag secret_refresh, on a cluster, for HOST unless other registries are given."""

    def __init__(self, folder: Path, apiserver: ApiServer, ecr: Ecr) -> None:
        self.apiserver = apiserver
        self.ecr = ecr
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.inventory = folder / "inventory.yml"
        own = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        self.inventory.write_text(json.dumps({"laptops": {"hosts": {"me": own}}}))

    def __call__(self, *flags: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        given = {"secret_refresh_registries": [HOST], "secret_refresh_kubeconfig": str(self.apiserver.kubeconfig), **variables}
        command = [PLAYBOOK, "-i", str(self.inventory), "playbooks/workstation.yml", "--tags", "secret_refresh"]
        places = dict.fromkeys(("TMPDIR", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TEMP"), str(self.temporary))
        return forked_ansible.run(
            [*command, "-e", json.dumps(given), *flags],
            cwd=ROOT,
            env={**os.environ, **self.ecr.environment, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), **places},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
