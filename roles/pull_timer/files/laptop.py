# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a laptop that decides whether it pulls now: its power, its network, and whether another run is active."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from programs import Skip, run

SUPPLIES = Path("/sys/class/power_supply")
CONNECT_SECONDS = 5.0
PORTS = {"http": 80, "https": 443, "ssh": 22, "git": 9418}
# user@host:path, which git takes for SSH.
_SCP = re.compile(r"(?:[^@/:]+@)?([^/:]+):(?!//)")


def on_battery(supplies: Path = SUPPLIES) -> bool:
    """Whether this laptop runs on its battery. A machine without one does not."""
    if shutil.which("pmset"):
        return "Battery Power" in run(["pmset", "-g", "batt"]).output.partition("\n")[0]
    found = [_supply(one) for one in sorted(supplies.glob("*"))]
    if any(one.get("online") == "1" for one in found if one.get("type") != "Battery"):
        return False
    # The battery of a mouse has the scope "Device".
    own = [one for one in found if one.get("type") == "Battery" and one.get("scope") != "Device"]
    return any(one.get("status") == "Discharging" for one in own)


def _supply(place: Path) -> dict[str, str]:
    found = {}
    for name in ("type", "online", "status", "scope"):
        # Not every supply has all of them, and a driver may refuse to tell.
        with contextlib.suppress(OSError):
            found[name] = (place / name).read_text().strip()
    return found


def why_unreachable(repository: str) -> str:
    """Return why the machine of a repository can't be reached; empty where it can be, or where none is needed."""
    try:
        machines = list(_machine(repository))
    except ValueError:
        # It is not an address, and git says so itself.
        return ""
    for host, port in machines:
        try:
            socket.create_connection((host, port), CONNECT_SECONDS).close()
        except OSError as error:
            return f"{host} port {port}: {(error.strerror or str(error)).lower()}"
    return ""


def _machine(repository: str) -> Iterator[tuple[str, int]]:
    """Yield host and port that git would connect to: the proxy's, where there is one; none for a folder."""
    url = urllib.parse.urlsplit(repository)
    scp = None if "://" in repository else _SCP.match(repository)
    scheme, host = ("ssh", scp[1]) if scp else (url.scheme, url.hostname or "")
    if scheme not in PORTS or not host:
        return
    port = url.port if not scp else None
    if scheme == "ssh":
        # ~/.ssh/config may give a name of its own to a machine.
        rows = (line.split(" ", 1) for line in run(["ssh", "-G", "--", host]).output.splitlines() if " " in line)
        known = dict(rows)
        host, port = known.get("hostname", host), port or int(known.get("port", PORTS["ssh"]))
    proxy = urllib.request.getproxies_environment().get(scheme)
    if proxy and not urllib.request.proxy_bypass_environment(host):
        there = urllib.parse.urlsplit(proxy if "://" in proxy else f"//{proxy}")
        host, port = there.hostname or host, there.port or PORTS["http"]
    yield host, port or PORTS[scheme]


def alone() -> int:
    """Return the lock of a run that is alone on this laptop, for as long as it is open. Every run takes part in that lock.

    It is that of the home directory itself (core/system/pull_lock.py), so that no file has to be there before the first run.
    """
    handle = os.open(Path.home(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise Skip("another run is active on this laptop") from error
    except OSError as error:
        os.close(handle)
        why = (error.strerror or str(error)).lower()
        raise Skip(f"the home directory can't be locked ({why}), so nothing would keep a run and a pull apart") from error
    return handle
