# SPDX-License-Identifier: GPL-3.0-or-later
"""The two controllers that a lab needs: every namespace gets its default service account, and deleted ones disappear."""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rehearsal.processes.system import LabError
from rehearsal.services.apiserver import ApiServer

PAUSE_SECONDS = 0.5
WATCH_SECONDS = 300


def handle(api: ApiServer, namespace: dict[str, Any]) -> None:
    """Do what Kubernetes would do for this namespace."""
    name = namespace["metadata"]["name"]
    if namespace["metadata"].get("deletionTimestamp"):
        api.finish(name)
    else:
        api.default_account(name)


def watch(api: ApiServer) -> None:
    """Handle every namespace that is there, then every change until the server ends the watch."""
    status, found = api.request("GET", "/api/v1/namespaces")
    if status != 200:
        raise LabError(f"Could not list namespaces: {status}.")
    for namespace in found["items"]:
        handle(api, namespace)
    version = found["metadata"]["resourceVersion"]
    address = urlsplit(api.url).netloc
    connection = http.client.HTTPSConnection(address, context=api.tls(), timeout=WATCH_SECONDS + 10)
    try:
        connection.request("GET", f"/api/v1/namespaces?watch=1&resourceVersion={version}&timeoutSeconds={WATCH_SECONDS}")
        for line in connection.getresponse():
            event = json.loads(line)
            if event["type"] in ("ADDED", "MODIFIED"):
                handle(api, event["object"])
    finally:
        connection.close()


def main(arguments: Sequence[str]) -> None:
    """Watch until killed; a restarted API server is found again."""
    api = ApiServer(Path(arguments[0]), Path(arguments[1]))
    while True:
        try:
            watch(api)
        except (LabError, OSError, ValueError, http.client.HTTPException) as error:
            sys.stderr.write(f"{error}\n")
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
