# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads buildx's builders and carries out planned steps through `docker buildx`.

buildx's directory is only read: one file per builder, while `docker buildx ls` asks every engine of every builder and
hangs on a dead one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import CommandFailed, InputError, ToolMissing
from ..core.system.command import Cli, Output
from ..core.system.files import is_json_object, moved_away
from ..docker.client import docker_failed
from ..docker.plugins import find_elsewhere, find_plugin
from .config import BuildkitConfig, config_read_back, to_toml
from .kubernetes import kubeconfig_of
from .model import Builder, BuildxStep, Node, StartBuilder, normal_platform
from .running_builds import has_builds, top_from

HOW_TO_GET_BUILDX = (
    "Install buildx ('brew install docker-buildx', or your system's docker-buildx-plugin), then run the role docker_cli, "
    "which lets docker find it."
)
_SECONDS = 60.0
# The first start of a builder pulls an image.
_SECONDS_TO_START = 600.0


def buildx_directory(environment: Mapping[str, str], docker_directory: Path) -> Path:
    """Return the directory of buildx's records, as buildx finds it."""
    return Path(environment.get("BUILDX_CONFIG") or docker_directory / "buildx")


def read_builder(text: str, name: str) -> Builder:
    """Return the builder that a record describes; a damaged record is a broken builder."""
    try:
        record = json.loads(text)
        nodes = tuple(_node(node) for node in record.get("Nodes") or [])
        return Builder(str(record["Name"]), str(record["Driver"]), nodes)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError):
        return Builder(name, "", (), broken=True)


def _node(record: Mapping[str, Any]) -> Node:
    files = {name: base64.b64decode(text) for name, text in (record.get("Files") or {}).items()}
    try:
        config = config_read_back(files)
    except (ValueError, binascii.Error):
        # Not TOML any more: differs from whatever is asked for.
        config = BuildkitConfig({"unreadable": True})
    return Node(
        name=str(record["Name"]),
        endpoint=str(record["Endpoint"]),
        platforms=tuple(_platform(item) for item in record.get("Platforms") or []),
        driver_opts={str(key): str(value) for key, value in (record.get("DriverOpts") or {}).items()},
        flags=tuple(record.get("Flags") or []),
        config=config,
    )


def _platform(record: Mapping[str, str]) -> str:
    variant = record.get("variant")
    return normal_platform(f"{record['os']}/{record['architecture']}" + (f"/{variant}" if variant else ""))


