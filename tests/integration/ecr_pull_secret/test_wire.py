# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes over the wire, to the cluster and to AWS: how much, with whose rights, and what pods see meanwhile."""

from __future__ import annotations

import base64
import hashlib
import http.server
import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.ecr_pull_secret.api_server_proxy import Front, refuse
from tests.support.ecr_pull_secret.ecr_proxy import Front as Proxy
from tests.support.ecr_pull_secret.scenario import HOST, SECRET_RULE, age, password, read, run

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.ecr import Ecr

ROOT = Path(__file__).resolve().parents[3]
ACCOUNT = "123456789012"
MANY = 24
MOST_AT_ONCE = 8
_number = itertools.count()

pytestmark = [pytest.mark.real("kubernetes"), pytest.mark.usefixtures("aws")]


@pytest.fixture
def namespace(apiserver: ApiServer) -> Iterator[str]:
    name = apiserver.namespace(f"wire-{next(_number)}")
    yield name
    apiserver.remove_namespace(name)


@pytest.fixture(scope="module")
def many(apiserver: ApiServer) -> Iterator[list[str]]:
    names = [apiserver.namespace(f"crowd-{number:02d}") for number in range(MANY)]
    yield names
    for name in names:
        apiserver.remove_namespace(name)


def nothing(method: str, path: str) -> Any:
    return None


@pytest.mark.parametrize(("namespaces", "lists"), [("names", 1), (["crowd-*"], 2)], ids=["by name", "by glob"])
def test_one_list_of_metadata_shows_the_state_of_all_namespaces(
    apiserver: ApiServer, many: list[str], tmp_path: Path, namespaces: Any, lists: int
) -> None:
    wanted = many if namespaces == "names" else namespaces
    run(apiserver.kubeconfig, namespaces=many)
    before = {name: read(apiserver, name) for name in many}
    with Front(apiserver, nothing) as front:
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=wanted)
        front.shutdown()
    assert not result.changed and len(result.states) == MANY
    assert [method for method, _, _ in front.seen] == ["GET"] * lists
    (secrets,) = [(path, accept) for _, path, accept in front.seen if "/secrets" in path]
    # Of all namespaces, by name, and never with content.
    assert secrets[0].startswith("/api/v1/secrets?") and "metadata.name" in urllib.parse.unquote(secrets[0])
    assert "PartialObjectMetadataList" in secrets[1]
    assert {name: read(apiserver, name) for name in many} == before


def test_no_more_than_a_few_writes_at_once(apiserver: ApiServer, many: list[str], tmp_path: Path) -> None:
    lock = threading.Lock()
    now, most = [0], [0]

    def slow(method: str, path: str) -> Any:
        if method == "PATCH":
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.05)
            with lock:
                now[0] -= 1
        return None

    run(apiserver.kubeconfig, namespaces=many, state="absent")
    with Front(apiserver, slow) as front:
        assert not run(front.kubeconfig(tmp_path / "config"), namespaces=many).failed
        front.shutdown()
    assert 2 <= most[0] <= MOST_AT_ONCE


def test_pods_find_a_whole_secret_at_every_moment_of_a_renewal(apiserver: ApiServer, ecr: Ecr, namespace: str) -> None:
    run(apiserver.kubeconfig, namespaces=[namespace])
    first = read(apiserver, namespace)
    assert first is not None
    seen: set[str] = set()
    over = threading.Event()

    def pods() -> None:
        while not over.is_set():
            seen.add(password(apiserver, namespace))

    reader = threading.Thread(target=pods)
    reader.start()
    tokens = {ecr.token()}
    try:
        for _ in range(3):
            ecr.rotate()
            tokens.add(ecr.token())
            age(apiserver, namespace)
            assert run(apiserver.kubeconfig, namespaces=[namespace]).states == {namespace: "renewed"}
    finally:
        over.set()
        reader.join()
    last = read(apiserver, namespace)
    assert last is not None and last["metadata"]["uid"] == first["metadata"]["uid"]
    assert seen and seen <= tokens


