# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfigs as kubectl reads them."""

from __future__ import annotations

import base64
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError, WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.kube import exec_login as kube_exec
from ansible_collections.laptop.containers.plugins.module_utils.kube.access import read_access
from ansible_collections.laptop.containers.plugins.module_utils.kube.entry import find_entry, kubeconfig_paths

from rehearsal.services.certificates import Authority

V1 = "client.authentication.k8s.io/v1"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config(user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None, name: str = "colima-k8s") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}}],
    }


def write(path: Path, document: Any) -> Path:
    path.write_text(yaml.safe_dump(document) if not isinstance(document, str) else document)
    return path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (tmp_path / "authority").mkdir()
    return Authority(tmp_path / "authority")


def test_certificates_inside_the_file_are_loaded_and_leave_no_copy(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    pair = authority.issue("me")
    user = {
        "client-certificate-data": b64(pair.certificate.decode()),
        "client-key-data": b64(pair.key.decode()),
    }
    cluster = {"certificate-authority-data": b64(authority.certificate_file.read_text())}
    access = read_access("colima-k8s", [write(tmp_path / "config", config(user, cluster))])
    assert (len(access.tls.get_ca_certs()), access.server) == (1, "https://127.0.0.1:6443")
    assert not list((tmp_path / "temporary").iterdir())


def test_one_cluster_can_be_asked_by_several_threads(tmp_path: Path, authority: Authority) -> None:
    cluster = {"certificate-authority-data": b64(authority.certificate_file.read_text())}
    path = write(tmp_path / "config", config(None, cluster))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _number: read_access("colima-k8s", [path]), range(64)))
    assert {len(access.tls.get_ca_certs()) for access in found} == {1}


