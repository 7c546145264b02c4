# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the docker CLI: contexts, engine reads and plugins as docker 28 has them, without an engine of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from .config import Client
from .flags import Command, Exit

VERSION = "28.2.2"
COMMIT = "e6534b4"
GLOBAL = Command(
    "docker",
    "[OPTIONS] COMMAND [ARG...]",
    {
        "config": "string",
        "context": "string",
        "debug": "bool",
        "host": "list",
        "log-level": "string",
        "tls": "bool",
        "tlscacert": "string",
        "tlscert": "string",
        "tlskey": "string",
        "tlsverify": "bool",
        "version": "bool",
    },
    {"c": "context", "D": "debug", "H": "host", "l": "log-level", "v": "version"},
)
LOG_LEVELS = ("trace", "debug", "info", "warn", "warning", "error", "fatal", "panic")
ENGINE_COMMANDS = ("version", "info", "system", "ps", "container", "images", "image", "inspect")


def main(argv: list[str] | None = None) -> int:
    """Run one docker command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    # The real docker does not buffer: a reader of both channels sees the lines in the order in which they were written.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    try:
        return _dispatch(argv)
    except Exit as end:
        sys.stdout.flush()
        sys.stderr.write(end.text)
        return end.code


def _dispatch(argv: list[str]) -> int:
    options, rest = GLOBAL.parse(argv, stop_at_argument=True)
    level = options.get("log-level")
    if level and str(level).lower() not in LOG_LEVELS:
        raise Exit(f"Unable to parse logging level: {level}\n")
    if options.get("version"):
        sys.stdout.write(f"Docker version {VERSION}, build {COMMIT}\n")
        return 0
    if rest[:1] == ["help"]:
        rest = [*rest[1:], "--help"]
    if not rest or rest[0].startswith("--"):
        (sys.stdout if options.get("help") or rest else sys.stderr).write("Usage:  docker [OPTIONS] COMMAND\n")
        return 0
    verb, rest = rest[0], rest[1:]
    if verb == "context":
        from .contexts import run

        run(Client(options), rest)
        return 0
    if verb in ENGINE_COMMANDS:
        from .engine import run as run_engine

        return run_engine(Client(options), verb, rest)
    from .plugins import run as run_plugin

    return run_plugin(Client(options), verb, argv)


def install(bin_dir: Path) -> None:
    """Write docker, docker-buildx and docker-compose into bin_dir, and the plugins' links as Homebrew has them.

    Homebrew keeps its plugins in <prefix>/lib/docker/cli-plugins, where docker looks only if config.json says so.
    """
    from rehearsal.standin.program import write_program

    plugins = bin_dir.parent / "lib" / "docker" / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    for name, module in (
        ("docker", "docker_cli"),
        ("docker-buildx", "docker_cli.buildx"),
        ("docker-compose", "docker_cli.compose"),
    ):
        write_program(bin_dir / name, f"from rehearsal.standin.{module} import main; sys.exit(main())")
        if name != "docker":
            link = plugins / name
            link.unlink(missing_ok=True)
            link.symlink_to(bin_dir / name)
