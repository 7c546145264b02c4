# SPDX-License-Identifier: GPL-3.0-or-later
"""Who in the running guests of a laptop reaches an address."""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.config_maps import ConfigMapPlace
from ansible_collections.laptop.containers.plugins.module_utils.network.ask import ask_all

from tests.support.colima.real_machines import Machines

Cells = dict[tuple[str, str], str]


def matrix(laptop: Machines, url: str, pods: Collection[ConfigMapPlace] = ()) -> Cells:
    """Return how far each consumer in a guest comes, and what its tool said, by consumer and profile. pods: what they take."""
    colima = Colima(laptop.paths, laptop.environment)
    rows = [row for row in colima.rows() if row.status == "Running"]
    found = ask_all(colima, rows, [url], {}, "", pods=pods)
    return {(cell.consumer.value, cell.profile): f"{cell.kind.value} {cell.detail}".strip() for cell in found if cell.profile}


def kinds(found: Cells) -> Cells:
    """Return how far each consumer comes."""
    return {cell: text.partition(" ")[0] for cell, text in found.items()}