class Buildx:
    """The builders of one docker directory."""

    def __init__(self, docker: Cli, docker_directory: Path, directory: Path) -> None:
        self.docker = docker
        self.docker_directory = docker_directory
        self.directory = directory

    def read(self) -> dict[str, Builder]:
        """Return all builders without the implicit ones of docker contexts."""
        found = {}
        place = self.directory / "instances"
        for path in sorted(place.iterdir()) if place.is_dir() else []:
            if path.is_file() and not path.name.startswith("."):
                found[path.name] = read_builder(path.read_text(encoding="utf-8", errors="replace"), path.name)
        return found

    def check_current(self) -> None:
        """Raise InputError where buildx's note of the current builder is damaged: buildx then refuses every command."""
        file = self.directory / "current"
        if file.exists() and not is_json_object(file):
            reason = "it is not a JSON object, so buildx refuses every command"
            raise InputError(f"read buildx's note '{file}'", reason, f"Move it away: {moved_away(file)}")

    def selected(self, key: str, context: str) -> str:
        """Return the builder that buildx uses in a docker context; key is the context's name, or docker's own host."""
        chosen = self._chosen(key)
        # A choice whose record is gone does not count, and buildx falls back to the context's own builder.
        return chosen if chosen and (self.directory / "instances" / chosen).exists() else context

    def _chosen(self, key: str) -> str:
        try:
            current = json.loads((self.directory / "current").read_text(encoding="utf-8"))
            if current.get("Name") and (current.get("Global") or current.get("Key") == key):
                return str(current["Name"])
        except (OSError, ValueError, AttributeError, RecursionError):
            pass
        try:
            return (
                (self.directory / "defaults" / hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:20])
                .read_text()
                .strip()
            )
        except OSError:
            return ""

    def check_installed(self, *, only_to_remove: bool) -> None:
        """Raise ToolMissing where docker has no buildx: docker itself answers "unknown flag", which says nothing.

        only_to_remove: a plugin that docker does not find, as after a rollback, is enough.
        """
        if not find_plugin("docker-buildx", self.docker_directory) and not (only_to_remove and self._elsewhere()):
            self.docker.path  # noqa: B018 - a missing docker is the better message
            raise ToolMissing("docker buildx", remedy=HOW_TO_GET_BUILDX)

    def _elsewhere(self) -> Path | None:
        return find_elsewhere("docker-buildx", self.docker.environment["PATH"])

    def _buildx(self, *argv: str, timeout: float, environment: Mapping[str, str] | None = None) -> Output:
        """Run buildx through docker, or by itself where docker does not find it."""
        alone = None if find_plugin("docker-buildx", self.docker_directory) else self._elsewhere()
        if alone is None:
            return self.docker.run("buildx", *argv, timeout=timeout, environment=environment)
        return Cli(str(alone), "", dict(self.docker.environment)).run(*argv, timeout=timeout, environment=environment)

    def apply(self, step: BuildxStep) -> None:
        """Carry out one step."""
        try:
            self._run(step)
        except CommandFailed as failure:
            remedy = "Repair what it names ('docker buildx ls' shows all builders), then run again."
            raise docker_failed(f"{step.verb} {step.target}", failure, remedy) from failure

    def _run(self, step: BuildxStep) -> None:
        environment = {"DOCKER_CONTEXT": step.context} if step.context else {}
        if step.cluster:
            environment["KUBECONFIG"] = kubeconfig_of(step.cluster)
        seconds = _SECONDS_TO_START if isinstance(step, StartBuilder) else _SECONDS
        if step.config is None:
            self._buildx(*step.argv, timeout=seconds, environment=environment)
        else:
            self._run_with_config(step, step.config, environment)

    def _run_with_config(self, step: BuildxStep, config: BuildkitConfig, environment: Mapping[str, str]) -> None:
        handle, path = tempfile.mkstemp(prefix="buildkitd.", suffix=".toml")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(to_toml(config.settings))
            verb, *rest = step.argv
            self._buildx(verb, "--buildkitd-config", path, *rest, timeout=_SECONDS, environment=environment)
        finally:
            Path(path).unlink(missing_ok=True)

    def is_building(self, node: Node, seconds: float) -> bool | None:
        """Whether a build runs in a node's container on an engine far away. Returns None when it does not answer."""
        where = ("--host", node.endpoint) if "://" in node.endpoint else ("--context", node.endpoint)
        try:
            done = self.docker.run(*where, "top", f"buildx_buildkit_{node.name}", check=False, timeout=seconds)
        except (CommandFailed, ToolMissing):
            return None
        if done.rc != 0:
            # docker says so of a container that does not exist or does not run.
            return False if "container" in done.stderr.lower() else None
        return has_builds(top_from(done.stdout))

    def offered(self, name: str, seconds: float) -> dict[str, tuple[str, ...]]:
        """Return the platforms of each running node of a builder, as buildkit tells them. Empty when it does not answer."""
        return parse_inspect(self._inspected(name, seconds))

    def statuses(self, name: str, seconds: float) -> dict[str, str]:
        """Return buildx's own word on each node of a builder. Empty when it does not answer."""
        return parse_statuses(self._inspected(name, seconds))

    def _inspected(self, name: str, seconds: float) -> str:
        try:
            return self.docker.run("buildx", "inspect", name, timeout=seconds).stdout
        except (CommandFailed, ToolMissing):
            return ""


def parse_inspect(text: str) -> dict[str, tuple[str, ...]]:
    """Return the platforms of each running node in what `docker buildx inspect` prints. A trailing * marks a fixed one."""
    found: dict[str, tuple[str, ...]] = {}
    name, running = "", False
    for line in text.partition("Nodes:")[2].splitlines():
        label, _colon, value = line.partition(":")
        value = value.strip()
        if label == "Name":
            name, running = value, False
        elif label == "Status":
            running = value == "running"
        elif label == "Platforms" and running:
            listed = [item.strip().removesuffix("*") for item in value.split(",") if item.strip()]
            found[name] = tuple(dict.fromkeys(normal_platform(item) for item in listed))
    return found


def parse_statuses(text: str) -> dict[str, str]:
    """Return the status of each node in what `docker buildx inspect` prints. A node that failed has none."""
    found: dict[str, str] = {}
    name = ""
    for line in text.partition("Nodes:")[2].splitlines():
        label, _colon, value = line.partition(":")
        if label == "Name":
            name = value.strip()
        elif label == "Status":
            found[name] = value.strip()
    return found
