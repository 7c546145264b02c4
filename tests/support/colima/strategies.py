# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategies for settings, laptops and policies, shared by the properties of the plan and of the stand-in."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Host
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.settings import BY_OPTION, SETTINGS
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.spec import ChangePolicy, ProfileSpec, check
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Name, parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st

from tests.support.test_runs import tiers
from tests.support.test_runs.tiers import times

LONG = settings(
    max_examples=times(20, 200, 20_000),
    derandomize=not tiers.LONG,
    suppress_health_check=list(HealthCheck),
)
# What is read from tools and files.
EDGES = settings(parent=LONG, max_examples=times(40, 400, 20_000))
NAME = parse_name("dev")
APPLE_SILICON = Host("Darwin", "aarch64", "/Users/me", 12, 36864)
INTEL = (Host("Darwin", "x86_64", "/Users/me", 8, 16384), Host("Linux", "x86_64", "/home/me", 8, 16384))
HOSTS = st.sampled_from([APPLE_SILICON, *INTEL])
WORDS = st.text("abcxyz-.=/ :#'\"\n{1e3", max_size=8)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "cpu": st.integers(1, 4),
    "memory": st.sampled_from([1.0, 1.5, 2.0, 4.0]),
    "disk": st.sampled_from([10, 20, 60, 100, 120]),
    "root_disk": st.sampled_from([20, 30]),
    "kubernetes.port": st.sampled_from([0, 6443]),
    "kubernetes.version": st.sampled_from(["v1.35.0+k3s1", "v1.34.0+k3s1"]),
    "kubernetes.k3s_args": st.lists(st.sampled_from(["--disable=traefik", "--x=a,b"]), unique=True),
    "hostname": st.sampled_from(["", "colima-dev", "box"]),
    "cpu_type": st.sampled_from(["", "host", "max"]),
    "network.interface": st.sampled_from(["en0", "en1"]),
    "network.dns": st.lists(st.sampled_from(["1.1.1.1", "::1"]), unique=True),
    "network.dns_hosts": st.dictionaries(st.sampled_from(["a.b", "host.docker.internal"]), st.just("host.lima.internal")),
    "network.gateway_address": st.sampled_from(["192.168.5.2", "10.0.0.2"]),
    "docker": st.dictionaries(
        st.sampled_from(["debug", "x"]), st.one_of(st.booleans(), WORDS, st.lists(WORDS, max_size=2)), max_size=2
    ),
    "ssh_port": st.sampled_from([0, 2222]),
    "mounts": st.sampled_from(
        [
            None,
            [],
            [{"location": "~", "mount_point": "", "writable": True}],
            [{"location": "/srv/", "mount_point": "/data", "writable": False}],
        ]
    ),
    "provision": st.lists(st.fixed_dictionaries({"mode": st.sampled_from(["system", "ready"]), "script": WORDS}), max_size=2),
    "env": st.dictionaries(st.sampled_from(["A", "B"]), WORDS, max_size=2),
    "disk_image": st.sampled_from(["", "/tmp/image"]),
}


# Of a setting that has no row there.
OF_KIND: dict[type, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(1, 3),
    float: st.sampled_from([1.0, 2.5]),
    str: st.sampled_from(["", "a", "b"]),
    list: st.lists(st.sampled_from(["a", "b"]), unique=True),
    dict: st.dictionaries(st.sampled_from(["a", "b"]), WORDS, max_size=2),
}


def value_of(option: str) -> st.SearchStrategy[Any]:
    setting = BY_OPTION[option]
    if option in VALUES:
        return VALUES[option]
    return st.sampled_from(setting.choices) if setting.choices else OF_KIND[setting.kind]


@st.composite
def stated(draw: st.DrawFn, host: Host, most: int = 6, without: Container[str] = ()) -> dict[str, Any]:
    """Settings that this host can do."""
    able = [setting.option for setting in SETTINGS if host.can(setting.needs) and setting.option not in without]
    options = draw(st.lists(st.sampled_from(able), unique=True, max_size=most))
    result = {option: draw(value_of(option)) for option in options}
    try:
        check(ProfileSpec(NAME, "started", result), host)
    except InputError:
        assume(False)
    return result


@st.composite
def made(draw: st.DrawFn, host: Host, without: Container[str] = ()) -> dict[str, Any]:
    """Settings of an existing profile."""
    config = draw(stated(host, without=without))
    config["runtime"] = draw(st.sampled_from(["docker", "docker", "containerd", "incus", "none"]))
    if config["runtime"] in ("incus", "none"):
        config.pop("kubernetes.enabled", None)
    return config


STATES = st.sampled_from(["started", "started", "stopped", "present", "absent"])


@st.composite
def policies(draw: st.DrawFn, name: Name) -> ChangePolicy:
    """What a run may do to an existing profile."""
    return ChangePolicy(
        draw(st.sampled_from(["always", "if_idle", "never"])),
        draw(st.sampled_from(["always", "if_idle"])),
        draw(st.sampled_from(["refuse", "warn", "recreate", "recreate_with_data_loss"])),
        draw(st.sampled_from([frozenset(), frozenset({"other"}), frozenset({name.name})])),
        draw(st.booleans()),
        draw(st.sampled_from([0.0, 0.0, 7200.0])),
    )