def test_certificates_beside_the_file(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text(name.upper())
    user = {"client-certificate": "cert", "client-key": str(tmp_path / "key")}
    entry = find_entry("colima-k8s", [write(tmp_path / "config", config(user, {"certificate-authority": "ca"}))])
    assert (entry.cluster["certificate-authority"], entry.user["client-certificate"]) == (
        str(tmp_path / "ca"),
        str(tmp_path / "cert"),
    )
    with pytest.raises(InputError, match="its certificates can't be read"):
        read_access("colima-k8s", [tmp_path / "config"])


def test_tokens_and_passwords(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    for user, header in (
        ({"token": "t"}, "Bearer t"),
        ({"token": "t", "tokenFile": "token"}, "Bearer from-file"),
        ({"username": "a", "password": "b"}, "Basic " + b64("a:b")),
        ({}, ""),
    ):
        path = write(tmp_path / "config", config(user))
        assert read_access("colima-k8s", [path]).authorization == header


def test_switches_of_the_cluster(tmp_path: Path) -> None:
    cluster = {"insecure-skip-tls-verify": True, "tls-server-name": "k3s", "proxy-url": "http://proxy:3128"}
    access = read_access("colima-k8s", [write(tmp_path / "config", config({"as": "other"}, cluster))])
    found = (access.settings.verify_ssl, access.settings.tls_server_name, access.settings.proxy)
    assert found == (False, "k3s", "http://proxy:3128")
    assert access.impersonate == "other"


def test_the_first_of_several_files_wins_and_references_cross_files(tmp_path: Path) -> None:
    first = write(tmp_path / "a", {"contexts": [{"name": "colima-k8s", "context": {"cluster": "c", "user": "u"}}]})
    second = write(tmp_path / "b", config({"token": "t"}))
    assert read_access("colima-k8s", [first, second, tmp_path / "missing"]).authorization == "Bearer t"


def test_files_are_found_as_kubectl_finds_them(tmp_path: Path) -> None:
    assert kubeconfig_paths("/x", {"KUBECONFIG": "/y"}) == (Path("/x"),)
    assert kubeconfig_paths("", {"KUBECONFIG": "/y:/z"}) == (Path("/y"), Path("/z"))
    assert kubeconfig_paths("", {"HOME": str(tmp_path)}) == (tmp_path / ".kube" / "config",)


def test_a_kubeconfig_in_a_home_that_is_not_there_is_not_there(tmp_path: Path) -> None:
    for option, environment in (("~no-such-user/config", {}), ("", {"KUBECONFIG": "~no-such-user/config"})):
        with pytest.raises(InputError, match="there are no contexts in ~no-such-user/config"):
            read_access("colima-k8s", kubeconfig_paths(option, environment))


def test_credentials_never_show(tmp_path: Path) -> None:
    path = write(tmp_path / "config", config({"token": "hidden"}))
    assert "hidden" not in repr(read_access("colima-k8s", [path])) + repr(find_entry("colima-k8s", [path]))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        pytest.param(config(name="other"), "known are other", id="another context"),
        pytest.param({}, "there are no contexts", id="empty"),
        pytest.param("a: [", "not YAML", id="broken"),
        pytest.param("- a", "not a mapping", id="a list"),
        pytest.param(config(cluster={"server": ""}), "has no server", id="no server"),
        pytest.param(config(cluster={"server": "6443"}), "not an address", id="a port as server"),
        pytest.param(config(cluster={"server": "https://h:notaport"}), "not an address", id="a word as port"),
        pytest.param(config(cluster={"server": "https://h:99999"}), "not an address", id="no such port"),
        pytest.param(config(cluster={"server": "https://[::1"}), "not an address", id="half an IPv6 address"),
        pytest.param(config(cluster={"server": "https://a..b"}), "not an address", id="no name for a name server"),
        pytest.param(config(cluster={"proxy-url": "ftp://x"}), "not an http, https or socks5 proxy", id="ftp"),
        pytest.param(config(cluster={"proxy-url": "http://[::1"}), "not an http, https or socks5 proxy", id="half a proxy"),
        pytest.param({"contexts": [{"name": 12}, {"name": "b"}]}, "known are 12, b", id="a number among the names"),
        pytest.param(config({"client-key-data": "é"}), "not base64", id="letters that base64 has not"),
        pytest.param(config({"client-key": "~no-such-user/key"}), "can't be read", id="a home that is not there"),
        pytest.param(config({"client-key": "a\0b"}), "can't be read", id="no name for a file"),
        pytest.param(config({"tokenFile": "binary"}), "binary can't be read", id="binary token file"),
        pytest.param(config({"as": "jane", "as-groups": ["x"]}), "has 'as-groups', and only 'as' is supported", id="as-groups"),
        pytest.param(config({"as": "jane", "as-uid": "7"}), "has 'as-uid'", id="as-uid"),
        pytest.param(config({"as": "jane", "as-user-extra": {"a": ["b"]}}), "has 'as-user-extra'", id="as-user-extra"),
        pytest.param(config({"client-key-data": "%"}), "not base64", id="broken key"),
        pytest.param(config({"client-key": "nowhere"}), "can't be read", id="missing key file"),
        pytest.param(config({"tokenFile": "nowhere"}), "nowhere can't be read", id="missing token file"),
        pytest.param({"contexts": 5, "users": None}, "its contexts are not a list", id="a number as a section"),
    ],
)
def test_a_kubeconfig_that_does_not_serve_is_named(tmp_path: Path, document: Any, said: str) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError) as caught:
        read_access("colima-k8s", [write(tmp_path / "config", document)])
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_a_context_whose_name_yaml_reads_as_a_number_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "config", yaml.safe_dump(config(name="12")).replace("'12'", "12"))
    assert read_access("12", [path]).server == "https://127.0.0.1:6443"