def test_the_annotations_record_expiry_hosts_identity_and_digest(apiserver: ApiServer, namespace: str) -> None:
    second = "210987654321.dkr.ecr.us-east-1.amazonaws.com"
    result = run(apiserver.kubeconfig, namespaces=[namespace], registries=[HOST, second], service_accounts=["default"])
    found = read(apiserver, namespace)
    assert found is not None
    notes = {key.removeprefix("laptop.containers/"): value for key, value in found["metadata"]["annotations"].items()}
    assert set(notes) == {"expires-at", "hosts", "identity", "digest", "registries", "service-accounts"}
    assert notes["hosts"] == f"{HOST},{second}" and notes["service-accounts"] == "default"
    digest = hashlib.sha256(base64.b64decode(found["data"][".dockerconfigjson"])).hexdigest()
    assert digest.startswith(notes["digest"]) and len(notes["digest"]) >= 16
    assert re.fullmatch(r"[0-9a-f]{12}", notes["identity"])
    assert datetime.fromisoformat(notes["expires-at"]).tzinfo is not None
    row = result.data["secrets"][0]
    assert (row["digest"], row["expires_at"]) == (notes["digest"], notes["expires-at"])
    assert all(11.9 < hours <= 12 for hours in row["hosts"].values())


def test_two_clusters_in_one_run_share_one_token(apiserver: ApiServer, ecr: Ecr, short_path: Path, tmp_path: Path) -> None:
    from rehearsal.standin.kube_api import KubeApi

    with KubeApi(short_path / "second") as second:
        merged: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
        for name, server in (("one", apiserver), ("two", second)):
            document = yaml.safe_load(server.kubeconfig.read_text())
            merged.setdefault("clusters", []).append({**document["clusters"][0], "name": name})
            merged.setdefault("users", []).append({**document["users"][0], "name": name})
            merged.setdefault("contexts", []).append({"name": name, "context": {"cluster": name, "user": name}})
            server.namespace("shared")
        (tmp_path / "config").write_text(json.dumps(merged))
        calls = ecr.calls
        result = run(tmp_path / "config", contexts=["one", "two"], namespaces=["shared"], name="both")
        assert not result.failed, result.message
        assert [(row["context"], row["state"]) for row in result.data["secrets"]] == [("one", "created"), ("two", "created")]
        assert ecr.calls == calls + 1
        first, other = (read(server, "shared", "both") for server in (apiserver, second))
        assert first is not None and other is not None and first["data"] == other["data"]
        assert not run(tmp_path / "config", contexts=["one", "two"], namespaces=["shared"], name="both").changed
        apiserver.remove_namespace("shared")


# Rights


ACCOUNTS_RULE = {"resources": ["serviceaccounts"], "verbs": ["list", "get", "patch"]}


def test_a_limited_user_may_link_service_accounts_of_his_namespaces(apiserver: ApiServer, namespace: str) -> None:
    limited = apiserver.kubeconfig_for("linker", [SECRET_RULE, ACCOUNTS_RULE], [namespace])
    assert run(limited, namespaces=[namespace], service_accounts=["default"]).states == {namespace: "created"}
    account = read(apiserver, namespace, "default", "serviceaccounts")
    assert account is not None and account["imagePullSecrets"] == [{"name": "ecr-creds"}]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"service_accounts": ["default"]}, "may not list service accounts", id="service accounts"),
        pytest.param({"namespace_selector": "a=b"}, "may not list namespaces", id="selector"),
        pytest.param({"namespaces": ["wire-*"]}, "Name them one by one instead of 'wire-*'", id="glob"),
        pytest.param({"namespaces": ["wire-unheard-of"], "create_namespaces": True}, "may not", id="new namespace"),
        pytest.param({"namespaces": ["default"]}, "may not", id="a namespace of others"),
    ],
)
def test_what_a_limited_user_may_not_do_is_named(
    apiserver: ApiServer, namespace: str, options: dict[str, Any], said: str
) -> None:
    limited = apiserver.kubeconfig_for("limited-wire", [SECRET_RULE], [namespace])
    failed = run(limited, **{"namespaces": [namespace], **options})
    assert failed.failed and said in failed.message and failed.message.startswith("Could not ")


