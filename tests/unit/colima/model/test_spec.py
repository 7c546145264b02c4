# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Host, defaults
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.options import (
    policy_from,
    profiles_from,
    specs_from,
    stated_from,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.spec import ProfileSpec, version_problems
from ansible_collections.laptop.containers.plugins.module_utils.colima.observe.host import (
    chip_of,
    host_from,
    macos_of,
    own_architecture,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Paths, parse_name, resolve
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError

MAC = Host("Darwin", "aarch64", "/Users/me", 12, 36864)
INTEL = Host("Darwin", "x86_64", "/Users/me")
LINUX = Host("Linux", "x86_64", "/home/me", 8, 16384)


@pytest.mark.parametrize(
    ("text", "name", "instance"),
    [
        ("default", "default", "colima"),
        ("colima", "default", "colima"),
        ("k8s", "k8s", "colima-k8s"),
        ("colima-k8s", "k8s", "colima-k8s"),
        ("Dev.1", "Dev.1", "colima-Dev.1"),
    ],
)
def test_names_as_colima_takes_them(text: str, name: str, instance: str) -> None:
    assert (parse_name(text).name, parse_name(text).id) == (name, instance)


@pytest.mark.parametrize(
    "text",
    ["colima-default", "colima-colima", "colima-", "_lima", "_store", "colima-_x", "a b", "a/b", "..", "-a", "a--b", "x" * 70],
)
def test_names_that_colima_mixes_up_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=f"Could not use profile name '{text}'"):
        parse_name(text)


def test_an_empty_name_is_not_taken_for_the_default_profile() -> None:
    for profiles in ([{"name": ""}], [{"name": None, "state": "absent"}]):
        with pytest.raises(InputError, match="Could not use this profile name: it is empty"):
            specs_from(profiles, MAC)
    with pytest.raises(InputError, match="Could not use this profile name: it is empty"):
        policy_from({"confirm_data_loss": [""]})


def test_a_name_with_a_line_feed_behind_it_is_refused() -> None:
    with pytest.raises(InputError, match=r"Could not use profile name 'dev\\n'"):
        parse_name("dev\n")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param(True, "true or false", id="a word that YAML takes for a truth"),
        pytest.param(None, "empty", id="nothing"),
        pytest.param(1.1, "a number with a fraction", id="a version"),
        pytest.param(["x"], "a list or a mapping", id="a list"),
    ],
)
@pytest.mark.parametrize("option", ["env", "dns_hosts"])
def test_a_text_that_yaml_has_changed_is_refused(option: str, value: Any, kind: str) -> None:
    params = {"name": "dev", "env": {"A": value}} if option == "env" else {"name": "dev", "network": {"dns_hosts": {"A": value}}}
    with pytest.raises(InputError) as caught:
        specs_from([params], MAC)
    assert f"of profile 'dev': the value of 'A' is {kind}, not text" in caught.value.message
    assert "quotes" in caught.value.message


def test_a_whole_number_in_the_environment_is_the_text_that_it_looks_like() -> None:
    assert stated_from({"name": "dev", "env": {"PORT": 8080}}) == {"env": {"PORT": "8080"}}


@pytest.mark.parametrize(
    ("environment", "system", "there", "base", "lima"),
    [
        ({}, "Darwin", [], "/h/.colima", "/h/.colima/_lima"),
        ({}, "Linux", [], "/h/.config/colima", "/h/.config/colima/_lima"),
        ({}, "Linux", ["/h/.colima"], "/h/.colima", "/h/.colima/_lima"),
        ({"XDG_CONFIG_HOME": "/x"}, "Darwin", [], "/x/colima", "/x/colima/_lima"),
        ({"XDG_CONFIG_HOME": "/x"}, "Darwin", ["/h/.colima"], "/h/.colima", "/h/.colima/_lima"),
        ({"COLIMA_HOME": "/c"}, "Darwin", ["/h/.colima"], "/c", "/c/_lima"),
        ({"LIMA_HOME": "/l"}, "Darwin", [], "/h/.colima", "/l"),
    ],
)
def test_directories_by_colimas_own_rules(
    environment: dict[str, str], system: str, there: list[str], base: str, lima: str
) -> None:
    paths = resolve({"HOME": "/h", **environment}, system, lambda path: str(path) in there)
    assert (str(paths.base), str(paths.lima)) == (base, lima)


