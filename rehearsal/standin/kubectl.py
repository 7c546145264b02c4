# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for kubectl where it is missing: what colima calls (`config ...`) and `get`, nothing else."""

from __future__ import annotations

import base64
import json
import os
import ssl
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

VERSION = "v1.36.3"
EMPTY: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [],
    "contexts": [],
    "current-context": "",
    "preferences": {},
    "users": [],
}
DELETES = {"delete-context": "contexts", "delete-cluster": "clusters", "delete-user": "users"}
LISTS = ("clusters", "contexts", "users")
PLURALS = {
    "ns": "namespaces",
    "namespace": "namespaces",
    "secret": "secrets",
    "sa": "serviceaccounts",
    "po": "pods",
    "pod": "pods",
}
VALUE_FLAGS = {"-n", "--namespace", "-o", "--output", "--context", "--kubeconfig", "-l", "--selector", "--request-timeout"}
SHORT = {"-n": "--namespace", "-o": "--output", "-l": "--selector", "-A": "--all-namespaces"}


class Refused(Exception):
    """kubectl's answer is an error."""


def files(flags: dict[str, str]) -> list[Path]:
    """The kubeconfig files, as kubectl looks for them."""
    if given := flags.get("--kubeconfig"):
        return [Path(given)]
    listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return listed or [Path(os.environ.get("HOME", "")) / ".kube" / "config"]


def load(path: Path) -> dict[str, Any]:
    """One file; a missing one is empty."""
    import yaml

    if not path.exists():
        return {}
    try:
        found = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise Refused(f"error loading config file {json.dumps(str(path))}: {error}") from None
    return dict(found)


def merged(paths: Sequence[Path]) -> dict[str, Any]:
    """All files merged; the first with an entry wins."""
    result = {key: list(value) if isinstance(value, list) else value for key, value in EMPTY.items()}
    for path in paths:
        found = load(path)
        for key in LISTS:
            have = {entry["name"] for entry in result[key]}
            result[key] += [entry for entry in found.get(key) or [] if entry["name"] not in have]
        result["current-context"] = result["current-context"] or found.get("current-context") or ""
    for key in LISTS:
        result[key].sort(key=lambda entry: str(entry["name"]))
    return result


def save(path: Path, config: dict[str, Any]) -> None:
    """Write one file, readable by its owner only."""
    import yaml

    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump({**EMPTY, **config}))


def config_command(words: list[str], flags: dict[str, str]) -> str:
    """`kubectl config ...`; returns what it prints."""
    verb, *rest = words or [""]
    paths = files(flags)
    whole = merged(paths)
    if verb == "view":
        import yaml

        return yaml.safe_dump(whole if "--raw" in flags else redacted(whole))
    if verb == "current-context":
        if not whole["current-context"]:
            raise Refused("error: current-context is not set")
        return f"{whole['current-context']}\n"
    if verb == "get-contexts":
        if flags.get("-o", flags.get("--output")) == "name":
            return "".join(f"{entry['name']}\n" for entry in whole["contexts"])
        return contexts_table(whole)
    if verb == "use-context":
        if rest[0] not in [entry["name"] for entry in whole["contexts"]]:
            raise Refused(f'error: no context exists with the name: "{rest[0]}"')
        save(paths[0], {**load(paths[0]), "current-context": rest[0]})
        return f'Switched to context "{rest[0]}".\n'
    if verb in DELETES or verb == "unset":
        return unset(paths[0], rest[0]) if verb == "unset" else delete(paths[0], verb, rest[0])
    raise Refused(f"error: unknown command {json.dumps(' '.join(['config', *words]))} (the rehearsal's kubectl)")


def contexts_table(whole: dict[str, Any]) -> str:
    """What `kubectl config get-contexts` prints: columns three spaces apart, the last one not padded."""
    rows = [("CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE")]
    for entry in whole["contexts"]:
        inner = entry["context"]
        mark = "*" if entry["name"] == whole["current-context"] else ""
        rows.append((mark, entry["name"], inner.get("cluster", ""), inner.get("user", ""), inner.get("namespace", "")))
    widths = [max(len(row[column]) for row in rows) + 3 for column in range(4)]
    lines = ("".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)) + row[4] for row in rows)
    return "".join(f"{line}\n" for line in lines)


def delete(path: Path, verb: str, name: str) -> str:
    """Remove one entry from the file. Raises Refused for a missing entry."""
    config, kind = load(path), DELETES[verb]
    entries = config.get(kind) or []
    if name not in [entry["name"] for entry in entries]:
        raise Refused(f"error: cannot delete {verb.removeprefix('delete-')} {name}, not in {path}")
    save(path, {**config, kind: [entry for entry in entries if entry["name"] != name]})
    shown = f'"{name}"' if verb == "delete-context" else name
    return f"deleted {verb.removeprefix('delete-')} {shown} from {path}\n"


