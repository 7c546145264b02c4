# SPDX-License-Identifier: GPL-3.0-or-later
"""`docker buildx create|ls|inspect|use|rm`: what the stand-in and the real plugin agree on, on the stand-in engine."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Docker, LightEngine

NETWORK = "--allow-insecure-entitlement=network.host"


@pytest.fixture
def linked(buildx: Docker, light_engine: LightEngine) -> Docker:
    """A docker with buildx whose current context is the stand-in engine."""
    buildx.made("context", "create", "light", "--docker", f"host={light_engine.host}")
    buildx.made("context", "use", "light")
    return buildx


def instance(docker: Docker, name: str) -> dict[str, Any]:
    return dict(json.loads((docker.config / "buildx" / "instances" / name).read_text()))


def listed(docker: Docker) -> dict[str, dict[str, Any]]:
    lines = docker.made("buildx", "ls", "--format", "json").out.splitlines()
    return {item["Name"]: item for item in map(json.loads, lines)}


def test_version_names_the_package(buildx: Docker) -> None:
    assert buildx.made("buildx", "version").out.startswith("github.com/docker/buildx v")


def test_a_builder_is_one_file_in_buildx_own_store(linked: Docker) -> None:
    result = linked("buildx", "create", "--name", "multi", "--platform", "linux/amd64,linux/arm64/v8", "light")
    assert (result.rc, result.out) == (0, "multi\n")
    assert instance(linked, "multi") == {
        "Name": "multi",
        "Driver": "docker-container",
        "Nodes": [
            {
                "Name": "multi0",
                "Endpoint": "light",
                "Platforms": [{"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux"}],
                "DriverOpts": None,
                "Flags": [NETWORK],
                "Files": None,
            }
        ],
        "Dynamic": False,
    }
    assert (linked.config / "buildx" / "instances" / "multi").stat().st_mode & 0o777 == 0o600


def test_options_and_flags_are_kept_sorted_and_completed(linked: Docker) -> None:
    options = ["--driver-opt", "network=host,image=a/b:c", "--driver-opt", "env.X=1", "--buildkitd-flags", "--debug"]
    linked.made("buildx", "create", "--name", "multi", *options, "light")
    node = instance(linked, "multi")["Nodes"][0]
    assert node["DriverOpts"] == {"env.X": "1", "image": "a/b:c", "network": "host"}
    assert node["Flags"] == ["--debug", NETWORK]


REFUSED = [
    (["--name", "default"], "default is a reserved name"),
    (["--name", "light"], 'instance name "light" already exists as context builder'),
    (["--name", "9x", "light"], "invalid name 9x"),
    (["--name", "x", "--driver", "nope", "light"], 'failed to find driver "nope"'),
    (["--name", "x", "--driver", "docker", "light"], 'additional instances of driver "docker" cannot be created'),
    (["--name", "x", "--driver-opt", "foo", "light"], 'invalid value "foo", expecting k=v'),
    (["--name", "x", "--driver-opt", "foo=1", "light"], "invalid driver option foo for docker-container driver"),
    (["--name", "x", "--driver", "remote"], "no remote endpoint provided"),
    (["--name", "x", "--driver", "remote", "nope://h"], "unrecognized url scheme nope"),
    (["--name", "x", "--platform", "linuxx", "light"], '"linuxx": unknown operating system or architecture'),
    (["--name", "x", "--buildkitd-config", "/proc/nope.toml", "light"], "buildkit configuration file not found: /proc/nope.toml"),
    (["--append", "light"], "append requires a builder name"),
    (["--name", "x", "--append", "light"], 'failed to find instance "x" for append'),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED, ids=[" ".join(case[0]) for case in REFUSED])
def test_a_bad_builder_is_refused_and_leaves_nothing(linked: Docker, arguments: list[str], words: str) -> None:
    result = linked("buildx", "create", *arguments)
    assert result.rc == 1
    assert words in result.err
    assert set(listed(linked)) == {"default", "light"}


def test_creating_it_again_is_refused(linked: Docker) -> None:
    linked.made("buildx", "create", "--name", "multi", "light")
    result = linked("buildx", "create", "--name", "multi", "light")
    assert result.rc == 1
    assert 'existing instance for "multi" but no append mode' in result.err


def test_a_node_is_changed_by_its_name_with_a_warning(linked: Docker) -> None:
    linked.made("buildx", "create", "--name", "multi", "--platform", "linux/amd64", "light")
    result = linked("buildx", "create", "--name", "multi", "--node", "multi0", "--driver-opt", "image=a/b:c")
    assert result.rc == 0
    assert "new settings may not be used until builder is restarted" in result.err
    node = instance(linked, "multi")["Nodes"][0]
    assert node["DriverOpts"] == {"image": "a/b:c"}
    assert node["Platforms"] == [{"architecture": "amd64", "os": "linux"}]


def test_an_appended_node_takes_its_platforms_from_the_others(linked: Docker, light_engine: LightEngine) -> None:
    linked.made("buildx", "create", "--name", "multi", "--platform", "linux/amd64,linux/arm64", "light")
    more = ["--append", "--node", "second", "--platform", "linux/arm64"]
    linked.made("buildx", "create", "--name", "multi", *more, "--driver", "docker-container", light_engine.host)
    first, second = instance(linked, "multi")["Nodes"]
    assert first["Platforms"] == [{"architecture": "amd64", "os": "linux"}]
    assert (second["Name"], second["Endpoint"]) == ("second", light_engine.host)
    linked.made("buildx", "create", "--name", "multi", "--leave", "--node", "second")
    assert [node["Name"] for node in instance(linked, "multi")["Nodes"]] == ["multi0"]


def test_a_failed_append_costs_the_builder_its_platforms_and_flags(linked: Docker) -> None:
    linked.made("buildx", "create", "--name", "multi", "--platform", "linux/amd64", "light")
    linked.made("context", "create", "dead", "--docker", "host=unix:///proc/nowhere.sock")
    result = linked("buildx", "create", "--name", "multi", "--append", "--node", "second", "dead")
    assert result.rc == 1
    assert "failed to initialize builder multi (second)" in result.err
    node = instance(linked, "multi")["Nodes"][0]
    assert (node["Platforms"], node["Flags"]) == ([], [])


def test_a_unix_address_without_a_driver_makes_a_remote_builder(linked: Docker) -> None:
    linked.made("buildx", "create", "--name", "far", "unix:///proc/nowhere/buildkitd.sock")
    assert listed(linked)["far"]["Driver"] == "remote"
    assert listed(linked)["far"]["Nodes"][0]["Status"] == "inactive"


def test_the_buildkit_configuration_takes_its_certificates_along(linked: Docker) -> None:
    ca = linked.directory / "ca.pem"
    ca.write_text("certificate")
    config = linked.directory / "buildkitd.toml"
    config.write_text(f'debug = true\n[registry."r.example:5000"]\n  http = true\n  ca = ["{ca}"]\n[worker.oci]\n  gc = true\n')
    linked.made("buildx", "create", "--name", "multi", "--buildkitd-config", str(config), "light")
    import base64

    files = {name: base64.b64decode(text).decode() for name, text in instance(linked, "multi")["Nodes"][0]["Files"].items()}
    assert files == {
        "buildkitd.toml": (
            "debug = true\n\n[registry]\n[registry.'r.example:5000']\nca = ['/etc/buildkit/certs/r.example_5000/ca.pem']\n"
            "http = true\n\n[worker]\n[worker.oci]\ngc = true\n"
        ),
        "certs/r.example_5000/ca.pem": "certificate",
    }


def test_a_stored_builder_is_inactive_until_it_boots(linked: Docker) -> None:
    linked.made("buildx", "create", "--name", "multi", "--platform", "linux/amd64,linux/arm64", "light")
    found = listed(linked)["multi"]
    assert found["Current"] is False
    assert found["Nodes"] == [
        {
            "Name": "multi0",
            "Endpoint": "light",
            "Flags": [NETWORK],
            "Status": "inactive",
            "Platforms": ["linux/amd64", "linux/arm64"],
        }
    ]
    text = linked.made("buildx", "inspect", "multi").out
    assert "Status:                inactive\n" in text
    assert "Platforms:             linux/amd64*, linux/arm64*\n" in text


def test_use_and_its_default_are_remembered_per_context(linked: Docker) -> None:
    linked.made("buildx", "create", "--name", "multi", "light")
    linked.made("buildx", "use", "multi")
    store = linked.config / "buildx"
    assert json.loads((store / "current").read_text()) == {"Key": "light", "Name": "multi", "Global": False}
    linked.made("buildx", "use", "--default", "multi")
    assert (store / "defaults" / hashlib.sha256(b"light").hexdigest()[:20]).read_text() == "multi"
    assert listed(linked)["multi"]["Current"] is True
    linked.made("context", "create", "other", "--docker", "host=unix:///proc/nowhere.sock")
    linked.made("context", "use", "other")
    assert listed(linked)["multi"]["Current"] is False


USE_REFUSED = [
    ("nope", 'failed to find instance "nope"'),
    ("default", "run `docker context use default` to switch to default context"),
    ("other", "run `docker context use other` to switch to context other"),
]


@pytest.mark.parametrize(("name", "words"), USE_REFUSED, ids=[case[0] for case in USE_REFUSED])
def test_use_of_what_is_no_builder_is_refused(linked: Docker, name: str, words: str) -> None:
    linked.made("context", "create", "other", "--docker", "host=unix:///proc/nowhere.sock")
    result = linked("buildx", "use", name)
    assert result.rc == 1
    assert words in result.err


def test_the_current_context_is_a_builder_too(linked: Docker) -> None:
    linked.made("buildx", "create", "--name", "multi", "--use", "light")
    linked.made("buildx", "use", "light")
    assert listed(linked)["light"]["Current"] is True


@pytest.mark.parametrize("verb", ["inspect", "rm"])
def test_an_unknown_builder_fails(linked: Docker, verb: str) -> None:
    result = linked("buildx", verb, "nope")
    assert result.rc == 1
    assert 'no builder "nope" found' in result.err


def test_rm_says_what_it_removed_on_stderr(linked: Docker) -> None:
    for name in ("one", "two"):
        linked.made("buildx", "create", "--name", name, "light")
    result = linked("buildx", "rm", "one", "two")
    assert (result.rc, result.out) == (0, "")
    assert sorted(result.err.splitlines()) == ["one removed", "two removed"]
    assert set(listed(linked)) == {"default", "light"}


def test_rm_by_the_plugin_itself(linked: Docker) -> None:
    linked.made("buildx", "create", "--name", "one", "light")
    plugin = type(linked)(linked.config / "cli-plugins" / "docker-buildx", linked.version, linked.directory)
    result = plugin("rm", "one")
    assert (result.rc, result.out, result.err) == (0, "", "one removed\n")
    assert set(listed(linked)) == {"default", "light"}


def test_a_context_is_not_removed_as_a_builder(linked: Docker) -> None:
    result = linked("buildx", "rm", "light")
    assert result.rc == 1
    assert "context builder cannot be removed" in result.err


def test_ls_answers_for_dead_engines_with_exit_code_0(linked: Docker) -> None:
    linked.made("buildx", "create", "--name", "multi", "light")
    linked.made("context", "update", "light", "--docker", "host=unix:///proc/nowhere.sock")
    result = linked.made("buildx", "ls")
    assert "Failed to get status for multi (multi0): failed to connect to the docker API" in result.err
    assert "Cannot load builder light: failed to connect to the docker API" in result.err
    assert listed(linked)["multi"]["Nodes"][0]["Status"] == "error"
    assert linked("buildx", "inspect", "--bootstrap", "multi").rc == 0


def test_a_builder_of_a_dead_engine_is_forgotten_although_rm_fails(linked: Docker) -> None:
    linked.made("buildx", "create", "--name", "multi", "light")
    linked.made("context", "update", "light", "--docker", "host=unix:///proc/nowhere.sock")
    result = linked("buildx", "rm", "multi")
    assert result.rc == 1
    assert "failed to remove multi: failed to stop node multi0" in result.err
    assert "multi" not in listed(linked)


def test_a_builder_whose_context_is_gone_is_an_error_and_can_be_removed(linked: Docker) -> None:
    linked.made("buildx", "create", "--name", "multi", "light")
    linked.made("context", "rm", "-f", "light")
    assert listed(linked)["multi"]["Nodes"][0]["Err"] == "unable to parse docker host `light`"
    assert linked("buildx", "rm", "multi").rc == 1
    assert "multi" not in listed(linked)


def test_all_inactive_asks_unless_forced(linked: Docker) -> None:
    linked.made("buildx", "create", "--name", "multi", "light")
    result = linked("buildx", "rm", "--all-inactive", stdin="n\n")
    assert result.rc == 0
    assert "Are you sure you want to continue? [y/N]" in result.out
    assert "multi" in listed(linked)
    linked.made("buildx", "rm", "--all-inactive", "--force")
    assert "multi" not in listed(linked)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["create", "a", "b"], 1), (["create", "--bogus"], 125), (["ls", "-q"], 125), (["inspect", "a", "b"], 1), (["nonsense"], 1)],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_wrong_usage_has_its_own_exit_codes(linked: Docker, arguments: list[str], code: int) -> None:
    assert linked("buildx", *arguments).rc == code


def test_a_booted_stand_in_builder_is_a_container_with_its_volume(tmp_path: Any, light_engine: LightEngine) -> None:
    from .conftest import make_buildx

    docker = make_buildx("stand-in", tmp_path)
    docker.environment["DOCKER_HOST"] = light_engine.host
    docker.made("buildx", "create", "--name", "multi", "--platform", "linux/amd64,linux/arm64", "--bootstrap")
    assert docker.made("ps", "--format", "{{.Names}}").out == "buildx_buildkit_multi0\n"
    node = listed(docker)["multi"]["Nodes"][0]
    assert node["Status"] == "running"
    assert {"linux/amd64", "linux/arm64"} <= set(node["Platforms"])
    docker.made("buildx", "rm", "--keep-state", "multi")
    assert docker.made("ps", "-aq").out == ""
    assert [item["Name"] for item in json.loads((light_engine.state / "volumes.json").read_text())] == [
        "buildx_buildkit_multi0_state"
    ]


def test_a_stand_in_machine_without_emulation_offers_only_its_own(tmp_path: Any, light_engine: LightEngine) -> None:
    from .conftest import make_buildx

    docker = make_buildx("stand-in", tmp_path)
    docker.environment |= {"DOCKER_HOST": light_engine.host, "REHEARSAL_PLATFORMS": "linux/arm64"}
    docker.made("buildx", "create", "--name", "multi", "--bootstrap")
    assert listed(docker)["multi"]["Nodes"][0]["Platforms"] == ["linux/arm64"]