@pytest.mark.parametrize(
    ("environment", "system", "downloads"),
    [
        ({}, "Darwin", "/h/Library/Caches/colima/caches"),
        ({}, "Linux", "/h/.cache/colima/caches"),
        ({"XDG_CACHE_HOME": "/x"}, "Darwin", "/x/colima/caches"),
        ({"XDG_CACHE_HOME": "/x", "COLIMA_CACHE_HOME": "/c"}, "Linux", "/c/caches"),
    ],
)
def test_the_place_of_downloads_is_known_before_the_first_one(environment: dict[str, str], system: str, downloads: str) -> None:
    assert str(resolve({"HOME": "/h", **environment}, system, lambda _: False).downloads) == downloads


def test_a_socket_that_would_not_fit_is_refused() -> None:
    paths = Paths(Path("/Users") / ("u" * 50), Path("/Users") / ("u" * 50) / "_lima")
    paths.check_socket_length(parse_name("a"), "Linux")
    with pytest.raises(InputError, match="longer than the 103 bytes"):
        paths.check_socket_length(parse_name("long-name"), "Darwin")


def test_a_socket_behind_a_link_is_as_long_as_its_real_path(tmp_path: Path) -> None:
    real = tmp_path / ("r" * 90)
    real.mkdir()
    (tmp_path / "l").symlink_to(real)
    with pytest.raises(InputError, match=f"Lima's socket '{real}/_lima/colima-a/ssh.sock"):
        Paths(tmp_path / "l", tmp_path / "l" / "_lima").check_socket_length(parse_name("a"), "Linux")


def test_an_engines_socket_counts_too_where_lima_has_a_short_home() -> None:
    with pytest.raises(InputError, match=r"colima's socket '/u+/a/containerd.sock' would be longer than the 103 bytes"):
        Paths(Path("/" + "u" * 90), Path("/l")).check_socket_length(parse_name("a"), "Darwin")


@pytest.mark.parametrize("system", ["Linux", "Darwin"])
def test_a_link_to_a_disk_that_is_not_mounted_is_refused(tmp_path: Path, system: str) -> None:
    (tmp_path / ".colima").symlink_to(tmp_path / "disk" / "colima")
    paths = resolve({"HOME": str(tmp_path)}, system)
    with pytest.raises(InputError, match=f"it leads to '{tmp_path}/disk/colima', which does not exist. Mount the disk"):
        paths.check_links()
    (tmp_path / "disk" / "colima").mkdir(parents=True)
    paths.check_links()
    # The directory that holds them may be the link.
    (tmp_path / "external").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=f"use '{tmp_path}/external': it leads to '{tmp_path}/gone'"):
        resolve({"HOME": str(tmp_path), "COLIMA_HOME": f"{tmp_path}/external/colima"}, system).check_links()


def test_only_what_is_given_is_stated() -> None:
    params = {
        "name": "dev",
        "cpu": 2,
        "memory": None,
        "kubernetes": {"enabled": True, "version": None},
        "network": None,
        "mounts": [{"location": "none", "mount_point": None, "writable": False}],
        "arch": "host",
    }
    assert stated_from(params) == {"cpu": 2, "arch": "host", "kubernetes.enabled": True, "mounts": None}


