# SPDX-License-Identifier: GPL-3.0-or-later
"""A docker registry on the loopback that accepts only ECR's current token."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from rehearsal.engines import find
from rehearsal.processes.daemon import Daemon
from rehearsal.processes.system import LabError, free_port
from rehearsal.services.ecr import ACCOUNT, REGION, Ecr
from rehearsal.services.service import Service

NEEDS = "registry"
READY_SECONDS = 120.0


class Registry(Service):
    """The registry of one account and region."""

    def __init__(self, directory: Path, ecr: Ecr, account: str = ACCOUNT, region: str = REGION) -> None:
        self.directory = directory
        self.ecr = ecr
        self.account = account
        self.region = region
        self.daemon = Daemon("registry", directory)
        self._address_file = directory / "registry.address"

    @property
    def address(self) -> str:
        """HOST:PORT, as it stands before an image's name."""
        return self._address_file.read_text().strip()

    def start(self) -> Self:
        """Start the registry and wait until it answers. Raises LabError."""
        program = find("docker-registry")
        if program is None:
            raise LabError("Could not start the registry: docker-registry is not installed. Run 'make engines'.")
        self.directory.mkdir(parents=True, exist_ok=True)
        self._address_file.write_text(f"127.0.0.1:{free_port()}")
        passwords = self.directory / "htpasswd"
        self.ecr.keep_htpasswd(passwords, self.account, self.region)
        # JSON is YAML too.
        settings = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self.directory / "images")}, "delete": {"enabled": True}},
            # Behind a proxy with TLS, absolute links would bypass it.
            "http": {"addr": self.address, "relativeurls": True},
            "auth": {"htpasswd": {"realm": "rehearsal", "path": str(passwords)}},
        }
        file = self.directory / "registry.yml"
        file.write_text(json.dumps(settings, indent=2))
        self.daemon.spawn([str(program), "serve", str(file)])
        try:
            self.daemon.wait_until(lambda: self.status("AWS", "wrong") == 401, READY_SECONDS)
        except LabError:
            self.daemon.kill()
            raise
        return self

    def status(self, user: str, password: str, path: str = "") -> int:
        """Return the HTTP status of GET /v2/PATH with that user and password; 0 when nothing listens."""
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        request = urllib.request.Request(f"http://{self.address}/v2/{path}", headers={"Authorization": f"Basic {pair}"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=15) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def stop(self) -> None:
        """End the registry."""
        self.daemon.stop(grace=2.0)
