# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong around a renewal: the old secret stays byte for byte, the message is right, the next run completes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.ecr import tokens as ecr_tokens
from ansible_collections.laptop.containers.plugins.module_utils.ecr_pull_secret.read import AT_ONCE
from ansible_collections.laptop.containers.plugins.module_utils.kube import client as kube_http
from ansible_collections.laptop.containers.plugins.module_utils.kube.patience import Patience

from tests.support.ecr_pull_secret.api_server_proxy import Front, refuse
from tests.support.ecr_pull_secret.scenario import HOST, SECRET_RULE, password, read, run
from tests.support.test_runs import fault_rows

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.ecr import Ecr

MANY = 20
USUAL = kube_http.KubeHttp.__init__.__defaults__
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def aws(ecr: Ecr, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ecr]:
    for name, value in ecr.environment.items():
        monkeypatch.setenv(name, value)
    ecr.configure(hours=12)
    yield ecr
    ecr.configure()


@pytest.fixture(scope="module")
def many(apiserver: ApiServer) -> Iterator[list[str]]:
    names = [apiserver.namespace(f"many-{number:02d}") for number in range(MANY)]
    yield names
    for name in names:
        apiserver.remove_namespace(name)


@pytest.fixture
def old(apiserver: ApiServer, ecr: Ecr, many: list[str]) -> Iterator[dict[str, Any]]:
    """Every namespace has a secret that is due; returns them as they are. In the end a run without trouble has to converge."""
    make_due(apiserver, ecr, "many-*")
    yield snapshot(apiserver, many)
    converges(apiserver, ecr, "many-*")


def make_due(apiserver: ApiServer, ecr: Ecr, namespaces: str) -> None:
    """Write secrets that are due under a threshold of 11h30m, as those of a new token are not."""
    ecr.configure(hours=11)
    run(apiserver.kubeconfig, namespaces=[namespaces], state="absent")
    run(apiserver.kubeconfig, namespaces=[namespaces])
    ecr.configure(hours=12)


def converges(apiserver: ApiServer, ecr: Ecr, namespaces: str) -> None:
    """Run once more, where the test has taken all trouble away, and check that nothing is left to do."""
    ecr.configure(hours=12)
    kube_http.KubeHttp.__init__.__defaults__ = USUAL
    for _time in range(2):
        result = run(apiserver.kubeconfig, namespaces=[namespaces], refresh_before="11h30m", force_conflicts=True)
        assert not result.failed, result.message
        if not result.changed:
            return
    raise AssertionError(f"a second run found something to do: {result.data['actions']}")


def snapshot(apiserver: ApiServer, names: list[str]) -> dict[str, Any]:
    return {name: read(apiserver, name) for name in names}


def due(apiserver: ApiServer, **options: Any) -> Any:
    """Run with a threshold under which everything is due."""
    return run(apiserver.kubeconfig, namespaces=["many-*"], refresh_before="11h30m", **options)


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.fault(
    "the API server answered {} to the first two writes of each namespace", there="the old secrets until each was replaced"
)
def test_a_storm_of_refusals_is_waited_out(apiserver: ApiServer, old: dict[str, Any], tmp_path: Path, status: int) -> None:
    asked: dict[str, int] = {}

    def trouble(method: str, path: str) -> Any:
        asked[path] = asked.get(path, 0) + 1
        return refuse(status, Retry_After="0.1") if method == "PATCH" and asked[path] <= 2 else None

    with Front(apiserver, trouble) as front:
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=["many-*"], refresh_before="11h30m")
        front.shutdown()
    assert not result.failed, result.message
    assert set(result.states.values()) == {"renewed"}


@pytest.mark.fault("the API server answered 429 to every write", there="20 secrets, byte for byte as before")
def test_a_storm_that_does_not_end_leaves_the_old_secrets(
    apiserver: ApiServer, old: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, total=0.5, first_pause=0.05)

    def trouble(method: str, path: str) -> Any:
        return refuse(429, Retry_After="1") if method == "PATCH" else None

    with Front(apiserver, trouble) as front:
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=["many-*"], refresh_before="11h30m")
        front.shutdown()
    assert result.failed and "overloaded" in result.message and not result.changed
    assert snapshot(apiserver, list(old)) == old
    assert not due(apiserver).failed


def limit(monkeypatch: pytest.MonkeyPatch, **patience: float) -> None:
    """Give every cluster this patience in place of the usual one."""
    monkeypatch.setattr(kube_http.KubeHttp.__init__, "__defaults__", (Patience(**patience),))


