# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of one node: whatever kubectl and helm apply is scheduled, pulled and run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from rehearsal.engines import find
from rehearsal.processes.system import LabError, comes_true
from rehearsal.services.apiserver import ApiServer
from rehearsal.services.cluster.control_plane import ControlPlane
from rehearsal.services.cluster.kubelet import NODE, Kubelet

NEEDS = "node"
READY_SECONDS = 120.0
COMMAND_SECONDS = 180.0


class Cluster:
    """API server, scheduler, controllers and one kubelet. environment is what the node's engines get, such as a proxy."""

    def __init__(
        self, directory: Path, pause: str, buildkitd_toml: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.api = ApiServer(directory / "kube", complete=True)
        self.control_plane = ControlPlane(self.api)
        self.kubelet = Kubelet(directory, pause, buildkitd_toml, environment)

    def start(self) -> Self:
        """Start everything and wait until the node is ready. Raises LabError."""
        try:
            self.api.start()
            self.control_plane.start()
            self.kubelet.start_engines()
            self.start_kubelet()
        except BaseException:
            self.stop()
            raise
        return self

    def start_kubelet(self, flags: Sequence[str] = ()) -> None:
        """Start the kubelet, in place of a running one, with more flags. Raises LabError."""
        self.kubelet.kill()
        self.kubelet.start(self.api.kubeconfig_for(f"system:node:{NODE}", groups=("system:nodes",)), flags)
        if not comes_true(self._ready, READY_SECONDS):
            raise LabError(f"Could not start node '{NODE}': it is not ready. {self.kubelet.daemon.last_words()}")

    def _ready(self) -> bool:
        # A taint of a node that was not ready stays until the controllers take it away.
        self.control_plane.require()
        status, node = self.api.request("GET", f"/api/v1/nodes/{NODE}")
        conditions = node["status"].get("conditions", []) if status == 200 else []
        ready = any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)
        return ready and not node["spec"].get("taints")

    def kubectl(self, *arguments: str, standard_input: str = "") -> str:
        """Run kubectl as the cluster's administrator; return what it printed. Raises LabError when it fails."""
        return self._run("kubectl", arguments, standard_input)

    def helm(self, *arguments: str) -> str:
        """Run helm as the cluster's administrator; return what it printed. Raises LabError when it fails."""
        return self._run("helm", arguments)

    def _run(self, name: str, arguments: Sequence[str], standard_input: str = "") -> str:
        program = find(name)
        if program is None:
            raise LabError(f"Could not run {name}: it is not installed. Run 'make engines'.")
        # Both keep what they learn in the home directory.
        environment = {**os.environ, "HOME": str(self.kubelet.directory), "KUBECONFIG": str(self.api.kubeconfig)}
        done = subprocess.run(
            [str(program), *arguments],
            env=environment,
            input=standard_input,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise LabError(f"Could not run {name} {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def stop(self) -> None:
        """End everything."""
        self.kubelet.stop()
        self.control_plane.kill()
        self.api.stop()
