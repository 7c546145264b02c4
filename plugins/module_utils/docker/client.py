# SPDX-License-Identifier: GPL-3.0-or-later
"""What all docker modules share: the command, docker's directory, and reading its config.json. Writes nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import CommandFailed, InputError, TimedOut, file_trouble
from ..core.system.command import Cli
from ..core.system.files import moved_away

# They would silently redirect or rename what is asked of a context that is named explicitly.
_REDIRECTING = ("DOCKER_HOST", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "BUILDX_BUILDER")


def docker_cli(environment: Mapping[str, str | None] | None = None) -> Cli:
    """Return the docker command, free of variables that redirect it. DOCKER_CONFIG stays."""
    # Old docker commands do nothing at all while the current context is gone, not even choose another one.
    return Cli("docker", "", {**dict.fromkeys(_REDIRECTING), "DOCKER_CONTEXT": "default", **(environment or {})})


def docker_directory(environment: Mapping[str, str], home: str) -> Path:
    """Return the directory of docker's configuration, as the docker command finds it."""
    return Path(environment.get("DOCKER_CONFIG") or os.path.join(home, ".docker"))  # noqa: PTH118 - a string is joined


def config_file(directory: Path) -> Path:
    """Return the path of config.json."""
    return directory / "config.json"


def docker_failed(what: str, failure: CommandFailed, remedy: str) -> CommandFailed:
    """Return a failed docker command as a failure of what it was for, with docker's own reason."""
    # A time-out says itself what took too long; of a refusal only docker knows the reason.
    message = str(failure.context.get("stderr") or "").strip().rpartition("\n")[2].removeprefix("ERROR: ").rstrip(".")
    reason = failure.reason if isinstance(failure, TimedOut) or not message else message
    if "no space left on device" in reason.lower():
        remedy = "Free some disk space, and run again."
    return type(failure)(what, reason, remedy, **failure.context)


def parse_config(text: str, where: str) -> dict[str, Any]:
    """Return the settings. Raises InputError for what docker can't read, or what could not be written again as it is.

    docker itself only warns of a file that it can't read, and its next write replaces everything in it: logins included.
    """
    what, remedy = (
        f"read docker's configuration '{where}'",
        "Repair the file by hand; docker would replace all of it at its next write. Or move it away, with the log-ins in it: "
        f"{moved_away(Path(where))}",
    )
    if not text.strip():
        return {}
    try:
        settings = json.loads(text, parse_float=_number, parse_constant=_number)
    except RecursionError:
        raise InputError(what, "it is nested too deeply", remedy) from None
    except ValueError as error:
        raise InputError(what, str(error), remedy) from error
    if not isinstance(settings, dict):
        raise InputError(what, "it holds no JSON object", remedy)
    return settings


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is out of range")
    return number


def read_config(directory: Path) -> dict[str, Any]:
    """Return docker's settings, empty where the file is missing."""
    path = config_file(directory)
    what, remedy = f"read docker's configuration '{path}'", "Make the file readable, then run again."
    if path.is_dir():
        raise InputError(what, "it is a directory", f"Move it away: {moved_away(path)}")
    try:
        return parse_config(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise file_trouble(what, error, remedy) from error
    except UnicodeDecodeError as error:
        raise InputError(what, "it is not UTF-8", remedy) from error


def current_context(directory: Path) -> str:
    """Return the name of the current context, empty when none was chosen. Raises InputError."""
    return str(read_config(directory).get("currentContext") or "")


def context_directory(directory: Path, name: str) -> Path:
    """Return the directory of a context's entry: docker names it by the digest of the context's name."""
    return directory / "contexts" / "meta" / hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()


def context_host(directory: Path, name: str) -> str:
    """Return the address of a context's engine; empty for an unknown context, or one without an address."""
    return _entry(context_directory(directory, name))[1]


def context_hosts(directory: Path) -> dict[str, str]:
    """Return the address of each context's engine, by the context's name; what can't be read is left out."""
    entries = map(_entry, (directory / "contexts" / "meta").glob("*"))
    return {name: host for name, host in entries if name}


def _entry(place: Path) -> tuple[str, str]:
    """Return name and engine's address in the entry of a context; empty where it does not tell."""
    with contextlib.suppress(OSError, ValueError, AttributeError, RecursionError):
        data = json.loads((place / "meta.json").read_text(errors="replace"))
        return str(data.get("Name") or ""), str((data.get("Endpoints") or {}).get("docker", {}).get("Host") or "")
    return "", ""