@pytest.fixture(scope="module")
def crowd(apiserver: ApiServer) -> Iterator[list[str]]:
    """Eight namespaces for each that is served at a time, as a thousand would be."""
    names = [apiserver.namespace(f"crowd-{number:02d}") for number in range(8 * AT_ONCE)]
    yield names
    for name in names:
        apiserver.remove_namespace(name)


@pytest.fixture
def due_crowd(apiserver: ApiServer, ecr: Ecr, crowd: list[str]) -> Iterator[list[str]]:
    """The crowd, with a secret in each that is due."""
    make_due(apiserver, ecr, "crowd-*")
    yield crowd
    converges(apiserver, ecr, "crowd-*")


def busy() -> Any:
    return refuse(503)


def hanging() -> Any:
    time.sleep(10.0)
    return refuse(503)


# One after the other they would take 11 s and 24 s.
@pytest.mark.parametrize("dying", [(busy, 8.0), (hanging, 16.0)], ids=["says that it is busy", "does not answer"])
@pytest.mark.fault("a cluster of 64 namespaces {} in the middle", there="all old secrets, byte for byte")
def test_a_cluster_that_dies_in_the_middle_takes_all_its_namespaces_together_one_patience(
    apiserver: ApiServer, due_crowd: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dying: tuple[Any, float]
) -> None:
    answer, most = dying
    before = snapshot(apiserver, due_crowd)
    # The list before the writes is asked for with the same time for a request, and answered by a machine that may be busy.
    limit(monkeypatch, request=3.0, total=2.0)
    writes: list[float] = []

    def trouble(method: str, path: str) -> Any:
        if method != "PATCH":
            return None
        writes.append(time.monotonic())
        return answer()

    with Front(apiserver, trouble) as front:
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=["crowd-*"], refresh_before="11h30m")
        took = time.monotonic() - writes[0]
        front.shutdown()
    assert set(result.states.values()) == {"failed"} and len(result.states) == len(due_crowd)
    assert took < most, f"{took:.1f} s for {len(due_crowd)} namespaces"
    assert snapshot(apiserver, due_crowd) == before


@pytest.mark.fault("16 namespaces answered 500 to every write", there="the old secrets of these; all others were renewed")
def test_namespaces_that_never_can_be_written_do_not_keep_the_others_from_it(
    apiserver: ApiServer, due_crowd: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A cluster without a good answer for twice this is given up, and on a busy machine the first ones take their time to fail.
    limit(monkeypatch, total=3.0)
    # The first ones, so that at some moment nothing but them is under way.
    broken = due_crowd[: 2 * AT_ONCE]
    writes: list[float] = []

    def trouble(method: str, path: str) -> Any:
        if method != "PATCH":
            return None
        writes.append(time.monotonic())
        return refuse(500) if path.split("/")[4] in broken else None

    with Front(apiserver, trouble) as front:
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=["crowd-*"], refresh_before="11h30m")
        took = time.monotonic() - writes[0]
        front.shutdown()
    assert {name for name, state in result.states.items() if state == "failed"} == set(broken)
    assert {name for name, state in result.states.items() if state == "renewed"} == set(due_crowd) - set(broken)
    # One after the other the broken ones alone would take 48 s.
    assert took < 24.0, f"{took:.1f} s"


@pytest.mark.fault(
    "the API server restarted in the middle of the writes", there="whole secrets, all with the new token in the end"
)
def test_an_api_server_that_restarts_in_the_middle_is_waited_for(
    apiserver: ApiServer, ecr: Ecr, old: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A whole kube-apiserver on a busy machine takes longer than the k3s that the usual patience is made for.
    limit(monkeypatch, total=180.0)
    restarted = threading.Lock()
    writes: list[str] = []
    ecr.rotate()

    def trouble(method: str, path: str) -> Any:
        if method == "PATCH":
            writes.append(path)
            if len(writes) > 3 and restarted.acquire(blocking=False):
                apiserver.restart(pause=1.0)
        return None

    with Front(apiserver, trouble) as front:
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=["many-*"], refresh_before="11h30m")
        front.shutdown()
    assert not restarted.acquire(blocking=False), "the restart came too late"
    assert not result.failed, result.message
    assert set(result.states.values()) == {"renewed"}
    assert {password(apiserver, name) for name in old} == {ecr.token()}


