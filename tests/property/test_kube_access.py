# SPDX-License-Identifier: GPL-3.0-or-later
"""Our choice of context, server and credentials is that of the kubernetes package, for kubeconfigs in one or several files."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.kube.access import read_access
from hypothesis import given
from hypothesis import strategies as some
from kubernetes.client import Configuration
from kubernetes.config import load_kube_config

names = some.sampled_from(["one", "two", "1e5", "y"])
clusters = some.fixed_dictionaries(
    {"server": some.sampled_from(["https://10.0.0.1:6443", "https://work/", "http://127.0.0.1:8080", "https://h/prefix/"])},
    optional={
        "tls-server-name": some.just("k3s"),
        "insecure-skip-tls-verify": some.booleans(),
        "proxy-url": some.sampled_from(["http://proxy:3128", "https://me:secret@proxy:3129"]),
    },
)
users = some.fixed_dictionaries(
    {},
    optional={
        "token": some.sampled_from(["t", "12345e6"]),
        "username": some.sampled_from(["me", "y"]),
        "password": some.sampled_from(["p", "1e3"]),
    },
)


def section(plural: str, contents: some.SearchStrategy[Any]) -> some.SearchStrategy[list[dict[str, Any]]]:
    kind = plural[:-1]
    entries = some.builds(lambda name, content: {"name": name, kind: content}, names, contents)
    return some.lists(entries, max_size=4, unique_by=lambda entry: str(entry["name"]))


contexts = some.fixed_dictionaries({"cluster": names, "user": names})
files = some.fixed_dictionaries(
    {"clusters": section("clusters", clusters), "users": section("users", users), "contexts": section("contexts", contexts)}
)


def theirs(paths: list[Path], context: str) -> Configuration | None:
    """Return the settings that the package finds, or None where it finds none."""
    settings = Configuration(proxy="", no_proxy="")
    try:
        load_kube_config(":".join(map(str, paths)), context, settings, persist_config=False)
    except Exception:
        return None
    return settings


@given(some.lists(files, min_size=1, max_size=3), names)
def test_context_server_and_credentials_are_those_of_the_kubernetes_package(documents: list[Any], context: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, str(number)) for number in range(len(documents))]
        for path, document in zip(paths, documents, strict=True):
            path.write_text(yaml.safe_dump(document).replace("1e5", "'1e5'").replace("''1e5''", "'1e5'"))
        expected = theirs(paths, context)
        try:
            access = read_access(context, paths)
        except WorkstationError:
            assert expected is None
            return
        assert expected is not None
        found = access.settings
        assert (found.host, found.proxy or None) == (expected.host, expected.proxy or None)
        assert (found.verify_ssl, found.tls_server_name) == (expected.verify_ssl, expected.tls_server_name)
        user = expected.api_key.get("BearerToken") or ""
        # kubectl sends a user without a password, too.
        basic = access.authorization.startswith("Basic ") and base64.b64decode(access.authorization[6:]).endswith(b":")
        assert access.authorization == user or basic
