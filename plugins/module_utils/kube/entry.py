# SPDX-License-Identifier: GPL-3.0-or-later
"""The three entries of one context, found in the user's kubeconfig files and checked, so that all trouble has a sentence."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import InputError
from ..core.options import suggestion
from ..core.secrecy.patterns import without_logins
from .edit import LISTS
from .kubeconfig import load
from .yaml_rules import Number

_FILES = ("certificate-authority", "client-certificate", "client-key")


@dataclass(frozen=True)
class Entry:
    """What the kubeconfig says of one context, with whole paths. Secrets never show in a representation."""

    context: str
    cluster: Mapping[str, Any] = field(repr=False)
    user: Mapping[str, Any] = field(repr=False)

    @property
    def server(self) -> str:
        """The address of the API server."""
        return str(self.cluster["server"]).rstrip("/")

    def refused(self, why: str, remedy: str = "Repair the kubeconfig.") -> InputError:
        """Return a failure of this context."""
        return InputError(f"use kube context '{self.context}'", why, remedy)


def kubeconfig_paths(option: str, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files that kubectl would read: the option, else KUBECONFIG (a list), else ~/.kube/config."""
    if option:
        return (_at_home(option),)
    listed = [part for part in environment.get("KUBECONFIG", "").split(":") if part]
    if listed:
        return tuple(map(_at_home, listed))
    return (_at_home(environment.get("HOME") or "~") / ".kube" / "config",)


def find_entry(context: str, paths: Sequence[Path]) -> Entry:
    """Return the entries of a context; in several files the first one wins. Raises InputError when it isn't declared."""
    documents = [(path, _plain(load(path))) for path in paths]
    shown = ", ".join(map(str, paths))
    remedy = f"Start the profile that makes it (colima writes the context when Kubernetes starts), or name another of {shown}."
    found, _home = _find(documents, "contexts", context)
    if found is None:
        known = _context_names(document for _path, document in documents)
        said = f"known are {', '.join(known)}" if known else "there are no contexts"
        near = suggestion(context, known).strip()
        raise InputError(f"find kube context '{context}'", f"{said} in {shown}", near or remedy, missing_context=True)
    cluster, cluster_home = _find(documents, "clusters", str(found.get("cluster", "")))
    if not cluster or not cluster.get("server"):
        raise InputError(f"use kube context '{context}'", f"its cluster '{found.get('cluster')}' has no server", remedy)
    user, user_home = _find(documents, "users", str(found.get("user", "")))
    entry = Entry(context, _whole(cluster, cluster_home), _whole(user or {}, user_home))
    _check(entry)
    if "tokenFile" in entry.user:
        # As in kubectl, it beats a token.
        return Entry(context, entry.cluster, {**entry.user, "token": _token(entry)})
    return entry


def context_names(paths: Sequence[Path]) -> list[str]:
    """Return the names of all contexts that the files declare."""
    return _context_names(_plain(load(path)) for path in paths)


def _context_names(documents: Iterable[Any]) -> list[str]:
    return sorted({str(item["name"]) for document in documents for item in _named(document, "contexts")})


def _check(entry: Entry) -> None:
    """Raise InputError for what would fail later in other words, or be half of what was asked for."""
    server, proxy = entry.server, str(entry.cluster.get("proxy-url") or "")
    if not _is_address(server, "http", "https"):
        raise entry.refused(f"its server '{without_logins(server)}' is not an address", "Correct it.")
    if proxy and not _is_address(proxy, "http", "https", "socks5"):
        raise entry.refused(
            f"proxy-url '{without_logins(proxy)}' is not an http, https or socks5 proxy",
            "Use such a proxy for this cluster, or a context without one.",
        )
    unsupported = [key for key in ("as-groups", "as-uid", "as-user-extra") if entry.user.get(key)]
    if unsupported:
        raise entry.refused(f"its user has '{unsupported[0]}', and only 'as' is supported", "Use a context without it.")
    for part in (entry.cluster, entry.user):
        for key in _FILES:
            _check_content(entry, part, key)


def _check_content(entry: Entry, part: Mapping[str, Any], key: str) -> None:
    inline, path = part.get(f"{key}-data"), part.get(key)
    try:
        if inline:
            base64.b64decode(str(inline), validate=True)
        elif path:
            Path(path).open("rb").close()
    except (OSError, ValueError) as error:
        why = f"{key}-data is not base64" if inline else f"the file {path} can't be read"
        raise entry.refused(why) from error


def _token(entry: Entry) -> str:
    path = entry.user["tokenFile"]
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise entry.refused(f"the token file {path} can't be read", "Repair it.") from error


def _is_address(url: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(url)
        # Only these look at the port, and at what a name server could be asked for.
        return parts.scheme in schemes and bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:
        return False


def _named(document: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    items = document.get(section)
    return [item for item in items if isinstance(item, dict) and "name" in item] if isinstance(items, list) else []


def _find(documents: Sequence[tuple[Path, dict[str, Any]]], section: str, name: str) -> tuple[dict[str, Any] | None, Path]:
    """Return the entry of a name and the directory that its relative paths start from; the first file wins."""
    for path, document in documents:
        for item in _named(document, section):
            # YAML reads some names as numbers.
            if str(item["name"]) == name:
                value = item.get(LISTS[section])
                return (value if isinstance(value, dict) else {}), path.parent
    return None, Path()


def _whole(part: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """Return an entry whose paths start from the root: they start from the kubeconfig's directory."""
    kept = {key: value for key, value in part.items() if value not in (None, "")}
    program = kept.get("exec")
    if isinstance(program, dict) and "/" in str(program.get("command")):
        kept["exec"] = {**program, "command": str(home / _at_home(str(program["command"])))}
    return kept | {key: str(home / _at_home(str(kept[key]))) for key in (*_FILES, "tokenFile") if key in kept}


def _plain(value: Any) -> Any:
    """Return a value in which numbers are texts, as they are written."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _at_home(path: str) -> Path:
    # Not Path.expanduser, which raises for an unknown user.
    return Path(os.path.expanduser(path))  # noqa: PTH111