@pytest.mark.fault(
    "the API server went away after five writes", there="whole secrets: the new one where it was written, else the old one"
)
def test_an_api_server_that_goes_away_in_the_middle_leaves_whole_secrets_and_the_next_run_completes(
    apiserver: ApiServer, ecr: Ecr, old: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, total=0.5, first_pause=0.05)
    ecr.rotate()
    writes: list[str] = []

    def trouble(method: str, path: str) -> Any:
        writes.extend([path] if method == "PATCH" else [])
        return refuse(503) if method == "PATCH" and len(writes) > 5 else None

    with Front(apiserver, trouble) as front:
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=["many-*"], refresh_before="11h30m")
        front.shutdown()
    assert result.failed and result.changed
    done = {name for name, state in result.states.items() if state == "renewed"}
    assert 0 < len(done) < MANY
    for name, before in old.items():
        assert (password(apiserver, name) == ecr.token()) if name in done else (read(apiserver, name) == before)
    assert not due(apiserver).failed
    assert {password(apiserver, name) for name in old} == {ecr.token()}


@pytest.mark.fault("RBAC forbade half of the namespaces", there="the old secrets of these; the others were renewed")
def test_half_the_namespaces_forbidden(apiserver: ApiServer, old: dict[str, Any], many: list[str]) -> None:
    allowed = many[::2]
    limited = apiserver.kubeconfig_for("half", [SECRET_RULE], allowed)
    result = run(limited, namespaces=many, refresh_before="11h30m")
    assert result.failed
    assert f"{MANY // 2} namespaces" in result.message and "may not" in result.message
    assert {name for name, state in result.states.items() if state == "renewed"} == set(allowed)
    after = snapshot(apiserver, many)
    assert all(after[name] == old[name] for name in many if name not in allowed)
    assert not due(apiserver).failed


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param("AccessDeniedException", "may not do ecr:GetAuthorizationToken", id="denied"),
        pytest.param("ExpiredTokenException", "have expired", id="expired"),
        pytest.param("UnrecognizedClientException", "does not know the credentials", id="unknown key"),
        pytest.param("RequestTimeTooSkewed", "Set the clock", id="clock"),
        pytest.param("ThrottlingException", "throttling", id="throttled"),
        pytest.param("ServerException", "ServerException", id="broken"),
    ],
)
@pytest.mark.fault("AWS refused: {}", there="20 secrets, byte for byte as before")
def test_aws_refuses_and_every_old_secret_stays(
    apiserver: ApiServer, ecr: Ecr, old: dict[str, Any], code: str, said: str
) -> None:
    ecr.configure(fail=code, times=20)
    result = due(apiserver)
    ecr.configure()
    assert result.failed and said in result.message
    assert "stay as they are; the first of them expires in 11 h" in result.message
    assert result.message.count("Could not") == 1
    assert "Traceback" not in result.text
    assert snapshot(apiserver, list(old)) == old
    assert set(due(apiserver).states.values()) == {"renewed"}


@pytest.mark.fault("AWS throttled twice", there="the old secrets until each was replaced")
def test_aws_throttles_twice_and_is_asked_again(apiserver: ApiServer, ecr: Ecr, old: dict[str, Any]) -> None:
    ecr.configure(fail="ThrottlingException", times=2)
    result = due(apiserver)
    assert not result.failed, result.message
    assert set(result.states.values()) == {"renewed"}


@pytest.mark.fault("AWS did not answer", there="20 secrets, byte for byte as before")
def test_aws_does_not_answer(apiserver: ApiServer, ecr: Ecr, old: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ecr_tokens, "READ_SECONDS", 0.3)
    ecr.configure(fail="hang", times=20)
    result = due(apiserver)
    assert result.failed and "AWS did not answer in region eu-central-1" in result.message
    assert snapshot(apiserver, list(old)) == old


@pytest.mark.fault("nothing listened at the endpoint of AWS", there="20 secrets, byte for byte as before")
def test_nothing_listens_where_aws_should_be(apiserver: ApiServer, old: dict[str, Any]) -> None:
    result = due(apiserver, registries=[{"host": HOST, "endpoint_url": "http://127.0.0.1:9"}])
    assert result.failed and "Check the network" in result.message
    assert snapshot(apiserver, list(old)) == old


SESSION = """
[profile dev]
sso_session = team
sso_account_id = 123456789012
sso_role_name = dev
region = eu-central-1
[sso-session team]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-central-1
"""
LEGACY = """
[profile dev]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-central-1
sso_account_id = 123456789012
sso_role_name = dev
"""


