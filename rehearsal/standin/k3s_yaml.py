# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubeconfig that k3s writes for its administrator, in which every name is 'default'. All stand-ins for k3s use it."""

from __future__ import annotations

from collections.abc import Mapping


def k3s_yaml(port: int, user: Mapping[str, str], ca: str = "") -> str:
    """Return its exact text; user has the credentials as they are in the file."""
    authority = f"    certificate-authority-data: {ca}\n" if ca else ""
    credentials = "".join(f"    {key}: {value}\n" for key, value in user.items())
    return f"""\
apiVersion: v1
clusters:
- cluster:
{authority}    server: https://127.0.0.1:{port}
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
users:
- name: default
  user:
{credentials}"""