def test_a_limited_user_who_asks_for_prune_is_served_with_a_warning(apiserver: ApiServer, namespace: str) -> None:
    limited = apiserver.kubeconfig_for("pruner", [SECRET_RULE], [namespace])
    result = run(limited, namespaces=[namespace], prune=True)
    assert result.states == {namespace: "created"}
    assert "may not list secrets of all namespaces" in str(result.data["warnings"])


# Service accounts that other programs change


def test_a_service_account_that_changes_meanwhile_keeps_both_changes(
    apiserver: ApiServer, namespace: str, tmp_path: Path
) -> None:
    meddled: list[str] = []

    def trouble(method: str, path: str) -> Any:
        if method == "PATCH" and "/serviceaccounts/" in path and len(meddled) < 2:
            meddled.append(path)
            found = read(apiserver, namespace, "default", "serviceaccounts")
            assert found is not None
            found["imagePullSecrets"] = [{"name": f"theirs-{number}"} for number in range(len(meddled))]
            status, _ = apiserver.request("PUT", f"/api/v1/namespaces/{namespace}/serviceaccounts/default", found)
            assert status == 200
        return None

    with Front(apiserver, trouble) as front:
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=[namespace], service_accounts=["default"])
        front.shutdown()
    assert not result.failed, result.message
    account = read(apiserver, namespace, "default", "serviceaccounts")
    assert account is not None
    assert [entry["name"] for entry in account["imagePullSecrets"]] == ["theirs-0", "theirs-1", "ecr-creds"]


def test_a_busy_moment_of_the_service_accounts_is_waited_out(apiserver: ApiServer, namespace: str, tmp_path: Path) -> None:
    answers = iter([refuse(429, Retry_After="0.1"), refuse(503)])

    def trouble(method: str, path: str) -> Any:
        return next(answers, None) if method == "PATCH" and "/serviceaccounts/" in path else None

    with Front(apiserver, trouble) as front:
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=[namespace], service_accounts=["default"])
        front.shutdown()
    assert not result.failed, result.message


# AWS