BAD: dict[str, tuple[dict[str, Any], Host, str]] = {
    "no cpu": ({"cpu": 0}, MAC, "'cpu' of profile 'dev' to '0': it is too small. Use at least 1 CPU."),
    "endless memory": ({"memory": float("inf")}, MAC, "'memory' of profile 'dev' to 'inf': it is not a size. Use a number"),
    "memory that is not a number": ({"memory": float("nan")}, MAC, "it is not a size"),
    "negative memory": ({"memory": -1}, MAC, "'memory' of profile 'dev' to '-1.0': it is too small"),
    "no disk": ({"disk": 0}, MAC, "Use at least 1 GiB"),
    "unknown runtime": ({"runtime": "podman"}, MAC, "Use one of docker, containerd, incus, none"),
    "rosetta on Linux": ({"rosetta": True}, LINUX, "it needs macOS 13 on Apple silicon, and this is Linux on x86_64"),
    "vz on Linux": ({"vm_type": "vz"}, LINUX, "it needs macOS"),
    "krunkit on Intel": ({"vm_type": "krunkit"}, INTEL, "it needs macOS on Apple silicon, and this is Darwin on x86_64"),
    "virtiofs on Linux": ({"mount_type": "virtiofs"}, LINUX, "it needs macOS 13, and this is Linux on x86_64. Use sshfs or 9p."),
    "rosetta with qemu": ({"rosetta": True, "vm_type": "qemu"}, MAC, "it needs vm_type vz"),
    "foreign arch with vz": ({"arch": "x86_64"}, MAC, "colima would silently use another VM type"),
    "kubernetes without runtime": ({"runtime": "none", "kubernetes": {"enabled": True}}, MAC, "no Kubernetes on runtime none"),
    "9p with vz": ({"vm_type": "vz", "mount_type": "9p"}, MAC, "vm_type vz can't do it"),
    "gateway": ({"network": {"gateway_address": "10.0.0.1"}}, MAC, "ends in .2"),
    "dns": ({"network": {"dns": ["x"]}}, MAC, "'x': it is not an IP address"),
    "relative mount": ({"mounts": [{"location": "rel"}]}, MAC, "relative paths can't be mounted"),
    "overlapping mounts": ({"mounts": [{"location": "/x/"}, {"location": "/x/y"}]}, MAC, "'/x/y': it lies in '/x'"),
    "the same mount twice": ({"mounts": [{"location": "~"}, {"location": "/Users/me/"}]}, MAC, "mounts may not overlap"),
    "provision mode": ({"provision": [{"mode": "later", "script": "x"}]}, MAC, "'provision.mode'"),
    "hosts of docker": ({"docker": {"hosts": ["tcp://"]}}, MAC, "dockerd would not start"),
    "insecure registries in a text": (
        {"docker": {"insecure-registries": "registry.local:5000"}},
        MAC,
        "set 'docker.insecure-registries' of profile 'dev': it is a text, not a list. Write it as [registry.local:5000].",
    ),
    "insecure registries in a mapping": ({"docker": {"insecure-registries": {"a": 1}}}, MAC, "it is a mapping, not a list"),
    "docker's key in another spelling": (
        {"docker": {"insecure_registries": ["registry.local:5000"]}},
        MAC,
        "set 'docker.insecure_registries' of profile 'dev': docker does not know it. Did you mean 'insecure-registries'?",
    ),
    **{
        f"insecure registry {wrong}": (
            {"docker": {"insecure-registries": ["ok:5000", wrong]}},
            MAC,
            f"Could not set 'docker.insecure-registries' of profile 'dev' to '{wrong}': it is not a host, an address or a range. "
            "Use one such as registry.example.com:5000, without http://.",
        )
        for wrong in (
            "http://registry.local:5000",
            5000,
            "a b",
            "10.0.0.0/33",
            "registry.local:70000",
            "registry.local/team",
            None,
        )
    },
    **{
        f"mirror {wrong}": (
            {"docker": {"registry-mirrors": [wrong]}},
            MAC,
            f"Could not set 'docker.registry-mirrors' of profile 'dev' to '{shown}': it is not the address of a mirror. "
            "Use one such as https://mirror.example.com, without a log-in.",
        )
        for wrong, shown in {
            "mirror.example.com": "mirror.example.com",
            "ftp://mirror": "ftp://mirror",
            "https://joe:hunter2@mirror": "https://mirror",
        }.items()
    },
    "remote image": ({"disk_image": "https://x/y"}, MAC, "local files only"),
    "port": ({"ssh_port": 70000}, MAC, "not a TCP port"),
}