@pytest.mark.parametrize("config", [SESSION, LEGACY], ids=["SSO session", "SSO without a session"])
@pytest.mark.parametrize("cached", [True, False], ids=["expired", "never logged in"])
@pytest.mark.fault("the SSO login was over: {}", there="20 secrets, byte for byte as before")
def test_an_sso_login_that_is_over_names_the_login_command(
    apiserver: ApiServer, old: dict[str, Any], home: Path, config: str, cached: bool
) -> None:
    import hashlib

    (home / ".aws" / "sso" / "cache").mkdir(parents=True)
    (home / ".aws" / "config").write_text(config)
    if cached:
        token = {"accessToken": "x", "expiresAt": "2020-01-01T00:00:00Z", "region": "eu-central-1"}
        for key in ("team", "https://example.awsapps.com/start"):
            name = hashlib.sha1(key.encode()).hexdigest()  # noqa: S324
            (home / ".aws" / "sso" / "cache" / f"{name}.json").write_text(json.dumps(token))
    result = due(apiserver, registries=[{"host": HOST, "profile": "dev"}])
    assert result.failed
    assert "the SSO session of profile 'dev' has expired. Log in with 'aws sso login --profile dev'" in result.message
    assert snapshot(apiserver, list(old)) == old


@pytest.mark.fault("a credential_process failed and printed a password", there="20 secrets, byte for byte as before")
def test_a_credential_process_that_fails(apiserver: ApiServer, old: dict[str, Any], home: Path) -> None:
    (home / ".aws").mkdir()
    process = home / "process"
    process.write_text("#!/bin/sh\necho the password hunter2 is wrong >&2\nexit 3\n")
    process.chmod(0o755)
    (home / ".aws" / "config").write_text(f"[profile dev]\ncredential_process = {process}\n")
    result = due(apiserver, registries=[{"host": HOST, "profile": "dev"}])
    assert result.failed and "its credential_process failed" in result.message
    assert "hunter2" not in result.text
    assert snapshot(apiserver, list(old)) == old


@pytest.mark.fault("one of two AWS profiles did not exist", there="20 secrets, byte for byte as before")
def test_one_of_two_identities_fails_and_nothing_is_written(apiserver: ApiServer, old: dict[str, Any]) -> None:
    other = {"host": "210987654321.dkr.ecr.us-east-1.amazonaws.com", "profile": "nobody"}
    result = due(apiserver, registries=[HOST, other])
    assert result.failed and "the AWS profile 'nobody' does not exist" in result.message
    assert snapshot(apiserver, list(old)) == old


@pytest.mark.fault("a namespace was deleted before its write", there="the other secrets, as they were")
def test_a_namespace_that_is_deleted_meanwhile_is_no_failure(apiserver: ApiServer, old: dict[str, Any], tmp_path: Path) -> None:
    apiserver.namespace("many-doomed")

    def trouble(method: str, path: str) -> Any:
        if method == "PATCH" and "/many-doomed/" in path:
            apiserver.remove_namespace("many-doomed")
        return None

    with Front(apiserver, trouble) as front:
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=["many-*"])
        front.shutdown()
    assert not result.failed, result.message
    assert result.states["many-doomed"] == "gone"
    assert not result.changed


@pytest.mark.parametrize("namespaces", [["default"], ["many-0"], ["many-*"]])
@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.fault("a server of another kind answered 404 to everything ({})", there="20 secrets, byte for byte as before")
def test_what_answers_that_nothing_exists_and_is_no_api_server_is_no_success(
    apiserver: ApiServer, old: dict[str, Any], tmp_path: Path, namespaces: list[str], state: str
) -> None:
    # A path that a proxy does not know, or another program on the port.
    with Front(apiserver, lambda *_: (404, {}, b"404 page not found")) as front:
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=namespaces, state=state, refresh_before="11h30m")
        front.shutdown()
    assert result.failed and "is not an API server" in result.message and not result.changed
    assert snapshot(apiserver, list(old)) == old


@pytest.mark.fault("another program wrote the secret between the list and the write", there="the content of the other program")
def test_a_conflict_between_the_list_and_the_write_names_the_other_manager(
    apiserver: ApiServer, many: list[str], old: dict[str, Any], tmp_path: Path
) -> None:
    name = many[0]

    def trouble(method: str, path: str) -> Any:
        if method == "PATCH" and f"/{name}/" in path:
            found = read(apiserver, name)
            assert found is not None
            found["data"][".dockerconfigjson"] = "e30="
            del found["metadata"]["managedFields"]
            apiserver.request("PUT", f"/api/v1/namespaces/{name}/secrets/ecr-creds?fieldManager=rival", found)
        return None

    with Front(apiserver, trouble) as front:
        result = run(front.kubeconfig(tmp_path / "config"), namespaces=[name], refresh_before="11h30m")
        front.shutdown()
    assert result.failed and "its content belongs to rival" in result.message