class Recorder(http.server.ThreadingHTTPServer):
    """Passes requests on to AWS' API and remembers their forms."""

    def __init__(self, target: str) -> None:
        self.target, self.forms = target, list[dict[str, str]]()
        super().__init__(("127.0.0.1", 0), RecorderHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class RecorderHandler(http.server.BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.forms.append(dict(urllib.parse.parse_qsl(body.decode())))
        kept = {name: self.headers[name] for name in ("Content-Type", "Authorization", "X-Amz-Target") if name in self.headers}
        request = urllib.request.Request(self.server.target + self.path, body, kept)  # noqa: S310 - always http
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            content = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


def profiles(home: Path, text: str) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(text)


KEYS = "aws_access_key_id = AKIABASE\naws_secret_access_key = x\n"


def test_the_role_of_a_registry_is_assumed_as_it_was_asked_for(
    apiserver: ApiServer, ecr: Ecr, namespace: str, home: Path
) -> None:
    profiles(home, f"[profile base]\n{KEYS}region = eu-central-1\n")
    with Recorder(ecr.url) as sts:
        registry = {
            "host": HOST,
            "profile": "base",
            "role_arn": "arn:aws:iam::210987654321:role/pull",
            "external_id": "between-us",
            "duration": 1800,
            "session_name": "laptop-42",
            "sts_endpoint_url": sts.url,
        }
        result = run(apiserver.kubeconfig, namespaces=[namespace], registries=[registry])
        sts.shutdown()
    assert not result.failed, result.message
    (form,) = sts.forms
    assert form["Action"] == "AssumeRole" and form["RoleArn"] == registry["role_arn"]
    assert (form["ExternalId"], form["DurationSeconds"], form["RoleSessionName"]) == ("between-us", "1800", "laptop-42")
    assert ecr.requests[-1]["access_key"].startswith("ASIA")


@pytest.mark.parametrize(
    ("config", "key"),
    [
        pytest.param(f"[profile it]\n{KEYS}", "AKIABASE", id="keys"),
        pytest.param(
            f"[profile base]\n{KEYS}[profile it]\nsource_profile = base\nrole_arn = arn:aws:iam::210987654321:role/pull\n",
            "ASIA",
            id="a role with a source profile",
        ),
        pytest.param("[profile it]\ncredential_process = {process}\n", "AKIAPROC", id="credential_process"),
    ],
)
def test_a_profile_is_read_as_the_aws_command_reads_it(
    request: pytest.FixtureRequest, ecr: Ecr, home: Path, config: str, key: str
) -> None:
    apiserver, namespace = request.getfixturevalue("apiserver"), request.getfixturevalue("namespace")
    answer = {"Version": 1, "AccessKeyId": "AKIAPROC", "SecretAccessKey": "x"}
    process = home / "process.py"
    process.write_text(f"print({json.dumps(json.dumps(answer))})")
    profiles(home, config.format(process=f"{sys.executable} {process}") + "region = eu-central-1\n")
    result = run(apiserver.kubeconfig, namespaces=[namespace], registries=[{"host": HOST, "profile": "it"}])
    assert not result.failed, result.message
    assert ecr.requests[-1]["access_key"].startswith(key)


MFA = """
[profile mfa]
source_profile = base
role_arn = arn:aws:iam::210987654321:role/pull
mfa_serial = arn:aws:iam::123456789012:mfa/me
region = eu-central-1
"""


def without_a_terminal(apiserver: ApiServer, namespace: str) -> str:
    """Run the module as Ansible and timers do, without a terminal for a code; returns what it says."""
    options = {"namespaces": [namespace], "registries": [{"host": HOST, "profile": "mfa"}]}
    code = (
        "from tests.support.ecr_pull_secret.scenario import run; "
        f"print(run({str(apiserver.kubeconfig)!r}, **{options!r}).message or 'served')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'collections'}"},
    )  # fmt: skip
    return done.stdout.strip()


def test_a_profile_that_wants_a_code_says_where_to_type_it(apiserver: ApiServer, namespace: str, home: Path) -> None:
    profiles(home, f"[profile base]\n{KEYS}{MFA}")
    said = without_a_terminal(apiserver, namespace)
    assert "profile 'mfa' wants an MFA code" in said and "'aws sts get-caller-identity --profile mfa'" in said


def test_a_session_that_the_aws_command_saved_after_a_code_is_used_and_not_rewritten(
    apiserver: ApiServer, ecr: Ecr, namespace: str, home: Path
) -> None:
    import botocore.session
    from botocore.utils import JSONFileCache

    profiles(home, f"[profile base]\n{KEYS}{MFA}")
    # What `aws sts get-caller-identity --profile mfa` does once the code is typed.
    command = botocore.session.Session(profile="mfa")
    provider = command.get_component("credential_provider").get_provider("assume-role")
    provider.cache, provider._prompter = JSONFileCache(str(home / ".aws" / "cli" / "cache")), lambda _: "123456"
    key = command.get_credentials().get_frozen_credentials().access_key
    (saved,) = (home / ".aws" / "cli" / "cache").iterdir()
    before = saved.read_bytes()
    assert without_a_terminal(apiserver, namespace) == "served"
    assert ecr.requests[-1]["access_key"] == key
    assert saved.read_bytes() == before and len(list(saved.parent.iterdir())) == 1


def test_an_endpoint_of_its_own_is_asked(apiserver: ApiServer, ecr: Ecr, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    registries = [{"host": HOST, "endpoint_url": ecr.url}]
    assert run(apiserver.kubeconfig, namespaces=[namespace], registries=registries).states == {namespace: "created"}


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy to AWS with nothing behind it, which sees the addresses that are asked for."""
    made = Proxy(tmp_path / "proxy", "127.0.0.1:9")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    for name, value in (("AWS_MAX_ATTEMPTS", "1"), ("NO_PROXY", "127.0.0.1"), ("HTTPS_PROXY", made.environment["HTTPS_PROXY"])):
        monkeypatch.setenv(name, value)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        pytest.param(f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com", "api.ecr.eu-central-1.amazonaws.com", id="classic"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn", "api.ecr.cn-north-1.amazonaws.com.cn", id="China"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.us-gov-west-1.amazonaws.com", "api.ecr.us-gov-west-1.amazonaws.com", id="GovCloud"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.eusc-de-east-1.amazonaws.eu", "api.ecr.eusc-de-east-1.amazonaws.eu", id="EU sovereign"),
        pytest.param(f"{ACCOUNT}.dkr.ecr.us-iso-east-1.c2s.ic.gov", "api.ecr.us-iso-east-1.c2s.ic.gov", id="isolated"),
        pytest.param(f"{ACCOUNT}.dkr.ecr-fips.us-east-1.amazonaws.com", "api.ecr-fips.us-east-1.amazonaws.com", id="FIPS"),
        pytest.param(f"{ACCOUNT}.dkr-ecr.us-west-2.on.aws", "ecr.us-west-2.api.aws", id="dual-stack"),
        pytest.param(f"{ACCOUNT}.dkr-ecr-fips.us-west-2.on.aws", "ecr-fips.us-west-2.api.aws", id="dual-stack FIPS"),
        pytest.param("public.ecr.aws", "api.ecr-public.us-east-1.amazonaws.com", id="public gallery"),
        pytest.param(
            f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/nginx",
            "api.ecr.eu-central-1.amazonaws.com",
            id="pull-through cache",
        ),
    ],
)
def test_the_token_of_each_kind_of_host_is_asked_for_at_its_own_address(
    apiserver: ApiServer, namespace: str, proxy: Proxy, host: str, asked: str
) -> None:
    result = run(apiserver.kubeconfig, namespaces=[namespace], registries=[host])
    assert set(proxy.seen) == {asked}
    # That proxy intercepts TLS, with an authority that is not configured.
    assert result.failed and "TLS with AWS in region" in result.message and "AWS_CA_BUNDLE" in result.message
    assert read(apiserver, namespace) is None


# What the page shows


def documents() -> list[dict[str, Any]]:
    page = (ROOT / "docs" / "pull-secrets.md").read_text()
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    return [block for block in blocks if isinstance(block, dict)]


@pytest.mark.parametrize("kind", ["Deployment", "ServiceAccount"])
def test_the_manifests_of_the_page_are_taken_by_a_cluster_and_name_the_secret(apiserver: ApiServer, kind: str) -> None:
    (manifest,) = [document for document in documents() if document.get("kind") == kind]
    group = "apis/apps/v1" if kind == "Deployment" else "api/v1"
    path = f"/{group}/namespaces/default/{kind.lower()}s?dryRun=All&fieldValidation=Strict"
    status, answer = apiserver.request("POST", path, manifest)
    assert status == 201, answer
    spec = answer["spec"]["template"]["spec"] if kind == "Deployment" else answer
    assert spec["imagePullSecrets"] == [{"name": "ecr-creds"}]


def test_the_page_has_values_for_helm_and_compares_with_the_other_tools() -> None:
    (values,) = [document for document in documents() if "image" in document and "global" in document]
    assert values["imagePullSecrets"] == [{"name": "ecr-creds"}] and values["global"]["imagePullSecrets"] == ["ecr-creds"]
    page = (ROOT / "docs" / "pull-secrets.md").read_text()
    (head,) = [line for line in page.splitlines() if line.startswith("| | this |")]
    for other in ("registry-creds", "k8s-ecr-login-renew", "External Secrets", "kubelet provider"):
        assert other in head
