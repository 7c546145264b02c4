# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of docs/network.md, with a real registry; tests/machines/test_network.py pulls through it in VMs."""

from __future__ import annotations

import json

import pytest

from rehearsal.engines import find
from rehearsal.processes.system import comes_true
from tests.support.network.hub_cache import IMAGE, hub_cache, request

pytestmark = pytest.mark.skipif(find("docker-registry") is None, reason="docker-registry missing: run make engines")


def pull(url: str) -> list[bytes]:
    """Return the settings and the layers of the image."""
    manifest = json.load(request("GET", f"{url}/v2/{IMAGE}/manifests/latest"))
    parts = [manifest["config"], *manifest["layers"]]
    return [request("GET", f"{url}/v2/{IMAGE}/blobs/{part['digest']}").read() for part in parts]


def test_what_one_vm_has_pulled_comes_from_the_cache() -> None:
    with hub_cache() as cache:
        image = pull(cache.url)
        assert len(image) == 2 and comes_true(cache.is_filled, 20)
        cache.hub.kill()
        assert pull(cache.url) == image
