# SPDX-License-Identifier: GPL-3.0-or-later
"""What all docker modules share: the command, docker's directory, and reading its config.json. Writes nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.command import Cli
from ..core.errors import InputError

HOW_TO_INSTALL = "Install the docker command ('brew install docker', or your system's docker CLI package)."

# They would silently redirect or rename what is asked of a context that is named explicitly.
_REDIRECTING = ("DOCKER_HOST", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "BUILDX_BUILDER")


def docker_cli(environment: Mapping[str, str | None] | None = None) -> Cli:
    """Return the docker command, free of variables that redirect it. DOCKER_CONFIG stays."""
    # Old docker commands do nothing at all while the current context is gone, not even choose another one.
    return Cli("docker", HOW_TO_INSTALL, {**dict.fromkeys(_REDIRECTING), "DOCKER_CONTEXT": "default", **(environment or {})})


def docker_directory(environment: Mapping[str, str], home: str) -> Path:
    """Return the directory of docker's configuration, as the docker command finds it."""
    return Path(environment.get("DOCKER_CONFIG") or os.path.join(home, ".docker"))  # noqa: PTH118 - a string is joined


def config_file(directory: Path) -> Path:
    """Return the path of config.json."""
    return directory / "config.json"


def parse_config(text: str, where: str) -> dict[str, Any]:
    """Return the settings. Raises InputError when docker could not read them either.

    docker itself only warns of a file that it can't read, and its next write replaces everything in it: logins included.
    """
    if not text.strip():
        return {}
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise InputError(
            f"Could not read docker's configuration '{where}': {error}. Repair the file by hand; "
            "docker would replace all of it at its next write."
        ) from error
    if not isinstance(settings, dict):
        raise InputError(f"Could not read docker's configuration '{where}': it holds no JSON object. Repair the file by hand.")
    return settings


def read_config(directory: Path) -> dict[str, Any]:
    """Return docker's settings, empty when there is no file."""
    path = config_file(directory)
    try:
        return parse_config(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(
            f"Could not read docker's configuration '{path}': {reason}. Make the file readable, then run again."
        ) from error


def current_context(directory: Path) -> str:
    """Return the name of the current context, empty when none was chosen. Raises InputError."""
    return str(read_config(directory).get("currentContext") or "")


def context_directory(directory: Path, name: str) -> Path:
    """Return the directory of a context's entry: docker names it by the digest of the context's name."""
    return directory / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()


def context_host(directory: Path, name: str) -> str:
    """Return the address of a context's engine; empty when there is no such context, or it does not tell."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        data = json.loads((context_directory(directory, name) / "meta.json").read_text(errors="replace"))
        return str((data.get("Endpoints") or {}).get("docker", {}).get("Host") or "")
    return ""
