# SPDX-License-Identifier: GPL-3.0-or-later
"""A builder, stored or made up for a docker context, and how one is found."""

from __future__ import annotations

from typing import Any

from ..config import DEFAULT_CONTEXT, Client
from ..flags import Exit
from . import nodes
from .nodes import Failure, Node
from .store import Group, Store


class Builder:
    """A builder, stored or made up for a docker context, with its nodes once they were loaded."""

    def __init__(self, client: Client, group: Group, activity: str = "", context: bool = False) -> None:
        self.client = client
        self.group = group
        self.activity = activity
        self.context = context
        self.driver = str(group["Driver"])
        self.nodes: list[Node] = []
        self.error = ""

    @property
    def name(self) -> str:
        return str(self.group["Name"])

    def load(self) -> Builder:
        """Find the state of every node."""
        if not self.driver:
            try:
                nodes.ask(nodes.engine_of(self.client, self.group["Nodes"][0]["Endpoint"]), "GET", "/_ping")
            except Failure as failure:
                self.error = str(failure)
                self.nodes = [Node({"Name": "", "Endpoint": ""}, "")]
                return self
            self.driver = "docker"
        self.nodes = [nodes.load(self.client, stored, self.driver) for stored in self.group["Nodes"]]
        return self

    def as_json(self, current: str) -> dict[str, Any]:
        fields = {
            "Current": self.name == current,
            "Driver": self.driver,
            "Dynamic": False,
            "LastActivity": self.activity,
            "Name": self.name,
            "Nodes": [node.as_json() for node in self.nodes],
        }
        return {**fields, "Err": self.error} if self.error else fields


def key_of(client: Client) -> str:
    """Return what the current builder is remembered by: the context's name, or the address of the default one."""
    return client.default_host if client.current == DEFAULT_CONTEXT else client.current


def find(client: Client, store: Store, name: str) -> Builder:
    """Return a builder by name, or the current one. Raises Exit when there is none."""
    group = store.current(key_of(client)) if not name else _stored(store, name)
    if group:
        return Builder(client, group, store.activity(group["Name"]))
    name = name or client.current
    if name != DEFAULT_CONTEXT and not client.store.exists(name):
        raise Exit(f'ERROR: no builder "{name}" found\n')
    node = {"Name": name, "Endpoint": name, "Platforms": None, "DriverOpts": None, "Flags": None, "Files": None}
    group = {"Name": name, "Driver": "", "Nodes": [node], "Dynamic": False}
    return Builder(client, group, store.activity(name), context=True)


def _stored(store: Store, name: str) -> Group | None:
    try:
        return store.find(name)
    except Exit as error:
        if "invalid name" in error.text:
            return None
        raise