@pytest.mark.parametrize(
    "cluster",
    [{"server": "ftp://me:hun/t@er2@127.0.0.1:1"}, {"proxy-url": "ftp://me:hunter2@127.0.0.1:1"}],
    ids=["server", "proxy"],
)
def test_the_login_of_an_address_is_not_shown(tmp_path: Path, cluster: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        read_access("colima-k8s", [write(tmp_path / "config", config(cluster=cluster))])
    assert "'ftp://127.0.0.1:1'" in caught.value.message and "er2" not in caught.value.message
    proxied = read_access("colima-k8s", [write(tmp_path / "config", config(cluster={"proxy-url": "http://me:hunter2@proxy"}))])
    assert "hunter2" not in repr(proxied)


@pytest.mark.parametrize("written", ["false", "'false'", "'true'", "1"])
def test_only_a_plain_true_turns_the_check_of_certificates_off(tmp_path: Path, written: str) -> None:
    text = yaml.safe_dump(config(cluster={"insecure-skip-tls-verify": "WRITTEN"})).replace("WRITTEN", written)
    assert read_access("colima-k8s", [write(tmp_path / "config", text)]).settings.verify_ssl


def login_plug_in(tmp_path: Path, script: str = "", **entry: Any) -> dict[str, Any]:
    """A user whose program runs a script: by default one that gives a token."""
    answer = {"apiVersion": V1, "kind": "ExecCredential", "status": {"token": "from-plug-in"}}
    plugin = tmp_path / "login"
    plugin.write_text("#!/bin/sh\n" + (script or f"echo '{json.dumps(answer)}'"))
    plugin.chmod(0o755)
    return {"exec": {"apiVersion": V1, "command": str(plugin), "interactiveMode": "Never", **entry}}


def test_a_login_plug_in_gives_a_token(tmp_path: Path) -> None:
    access = read_access("colima-k8s", [write(tmp_path / "config", config(login_plug_in(tmp_path)))])
    assert (access.authorization, access.server) == ("Bearer from-plug-in", "https://127.0.0.1:6443")


def test_a_login_plug_in_is_started_as_kubectl_does(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue("me")
    script = """
[ "$1 $2 $3" = "get-token --name x" ] && [ "$REGION" = here ] && printf '%s' "$KUBERNETES_EXEC_INFO" > "$(dirname "$0")/info"
cat "$(dirname "$0")/answer"
"""
    options = {"args": ["get-token", "--name", "x"], "env": [{"name": "REGION", "value": "here"}], "provideClusterInfo": True}
    # The path of a program, unlike its bare name, starts from the kubeconfig.
    user = login_plug_in(tmp_path, script, **options, command="./login")
    status = {"clientCertificateData": pair.certificate.decode(), "clientKeyData": pair.key.decode()}
    (tmp_path / "answer").write_text(json.dumps({"apiVersion": V1, "status": status}))
    ca = b64(authority.certificate_file.read_text())
    own = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "team"}}]
    cluster = {"certificate-authority-data": ca, "tls-server-name": "k3s", "extensions": own}
    assert read_access("colima-k8s", [write(tmp_path / "config", config(user, cluster))]).authorization == ""
    assert json.loads((tmp_path / "info").read_text()) == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            "cluster": {
                "server": "https://127.0.0.1:6443",
                "tls-server-name": "k3s",
                "certificate-authority-data": ca,
                "config": {"audience": "team"},
            },
        },
    }


def test_a_token_in_the_kubeconfig_beats_a_login_plug_in(tmp_path: Path) -> None:
    user = {**login_plug_in(tmp_path, "exit 1"), "token": "t"}
    assert read_access("colima-k8s", [write(tmp_path / "config", config(user))]).authorization == "Bearer t"


def test_beside_a_login_plug_in_all_else_of_the_kubeconfig_counts(tmp_path: Path) -> None:
    cluster = {
        "proxy-url": "http://proxy:3128",
        "tls-server-name": "k3s",
        "insecure-skip-tls-verify": True,
    }
    user = {**login_plug_in(tmp_path), "as": "jane"}
    access = read_access("colima-k8s", [write(tmp_path / "config", config(user, cluster))])
    assert (access.authorization, access.impersonate) == ("Bearer from-plug-in", "jane")
    settings = access.settings
    assert (settings.proxy, settings.tls_server_name, settings.verify_ssl) == ("http://proxy:3128", "k3s", False)


def test_impersonation_that_is_not_supported_is_refused_beside_a_login_plug_in(tmp_path: Path) -> None:
    user = {**login_plug_in(tmp_path), "as": "jane", "as-groups": ["readers"]}
    with pytest.raises(InputError, match="as-groups"):
        read_access("colima-k8s", [write(tmp_path / "config", config(user))])