@pytest.mark.parametrize(("params", "host", "message"), BAD.values(), ids=BAD.keys())
def test_what_can_not_be_meant_is_refused_in_a_sentence(params: dict[str, Any], host: Host, message: str) -> None:
    with pytest.raises(InputError) as refused:
        specs_from([{"name": "dev", **params}], host)
    assert message in refused.value.message
    assert refused.value.message.startswith("Could not set ")


def test_what_docker_takes_is_not_refused() -> None:
    insecure = ["registry.local:5000", "localhost", "10.0.0.0/8", "10.0.0.1", "[fd00::1]:5000", "fd00::/8", "::1"]
    daemon = {
        "insecure-registries": insecure,
        "registry-mirrors": ["http://m", "https://m.example.com:8443/hub/"],
        "features": {},
    }
    assert specs_from([{"name": "dev", "docker": daemon}], MAC)[0].stated == {"docker": daemon}


@pytest.mark.parametrize(("first", "second"), [("dev", "colima-dev"), ("k8s", "K8s"), ("colima", "default")])
def test_a_profile_named_twice_is_refused(first: str, second: str) -> None:
    with pytest.raises(InputError, match="same profile to colima"):
        specs_from([{"name": first}, {"name": second}], MAC)


GATES: dict[str, tuple[dict[str, Any], tuple[int, int, int], str]] = {
    "krunkit": ({"vm_type": "krunkit"}, (0, 9, 1), "it needs colima 0.10.0, and 0.9.1 is installed"),
    "no mounts": ({"mounts": None}, (0, 9, 1), "needs colima 0.10.0"),
    "fractions": ({"memory": 1.5}, (0, 8, 1), "needs colima 0.8.2"),
    "ready scripts": ({"provision": [{"mode": "ready", "script": "x"}]}, (0, 9, 1), "needs colima 0.10.0"),
    "root disk": ({"root_disk": 30}, (0, 8, 4), "needs colima 0.9.0"),
}


@pytest.mark.parametrize(("stated", "version", "message"), GATES.values(), ids=GATES.keys())
def test_a_setting_that_colima_is_too_old_for_names_the_version(
    stated: dict[str, Any], version: tuple[int, int, int], message: str
) -> None:
    spec = ProfileSpec(parse_name("dev"), "started", stated)
    assert [message in InputError(*problem).message for problem in version_problems(spec, version)] == [True]
    assert version_problems(spec, (0, 10, 3)) == []
    assert version_problems(spec, None) == []


@pytest.mark.parametrize("mode", ["", "system", "of a newer colima"])
def test_a_script_that_the_user_has_written_into_the_file_needs_no_version(mode: str) -> None:
    spec = ProfileSpec(parse_name("dev"), "started", {"provision": [{"mode": mode, "script": "x"}]})
    assert version_problems(spec, (0, 8, 1)) == []