def unset(path: Path, name: str) -> str:
    """Remove a property or one named entry from the first file."""
    config = load(path)
    kind, _, entry = name.partition(".")
    if not entry:
        config.pop(kind, None)
    elif config.get(kind):
        config[kind] = [one for one in config[kind] if one["name"] != entry]
    if path.exists():
        save(path, config)
    return f'Property "{name}" unset.\n'


def redacted(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without its secrets."""
    copy: dict[str, Any] = json.loads(json.dumps(config))
    for kind in ("clusters", "users"):
        for entry in copy[kind]:
            inner = entry.get(kind[:-1]) or {}
            for key in inner:
                if key.endswith("-data") or key == "token":
                    inner[key] = "DATA+OMITTED" if key.startswith("certificate-authority") else "REDACTED"
    return copy


def fetch(path: str, flags: dict[str, str]) -> Any:
    """GET a path of the API of the chosen context."""
    config = merged(files(flags))
    name = flags.get("--context") or config["current-context"]
    contexts = {entry["name"]: entry["context"] for entry in config["contexts"]}
    if name not in contexts:
        raise Refused(f'error: context "{name}" does not exist')
    cluster = next(entry["cluster"] for entry in config["clusters"] if entry["name"] == contexts[name]["cluster"])
    user = next(entry["user"] for entry in config["users"] if entry["name"] == contexts[name]["user"])
    handlers: list[Any] = [urllib.request.ProxyHandler({})]
    if cluster["server"].startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=tls(cluster, user)))
    request = urllib.request.Request(cluster["server"] + path)  # noqa: S310 - the cluster's own address
    if user.get("token"):
        request.add_header("Authorization", f"Bearer {user['token']}")
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        status = json.loads(error.read() or b"{}")
        raise Refused(f"Error from server ({status.get('reason', error.code)}): {status.get('message', '')}") from None
    except OSError as error:
        raise Refused(f"Unable to connect to the server: {error}") from None


def tls(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    """The TLS settings of a context."""
    authority = cluster.get("certificate-authority-data")
    context = ssl.create_default_context(cadata=base64.b64decode(authority).decode() if authority else None)
    if user.get("client-certificate-data"):
        with tempfile.NamedTemporaryFile() as file:
            file.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
            file.flush()
            context.load_cert_chain(file.name)
    return context


def get_command(words: list[str], flags: dict[str, str]) -> str:
    """`kubectl get KIND [NAME]`; returns what it prints."""
    kind, _, name = (words[0] if words else "").partition("/")
    name = name or (words[1] if len(words) > 1 else "")
    kind = PLURALS.get(kind, kind if kind.endswith("s") else f"{kind}s")
    namespace = f"/namespaces/{flags.get('--namespace', 'default')}"
    where = "" if kind in ("namespaces", "nodes") or "--all-namespaces" in flags else namespace
    found = fetch(f"/api/v1{where}/{kind}" + (f"/{name}" if name else ""), flags)
    form = flags.get("--output", "")
    if form == "json":
        return json.dumps(found, indent=4) + "\n"
    items = found.get("items", [found])
    if form == "name":
        return "".join(f"{kind[:-1]}/{item['metadata']['name']}\n" for item in items)
    return "NAME\n" + "".join(f"{item['metadata']['name']}\n" for item in items)


def version_text(flags: dict[str, str]) -> str:
    """What `kubectl version --client` prints."""
    if flags.get("--output") != "json":
        return f"Client Version: {VERSION}\n"
    return json.dumps({"clientVersion": {"major": "1", "minor": "36", "gitVersion": VERSION}}, indent=2) + "\n"


def split(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Words and flags."""
    words: list[str] = []
    flags: dict[str, str] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            words.append(word)
            continue
        name, equals, value = word.partition("=")
        if name in VALUE_FLAGS and not equals:
            value = rest.pop(0) if rest else ""
        flags[SHORT.get(name, name)] = value
    return words, flags


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words, flags = split(sys.argv[1:] if argv is None else argv)
    verb, *rest = words or ["help"]
    try:
        if verb == "config":
            out = config_command(rest, flags)
        elif verb == "get":
            out = get_command(rest, flags)
        elif verb == "version":
            out = version_text(flags)
        else:
            raise Refused(f'error: unknown command "{verb}" for the rehearsal\'s kubectl: install kubectl, or run make engines')
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    sys.stdout.write(out)
    return 0
