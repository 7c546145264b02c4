# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import (
    Host,
    canonical,
    defaults,
    differences,
    proxies_of_start,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.settings import BY_OPTION, SETTINGS
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.shown import shown, worded
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.yaml_text import parse, render
from ansible_collections.laptop.containers.plugins.module_utils.core.secrecy.patterns import NOT_SHOWN, hidden, secrets_in

MAC = Host("Darwin", "aarch64", "/Users/me", 12, 36864)
LINUX = Host("Linux", "x86_64", "/home/me", 8, 16384)
ALL = frozenset(BY_OPTION)


def test_the_rendered_file_has_every_key_of_colima() -> None:
    document = yaml.safe_load(render(defaults(MAC), MAC))
    for setting in SETTINGS:
        place = document
        for part in setting.key.split("."):
            assert part in place, setting.key
            place = place[part]


def test_keys_that_a_linux_laptop_resets_are_written_as_it_would() -> None:
    document = yaml.safe_load(render({**defaults(MAC), "rosetta": True, "network.address": True}, LINUX))
    assert (document["rosetta"], document["vmType"], document["network"]["mode"], document["network"]["address"]) == (
        False,
        "qemu",
        "",
        False,
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cpu: [", "is not YAML"),
        ("", "is empty"),
        ("- a", "is not a mapping"),
        ("cpu: 2", "names no runtime"),
        ("runtime: ''", "names no runtime"),
        ("runtime: [docker]", "names no runtime"),
        ("runtime: docker\nruntime: docker", "names 'runtime' twice"),
        ("runtime: docker\nnetwork: {dns: [one]}", "has 'one' where an IP address belongs"),
        ("runtime: docker\ndocker: &a {b: *a}", "is not YAML: a value contains itself"),
        ("runtime: docker\n? [a]\n: b", "is not YAML: a key is not text"),
        ("runtime: docker\nenv: {<<: 1}", "is not YAML: only mappings can be merged"),
    ],
)
def test_files_that_colima_throws_away(text: str, problem: str) -> None:
    assert parse(text) == (None, problem)


@pytest.mark.parametrize(
    "line", ["version: 1.30", "version: yes", "version: 2026-01-01", "version: 0x1", "version: ' '", "version: '~'"]
)
def test_text_is_what_is_written_and_survives_the_next_write(line: str) -> None:
    config, problem = parse(f"runtime: docker\nkubernetes: {{{line}}}\n")
    assert config is not None
    assert (config["kubernetes.version"], problem) == (line.partition(": ")[2].strip("'"), "")
    assert parse(render(config, MAC)) == (config, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("provision: [a, null, {mode: [1]}]", "'provision' is not a list"),
        ("mounts: [{location: {}}]", "'mounts' is not a list"),
        ("memory: .inf", "'memory' is not a number"),
    ],
)
def test_absurd_values_do_not_crash_the_reader(text: str, problem: str) -> None:
    config, found = parse(f"runtime: docker\n{text}\n")
    assert config is not None
    assert found == problem
    canonical(config, MAC, "colima-dev")
    assert parse(render(config, MAC))[0] is not None


def test_absent_keys_are_what_colima_takes_them_for() -> None:
    config, problem = parse("runtime: docker")
    assert config is not None
    assert problem == ""
    assert {
        key: config[key] for key in ("cpu", "memory", "disk", "root_disk", "auto_activate", "ssh_config", "mounts", "binfmt")
    } == {
        "cpu": 0,
        "memory": 0.0,
        "disk": 0,
        "root_disk": 20,
        "auto_activate": True,
        "ssh_config": False,
        "mounts": None,
        "binfmt": True,
    }


def test_a_wrongly_typed_value_is_zero_and_told() -> None:
    config, problem = parse("runtime: docker\nmemory: 4GiB\ncpu: 3\n")
    assert config is not None
    assert (config["memory"], config["cpu"], problem) == (0.0, 3, "'memory' is not a number")


