# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizing: what each profile gets, and when the answer is no."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Host
from ansible_collections.laptop.containers.plugins.module_utils.colima.sizing import Capacity, Size, SizeSpec, sized, sizes
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from hypothesis import given
from hypothesis import strategies as st

GIB = 1024
TWO = [SizeSpec("k8s"), SizeSpec("docker-buildx")]


@pytest.mark.parametrize(
    ("cpus", "memory_gib", "expected"),
    [
        pytest.param(12, 36, Size(4, 12), id="a third each of 12 CPUs and 36 GiB"),
        pytest.param(2, 4, Size(1, 1), id="never less than one"),
        pytest.param(8, 16, Size(2, 5), id="rounded down to whole CPUs and GiB"),
        pytest.param(10, 32, Size(3, 10), id="10 CPUs and 32 GiB"),
    ],
)
def test_two_profiles_get_a_third_each(cpus: int, memory_gib: int, expected: Size) -> None:
    assert sizes(Capacity(cpus, memory_gib * GIB), TWO) == {"k8s": expected, "docker-buildx": expected}


def test_weights_share_the_laptop_with_the_host() -> None:
    got = sizes(Capacity(12, 48 * GIB), [SizeSpec("k8s", weight=2), SizeSpec("docker-buildx")])
    assert got == {"k8s": Size(6, 24), "docker-buildx": Size(3, 12)}


def test_an_absolute_size_does_not_resize_the_other_profile() -> None:
    got = sizes(Capacity(12, 36 * GIB), [SizeSpec("k8s", cpu=2, memory=3.5), SizeSpec("docker-buildx")])
    assert got == {"k8s": Size(2, 3.5), "docker-buildx": Size(4, 12)}


def test_the_hosts_own_weight_keeps_more_for_the_laptop() -> None:
    assert sizes(Capacity(12, 36 * GIB, weight=2), TWO)["k8s"] == Size(3, 9)


@pytest.mark.parametrize(
    ("host", "specs", "message"),
    [
        pytest.param(Capacity(1, 8 * GIB), TWO, "together they need 2 CPUs, and this laptop has 1", id="one CPU"),
        pytest.param(Capacity(4, 2 * GIB), TWO, "together they need 2 GiB of memory, and this laptop has 2 GiB", id="reserve"),
        pytest.param(
            Capacity(4, 8 * GIB), [SizeSpec("a", cpu=3), SizeSpec("b", cpu=2)], "together they need 5 CPUs", id="absolute CPUs"
        ),
        pytest.param(
            Capacity(4, 8 * GIB), [SizeSpec("a", memory=7.5)], "size profile 'a': it needs 7.5 GiB", id="absolute memory"
        ),
        pytest.param(Capacity(4, 8 * GIB), [SizeSpec("a", cpu=0)], "profile 'a': its cpu is 0", id="zero CPUs"),
        pytest.param(Capacity(4, 8 * GIB), [SizeSpec("a", memory=-1)], "profile 'a': its memory is -1", id="negative memory"),
        pytest.param(Capacity(4, 8 * GIB), [SizeSpec("a", weight=0)], "profile 'a': its weight is 0", id="zero weight"),
        pytest.param(
            Capacity(4, 8 * GIB), [SizeSpec("a"), SizeSpec("a")], "profile 'a': it is listed 2 times", id="listed twice"
        ),
        pytest.param(Capacity(0, 8 * GIB), TWO, "seems to have 0 CPUs", id="a host without CPUs"),
    ],
)
def test_what_does_not_fit_is_refused(host: Capacity, specs: list[SizeSpec], message: str) -> None:
    with pytest.raises(InputError) as caught:
        sizes(host, specs)
    assert message in caught.value.message


def host(cpus: int, gib: int) -> Host:
    return Host(cpus=cpus, memory_mib=gib * GIB)


def test_profiles_keep_their_other_settings() -> None:
    (got,) = sized([{"name": "k8s", "runtime": "containerd", "weight": 2.0}], host(6, 12), None)
    assert got == {"name": "k8s", "runtime": "containerd", "weight": 2.0, "cpu": 4, "memory": 8}


@pytest.mark.parametrize("state", ["stopped", "present"])
def test_a_profile_that_is_not_started_keeps_its_share(state: str) -> None:
    both = sized([{"name": "k8s"}, {"name": "docker-buildx"}], host(12, 36), 1.0)
    other = [{"name": "k8s", "state": state}, {"name": "docker-buildx"}]
    assert sized(other, host(12, 36), 1.0) == [{**both[0], "state": state}, both[1]]


def test_a_stopped_profile_leaves_room_for_an_absolute_size() -> None:
    profiles: list[dict[str, Any]] = [{"name": "k8s", "state": "stopped"}, {"name": "big", "cpu": 11, "memory": 30}]
    assert [profile["cpu"] for profile in sized(profiles, host(12, 36), None)] == [4, 11]
    with pytest.raises(InputError, match="together they need 15 CPUs"):
        sized([{**profiles[0], "state": "started"}, profiles[1]], host(12, 36), None)


def test_a_profile_that_goes_takes_nothing() -> None:
    got = sized([{"name": "old", "state": "absent"}, {"name": "k8s"}], host(4, 8), None)
    assert got == [{"name": "old", "state": "absent"}, {"name": "k8s", "cpu": 2, "memory": 4}]


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400])
@pytest.mark.parametrize("key", ["cpu", "memory", "weight"])
def test_a_size_that_is_endless_or_nothing_is_named(key: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"size profile 'k8s': its {key} is too large\. Use a number"):
        sized([{"name": "k8s", key: value}], host(4, 8), None)


@given(
    cpus=st.integers(1, 256),
    memory=st.integers(512, 1024 * GIB),
    weights=st.lists(st.floats(0.1, 10), min_size=1, max_size=6),
    host_weight=st.floats(0, 10),
)
def test_the_sum_never_exceeds_the_laptop(cpus: int, memory: int, weights: list[float], host_weight: float) -> None:
    laptop = Capacity(cpus, memory, weight=host_weight)
    try:
        got = sizes(laptop, [SizeSpec(f"p{number}", weight=weight) for number, weight in enumerate(weights)])
    except InputError:
        return
    assert sum(size.cpu for size in got.values()) <= cpus
    assert sum(size.memory for size in got.values()) * GIB <= memory - laptop.reserve_memory_mib
    assert all(size.cpu >= 1 and size.memory >= 1 for size in got.values())
