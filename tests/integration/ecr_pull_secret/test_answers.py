# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that quote the secret, change it, or are none: a real API server with real policies, and a hostile one beside it."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.server
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.system import command
from ansible_collections.laptop.containers.plugins.module_utils.ecr import session
from ansible_collections.laptop.containers.plugins.module_utils.kube import bounds, patience

from rehearsal.processes.system import comes_true
from tests.support.ecr_pull_secret.api_server_proxy import Front
from tests.support.ecr_pull_secret.canaries import told_of
from tests.support.ecr_pull_secret.scenario import HOST, content, password, read, run
from tests.support.test_runs import fault_rows

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.ecr import Ecr

API = "/apis/admissionregistration.k8s.io/v1"
SECRETS = [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"], "operations": ["CREATE", "UPDATE"]}]
QUOTES = "'refused: ' + object.data['.dockerconfigjson']"
EMPTY = base64.b64encode(b'{"auths":{}}').decode()
USUAL = patience.Patience.__init__
_number = itertools.count()

pytestmark = [pytest.mark.real("kubernetes"), pytest.mark.usefixtures("aws")]


@pytest.fixture
def namespace(apiserver: ApiServer, ecr: Ecr, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of this test alone. After a fault, a run without trouble has to converge in it."""
    name = apiserver.namespace(f"answer-{next(_number)}")
    yield name
    if request.node.get_closest_marker("fault"):
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("AWS_SESSION_TOKEN", raising=False)
            for variable, value in ecr.environment.items():
                patch.setenv(variable, value)
            patch.setattr(patience.Patience, "__init__", USUAL)
            first, second = (run(apiserver.kubeconfig, namespaces=[name]) for _time in range(2))
        assert not first.failed and second.states == {name: "fresh"} and not second.changed, (first.message, second.message)
    apiserver.remove_namespace(name)


@contextlib.contextmanager
def policy(apiserver: ApiServer, kind: str, namespace: str, spec: dict[str, Any], binding: dict[str, Any]) -> Iterator[None]:
    """Have a real policy decide on the secrets of one namespace, and wait until it does."""
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    constraints = {"resourceRules": SECRETS, **only}
    parts = {
        f"{kind}Policy": {"failurePolicy": "Fail", "matchConstraints": constraints, **spec},
        f"{kind}PolicyBinding": {"policyName": namespace, "matchResources": only, **binding},
    }
    plurals = {part: f"{part.lower()}s".replace("policys", "policies") for part in parts}
    for part, body in parts.items():
        whole = {"apiVersion": API[6:], "kind": part, "metadata": {"name": namespace}, "spec": body}
        status, answer = apiserver.request("POST", f"{API}/{plurals[part]}", whole)
        if status == 404:
            pytest.skip(f"this API server has no {part}")
        assert status == 201, answer
    try:
        assert comes_true(lambda: is_in_force(apiserver, namespace), 60), f"the {kind} policy never came into force"
        yield
    finally:
        for part in reversed(parts):
            apiserver.request("DELETE", f"{API}/{plurals[part]}/{namespace}")
        assert comes_true(lambda: not is_in_force(apiserver, namespace), 60), f"the {kind} policy stayed in force"


def is_in_force(apiserver: ApiServer, namespace: str) -> bool:
    data = {".dockerconfigjson": base64.b64encode(b'{"auths":{"probe":{}}}').decode()}
    probe = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "probe"}, "type": "kubernetes.io/dockerconfigjson"}
    status, answer = apiserver.request("POST", f"/api/v1/namespaces/{namespace}/secrets?dryRun=All", {**probe, "data": data})
    return status in (403, 422) or answer.get("data") == {".dockerconfigjson": EMPTY}


def runs(home: Path) -> str:
    return "".join(file.read_text() for file in (home / ".local/state/laptop.containers/runs").glob("*.jsonl"))


# A refusal that quotes the object


@pytest.mark.fault(
    "an admission policy refused the secret and quoted it",
    there="the other namespace's secret; no part of the token in result or records",
)
def test_a_policy_that_quotes_the_secret_tells_no_one(apiserver: ApiServer, ecr: Ecr, namespace: str, home: Path) -> None:
    refuse = {"validations": [{"expression": "false", "messageExpression": QUOTES}]}
    other = apiserver.namespace(f"{namespace}-healthy")
    with policy(apiserver, "ValidatingAdmission", namespace, refuse, {"validationActions": ["Deny"]}):
        result = run(apiserver.kubeconfig, namespaces=[namespace, other])
    assert result.failed and "refused: " in result.message and result.states == {namespace: "failed", other: "created"}
    assert told_of(ecr.token(), result.text + runs(home)) == []
    assert "********" in result.data["failed_namespaces"][0]["reason"] and "********" in runs(home)
    # What looks for it finds it where it is.
    assert told_of(ecr.token(), json.dumps(read(apiserver, other)))


def test_a_warning_that_quotes_the_secret_tells_no_one(apiserver: ApiServer, ecr: Ecr, namespace: str, home: Path) -> None:
    token = ecr.token()
    with Front(apiserver, lambda *_: None) as front:
        front.headers["Warning"] = f'299 - "data {base64.b64encode(b"x" + token.encode()).decode()}"'
        result = run(front.kubeconfig(home / "config"), namespaces=[namespace])
        front.shutdown()
    assert not result.failed and "warns: data" in str(result.data["warnings"])
    assert told_of(token, result.text + runs(home)) == []


# What was written is read in the answer


@pytest.mark.fault("an admission policy replaced the content of the secret", there="the other namespace's secret")
def test_a_policy_that_replaces_the_content_is_no_success(apiserver: ApiServer, namespace: str) -> None:
    mutation = {
        "patchType": "JSONPatch",
        "jsonPatch": {
            "expression": f"""[JSONPatch{{op: "replace", path: "/data", value: {{".dockerconfigjson": "{EMPTY}"}}}}]"""
        },
    }
    spec = {"mutations": [mutation], "reinvocationPolicy": "Never"}
    other = apiserver.namespace(f"{namespace}-healthy")
    with policy(apiserver, "MutatingAdmission", namespace, spec, {}):
        first = run(apiserver.kubeconfig, namespaces=[namespace, other])
        assert content(apiserver, namespace) == {"auths": {}}
        again = run(apiserver.kubeconfig, namespaces=[namespace, other])
    for result in (first, again):
        assert result.failed and "keeps another content. Exempt it from the admission policy" in result.message
        assert result.states[namespace] == "failed"
    assert (first.states[other], again.states[other]) == ("created", "fresh")
    # Without the policy the next run converges.
    assert run(apiserver.kubeconfig, namespaces=[namespace]).states == {namespace: "renewed"}
    assert HOST in content(apiserver, namespace)["auths"]


def test_a_gateway_that_hides_the_managers_costs_no_token(apiserver: ApiServer, ecr: Ecr, namespace: str, home: Path) -> None:
    def strip(answer: bytes) -> bytes:
        def without(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: without(item) for key, item in value.items() if key != "managedFields"}
            return [without(item) for item in value] if isinstance(value, list) else value

        return json.dumps(without(json.loads(answer))).encode()

    with Front(apiserver, lambda *_: None) as front:
        front.change = strip
        config = front.kubeconfig(home / "config")
        first = run(config, namespaces=[namespace])
        calls = ecr.calls
        again = run(config, namespaces=[namespace])
        assert (first.states, again.states) == ({namespace: "created"}, {namespace: "fresh"}), (first.message, again.message)
        assert ecr.calls == calls and not again.changed
        # What another program wrote is seen all the same.
        path = f"/api/v1/namespaces/{namespace}/secrets/ecr-creds"
        found = read(apiserver, namespace) or {}
        apiserver.request("PUT", f"{path}?fieldManager=other", {**found, "data": {".dockerconfigjson": EMPTY}})
        assert run(config, namespaces=[namespace], force_conflicts=True).states == {namespace: "renewed"}
        front.shutdown()
    assert HOST in content(apiserver, namespace)["auths"]


@pytest.mark.fault("a finalizer kept the secret from going", there="the secret, with its finalizer")
def test_a_secret_that_a_finalizer_keeps_is_neither_removed_nor_fresh(apiserver: ApiServer, namespace: str) -> None:
    assert not run(apiserver.kubeconfig, namespaces=[namespace]).failed
    path = f"/api/v1/namespaces/{namespace}/secrets/ecr-creds"
    found = read(apiserver, namespace) or {}
    found["metadata"]["finalizers"] = ["example.com/keep"]
    assert apiserver.request("PUT", path, found)[0] == 200
    first, second = (run(apiserver.kubeconfig, namespaces=[namespace], state="absent") for _ in range(2))
    present = run(apiserver.kubeconfig, namespaces=[namespace])
    for result in (first, second, present):
        assert result.failed and not result.changed and "'example.com/keep' keeps it. Remove that finalizer" in result.message
    found = read(apiserver, namespace) or {}
    found["metadata"]["finalizers"] = []
    apiserver.request("PUT", path, found)
    assert run(apiserver.kubeconfig, namespaces=[namespace]).states == {namespace: "created"}


@pytest.mark.fault("RBAC forbade to change service accounts", there="the secret, which was placed")
def test_only_an_account_that_is_refused_is_said_to_be(apiserver: ApiServer, namespace: str) -> None:
    rules = [
        {"resources": ["secrets"], "verbs": ["get", "create", "patch"]},
        {"resources": ["serviceaccounts"], "verbs": ["get", "list"]},
    ]
    limited = apiserver.kubeconfig_for(f"no-accounts-{namespace}", rules, [namespace])
    result = run(limited, namespaces=[namespace], service_accounts=["default"])
    assert result.failed and password(apiserver, namespace)
    assert result.message.startswith("Could not change the service accounts of pull secret 'ecr-creds' in namespace")


# Answers that are none


class Hostile(http.server.BaseHTTPRequestHandler):
    """Answers what its server is set to."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.answer(self)  # type: ignore[attr-defined]

    do_GET = do_PATCH = do_POST = do_DELETE = answer

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


def says(body: bytes, **headers: str) -> Answer:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def drips(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100000")
    request.end_headers()
    with contextlib.suppress(OSError):
        while True:
            request.wfile.write(b" ")
            request.wfile.flush()
            time.sleep(0.05)


def drips_headers(request: http.server.BaseHTTPRequestHandler) -> None:
    with contextlib.suppress(OSError):
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            request.wfile.write(b"x")
            request.wfile.flush()
            time.sleep(0.05)


@contextlib.contextmanager
def hostile(answer: Answer) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    server.daemon_threads = True
    server.answer = answer  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def beside(apiserver: ApiServer, url: str, path: Path) -> Path:
    """Write a kubeconfig with a second cluster, called odd, which comes first by its name's order in the options."""
    import yaml

    config = yaml.safe_load(apiserver.kubeconfig.read_text())
    config["clusters"].append({"name": "odd", "cluster": {"server": url}})
    config["contexts"].append({"name": "odd", "context": {"cluster": "odd", "user": ""}})
    path.write_text(yaml.safe_dump(config))
    return path


NONE = {
    "a portal's page": b"<html>log in</html>",
    "a list": b"[]",
    "null": b"null",
    "a text": b'"x"',
    "an empty object": b"{}",
    "no items": b'{"kind":"SecretList","apiVersion":"v1","items":{}}',
    "items of another kind": b'{"kind":"SecretList","apiVersion":"v1","items":[5]}',
    "deep": b"[" * 100_000,
    "not UTF-8": b"\xff\xfe\x00",
}


WAYS: dict[str, dict[str, Any]] = {"present": {}, "absent": {"state": "absent"}, "a pattern": {"namespaces": ["answer-*"]}}
# One way with all answers, the others with the first two.
TRIED = [
    pytest.param(body, options, id=f"{name}, {way}")
    for way, options in WAYS.items()
    for name, body in list(NONE.items())[: 2 if options else None]
]


@pytest.mark.parametrize(("body", "options"), TRIED)
@pytest.mark.fault("a cluster gave an invalid answer ({})", there="the secret in the other cluster")
def test_what_is_no_answer_is_a_failure_of_that_cluster_alone(
    apiserver: ApiServer, namespace: str, home: Path, body: bytes, options: dict[str, Any]
) -> None:
    with hostile(says(body)) as url:
        config = beside(apiserver, url, home / "config")
        result = run(config, contexts=["odd", "colima-k8s"], **{"namespaces": [namespace], **options})
    assert result.failed and [one["context"] for one in result.data["failed_contexts"]] == ["odd"], result.text
    assert "Could not reach cluster 'odd'" in result.message and "is not there" not in result.message
    assert "Traceback" not in result.text and result.data["secrets"], result.text
    if not options:
        assert password(apiserver, namespace)


@pytest.mark.parametrize("answer", [drips, drips_headers], ids=["body", "headers"])
@pytest.mark.fault("a cluster answered a byte at a time ({})", there="the secret in the other cluster")
def test_a_byte_at_a_time_ends_in_time(
    apiserver: ApiServer, namespace: str, home: Path, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience.Patience, "__init__", quick(patience.Patience.__init__))
    began = time.monotonic()
    with hostile(answer) as url:
        result = run(beside(apiserver, url, home / "config"), contexts=["odd", "colima-k8s"], namespaces=[namespace])
    assert result.failed and "no answer in time" in result.message and password(apiserver, namespace)
    assert time.monotonic() - began < 60


def quick(init: Callable[..., None]) -> Callable[..., None]:
    def shorter(self: Any, **options: float) -> None:
        init(self, **{"answer": 2.0, "total": 2.0, **options})

    return shorter


@pytest.mark.fault("a cluster answered with 400 KB that unpack to 400 MiB", there="the secret in the other cluster")
def test_a_gzip_that_unpacks_without_end_is_a_failure(apiserver: ApiServer, namespace: str, home: Path) -> None:
    packed = gzip.compress(b" " * (400 << 20), 9)
    assert len(packed) < 1 << 20 and bounds.MOST_BYTES < 100 << 20
    with hostile(says(packed, Content_Encoding="gzip")) as url:
        result = run(beside(apiserver, url, home / "config"), contexts=["odd", "colima-k8s"], namespaces=[namespace])
    assert result.failed and "the answer is larger than 64 MiB" in result.message and password(apiserver, namespace)


# AWS


# Of a run of all tests, this file may come an hour after it was read.
EXPIRES = int(time.time()) + 6 * 3600


def ecr_says(token: Any, expires: Any) -> bytes:
    encoded = base64.b64encode(f"AWS:{token}".encode()).decode()
    return json.dumps({"authorizationData": [{"authorizationToken": encoded, "expiresAt": expires}]}).encode()


ODD = {
    "a page": b"<html>log in</html>",
    "an empty object": b"{}",
    "null": b"null",
    "a list": b"[]",
    "no list": b'{"authorizationData": 5}',
    "an empty list": b'{"authorizationData": []}',
    "no base64": b'{"authorizationData": [{"authorizationToken": "%%%", "expiresAt": 1}]}',
    "blanks": ecr_says("   ", EXPIRES),
    "a NUL": ecr_says("a\0b", EXPIRES),
    "a line break": ecr_says("a\nb", EXPIRES),
    "no expiry": ecr_says("token", None),
    "an expiry that is none": ecr_says("token", "soon"),
    "expired": ecr_says("token", 1),
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
@pytest.mark.fault("ECR gave an invalid token: {}", there="no secret with it")
def test_what_is_no_token_is_one_failure_and_the_secret_stays(
    apiserver: ApiServer, namespace: str, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hostile(says(body, Content_Type="application/x-amz-json-1.1")) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        result = run(apiserver.kubeconfig, namespaces=[namespace])
    assert result.failed and result.message.startswith("Could not get a token for registry"), result.text
    assert result.data["kind"] in ("aws", "clock_skew") and "Traceback" not in result.text
    assert read(apiserver, namespace) is None


@pytest.mark.parametrize(
    ("expires", "hours"),
    [("2999-01-01T00:00:00", 12), ("9999-12-31T23:59:59-05:00", 12), (6, 6), (200, 12)],
    ids=["without a zone", "year 9999", "6 hours", "200 hours"],
)
def test_an_expiry_is_understood_and_never_beyond_twelve_hours(
    apiserver: ApiServer, namespace: str, expires: Any, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = time.time() + 3600 * expires if isinstance(expires, int) else expires
    with hostile(says(ecr_says("token", at), Content_Type="application/x-amz-json-1.1")) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        result = run(apiserver.kubeconfig, namespaces=[namespace])
        again = run(apiserver.kubeconfig, namespaces=[namespace])
    assert not result.failed and result.states == {namespace: "created"}, result.message
    assert abs(result.data["secrets"][0]["hours_left"] - hours) < 0.2
    assert again.states == {namespace: "fresh"}


def test_a_token_that_lives_five_minutes_is_taken_with_a_warning(
    apiserver: ApiServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hostile(says(ecr_says("token", time.time() + 300), Content_Type="application/x-amz-json-1.1")) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        result = run(apiserver.kubeconfig, namespaces=[namespace])
    assert not result.failed and "lives only 0.1 h instead of 12" in str(result.data["warnings"])


@pytest.mark.fault("AWS_SESSION_TOKEN held a line break", there="no part of it in result or records")
def test_a_session_token_with_a_line_break_is_not_repeated(
    apiserver: ApiServer, namespace: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = f"FwoG{os.urandom(60).hex()}\n{os.urandom(60).hex()}"
    monkeypatch.setenv("AWS_SESSION_TOKEN", canary)
    result = run(apiserver.kubeconfig, namespaces=[namespace])
    assert result.failed and result.data["kind"] == "no_credentials" and "holds a line break" in result.message
    assert not any(part in result.text + runs(home) for part in (canary[:12], canary[-12:]))


def profile(home: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have AWS' default profile ask a program."""
    program = home / "credentials"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    (home / ".aws").mkdir()
    (home / ".aws/config").write_text(f"[default]\nregion = eu-central-1\ncredential_process = {program}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "expiration",
    ["canary-{}", "2999-01-01T00:00:00"],
    ids=["a secret", "no zone"],
)
@pytest.mark.fault("a credential_process gave a wrong expiry: {}", there="no part of its key in result or records")
def test_what_a_credential_process_prints_is_not_repeated(
    apiserver: ApiServer, namespace: str, home: Path, expiration: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = os.urandom(30).hex()
    keys = {"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": canary, "Expiration": expiration.format(canary)}
    profile(home, f"cat <<'EOF'\n{json.dumps(keys)}\nEOF", monkeypatch)
    result = run(apiserver.kubeconfig, namespaces=[namespace])
    assert result.failed and result.data["kind"] == "no_credentials" and "is not a time with a zone" in result.message
    assert canary not in result.text and canary not in runs(home)


@pytest.mark.fault("a credential_process hung", there="no process of it")
def test_a_credential_process_that_hangs_ends_with_its_time(
    apiserver: ApiServer, namespace: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile(home, f"echo $$ > {home}/pid; sleep 600", monkeypatch)
    monkeypatch.setattr(session, "PROGRAM_SECONDS", 1.0)
    monkeypatch.setattr(command, "GRACE_SECONDS", 1.0)
    result = run(apiserver.kubeconfig, namespaces=[namespace])
    assert result.failed and "it ran longer than 1 s" in result.message
    assert not is_alive(home / "pid")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
@pytest.mark.fault("the run ended by {} while a credential_process hung", there="no process of it")
def test_a_credential_process_ends_with_the_run(
    apiserver: ApiServer, namespace: str, home: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile(home, f"echo $$ > {home}/pid; sleep 600", monkeypatch)
    code = (
        "import json, sys\nfrom tests.support.ecr_pull_secret.scenario import run\n"
        f"print(json.dumps(run({str(apiserver.kubeconfig)!r}, namespaces=[{namespace!r}]).data))"
    )
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "collections")])}
    running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root, env=environment)
    assert comes_true((home / "pid").exists, 60)
    assert is_alive(home / "pid")
    # The moment between the program's first step and the run's knowing of it is not what is tried here.
    time.sleep(0.5)
    running.send_signal(number)
    said, _ = running.communicate(timeout=30)
    fault_rows.killed(signal.Signals(number).name)
    assert comes_true(lambda: not is_alive(home / "pid"), 15)
    if number == signal.SIGTERM:
        result = json.loads(said)
        assert "the run was interrupted" in result["msg"] and [row["namespace"] for row in result["secrets"]] == [namespace]


def is_alive(file: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(file.read_text()), 0)
        return "Z" not in Path(f"/proc/{int(file.read_text())}/stat").read_text().rpartition(")")[2].split()[0]
    return False


@pytest.mark.parametrize("content", ["not JSON", "[]", "null", '{"accessToken": 5}', '{"accessToken": "a", "expiresAt": 7}'])
@pytest.mark.fault("the cache of an SSO login was damaged: {}", there="the cache as it was")
def test_a_damaged_login_of_sso_is_one_that_has_expired(
    apiserver: ApiServer, namespace: str, home: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    (home / ".aws/sso/cache").mkdir(parents=True)
    lines = [
        "[profile dev]",
        "sso_session = corp",
        "sso_account_id = 123456789012",
        "sso_role_name = pull",
        "region = eu-central-1",
    ]
    lines += ["[sso-session corp]", "sso_start_url = https://corp.example/start", "sso_region = eu-central-1"]
    (home / ".aws/config").write_text("\n".join(lines))
    (home / f".aws/sso/cache/{hashlib.sha1(b'corp', usedforsecurity=False).hexdigest()}.json").write_text(content)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    result = run(apiserver.kubeconfig, namespaces=[namespace], registries=[{"host": HOST, "profile": "dev"}])
    assert result.failed and result.data["kind"] == "sso_expired", result.message
    assert "Log in with 'aws sso login --profile dev'" in result.message


def test_many_registries_fit_as_long_as_the_decoded_content_does(apiserver: ApiServer, namespace: str) -> None:
    # 190 names of about 4 KiB of content each need 822 KB.
    hosts = [f"{number:012}.dkr.ecr.eu-central-1.amazonaws.com" for number in range(1, 191)]
    long = "x" * 1700
    encoded = ecr_says(long, EXPIRES)
    with hostile(says(encoded, Content_Type="application/x-amz-json-1.1")) as url:
        result = run(
            apiserver.kubeconfig, namespaces=[namespace], registries=[{"host": host, "endpoint_url": url} for host in hosts]
        )
    assert not result.failed, result.message[:500]
    assert len(content(apiserver, namespace)["auths"]) == 190
