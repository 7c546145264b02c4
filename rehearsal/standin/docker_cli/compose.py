# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose plugin, as far as telling its version: enough to know that it is there."""

from __future__ import annotations

import sys

from .flags import Command, Exit
from .template import dumps

VERSION = "2.40.3"
METADATA = {
    "SchemaVersion": "0.1.0",
    "Vendor": "Docker Inc.",
    "Version": f"v{VERSION}",
    "ShortDescription": "Docker Compose",
}
COMMAND = Command("docker compose version", "[OPTIONS]", {"format": "string", "short": "bool"}, {"f": "format"})


def main() -> int:
    """Run one call of the plugin; returns its exit code."""
    argv = sys.argv[1:]
    if argv[:1] == ["docker-cli-plugin-metadata"]:
        sys.stdout.write(dumps(METADATA, indent="     ") + "\n")
        return 0
    words = argv[argv.index("compose") + 1 :] if "compose" in argv else argv
    if words[:1] != ["version"]:
        sys.stderr.write("The stand-in for docker compose knows only `version`.\n")
        return 1
    try:
        options, _ = COMMAND.parse(words[1:])
    except Exit as error:
        sys.stderr.write(error.text)
        return error.code
    if options.get("short"):
        sys.stdout.write(f"{VERSION}\n")
    elif options.get("format") == "json":
        sys.stdout.write(dumps({"version": f"v{VERSION}"}) + "\n")
    else:
        sys.stdout.write(f"Docker Compose version v{VERSION}\n")
    return 0
