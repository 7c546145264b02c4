# SPDX-License-Identifier: GPL-3.0-or-later
"""colima.yaml: when it is written, what wins, and what a damaged or short file turns into."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.settings import SETTINGS
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.yaml_text import parse

from rehearsal.standin.colima.files.config_file import KINDS

from .conftest import COLIMA, Rig

LINUX_RESETS = {"vmType": "qemu", "rosetta": False, "nestedVirtualization": False}


@pytest.fixture
def running(rig: Rig) -> Rig:
    """A profile without a runtime, which starts quickest."""
    rig.started("lab", "--runtime", "none", "--mount", "none")
    return rig


def test_a_start_of_a_running_profile_succeeds_changes_nothing_and_has_already_saved(running: Rig) -> None:
    before = running.rows()
    result = running.colima("start", "lab", "--cpus", "3", "--memory", "1.5")
    assert (result.rc, result.messages) == (0, ["already running, ignoring"]), result
    assert running.rows() == before
    assert (running.config("lab")["cpu"], running.config("lab")["memory"]) == (3, 1.5)
    assert running.state("lab")["cpu"] == 2


def test_a_file_without_a_runtime_is_replaced_by_defaults_silently(running: Rig) -> None:
    running.configure("lab", runtime=..., cpu=7)
    assert running.colima("start", "lab").messages == ["already running, ignoring"]
    assert (running.config("lab")["cpu"], running.config("lab")["runtime"]) == (2, "docker")


def test_a_malformed_file_is_replaced_by_defaults_with_a_warning(running: Rig) -> None:
    (running.base / "lab" / "colima.yaml").write_text("cpu: 7\nruntime: [docker\n")
    result = running.colima("start", "lab")
    assert result.rc == 0
    assert result.warnings[0].startswith("config load failed: could not load config from file: yaml: ")
    assert result.warnings[1:] == ["reverting to default settings", "already running, ignoring"]
    assert (running.config("lab")["cpu"], running.config("lab")["runtime"]) == (2, "docker")


def test_a_wrongly_typed_value_becomes_zero_and_the_rest_is_kept(running: Rig) -> None:
    running.configure("lab", memory="4GiB", cpu=3)
    result = running.colima("start", "lab")
    assert "cannot unmarshal !!str `4GiB` into float32" in result.warnings[0]
    assert (running.config("lab")["memory"], running.config("lab")["cpu"]) == (0, 3)
    assert running.config("lab")["runtime"] == "none"


def test_absent_keys_become_zero_not_the_documented_default(running: Rig) -> None:
    (running.base / "lab" / "colima.yaml").write_text("runtime: none\n")
    running.colima("start", "lab")
    config = running.config("lab")
    assert [config[key] for key in ("cpu", "disk", "memory", "sshConfig", "mounts")] == [0, 0, 0, False, None]
    # These few keep their default.
    assert [config[key] for key in ("rootDisk", "autoActivate", "binfmt", "portForwarder")] == [20, True, True, "ssh"]
    assert config["kubernetes"]["k3sArgs"] == ["--disable=traefik"]
    assert config["network"]["gatewayAddress"] is None


@pytest.mark.parametrize(
    ("mounts", "location"),
    [([], "the home directory"), (None, None), (..., None)],
    ids=["an empty list means home", "null means none", "an absent key means none"],
)
def test_mounts_distinguish_empty_from_absent(running: Rig, mounts: object, location: str | None) -> None:
    running.colima("stop", "lab")
    running.configure("lab", mounts=mounts)
    running.started("lab")
    spec = yaml.safe_load((running.instance("lab") / "lima.yaml").read_text())
    found = [(one["location"].replace("~", str(running.home)).rstrip("/"), one["writable"]) for one in spec.get("mounts") or []]
    assert found == ([(str(running.home), True)] if location else [])


def test_unknown_keys_and_comments_are_dropped_by_the_next_save(running: Rig) -> None:
    file = running.base / "lab" / "colima.yaml"
    file.write_text(file.read_text() + "\n# mine\nnosuch: 1\n")
    running.colima("start", "lab")
    assert "nosuch" not in file.read_text()
    assert "# mine" not in file.read_text()


def test_every_key_is_written(running: Rig) -> None:
    assert set(running.config("lab")) == {key.partition(".")[0] for key in KINDS}


def test_without_saving_the_run_uses_the_flags_and_the_file_keeps_its_own(running: Rig) -> None:
    running.colima("stop", "lab")
    running.started("lab", "--cpus", "4", "--save-config=false")
    assert (running.config("lab")["cpu"], running.state("lab")["cpu"], running.rows()["lab"]["cpus"]) == (2, 4, 4)


def test_the_save_variable_sets_the_default_of_the_flag(running: Rig) -> None:
    running.colima("start", "lab", "--cpus", "4", COLIMA_SAVE_CONFIG="false")
    assert running.config("lab")["cpu"] == 2


def test_a_flag_that_linux_does_not_have_is_unknown_and_its_key_is_reset(rig: Rig) -> None:
    # The real colima is what it was built for; the stand-in can be either.
    linux = {"REHEARSAL_SYSTEM": "Linux"}
    if rig.subject == COLIMA and rig.environment["REHEARSAL_SYSTEM"] != "Linux":
        pytest.skip("this colima was built for macOS")
    assert rig.colima("start", "--vm-type", "vz", **linux).fatal == "unknown flag: --vm-type"
    assert rig.colima("start", "--network-address", **linux).fatal == "unknown flag: --network-address"
    rig.started("lab", "--runtime", "none", **linux)
    wanted = {"address": True, "mode": "shared", "interface": "en0", "preferredRoute": True, "dns": [], "dnsHosts": {}}
    rig.configure("lab", vmType="vz", rosetta=True, network=wanted, nestedVirtualization=True)
    rig.colima("start", "lab", **linux)
    config = rig.config("lab")
    assert {key: config[key] for key in LINUX_RESETS} == LINUX_RESETS
    expected = {"address": False, "mode": "", "interface": "", "preferredRoute": False}
    assert {key: config["network"][key] for key in expected} == expected


def test_on_a_mac_the_same_flags_are_known(standin: Rig) -> None:
    mac = {"REHEARSAL_SYSTEM": "Darwin", "REHEARSAL_ARCH": "aarch64"}
    result = standin.started("lab", "--runtime", "none", "--network-address", "--vz-rosetta", **mac)
    assert result.rc == 0
    base = standin.home / ".colima" / "lab" / "colima.yaml"
    text = base.read_text()
    assert 'vmType: "vz"' in text
    assert 'mountType: "virtiofs"' in text
    assert "rosetta: true" in text
    listed = standin.colima("list", "--json", **mac).out
    assert '"address":"192.168.64.2"' in listed


def test_changing_what_is_fixed_warns_and_is_discarded(running: Rig) -> None:
    other = "aarch64" if running.rows()["lab"]["arch"] == "x86_64" else "x86_64"
    result = running.colima("start", "lab", "--runtime", "docker", "--arch", other, "--mount-type", "9p")
    assert result.warnings == [
        "'architecture' cannot be updated after initial setup, discarded",
        "'runtime' cannot be updated after initial setup, discarded",
        "'volume mount type' cannot be updated after initial setup, discarded",
        "already running, ignoring",
    ]
    assert (running.config("lab")["runtime"], running.config("lab")["mountType"]) == ("none", "sshfs")


def test_with_a_lost_file_the_fixed_fields_are_not_protected(running: Rig) -> None:
    (running.base / "lab" / "colima.yaml").unlink()
    result = running.colima("start", "lab")
    assert result.warnings == ["already running, ignoring"]
    assert running.config("lab")["runtime"] == "docker"


def test_the_architecture_is_compared_as_text(running: Rig) -> None:
    running.configure("lab", arch="host")
    result = running.colima("start", "lab")
    assert result.warnings[0] == "'architecture' cannot be updated after initial setup, discarded"


def test_a_template_is_taken_only_where_there_is_no_usable_file(rig: Rig) -> None:
    (rig.base / "_templates").mkdir(parents=True)
    (rig.base / "_templates" / "default.yaml").write_text("runtime: none\ncpu: 5\n")
    rig.started("lab", "--memory", "3")
    config = rig.config("lab")
    assert [config[key] for key in ("runtime", "cpu", "memory", "disk", "mounts")] == ["none", 5, 3, 0, None]
    rig.started("other", "--runtime", "none", "--template=false")
    assert rig.config("other")["cpu"] == 2


def test_list_flags_split_on_commas_and_quotes_keep_them(running: Rig) -> None:
    running.colima("start", "lab", "--k3s-arg", '"--disable=a,b"', "--k3s-arg", "--x,--y", "--env", "A=1,B=2", "--dns", "1.1.1.1")
    config = running.config("lab")
    assert config["kubernetes"]["k3sArgs"] == ["--disable=a,b", "--x", "--y"]
    assert config["env"] == {"A": "1", "B": "2"}
    assert config["network"]["dns"] == ["1.1.1.1"]


def test_mount_flags_become_records(running: Rig) -> None:
    running.colima("start", "lab", "--mount", "/a:w", "--mount", "/b:/c:w", "--mount", "/d")
    assert running.config("lab")["mounts"] == [
        {"location": "/a", "writable": True},
        {"location": "/b", "mountPoint": "/c", "writable": True},
        {"location": "/d", "writable": False},
    ]


@pytest.mark.parametrize(
    ("mounts", "reason"),
    [
        (["--mount", "rel"], "relative paths not supported for mount 'rel'"),
        (["--mount", "/x", "--mount", "/x/y"], "overlapping mounts not supported: '/x/' overlaps '/x/y/'"),
    ],
    ids=["relative", "overlapping"],
)
def test_mounts_are_checked_only_when_the_machine_is_made(rig: Rig, mounts: list[str], reason: str) -> None:
    result = rig.colima("start", "lab", "--runtime", "none", *mounts)
    assert (result.rc, result.fatal) == (1, f"error starting vm: error at 'creating and starting': {reason}"), result
    assert rig.rows() == {}


def test_restart_applies_the_file_without_any_protection(running: Rig) -> None:
    running.configure("lab", runtime="containerd", mountType="9p")
    result = running.colima("restart", "lab")
    assert result.rc == 0, result
    assert running.rows()["lab"]["runtime"] == "containerd"
    assert running.state("lab")["mountType"] == "9p"


def test_restart_with_a_lost_file_stops_the_machine_and_then_fails(running: Rig) -> None:
    (running.base / "lab" / "colima.yaml").unlink()
    result = running.colima("restart", "lab")
    assert (result.rc, result.fatal) == (1, "error initiating container runtime: unsupported container runtime ''"), result
    assert running.rows()["lab"]["status"] == "Stopped"


def test_changes_of_a_stopped_profile_are_applied_by_the_next_start(running: Rig) -> None:
    running.colima("stop", "lab")
    running.started("lab", "--cpu", "3", "--memory", "1.5")
    row = running.rows()["lab"]
    assert (row["cpus"], row["memory"]) == (3, 1536 << 20)


def test_the_state_file_also_holds_the_implicit_dns_host(running: Rig) -> None:
    assert running.config("lab")["network"]["dnsHosts"] == {}
    assert running.state("lab")["network"]["dnsHosts"] == {"host.docker.internal": "host.lima.internal"}


def test_provision_modes_of_lima_are_checked_by_lima_on_stdout(rig: Rig) -> None:
    rig.started("lab", "--runtime", "none")
    rig.colima("stop", "lab")
    rig.colima("delete", "lab", "--force")
    (rig.base / "lab").mkdir(exist_ok=True)
    (rig.base / "lab" / "colima.yaml").write_text("runtime: none\nprovision:\n- mode: nosuch\n  script: 'true'\n")
    result = rig.colima("start", "lab")
    assert (result.rc, result.fatal) == (1, "error starting vm: error at 'creating and starting': exit status 1"), result
    assert ".mode` must one of `system`, `user`, `boot`, `data`, `dependency`, `ansible`, or `yq`" in result.out


def test_a_failing_ready_script_only_warns(rig: Rig) -> None:
    (rig.base / "lab").mkdir(parents=True)
    (rig.base / "lab" / "colima.yaml").write_text("runtime: none\nprovision:\n- mode: ready\n  script: exit 3\n")
    result = rig.started("lab")
    assert result.warnings == ["error running ready provision script(s)"]


# A line of colima.yaml, the key, and what colima takes it for. ... means that it throws the whole file away.
READINGS = [
    ("cpu: 3.7", "cpu", 3),
    ("cpu: 1e1", "cpu", 10),
    ("cpu: 010", "cpu", 8),
    ("cpu: 0o10", "cpu", 8),
    ("cpu: 0x10", "cpu", 16),
    ('cpu: "3"', "cpu", 0),
    ("cpu: -3", "cpu", -3),
    ("disk: 1_000", "disk", 1000),
    ("disk: 12:30", "disk", 0),
    ("disk: 99999999999999999999", "disk", 0),
    ("memory: 1e0", "memory", 1),
    ("hostname: 5.50", "hostname", "5.50"),
    ("hostname: yes", "hostname", "yes"),
    ("hostname: 2020-01-01", "hostname", "2020-01-01"),
    ("kubernetes: {version: 1.30}", "kubernetes.version", "1.30"),
    ("kubernetes: {enabled: yes}", "kubernetes.enabled", True),
    ("kubernetes: {k3sArgs: [1, true, ~]}", "kubernetes.k3sArgs", ["1", "true"]),
    ("kubernetes: 3", "kubernetes.port", 0),
    ('sshConfig: "yes"', "sshConfig", True),
    ("sshConfig: y", "sshConfig", True),
    ("sshConfig: 1", "sshConfig", False),
    ("autoActivate: off", "autoActivate", False),
    ("env: {A: yes, B: true, C: 1.50, D: ~}", "env", {"A": "yes", "B": "true", "C": "1.50", "D": ""}),
    ("env: {A: x, B: [1]}", "env", {"A": "x"}),
    ("env: {<<: {A: 1}, B: 2}", "env", {"A": "1", "B": "2"}),
    ("env: [a]", "env", {}),
    ("mounts: [a]", "mounts", []),
    ("mounts: [{location: 5, writable: yes}]", "mounts", [{"location": "5", "writable": True}]),
    ("provision: [a, {script: x}]", "provision", [{"mode": "", "script": "x"}]),
    ("docker: {2020-01-01: 1, true: yes}", "docker", {"2020-01-01": 1, "true": "yes"}),
    ("network: {dnsHosts: {a: ~, b: 1}}", "network.dnsHosts", {"a": "", "b": "1"}),
    ("network: {dns: [1.1.1.1, x]}", "", ...),
    ("network: {gatewayAddress: x}", "", ...),
    ("cpu: 2\ncpu: 3", "", ...),
    ("docker: &a {x: *a}", "", ...),
    ("--- {a: b}\n---\nb: c", "", ...),
]


def in_the_words_of_the_module(key: str, value: object) -> object:
    """A value as the module has it: the same, but for mounts."""
    if key == "mounts" and isinstance(value, list):
        return [{"location": one["location"], "mount_point": "", "writable": one["writable"]} for one in value]
    return value


def test_values_are_read_as_go_reads_them_and_our_module_reads_the_same(running: Rig) -> None:
    running.colima("start", "lab")
    for line, key, value in READINGS:
        text = line if line.startswith("---") else f"{line}\nruntime: none\n"
        (running.base / "lab" / "colima.yaml").write_text(text)
        assert running.colima("start", "lab").rc == 0
        config, ours = running.config("lab"), parse(text)[0]
        if value is ...:
            assert (config["runtime"], config["cpu"], ours) == ("docker", 2, None), text
            continue
        found = config
        for part in key.split("."):
            found = found[part]
        (option,) = (setting.option for setting in SETTINGS if setting.key == key)
        assert found == value, text
        assert ours is not None
        assert ours[option] == in_the_words_of_the_module(key, value), text
