# SPDX-License-Identifier: GPL-3.0-or-later
"""`docker context`: what the stand-in and every real docker agree on."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Docker

SOCKET = "unix:///run/some.sock"


def meta(docker: Docker, name: str) -> Path:
    return docker.config / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"


def tls(docker: Docker, name: str) -> Path:
    return docker.config / "contexts" / "tls" / hashlib.sha256(name.encode()).hexdigest() / "docker"


def test_a_new_machine_has_only_the_default_context_and_no_files(docker: Docker) -> None:
    listed = docker.made("context", "ls", "--format", "{{json .}}")
    assert [json.loads(line)["Name"] for line in listed.out.splitlines()] == ["default"]
    assert not docker.config.exists()


def test_create_says_the_name_on_stdout_and_the_rest_on_stderr(docker: Docker) -> None:
    result = docker("context", "create", "work", "--description", "my work", "--docker", f"host={SOCKET}")
    assert (result.rc, result.out, result.err) == (0, "work\n", 'Successfully created context "work"\n')


def test_a_context_is_stored_under_the_hash_of_its_name(docker: Docker) -> None:
    docker.made("context", "create", "work", "--description", "my <work>", "--docker", f"host={SOCKET}")
    stored = '{"Name":"work","Metadata":{"Description":"my \\u003cwork\\u003e"},'
    stored += f'"Endpoints":{{"docker":{{"Host":"{SOCKET}","SkipTLSVerify":false}}}}}}'
    assert meta(docker, "work").read_text() == stored


@pytest.mark.parametrize("name", ["a", "-x", "a/b", "a b", "ä1"], ids=["short", "dash", "slash", "blank", "umlaut"])
def test_a_bad_name_is_refused_with_the_pattern(docker: Docker, name: str) -> None:
    result = docker("context", "create", "--docker", f"host={SOCKET}", "--", name)
    assert result.rc == 1
    assert result.err.startswith(f'context name "{name}" is invalid, names are validated against regexp')
    assert result.out == ""


@pytest.mark.parametrize("verb", ["create", "update"])
def test_the_name_default_is_reserved(docker: Docker, verb: str) -> None:
    result = docker("context", verb, "default", "--docker", f"host={SOCKET}")
    assert (result.rc, result.err) == (1, '"default" is a reserved context name\n')


def test_create_refuses_a_name_that_exists(docker: Docker) -> None:
    docker.made("context", "create", "work", "--docker", f"host={SOCKET}")
    result = docker("context", "create", "work", "--docker", f"host={SOCKET}")
    assert (result.rc, result.err) == (1, 'context "work" already exists\n')


REFUSED = [
    ("host=/run/x.sock", "unable to create docker endpoint config", 1),
    ("host=tcp://h:1,ca=/proc/nope", "open /proc/nope: no such file or directory", 1),
    ("host=unix:///x,bogus=1", "unrecognized config key", 1),
    ("host=unix:///x,skip-tls-verify=maybe", 'parsing "maybe": invalid syntax', 1),
    ("host=ssh://u:p@h", "plain-text password is not supported", 1),
    ("from=nope", 'context "nope"', 1),
    ("nonsense", "must be formatted as key=value", 125),
]


@pytest.mark.parametrize(("endpoint", "words", "code"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_bad_endpoint_is_refused_and_leaves_nothing(docker: Docker, endpoint: str, words: str, code: int) -> None:
    result = docker("context", "create", "work", "--docker", endpoint)
    assert result.rc == code
    assert words in result.err
    assert not meta(docker, "work").exists()


@pytest.mark.parametrize("host", ["ssh://me@host", "ssh://host:22", "tcp://1.2.3.4:2376", "bogus://x"])
def test_an_endpoint_is_stored_as_it_was_given(docker: Docker, host: str) -> None:
    docker.made("context", "create", "work", "--docker", f"host={host}")
    shown = docker.made("context", "inspect", "work", "--format", "{{.Endpoints.docker.Host}}")
    assert shown.out == f"{host}\n"


@pytest.fixture
def certificates(tmp_path: Path) -> str:
    """The `--docker` words of a TLS endpoint with a real pair of key and certificate."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    try:
        subprocess.run([*command, "-subj", "/CN=x", "-keyout", key, "-out", cert], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed: install it to test TLS endpoints.")
    return f"host=tcp://1.2.3.4:2376,ca={cert},cert={cert},key={key}"


def test_tls_files_are_kept_privately_and_only_named(docker: Docker, certificates: str) -> None:
    docker.made("context", "create", "work", "--docker", certificates)
    shown = docker.made("context", "inspect", "work")
    assert shown.json[0]["TLSMaterial"] == {"docker": ["ca.pem", "cert.pem", "key.pem"]}
    assert "PRIVATE KEY" not in shown.out
    assert (tls(docker, "work") / "key.pem").stat().st_mode & 0o777 == 0o600
    assert tls(docker, "work").stat().st_mode & 0o777 == 0o700


def test_update_of_the_endpoint_without_certificates_drops_them(docker: Docker, certificates: str) -> None:
    docker.made("context", "create", "work", "--description", "kept", "--docker", certificates)
    docker.made("context", "update", "work", "--docker", "host=tcp://1.2.3.4:2376,skip-tls-verify=true")
    shown = docker.made("context", "inspect", "work").json[0]
    assert shown["TLSMaterial"] == {}
    assert shown["Endpoints"]["docker"] == {"Host": "tcp://1.2.3.4:2376", "SkipTLSVerify": True}
    assert shown["Metadata"]["Description"] == "kept"


def test_update_of_the_description_keeps_endpoint_and_certificates(docker: Docker, certificates: str) -> None:
    docker.made("context", "create", "work", "--docker", certificates)
    docker.made("context", "update", "work", "--description", "new")
    shown = docker.made("context", "inspect", "work").json[0]
    assert shown["TLSMaterial"] == {"docker": ["ca.pem", "cert.pem", "key.pem"]}
    assert shown["Metadata"]["Description"] == "new"


def test_an_empty_description_changes_nothing(docker: Docker) -> None:
    docker.made("context", "create", "work", "--description", "old", "--docker", f"host={SOCKET}")
    docker.made("context", "update", "work", "--description", "")
    assert docker.made("context", "inspect", "work").json[0]["Metadata"]["Description"] == "old"


def test_from_copies_endpoint_description_and_certificates(docker: Docker, certificates: str) -> None:
    docker.made("context", "create", "work", "--description", "first", "--docker", certificates)
    docker.made("context", "create", "copy", "--from", "work")
    first, copy = (docker.made("context", "inspect", name).json[0] for name in ("work", "copy"))
    for field in ("Endpoints", "Metadata", "TLSMaterial"):
        assert first[field] == copy[field]


def test_use_writes_the_current_context_and_default_takes_it_away(docker: Docker) -> None:
    docker.made("context", "create", "work", "--docker", f"host={SOCKET}")
    result = docker("context", "use", "work")
    assert (result.rc, result.out, result.err) == (0, "work\n", 'Current context is now "work"\n')
    assert docker.config_json == {"auths": {}, "currentContext": "work"}
    docker.made("context", "use", "default")
    assert docker.config_json == {"auths": {}}


def test_use_of_an_unknown_context_fails_and_changes_nothing(docker: Docker) -> None:
    docker.made("context", "create", "work", "--docker", f"host={SOCKET}")
    docker.made("context", "use", "work")
    result = docker("context", "use", "nope")
    assert result.rc == 1
    assert result.err.startswith('context "nope"')
    assert docker.config_json["currentContext"] == "work"


def test_removing_the_current_context_needs_force_and_falls_back_to_default(docker: Docker) -> None:
    for name in ("first", "second"):
        docker.made("context", "create", name, "--docker", f"host={SOCKET}")
        docker.made("context", "use", name)
    refused = docker("context", "rm", "second")
    assert refused.rc == 1
    assert "is in use, set -f flag to force remove" in refused.err
    assert docker.made("context", "rm", "-f", "second").out == "second\n"
    assert docker.config_json == {"auths": {}}
    assert not meta(docker, "second").parent.exists()


def test_removing_several_goes_on_after_one_that_is_not_there(docker: Docker) -> None:
    for name in ("one", "two"):
        docker.made("context", "create", name, "--docker", f"host={SOCKET}")
    result = docker("context", "rm", "one", "nope", "two")
    assert (result.rc, result.out) == (1, "one\ntwo\n")
    assert 'context "nope" does not exist' in result.err


def test_the_default_context_can_not_be_removed(docker: Docker) -> None:
    result = docker("context", "rm", "-f", "default")
    assert result.rc == 1
    assert 'context "default" cannot be removed' in result.err


def test_inspect_prints_what_it_finds_and_fails_for_the_rest(docker: Docker) -> None:
    docker.made("context", "create", "work", "--docker", f"host={SOCKET}")
    result = docker("context", "inspect", "nope", "work")
    assert result.rc == 1
    assert [item["Name"] for item in result.json] == ["work"]
    assert result.err.startswith('context "nope"')


def test_ls_sorts_numbers_as_numbers_and_stars_the_current_one(docker: Docker) -> None:
    for name in ("ctx10", "ctx9", "alpha"):
        docker.made("context", "create", name, "--docker", f"host={SOCKET}")
    docker.made("context", "use", "ctx9")
    rows = docker.made("context", "ls").out.splitlines()[1:]
    assert [row.split("  ")[0] for row in rows] == ["alpha", "ctx9 *", "ctx10", "default"]


PRECEDENCE = [
    ({}, [], "inside"),
    ({"DOCKER_CONTEXT": "other"}, [], "other"),
    ({"DOCKER_HOST": "unix:///h"}, [], "default"),
    ({"DOCKER_HOST": "unix:///h", "DOCKER_CONTEXT": "other"}, [], "default"),
    ({"DOCKER_HOST": "unix:///h", "DOCKER_CONTEXT": "other"}, ["--context", "inside"], "inside"),
    ({"DOCKER_CONTEXT": "other"}, ["--host", "unix:///h"], "default"),
]
NAMES = ["config", "DOCKER_CONTEXT", "DOCKER_HOST", "DOCKER_HOST first", "option first", "host option"]


@pytest.mark.parametrize(("environment", "options", "current"), PRECEDENCE, ids=NAMES)
def test_who_decides_the_current_context(docker: Docker, environment: dict[str, str], options: list[str], current: str) -> None:
    for name in ("inside", "other"):
        docker.made("context", "create", name, "--docker", f"host={SOCKET}")
    docker.made("context", "use", "inside")
    result = docker(*options, "context", "ls", "--format", "{{.Name}} {{.Current}}", **environment)
    assert f"{current} true" in result.out.splitlines()
    assert result.out.count("true") == 1
    if "DOCKER_HOST" in environment:
        assert "DOCKER_HOST environment variable overrides the active context" in result.err


def test_use_warns_when_the_environment_overrides_it(docker: Docker) -> None:
    docker.made("context", "create", "work", "--docker", f"host={SOCKET}")
    result = docker("context", "use", "work", DOCKER_HOST="unix:///h")
    assert result.rc == 0
    assert 'To use "work", either set the global --context flag, or unset DOCKER_HOST environment variable.' in result.err


def test_the_default_context_follows_docker_host(docker: Docker) -> None:
    shown = docker("context", "inspect", DOCKER_HOST="unix:///h").json[0]
    assert shown["Endpoints"]["docker"]["Host"] == "unix:///h"


def test_host_and_context_together_are_refused(docker: Docker) -> None:
    result = docker("-H", "unix:///h", "--context", "default", "context", "ls")
    assert result.rc == 1
    assert "onflicting options" in result.err


def test_saving_keeps_the_mode_and_drops_what_docker_does_not_know(docker: Docker) -> None:
    docker.made("context", "create", "work", "--docker", f"host={SOCKET}")
    path = docker.config / "config.json"
    path.write_text('{"zz": 1, "credsStore": "desktop", "auths": {"b": {"auth": "eDp5"}, "a": {"auth": "eDp5"}}}')
    path.chmod(0o640)
    docker.made("context", "use", "work")
    assert docker.config_json == {
        "auths": {"a": {"auth": "eDp5"}, "b": {"auth": "eDp5"}},
        "credsStore": "desktop",
        "currentContext": "work",
    }
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_config_behind_a_link_stays_a_link(docker: Docker, tmp_path: Path) -> None:
    docker.made("context", "create", "work", "--docker", f"host={SOCKET}")
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    (docker.config / "config.json").unlink(missing_ok=True)
    (docker.config / "config.json").symlink_to(real)
    docker.made("context", "use", "work")
    assert (docker.config / "config.json").is_symlink()
    assert json.loads(real.read_text())["currentContext"] == "work"


def test_a_broken_config_is_a_warning_and_the_next_save_replaces_it(docker: Docker) -> None:
    docker.made("context", "create", "work", "--docker", f"host={SOCKET}")
    (docker.config / "config.json").write_text("{broken")
    result = docker("context", "use", "work")
    assert result.rc == 0
    assert result.err.startswith("WARNING: Error ")
    assert "looking for beginning of object key string" in result.err
    assert docker.config_json["currentContext"] == "work"


def test_an_exported_context_can_be_imported_under_another_name(docker: Docker, certificates: str) -> None:
    docker.made("context", "create", "work", "--description", "d", "--docker", certificates)
    docker.made("context", "export", "work", "work.tar")
    docker.made("context", "import", "again", "work.tar")
    first, again = (docker.made("context", "inspect", name).json[0] for name in ("work", "again"))
    assert {**first, "Name": "", "Storage": ""} == {**again, "Name": "", "Storage": ""}


@pytest.mark.parametrize("format_", ["{{.Nope}}", "{{.Name"], ids=["field", "syntax"])
def test_a_bad_template_fails(docker: Docker, format_: str) -> None:
    result = docker("context", "ls", "--format", format_)
    assert (result.rc, result.out) == (1, "")
    assert "template parsing error" in result.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["ls", "extra"], 1),
        (["use"], 1),
        (["rm"], 1),
        (["create", "--bogus"], 125),
        (["inspect", "-f"], 125),
        (["use", "a", "b"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_wrong_usage_has_its_own_exit_codes(docker: Docker, arguments: list[str], code: int) -> None:
    result = docker("context", *arguments)
    assert (result.rc, result.out) == (code, "")
    assert result.err


@pytest.mark.parametrize("command", ["ps", "version", "info"])
def test_a_context_that_is_gone_stops_every_engine_command(docker: Docker, command: str) -> None:
    result = docker("--context", "nope", command)
    assert (result.rc, result.out) == (1, "")
    assert 'context "nope"' in result.err