@pytest.mark.parametrize(
    ("script", "entry", "why"),
    [
        pytest.param("", {"command": "/proc/nowhere"}, "'/proc/nowhere' is not installed or not on PATH", id="missing"),
        pytest.param("", {"interactiveMode": "Always"}, "needs a terminal (interactiveMode: Always)", id="interactive"),
        pytest.param("echo '[[['", {}, "gave no credentials", id="garbage"),
        pytest.param("echo a token; echo no session >&2; exit 3", {}, "failed with exit code 3. Run", id="fails"),
        pytest.param("echo a token", {}, "gave no credentials", id="no answer"),
        pytest.param(f"""echo '{{"apiVersion": "{V1}", "status": 5}}'""", {}, "gave no credentials", id="an odd answer"),
        pytest.param("""echo '{"apiVersion": "v2", "status": {"token": "t"}}'""", {}, "gave no credentials", id="not of v1"),
        pytest.param(
            "echo a token; exec sleep 60", {}, "did not answer within 0.2 s; it may wait for a browser", id="waits for a browser"
        ),
    ],
)
def test_a_login_plug_in_that_fails_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, entry: dict[str, Any], why: str
) -> None:
    if "sleep" in script:
        monkeypatch.setattr(kube_exec, "SECONDS", 0.2)
    with pytest.raises(WorkstationError) as told:
        read_access("colima-k8s", [write(tmp_path / "config", config(login_plug_in(tmp_path, script, **entry)))])
    assert told.value.message.startswith("Could not log in to kube context 'colima-k8s': its log-in program '/")
    assert why in told.value.message
    assert ". Run 'kubectl --context colima-k8s get namespaces'" in told.value.message
    assert "token" not in str(told.value.result) and "session" not in str(told.value.result)


@pytest.mark.parametrize("entry", ["x", {"command": "/login"}, {"command": "/login", "apiVersion": V1, "args": 5}])
def test_an_exec_entry_that_is_none_is_refused(tmp_path: Path, entry: Any) -> None:
    with pytest.raises(InputError, match=r"the exec entry of its user is incomplete\. Repair the kubeconfig\."):
        read_access("colima-k8s", [write(tmp_path / "config", config({"exec": entry}))])


def test_a_provider_is_asked_by_the_kubernetes_package(tmp_path: Path) -> None:
    claims = base64.urlsafe_b64encode(b'{"exp": 32503680000}').decode().rstrip("=")
    token = f"e30.{claims}.x"
    user = {"auth-provider": {"name": "oidc", "config": {"id-token": token}}}
    access = read_access("colima-k8s", [write(tmp_path / "config", config(user, {"proxy-url": "http://proxy:3128"}))])
    assert (access.authorization, access.settings.proxy) == (f"Bearer {token}", "http://proxy:3128")
    with pytest.raises(WorkstationError, match="Could not log in to kube context 'colima-k8s': its log-in provider gave no cred"):
        read_access("colima-k8s", [write(tmp_path / "config", config({"auth-provider": {"name": "oidc"}}))])


def test_a_program_that_is_missing_comes_with_its_install_hint(tmp_path: Path) -> None:
    user = login_plug_in(tmp_path, command="no-such-program", installHint="Install it with: brew install it")
    with pytest.raises(WorkstationError, match=r"is not installed or not on PATH\. Install it with: brew install it$"):
        read_access("colima-k8s", [write(tmp_path / "config", config(user))])


@pytest.mark.parametrize(
    ("server", "around", "proxy"),
    [
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://company:3128"}, ""),
        ("https://work", {"HTTPS_PROXY": "http://company:3128"}, "http://company:3128"),
        ("https://work", {"HTTP_PROXY": "http://company:3128"}, ""),
    ],
    ids=["this machine", "far away", "the proxy of another scheme"],
)
def test_a_proxy_of_the_environment_is_used_as_kubectl_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str, around: dict[str, str], proxy: str
) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    assert read_access("colima-k8s", [write(tmp_path / "config", config(cluster={"server": server}))]).settings.proxy == proxy


def test_an_old_kubernetes_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "__version__", "31.0.0")
    with pytest.raises(WorkstationError, match=r"it is 31\.0\.0, and 37 or newer is needed\. Install it into Ansible's Python"):
        read_access("colima-k8s", [write(tmp_path / "config", config())])
