# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's client configuration on disk, read and written as the docker CLI does: config.json and the context store."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from .flags import Exit
from .template import dumps

DEFAULT_HOST = "unix:///var/run/docker.sock"
DEFAULT_CONTEXT = "default"
HOST_SCHEMES = ("unix://", "tcp://", "ssh://", "npipe://", "fd://", "http://", "https://")

# The fields of the real CLI's ConfigFile in its order. It drops every other key when it saves, and so does this one.
KEPT_KEYS = (
    *("auths", "HttpHeaders", "psFormat", "imagesFormat", "networksFormat", "pluginsFormat", "volumesFormat"),
    *("statsFormat", "detachKeys", "credsStore", "credHelpers", "serviceInspectFormat", "servicesFormat", "tasksFormat"),
    *("secretFormat", "configFormat", "nodesFormat", "pruneFilters", "proxies", "currentContext"),
    *("cliPluginsExtraDirs", "plugins", "aliases", "features", "experimental"),
)


def config_dir() -> Path:
    """Return where docker keeps its configuration."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


class ConfigFile:
    """config.json: loaded with a warning if it is broken, saved by an atomic replace that keeps mode and link."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "config.json"
        self.values: dict[str, Any] = {}
        try:
            text = self.path.read_text()
        except OSError:
            return
        try:
            if text.strip():
                # Go's decoder stops after the first value: what follows it is not looked at.
                self.values = dict(json.JSONDecoder().raw_decode(text.lstrip())[0])
        except (ValueError, TypeError) as error:
            sys.stderr.write(f"WARNING: Error parsing config file ({self.path}): {_go_json_error(error, text)}\n")

    @property
    def current_context(self) -> str:
        return str(self.values.get("currentContext") or "")

    def set_current_context(self, name: str) -> None:
        self.values["currentContext"] = name
        self.save()

    def save(self) -> None:
        kept = {key: self.values[key] for key in KEPT_KEYS if self.values.get(key)}
        kept = {"auths": self.values.get("auths") or {}, **{k: v for k, v in kept.items() if k != "auths"}}
        text = dumps({key: _sorted(value) for key, value in kept.items()}, indent="\t")
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_text(text)
        # A relative link is taken from the working directory: the real CLI does so too.
        target = self.path.readlink() if self.path.is_symlink() else self.path
        try:
            if target.exists():
                status = target.stat()
                temporary.chmod(status.st_mode & 0o7777)
                os.chown(temporary, status.st_uid, status.st_gid)
            temporary.rename(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise Exit(f"rename {temporary} {target}: {(error.strerror or '').lower()}\n") from error


def _sorted(value: Any) -> Any:
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, dict) else value


def _go_json_error(error: Exception, text: str) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return "json: cannot unmarshal array into Go value of type configfile.ConfigFile"
    body = text.lstrip()
    if error.pos >= len(body):
        return "unexpected EOF"
    where = "object key string" if "property name" in error.msg else "value"
    if "delimiter" in error.msg:
        return f"invalid character '{body[error.pos]}' after object key:value pair"
    return f"invalid character '{body[error.pos]}' looking for beginning of {where}"


def endpoint(host: str, skip_verify: bool) -> dict[str, Any]:
    """Return an endpoint as it is stored and shown: an empty address is left out."""
    return {**({"Host": host} if host else {}), "SkipTLSVerify": skip_verify}