SAME = {
    "arch is the host's": ({"arch": "host"}, {"arch": "aarch64"}),
    "the implicit host": ({"network.dns_hosts": {}}, {"network.dns_hosts": {"host.docker.internal": "host.lima.internal"}}),
    "hostname is the instance": ({"hostname": ""}, {"hostname": "colima-dev"}),
    "cpu type host": ({"cpu_type": ""}, {"cpu_type": "host"}),
    "gateway unset": ({"network.gateway_address": None}, {"network.gateway_address": "192.168.5.2"}),
    "no docker settings": ({"docker": None}, {"docker": {}}),
    "mounts of the home directory": ({"mounts": []}, {"mounts": [{"location": "~/", "mount_point": "", "writable": True}]}),
    "mount point as location": (
        {"mounts": [{"location": "/a/", "mount_point": "/a", "writable": False}]},
        {"mounts": [{"location": "/a", "mount_point": "", "writable": False}]},
    ),
    "memory as a whole number": ({"memory": 2}, {"memory": 2.0}),
    "the last newline of a script": (
        {"provision": [{"mode": "user", "script": "a\n"}]},
        {"provision": [{"mode": "user", "script": "a"}]},
    ),
}
DIFFERENT = {
    "no mounts are not the home directory": ({"mounts": None}, {"mounts": []}),
    "order of k3s arguments": ({"kubernetes.k3s_args": ["a", "b"]}, {"kubernetes.k3s_args": ["b", "a"]}),
    "a read-only mount": (
        {"mounts": [{"location": "/a", "mount_point": "", "writable": False}]},
        {"mounts": [{"location": "/a", "mount_point": "", "writable": True}]},
    ),
    "foreign arch": ({"arch": "host"}, {"arch": "x86_64"}),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME.keys())
def test_settings_with_the_same_meaning_are_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    base = defaults(MAC)
    assert differences({**base, **one}, {**base, **other}, ALL, MAC, "colima-dev") == []


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_settings_with_another_meaning_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    base = defaults(MAC)
    assert differences({**base, **one}, {**base, **other}, ALL, MAC, "colima-dev") == list(one)


def test_settings_without_effect_here_never_differ() -> None:
    base = defaults(LINUX)
    assert differences({**base, "rosetta": True, "network.mode": "bridged"}, base, ALL, LINUX, "colima") == []


def test_text_that_looks_like_something_else_stays_text() -> None:
    env = {"A": "1e3", "B": "no", "C": "2026-01-01", "D": "0x10", "E": "", "F": "null", "G": "a: b # c"}
    config, _ = parse(render({**defaults(MAC), "env": env}, MAC))
    assert config is not None
    assert config["env"] == env
    # Quoted, because Go's YAML reads 1e3 as a number where Python's does not.
    assert 'A: "1e3"' in render({**defaults(MAC), "env": env}, MAC)


def test_secrets_are_not_shown() -> None:
    docker = {"proxies": {"http-proxy": "http://me:hunter2@proxy:3128"}, "debug": True}
    output = f"{shown('env', {'TOKEN': 'hunter2'})} {shown('docker', docker)} {worded('docker', docker)}"
    assert "hunter2" not in output
    assert "proxy:3128" in output
    assert "hunter2" not in str(shown("provision", [{"mode": "user", "script": "login hunter2"}]))


def test_a_password_that_holds_an_at_sign_is_hidden_whole() -> None:
    env = {"HTTPS_PROXY": "http://me:hunt@er2@proxy:3128", "SOURCE": "https://example.org/tool@v2"}
    assert hidden(env) == {"HTTPS_PROXY": f"http://{NOT_SHOWN}@proxy:3128", "SOURCE": "https://example.org/tool@v2"}
    assert {"hunt@er2", "me:hunt@er2"} <= secrets_in({"env": env})


def test_canonical_keeps_what_it_was_given() -> None:
    config = defaults(MAC)
    before = dict(config)
    canonical(config, MAC, "colima")
    assert config == before


def test_a_start_gives_lima_what_it_would_not_take_from_the_settings() -> None:
    env = {"https_proxy": "http://192.168.5.2:3128", "NO_PROXY": ".corp"}
    assert proxies_of_start({**defaults(Host()), "env": env}) == {
        "https_proxy": "http://127.0.0.1:3128",
        "HTTPS_PROXY": "http://127.0.0.1:3128",
        "no_proxy": ".corp",
        "NO_PROXY": ".corp",
    }
    assert proxies_of_start({**defaults(Host()), "env": {"OTHER": "1"}}) == {}