@pytest.mark.parametrize(
    "moment",
    [(1, 0.0), (AT_ONCE, 0.01), (MANY // 2, 0.0), (MANY // 2, 0.02)],
    ids=["first", "first ones", "middle", "a bit later"],
)
@pytest.mark.fault(
    "the run was killed while it wrote: {}", there="whole secrets: the new one where it was written, else the old one"
)
def test_a_run_that_is_killed_while_it_writes_leaves_whole_secrets_and_the_next_one_completes(
    apiserver: ApiServer, ecr: Ecr, old: dict[str, Any], tmp_path: Path, moment: tuple[int, float]
) -> None:
    writes, delay = moment
    ecr.rotate()
    begun: list[str] = []
    lock, killed = threading.Lock(), threading.Event()

    def kill() -> None:
        process.send_signal(signal.SIGKILL)
        killed.set()

    def trouble(method: str, path: str) -> Any:
        if method != "PATCH":
            return None
        with lock:
            begun.append(path)
            number = len(begun)
        if number == writes:
            threading.Timer(delay, kill).start()
        if number > writes or (number == writes and not delay):
            killed.wait()
        return None

    with Front(apiserver, trouble) as front:
        kubeconfig = front.kubeconfig(tmp_path / "config")
        code = (
            "from tests.support.ecr_pull_secret.scenario import run; "
            f"run({str(kubeconfig)!r}, namespaces=['many-*'], refresh_before='11h30m')"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'collections'}"},
        )  # fmt: skip
        assert process.wait(timeout=120) == -signal.SIGKILL
        front.shutdown()
    fault_rows.killed()
    found = snapshot(apiserver, list(old))
    renewed = {name for name in found if password(apiserver, name) == ecr.token()}
    # The kill fell into the writes: some were begun, others never.
    assert len(renewed) <= len(begun) and writes <= len(begun) < MANY
    assert all(found[name] == old[name] for name in old if name not in renewed)
    assert not due(apiserver).failed
    assert {password(apiserver, name) for name in old} == {ecr.token()}


@pytest.mark.fault("nothing listened at the address of the kubeconfig", there="the kubeconfig as it was")
def test_a_missing_kubeconfig_entry_for_due_secrets_of_a_stopped_profile(apiserver: ApiServer, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(apiserver.kubeconfig.read_text().replace(apiserver.url, "https://127.0.0.1:9"))
    result = run(kubeconfig)
    assert result.failed
    assert "Could not reach cluster 'colima-k8s': connection refused at https://127.0.0.1:9." in result.message
    assert "colima start k8s" in result.message
    for state in ("present", "absent"):
        assert not run(apiserver.kubeconfig, state=state).failed


def damage(apiserver: ApiServer, namespace: str, record: str | None, manager: str, content: str = "") -> None:
    found = read(apiserver, namespace)
    assert found is not None
    found["data"][".dockerconfigjson"] = content or found["data"][".dockerconfigjson"]
    notes = found["metadata"]["annotations"]
    del found["metadata"]["managedFields"], notes["laptop.containers/registries"]
    if record is not None:
        notes["laptop.containers/registries"] = record
    path = f"/api/v1/namespaces/{namespace}/secrets/ecr-creds?fieldManager={manager}"
    status, answer = apiserver.request("PUT", path, found)
    assert status == 200, answer


RECORDS = ["{", "[]", "{}", '{"x": 1}', '{"x": {"issued": "today", "expires": "never", "identity": "me"}}', None]


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.fault("the record of expiry was damaged: {}", there="the token, until it was renewed")
def test_a_record_that_was_damaged_is_written_again(apiserver: ApiServer, old: dict[str, Any], record: str | None) -> None:
    name = next(iter(old))
    damage(apiserver, name, record, "laptop.containers")
    result = run(apiserver.kubeconfig, namespaces=[name])
    assert result.states == {name: "renewed"}
    assert "(it records no expiry)" in result.data["actions"][0]
    assert not run(apiserver.kubeconfig, namespaces=[name]).changed


@pytest.mark.fault("kubectl edit damaged the record, then the content", there="the content of kubectl, until force_conflicts")
def test_a_record_that_another_program_damaged_is_restored_and_content_only_when_told(
    apiserver: ApiServer, old: dict[str, Any]
) -> None:
    name = next(iter(old))
    damage(apiserver, name, "{", "kubectl-edit")
    assert run(apiserver.kubeconfig, namespaces=[name]).states == {name: "renewed"}
    damage(apiserver, name, "{", "kubectl-edit", content="e30=")
    refused = run(apiserver.kubeconfig, namespaces=[name])
    assert refused.failed and "its content was changed by kubectl-edit. Set force_conflicts: true" in refused.message
    assert run(apiserver.kubeconfig, namespaces=[name], force_conflicts=True).states == {name: "renewed"}