class ContextStore:
    """contexts/meta/<sha256 of the name>/meta.json, and TLS files beside it under contexts/tls."""

    def __init__(self, directory: Path, default_host: str = DEFAULT_HOST) -> None:
        self.meta = directory / "contexts" / "meta"
        self.tls = directory / "contexts" / "tls"
        self.default_host = default_host

    def meta_dir(self, name: str) -> Path:
        return self.meta / _digest(name)

    def tls_dir(self, name: str) -> Path:
        return self.tls / _digest(name)

    def get(self, name: str) -> dict[str, Any]:
        """Return a context's metadata; raises Exit with the CLI's words when there is none."""
        if name == DEFAULT_CONTEXT:
            host = {"Host": self.default_host, "SkipTLSVerify": False}
            return {"Name": name, "Metadata": {}, "Endpoints": {"docker": host}}
        validate_name(name)
        return self._read(self.meta_dir(name), f'context "{name}": ')

    def _read(self, directory: Path, prefix: str = "") -> dict[str, Any]:
        path = directory / "meta.json"
        try:
            found = json.loads(path.read_text())
        except FileNotFoundError as error:
            message = f"{prefix}context not found: open {path}: no such file or directory\n"
            raise Exit(message) from error
        except ValueError as error:
            raise Exit(f"{prefix}parsing {path}: {_go_json_error(error, path.read_text())}\n") from error
        endpoints = {
            key: endpoint(str(value.get("Host", "")), bool(value.get("SkipTLSVerify")))
            for key, value in (found.get("Endpoints") or {}).items()
        }
        return {"Name": found.get("Name", ""), "Metadata": found.get("Metadata") or {}, "Endpoints": endpoints}

    def all(self) -> list[dict[str, Any]]:
        """Return every context with the default one, in natural order."""
        found = [self.get(DEFAULT_CONTEXT)]
        if self.meta.is_dir():
            for directory in self.meta.iterdir():
                if (directory / "meta.json").is_file():
                    found.append(self._read(directory, "failed to read metadata: "))
        return sorted(found, key=lambda context: natural(context["Name"]))

    def exists(self, name: str) -> bool:
        return (self.meta_dir(name) / "meta.json").exists()

    def save(self, context: dict[str, Any]) -> None:
        directory = self.meta_dir(context["Name"])
        directory.mkdir(parents=True, exist_ok=True)
        temporary = directory / f".tmp-meta.json{os.getpid()}"
        temporary.write_text(dumps(context))
        temporary.rename(directory / "meta.json")

    def tls_files(self, name: str) -> dict[str, list[str]]:
        root = self.tls_dir(name)
        if not root.is_dir():
            return {}
        return {item.name: sorted(entry.name for entry in item.iterdir()) for item in sorted(root.iterdir())}

    def read_tls(self, name: str) -> dict[str, bytes]:
        names = self.tls_files(name).get("docker", [])
        return {item: (self.tls_dir(name) / "docker" / item).read_bytes() for item in names}

    def reset_tls(self, name: str, files: dict[str, bytes]) -> None:
        _remove(self.tls_dir(name))
        if not files:
            return
        directory = self.tls_dir(name) / "docker"
        directory.mkdir(mode=0o700, parents=True)
        for item, content in files.items():
            (directory / item).touch(mode=0o600)
            (directory / item).write_bytes(content)

    def remove(self, name: str) -> None:
        validate_name(name)
        _remove(self.meta_dir(name))
        _remove(self.tls_dir(name))


def _remove(directory: Path) -> None:
    import shutil

    if directory.exists():
        shutil.rmtree(directory)


def _digest(name: str) -> str:
    import hashlib

    return hashlib.sha256(name.encode()).hexdigest()


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that counts digits as numbers: ctx2 before ctx10."""
    key: list[tuple[int, int, str]] = []
    digits = ""
    for char in f"{name}\0":
        if char.isdigit():
            digits += char
            continue
        if digits:
            key.append((ord("0"), int(digits), ""))
            digits = ""
        key.append((ord(char), 0, char))
    return key


def validate_name(name: str) -> None:
    """Refuse what the real store refuses: an empty, a reserved or an ill-formed name."""
    if not name:
        raise Exit("context name cannot be empty\n")
    if name == DEFAULT_CONTEXT:
        raise Exit('"default" is a reserved context name\n')
    allowed = len(name) > 1 and name[0].isascii() and name[0].isalnum()
    if not allowed or not all(char.isascii() and (char.isalnum() or char in "_.+-") for char in name):
        pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$"
        raise Exit(f'context name "{name}" is invalid, names are validated against regexp "{pattern}"\n')


class Client:
    """What every command starts from: the configuration, the chosen context and its endpoint."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.directory = Path(options["config"]) if options.get("config") else config_dir()
        self.hosts: list[str] = options.get("host") or []
        self.asked = str(options.get("context") or "")
        self.config = ConfigFile(self.directory)
        if self.hosts and self.asked:
            raise Exit("conflicting options: cannot specify both --host and --context\n")
        if len(self.hosts) > 1:
            raise Exit("Specify only one -H\n")
        self.default_host = self.hosts[0] if self.hosts else os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        self.store = ContextStore(self.directory, self.default_host)

    @property
    def current(self) -> str:
        """Return the context in force: --context, then -H or DOCKER_HOST, then DOCKER_CONTEXT, then config.json."""
        if self.asked:
            return self.asked
        if self.hosts or os.environ.get("DOCKER_HOST"):
            return DEFAULT_CONTEXT
        return os.environ.get("DOCKER_CONTEXT") or self.config.current_context or DEFAULT_CONTEXT

    def endpoint(self, name: str | None = None) -> str:
        """Return the address of the engine behind a context (the current one if None)."""
        name = self.current if name is None else name
        try:
            context = self.store.get(name)
        except Exit as error:
            raise Exit(f"Failed to initialize: unable to resolve docker endpoint: {error.text}") from error
        host = str(context["Endpoints"].get("docker", {}).get("Host") or DEFAULT_HOST)
        if not host.startswith(HOST_SCHEMES):
            reason = f"invalid bind address format: {host}"
            raise Exit(f"Failed to initialize: unable to resolve docker endpoint: {reason}\n")
        return host
