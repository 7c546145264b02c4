# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the buildx plugin: builders in buildx's own store, booted as containers of an engine; it builds nothing."""

from __future__ import annotations

import sys

from ..config import Client
from ..flags import Command, Exit
from ..template import dumps

VERSION = "v0.38.2"
REVISION = "0000000000000000000000000000000000000000"
METADATA = {
    "SchemaVersion": "0.1.0",
    "Vendor": "Docker Inc.",
    "Version": VERSION,
    "ShortDescription": "Docker Buildx",
}
ROOT = Command("docker buildx", "[OPTIONS] COMMAND", {"builder": "string", "debug": "bool"}, {"D": "debug"})


def main() -> int:
    """Run one call of the plugin; returns its exit code."""
    from .. import GLOBAL
    from .commands import USAGE, run

    argv = sys.argv[1:]
    if argv[:1] == ["docker-cli-plugin-metadata"]:
        sys.stdout.write(dumps(METADATA, indent="     ") + "\n")
        return 0
    try:
        if "buildx" in argv:
            options, rest = GLOBAL.parse(argv, stop_at_argument=True)
            rest = rest[1:]
        else:
            options, rest = {}, argv
        chosen, rest = ROOT.parse(rest, stop_at_argument=True)
        if not rest:
            sys.stdout.write(USAGE)
            return 0
        if rest[0] == "version":
            sys.stdout.write(f"github.com/docker/buildx {VERSION} {REVISION}\n")
            return 0
        run(Client(options), str(chosen.get("builder") or ""), rest)
    except Exit as end:
        sys.stdout.flush()
        sys.stderr.write(end.text)
        return end.code
    return 0