@pytest.mark.parametrize(
    ("host", "options", "message"),
    [
        (replace(MAC, macos=12), {"vm_type": "vz"}, "'vm_type' .*: it needs macOS 13, and this is macOS 12 on aarch64"),
        (replace(MAC, macos=12), {"rosetta": True}, "'rosetta' .*: it needs macOS 13 on Apple silicon, and this is macOS 12"),
        (replace(MAC, macos=12), {"mount_type": "virtiofs"}, "'mount_type' .*: it needs macOS 13"),
        (replace(MAC, macos=13, arch="x86_64"), {"rosetta": True}, "'rosetta' .*and this is macOS 13 on x86_64"),
        (replace(MAC, macos=14, chip=3), {"nested_virtualization": True}, "it needs macOS 15 on an Apple M3 or newer"),
        (replace(MAC, macos=15, chip=2), {"nested_virtualization": True}, r"and this is macOS 15 on aarch64 \(Apple M2\)"),
        (LINUX, {"mount_type": "virtiofs"}, "'mount_type' .*: it needs macOS 13, and this is Linux on x86_64"),
    ],
)
def test_what_this_mac_is_too_old_for_is_refused(host: Host, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        specs_from([{"name": "dev", **options}], host)


@pytest.mark.parametrize("host", [MAC, replace(MAC, macos=15, chip=3), replace(MAC, macos=26, chip=5), replace(MAC, macos=15)])
def test_what_a_mac_can_or_may_do_is_not_refused(host: Host) -> None:
    options = {"vm_type": "vz", "rosetta": True, "nested_virtualization": True, "mount_type": "virtiofs"}
    assert specs_from([{"name": "dev", **options}], host)[0].stated["nested_virtualization"] is True


def test_an_old_mac_takes_qemu_as_colima_does() -> None:
    old = replace(MAC, macos=12)
    assert (defaults(old)["vm_type"], defaults(old)["mount_type"]) == ("qemu", "sshfs")
    assert (defaults(MAC)["vm_type"], defaults(MAC)["mount_type"]) == ("vz", "virtiofs")
    specs_from([{"name": "dev", "arch": "x86_64"}], old)


@pytest.mark.parametrize(
    ("release", "version"), [("21.6.0", 12), ("22.1.0", 13), ("24.3.0", 15), ("25.0.0", 26), ("19.6.0", 0), ("6.1-amd64", 0)]
)
def test_the_kernel_tells_the_version_of_macos(release: str, version: int) -> None:
    assert macos_of(release) == version


@pytest.mark.parametrize(
    ("brand", "chip"), [("Apple M3 Max", 3), ("Apple M10", 10), ("Apple processor", 0), ("Intel(R) Core", 0)]
)
def test_the_generation_of_a_chip(brand: str, chip: int) -> None:
    assert chip_of(brand) == chip


@pytest.mark.parametrize(
    ("system", "machine", "translated"),
    [("Darwin", "arm64", False), ("Darwin", "x86_64", False), ("Linux", "x86_64", True), ("Linux", "aarch64", False)],
)
def test_the_machine_type_is_that_of_the_machine(system: str, machine: str, translated: bool) -> None:
    assert own_architecture(system, machine, lambda: translated) == machine


def test_a_python_that_takes_apple_silicon_for_an_intel_laptop_is_refused() -> None:
    with pytest.raises(InputError, match=r"with the Python '.*': it is made for Intel and runs under Rosetta.*native Python"):
        own_architecture("Darwin", "x86_64", lambda: True)


def test_a_machine_type_that_is_told_is_taken_and_this_machine_is_what_it_says() -> None:
    assert host_from({"system": "Darwin", "arch": "arm64"}, {"HOME": "/h"}).arch == "aarch64"
    assert host_from(None, {"HOME": "/h"}).arch == ("aarch64" if os.uname().machine == "arm64" else os.uname().machine)


@pytest.mark.parametrize(
    ("state", "own", "wanted"),
    [
        ("present", None, "present"),
        ("present", "started", "present"),
        ("present", "stopped", "stopped"),
        ("started", "stopped", "present"),
        ("absent", "started", "absent"),
    ],
)
def test_with_start_never_what_is_to_be_started_is_only_to_be_present(state: str, own: str | None, wanted: str) -> None:
    profiles = [{"name": "k8s", "state": own}]
    assert profiles_from({"profiles": profiles, "state": state, "start": "never"}) == [{"name": "k8s", "state": wanted}]
    alone = profiles_from({"profiles": None, "name": "k8s", "state": own, "start": "never"})
    assert [one["state"] for one in alone] == ["stopped" if own == "stopped" else "present"]
