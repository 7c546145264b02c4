# SPDX-License-Identifier: GPL-3.0-or-later
"""What engines print, as items: what the cluster knows is never taken for nameless, and what they leave out is not guessed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.reclaim.items import (
    bytes_of,
    cache_items,
    cluster_items,
    docker_items,
    may_go,
    nerdctl_items,
    seconds_of,
    stopped_at,
)

OLD, USED, PINNED, BY_DIGEST, TAGGED = ("sha256:" + letter * 64 for letter in "abcde")


def test_of_a_clusters_images_only_those_without_name_and_use_go() -> None:
    """As `crictl images` and `crictl ps` print them."""
    nothing: dict[str, Any] = {"repoTags": [], "repoDigests": [], "size": "742092", "pinned": False}
    images = [
        {"id": OLD, **nothing},
        {"id": USED, **nothing},
        {"id": PINNED, **nothing, "pinned": True},
        {"id": BY_DIGEST, **nothing, "repoDigests": ["docker.io/library/web@sha256:00"]},
        {"id": TAGGED, **nothing, "repoTags": ["docker.io/me/app:dev"]},
    ]
    # A pod whose tag was built again runs on with what has no name now.
    boxes = [{"id": "1", "image": {"image": "docker.io/me/app:dev"}, "imageRef": USED, "state": "CONTAINER_RUNNING"}]
    (item,) = cluster_items(images, boxes)
    assert (item.handles, item.size, item.dangling, item.namespace) == ((OLD,), 742092, True, "k8s.io")


def test_an_image_that_was_pulled_by_digest_has_a_name() -> None:
    def row(name: str, tag: str) -> dict[str, str]:
        return {"Name": name, "Tag": tag, "ID": OLD, "Size": "23.99MB", "BlobSize": "8.77MB"}

    rows = [row(f"overlayfs@{OLD}", "<none>"), row(f"docker.io/library/alpine@{USED}", "<none>"), row("docker.io/me/app:1", "1")]
    boxes = [{"ID": "9", "Names": "mine", "Image": "docker.io/me/app:1"}]
    _box, *images = nerdctl_items("default", boxes, rows, [], [])
    assert [(image.dangling, sorted(image.users)) for image in images] == [(True, []), (False, []), (False, ["9"])]
    assert images[0].size == 32_760_000


def test_layers_that_other_images_have_are_not_counted() -> None:
    images = [
        {"Id": OLD, "RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"], "Size": 100, "SharedSize": 60},
        {"Id": USED, "RepoTags": None, "RepoDigests": [], "Size": 100, "SharedSize": -1},
        {"Id": BY_DIGEST, "RepoTags": [], "RepoDigests": ["web@sha256:00"], "Size": 1, "SharedSize": 0},
    ]
    found = list(docker_items({"Images": images}, {}))
    assert [(image.size, image.dangling) for image in found] == [(40, True), (100, True), (1, False)]


@pytest.mark.parametrize(
    ("box", "goes"),
    [
        ({"State": "exited"}, True),
        ({"State": "created"}, True),
        ({"State": "running"}, False),
        ({"State": "paused"}, False),
        ({"State": "restarting"}, False),
        ({"State": "exited", "Labels": {"io.kubernetes.pod.namespace": "team"}}, False),
        ({"State": "exited", "Names": ["/buildx_buildkit_multi0"]}, False),
    ],
)
def test_which_containers_may_go(box: dict[str, Any], goes: bool) -> None:
    assert may_go({"Names": ["/x"], "Labels": None, **box}) is goes


def test_a_container_that_never_ran_counts_from_its_creation() -> None:
    never = {"Created": "2026-11-26T10:00:00.5Z", "State": {"Status": "created", "FinishedAt": "0001-01-01T00:00:00Z"}}
    ended = {**never, "State": {"Status": "exited", "FinishedAt": "2026-11-26T12:00:00.123456789+01:00"}}
    runs = {**never, "State": {"Status": "running", "Running": True, "FinishedAt": "2026-11-26T11:00:00Z"}}
    created = seconds_of("2026-11-26T10:00:00Z")
    assert created is not None
    assert [stopped_at(one) for one in (never, ended, runs)] == [created, created + 3600, None]


def test_docker_and_buildctl_tell_the_same_of_their_cache() -> None:
    time = "2026-11-26T10:00:00.119442012Z"
    of_docker = {"ID": "b", "Parents": ["a"], "InUse": False, "Shared": True, "Size": 7, "CreatedAt": time, "LastUsedAt": None}
    of_buildctl = {"id": "b", "parents": ["a"], "inUse": False, "shared": True, "size": 7, "createdAt": time}
    # Docker before 23 knows one parent only.
    older = {**{key: value for key, value in of_docker.items() if key != "Parents"}, "Parent": "a"}
    root = {"id": "a", "parents": None, "inUse": True, "size": 5, "createdAt": time}
    each = [list(cache_items([root, one])) for one in (of_docker, of_buildctl, older)]
    assert each[0] == each[1] == each[2]
    a, b = each[0]
    assert (a.since, a.children, a.size) == (None, frozenset({"b"}), 5)
    assert (b.since, b.size) == (seconds_of(time), 0)


@pytest.mark.parametrize(
    ("text", "size"),
    [("23.99MB", 23_990_000), ("4.1 KiB", 4198), ("0.0 B", 0), ("12B", 12), ("1.5GiB", 3 << 29), ("", 0), ("-", 0), ("N/A", 0)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert bytes_of(text) == size
