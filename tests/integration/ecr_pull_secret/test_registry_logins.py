# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins beyond the cluster: the real docker command, at a registry that takes only the current token."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.ecr.tokens import Token
from ansible_collections.laptop.containers.plugins.module_utils.registry_login.apply import Access, apply_logins
from ansible_collections.laptop.containers.plugins.module_utils.registry_login.model import (
    LoginPlan,
    LoginVerb,
    Place,
    PlannedLogin,
)
from ansible_collections.laptop.containers.plugins.module_utils.registry_login.notes import Notes

from rehearsal import engines
from tests.support.ansible_runs import forked_ansible
from tests.support.ecr_pull_secret.canaries import forms_of, traced
from tests.support.ecr_pull_secret.ecr_proxy import Front
from tests.support.ecr_pull_secret.scenario import HOST, Result, read, run

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.ecr import Ecr
    from rehearsal.services.registry import Registry

SECOND = "210987654321.dkr.ecr.eu-central-1.amazonaws.com"
ROOT = Path(__file__).resolve().parents[3]
# Stands before a real command on PATH and remembers how it was called.
SPY = """#!/bin/sh
echo "$*" >> "$CALLS_OF_TOOLS"
exec {program} "$@"
"""
# As much of a credential helper as docker needs: it keeps everything in one file of its own.
STORE = """#!{python}
import json, os, sys
file = os.environ["HOME"] + "/store.json"
kept = json.load(open(file)) if os.path.exists(file) else {{}}
given = sys.stdin.read()
if sys.argv[1] == "store":
    entry = json.loads(given)
    kept[entry["ServerURL"]] = entry
elif sys.argv[1] == "get":
    if given.strip() not in kept:
        print("credentials not found in native keychain")
        sys.exit(1)
    print(json.dumps(kept[given.strip()]))
elif sys.argv[1] == "erase":
    kept.pop(given.strip(), None)
elif sys.argv[1] == "list":
    print(json.dumps({{host: entry["Username"] for host, entry in kept.items()}}))
json.dump(kept, open(file, "w"))
"""

pytestmark = pytest.mark.real("docker-cli", "registry")


@pytest.fixture(scope="module")
def apiserver(short_path: Path) -> Iterator[Any]:
    from rehearsal.standin.kube_api import KubeApi

    with KubeApi(short_path / "registry-logins") as running:
        yield running


@pytest.fixture(scope="module")
def front(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    running = Front(tmp_path_factory.mktemp("front"), registry.address, HOST, SECOND)
    yield running
    running.close()


class Laptop:
    """A user with the real docker command and some tools of our own before it."""

    def __init__(self, home: Path, apiserver: ApiServer, docker: Path) -> None:
        self.home, self.kubeconfig, self.docker = home, apiserver.kubeconfig, docker
        self.bin = home / "bin"
        self.bin.mkdir()
        self.tool("docker", SPY.format(program=docker))

    def tool(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def run(self, check: bool = False, **options: Any) -> Result:
        return run(self.kubeconfig, check=check, **options)

    @property
    def calls(self) -> list[str]:
        """What was started since the last look."""
        file = self.home / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    @property
    def config(self) -> dict[str, Any]:
        """docker's settings."""
        file = self.home / ".docker" / "config.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def configure(self, text: str) -> Path:
        file = self.home / ".docker" / "config.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    def password(self, host: str = HOST) -> str:
        """What docker would send to a registry."""
        return base64.b64decode(self.config["auths"][host]["auth"]).decode().partition(":")[2]

    @property
    def notes(self) -> Path:
        return self.home / ".local" / "state" / "laptop.containers" / "registry_logins.json"


@pytest.fixture
def laptop(home: Path, apiserver: ApiServer, ecr: Ecr, front: Front, monkeypatch: pytest.MonkeyPatch) -> Iterator[Laptop]:
    ecr.configure(hours=12)
    for name, value in {**ecr.environment, **front.environment, "CALLS_OF_TOOLS": str(home / "calls")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    docker = engines.find("docker")
    assert docker is not None
    made = Laptop(home, apiserver, docker)
    monkeypatch.setenv("PATH", f"{made.bin}:{os.environ['PATH']}")
    yield made
    run(apiserver.kubeconfig, state="absent", registries=[])


def states(result: Result, output: str = "docker") -> dict[str, str]:
    return {row["host"]: row["state"] for row in result.data["logins"] if row["output"] == output}


def test_check_then_apply_then_check_then_apply(laptop: Laptop, ecr: Ecr, registry: Registry) -> None:
    calls = ecr.calls
    planned = laptop.run(check=True, docker_login=True)
    assert (states(planned), ecr.calls, laptop.calls) == ({HOST: "due"}, calls, [])
    assert f"log docker in to registry '{HOST}' (it was not logged in by an earlier run)" in planned.data["actions"]
    assert not laptop.notes.exists() and not laptop.config
    done = laptop.run(docker_login=True)
    assert not done.failed, done.message
    assert (states(done), ecr.calls) == ({HOST: "logged_in"}, calls + 1)
    assert laptop.calls == [f"login --username AWS --password-stdin {HOST}"]
    assert registry.status("AWS", laptop.password()) == 200
    for check in (True, False):
        again = laptop.run(check=check, docker_login=True)
        assert (again.changed, states(again), ecr.calls, laptop.calls) == (False, {HOST: "fresh"}, calls + 1, [])
    assert again.data["logins"][0]["hours_left"] > 11.9


def test_a_rotated_token_reaches_docker_with_the_next_renewal(laptop: Laptop, ecr: Ecr, registry: Registry) -> None:
    ecr.configure(hours=3)
    laptop.run(docker_login=True)
    old = laptop.password()
    ecr.rotate()
    ecr.configure(hours=12)
    assert registry.status("AWS", old) == 401
    calls = ecr.calls
    renewed = laptop.run(docker_login=True, refresh_before="4h")
    assert (states(renewed), renewed.states, ecr.calls) == ({HOST: "logged_in"}, {"default": "renewed"}, calls + 1)
    assert registry.status("AWS", laptop.password()) == 200


def test_one_token_serves_the_cluster_and_every_host(laptop: Laptop, ecr: Ecr) -> None:
    calls = ecr.calls
    done = laptop.run(docker_login=True, registries=[HOST, SECOND])
    assert not done.failed, done.message
    assert ecr.calls == calls + 1
    assert laptop.password(HOST) == laptop.password(SECOND)


def test_a_login_that_is_gone_comes_back_and_the_cluster_is_left_alone(laptop: Laptop, apiserver: ApiServer) -> None:
    laptop.run(docker_login=True)
    before = read(apiserver, "default")
    subprocess.run([laptop.docker, "logout", HOST], check=True, capture_output=True)
    again = laptop.run(docker_login=True)
    assert again.data["actions"] == [f"log docker in to registry '{HOST}' (docker no longer has it)"]
    assert read(apiserver, "default") == before


def test_the_credential_store_that_docker_uses_keeps_the_token(laptop: Laptop, ecr: Ecr) -> None:
    laptop.tool("docker-credential-scratch", STORE.format(python=sys.executable))
    laptop.configure('{"credsStore": "scratch", "auths": {"other.example.org": {}}}')
    assert not laptop.run(docker_login=True).failed
    assert laptop.config["auths"] == {"other.example.org": {}, HOST: {}}
    assert json.loads((laptop.home / "store.json").read_text())[HOST]["Secret"] == ecr.token()
    assert not laptop.run(docker_login=True).changed
    gone = laptop.run(state="absent", registries=[])
    assert states(gone) == {HOST: "logged_out"}
    assert json.loads((laptop.home / "store.json").read_text()) == {}
    assert laptop.config["auths"] == {"other.example.org": {}}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        pytest.param({"state": "absent", "registries": []}, "state=absent", id="absent"),
        pytest.param({}, "the option is off", id="turned off"),
        pytest.param({"docker_login": True, "registries": [SECOND]}, "another registry", id="dropped"),
    ],
)
def test_what_was_logged_in_is_logged_out_and_nothing_else(laptop: Laptop, options: dict[str, Any], why: str) -> None:
    other = base64.b64encode(b"me:mine").decode()
    laptop.configure(json.dumps({"auths": {"other.example.org": {"auth": other}}, "psFormat": "x"}))
    laptop.run(docker_login=True)
    planned = laptop.run(check=True, **options)
    assert f"log docker out of registry '{HOST}' (no longer wanted)" in planned.data["actions"], why
    assert HOST in laptop.config["auths"]
    done = laptop.run(**options)
    assert states(done)[HOST] == "logged_out"
    assert HOST not in laptop.config["auths"]
    assert laptop.config["auths"]["other.example.org"] == {"auth": other} and laptop.config["psFormat"] == "x"
    assert not laptop.run(**options).changed


def test_a_logout_that_docker_could_not_carry_out_is_tried_again(laptop: Laptop) -> None:
    laptop.tool("docker-credential-scratch", STORE.format(python=sys.executable))
    laptop.configure('{"credsStore": "scratch"}')
    laptop.run(docker_login=True)
    # As a keychain is over ssh.
    laptop.tool("docker-credential-scratch", "#!/bin/sh\ncat >/dev/null\necho 'User interaction is not allowed.'\nexit 1\n")
    failed = laptop.run(state="absent", registries=[])
    assert failed.failed and states(failed) == {HOST: "failed"}
    assert failed.message.startswith(f"Could not log docker out of registry '{HOST}'") and "keychain" in failed.message
    laptop.tool("docker-credential-scratch", STORE.format(python=sys.executable))
    assert states(laptop.run(state="absent", registries=[])) == {HOST: "logged_out"}
    assert HOST not in laptop.config.get("auths", {})


def test_what_is_no_longer_there_is_forgotten_by_the_next_run(laptop: Laptop) -> None:
    laptop.run(docker_login=True)
    laptop.configure("{}")
    check = laptop.run(check=True)
    assert not check.changed and check.data["logins"] == []
    done = play(laptop)
    assert done.returncode == 0 and "changed=0 " in done.stdout, done.stdout + done.stderr
    assert not laptop.notes.exists()
    # Later the user logs in on their own, as ECR's user, too.
    theirs = {HOST: {"auth": base64.b64encode(b"AWS:a-token-of-theirs").decode()}}
    laptop.configure(json.dumps({"auths": theirs}))
    assert not laptop.run().changed
    assert laptop.config["auths"] == theirs


def test_a_login_of_another_user_in_its_place_stays(laptop: Laptop) -> None:
    laptop.run(docker_login=True)
    theirs = {HOST: {"auth": base64.b64encode(b"another:user").decode()}}
    laptop.configure(json.dumps({"auths": theirs}))
    assert not laptop.run(state="absent", registries=[]).failed
    assert laptop.config["auths"] == theirs


@pytest.mark.parametrize("broken", ["{", '{"credsStore": "missing"}', "[]"], ids=["no JSON", "no such store", "a list"])
def test_docker_fails_and_the_cluster_is_served(laptop: Laptop, broken: str) -> None:
    laptop.configure(broken)
    failed = laptop.run(docker_login=True)
    assert failed.failed and failed.message.startswith("Could not ") and failed.message.count("Could not ") == 1
    assert failed.states == {"default": "created"} and failed.changed
    assert states(failed) == {HOST: "failed"}
    if "missing" in broken:
        assert "docker-credential-missing" in failed.message and "credsStore" in failed.message
    laptop.configure("{}")
    assert states(laptop.run(docker_login=True)) == {HOST: "logged_in"}


def test_without_the_lock_no_login_changes_and_the_cluster_is_served(laptop: Laptop) -> None:
    laptop.notes.with_name("lock").mkdir(parents=True)
    failed = laptop.run(docker_login=True)
    assert (
        failed.message == f"Could not lock '{laptop.notes.with_name('lock')}': it is not a plain file. Remove it, and run again."
    )
    assert (failed.states, states(failed), laptop.config) == ({"default": "created"}, {HOST: "failed"}, {})
    laptop.notes.with_name("lock").rmdir()
    assert states(laptop.run(docker_login=True)) == {HOST: "logged_in"}


def test_without_docker_the_cluster_is_served_and_the_message_says_how_to_get_it(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.laptop.containers.plugins.module_utils.core.system import command as cli

    # Not undone as a whole: what cleans up after this test must not do so in the real HOME.
    with monkeypatch.context() as without:
        without.setattr(cli, "USUAL_DIRECTORIES", ())
        without.setenv("PATH", "/nowhere")
        failed = laptop.run(docker_login=True)
    assert failed.failed and "Could not find 'docker'" in failed.message and "not installed" in failed.message
    assert failed.states == {"default": "created"}


def test_a_registry_that_refuses_is_named_and_the_other_one_is_served(laptop: Laptop, ecr: Ecr, front: Front) -> None:
    # Its region's token is another one than the registry's.
    elsewhere = HOST.replace("eu-central-1", "us-east-1")
    failed = laptop.run(docker_login=True, registries=[HOST, {"host": elsewhere, "aliases": [SECOND]}])
    assert failed.failed
    assert f"Could not log docker in to registry '{SECOND}':" in failed.message and "refuses the token" in failed.message
    assert states(failed)[HOST] == "logged_in" and states(failed)[SECOND] == "failed"
    assert all(token not in failed.text for token in (ecr.token(), ecr.token(region="us-east-1")))
    assert SECOND not in laptop.config["auths"]


def test_when_aws_refuses_every_login_stays_and_what_needs_no_token_is_done(laptop: Laptop, ecr: Ecr) -> None:
    ecr.configure(hours=3)
    laptop.run(docker_login=True)
    before = laptop.config
    ecr.configure(fail="AccessDeniedException", times=9)
    failed = laptop.run(docker_login=True, refresh_before="4h")
    assert failed.failed and "may not do ecr:GetAuthorizationToken" in failed.message
    assert laptop.config == before
    assert (failed.changed, states(failed)) == (False, {HOST: "due"})
    switched = laptop.run(docker_cred_helpers=True, refresh_before="4h")
    ecr.configure()
    assert switched.failed and switched.message.count("Could not") == 1
    assert laptop.config == {"auths": {}, "credHelpers": {HOST: "ecr-login"}}
    # The steps done are reported although the run failed.
    assert switched.changed and (states(switched), states(switched, "cred_helper")) == ({HOST: "logged_out"}, {HOST: "added"})
    assert f"log docker out of registry '{HOST}' (no longer wanted)" in switched.data["actions"]


@pytest.mark.parametrize(
    "said",
    [
        # docker/docker-credential-helpers#82 and, since 0.6.4, #193, as docker repeats them.
        "User interaction is not allowed.",
        "keychain cannot be accessed because the current session does not allow user interaction. The keychain may be locked; "
        'unlock it by running "security -v unlock-keychain ~/Library/Keychains/login.keychain-db" and try again',
    ],
    ids=["before 2021", "since"],
)
def test_a_keychain_that_is_locked_is_no_matter_of_the_network(laptop: Laptop, said: str) -> None:
    (laptop.home / "said").write_text(
        f"Error saving credentials: error storing credentials - err: exit status 1, out: `{said}`\n"
    )
    laptop.tool("docker", f"#!/bin/sh\ncat >/dev/null\ncat '{laptop.home}/said' >&2\nexit 1\n")
    failed = laptop.run(docker_login=True)
    assert failed.message.endswith("Unlock the keychain (credsStore) in this session: security unlock-keychain. Then run again.")


def test_when_aws_refuses_and_the_logout_fails_both_are_said(laptop: Laptop, ecr: Ecr) -> None:
    ecr.configure(hours=3)
    laptop.run(docker_login=True)
    laptop.tool("docker", "#!/bin/sh\necho the keychain is locked >&2\nexit 1\n")
    ecr.configure(fail="AccessDeniedException", times=9)
    failed = laptop.run(refresh_before="4h")
    ecr.configure()
    laptop.tool("docker", SPY.format(program=laptop.docker))
    assert "may not do ecr:GetAuthorizationToken" in failed.message
    assert f"Could not log docker out of registry '{HOST}': the keychain is locked" in failed.message
    assert not failed.changed and states(failed) == {HOST: "failed"}


def test_the_token_is_in_no_argument_result_or_note(laptop: Laptop, ecr: Ecr) -> None:
    done = laptop.run(docker_login=True)
    token = ecr.token()
    for text in (done.text, laptop.notes.read_text(), *laptop.calls):
        assert token not in text and base64.b64encode(f"AWS:{token}".encode()).decode() not in text
    assert laptop.notes.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("shown", ["$t", "$(printf AWS:$t | base64 -w 0)", "$(echo $t | cut -c 1-90)"])
def test_what_a_tool_repeats_of_the_token_it_was_given_is_not_shown(laptop: Laptop, shown: str) -> None:
    # Real tokens have about 2000 characters.
    now = datetime.now(UTC)
    token = Token(secrets.token_urlsafe(1500), now, now + timedelta(hours=12))
    laptop.tool("docker", f'#!/bin/bash\nt=$(cat)\necho "Error saving credentials: can not keep {shown}" >&2\nexit 1\n')
    item = PlannedLogin(Place("docker", str(laptop.home / ".docker")), HOST, LoginVerb.LOG_IN)
    (outcome,), _ = apply_logins(LoginPlan((item,)), {HOST: Access(token, "me")}, Notes(os.environ, "ecr-creds"), os.environ)
    kept = base64.b64encode(f"AWS:{token.password}".encode()).decode()
    assert outcome.state == "failed" and "***" in outcome.failure
    pieces = [form[at : at + 12] for form in (token.password, kept) for at in range(len(form) - 12)]
    assert not [piece for piece in pieces if piece in outcome.failure]


def test_cred_helpers_are_merged_in_and_taken_out_again(laptop: Laptop, ecr: Ecr) -> None:
    theirs = {"gcr.io": "gcloud"}
    text = json.dumps({"zebra": 1, "credHelpers": theirs, "auths": {"a": {}}}, indent=4)
    file = laptop.configure(text)
    file.chmod(0o640)
    real = file.rename(laptop.home / "dotfile.json")
    file.symlink_to(real)
    calls = ecr.calls
    laptop.run()
    planned = laptop.run(check=True, docker_cred_helpers=True, registries=[HOST, SECOND])
    assert states(planned, "cred_helper") == {HOST: "due", SECOND: "due"} and file.read_text() == text
    done = laptop.run(docker_cred_helpers=True, registries=[HOST, {"host": SECOND, "aliases": ["localhost:5000"]}])
    assert not done.failed, done.message
    assert list(laptop.config) == ["zebra", "credHelpers", "auths"]
    assert laptop.config["credHelpers"] == {**theirs, HOST: "ecr-login", SECOND: "ecr-login"}
    assert file.is_symlink() and real.stat().st_mode & 0o777 == 0o640
    assert "\n    " in real.read_text()
    assert Path(done.data["backup_files"][0]).read_text() == text
    assert any("docker-credential-ecr-login" in str(warning) for warning in done.data["warnings"])
    assert ecr.calls == calls + 2
    one = laptop.run(docker_cred_helpers=True)
    assert states(one, "cred_helper") == {HOST: "fresh", SECOND: "removed"}
    assert not laptop.run(docker_cred_helpers=True).changed
    laptop.run(state="absent", registries=[])
    assert laptop.config == json.loads(text)
    assert laptop.calls == []


def test_a_helper_that_is_installed_needs_no_warning(laptop: Laptop) -> None:
    laptop.tool("docker-credential-ecr-login", "#!/bin/sh\n")
    done = laptop.run(docker_cred_helpers=True)
    assert not done.failed and not any("ecr-login" in str(warning) for warning in done.data.get("warnings", []))


def test_entries_of_others_are_kept_and_another_helper_is_refused(laptop: Laptop) -> None:
    config = {"credHelpers": {HOST: "ecr-login", SECOND: "theirs"}}
    laptop.configure(json.dumps(config))
    failed = laptop.run(docker_cred_helpers=True, registries=[HOST, SECOND])
    assert failed.failed and f"registry '{SECOND}'" in failed.message and "'theirs' is set for it already" in failed.message
    assert states(failed, "cred_helper") == {HOST: "fresh", SECOND: "failed"}
    laptop.run(state="absent", registries=[])
    assert laptop.config == config


def test_an_engine_that_is_not_needed_is_not_asked(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setenv("DOCKER_CONTEXT", "nowhere")
    done = laptop.run(docker_login=True)
    assert not done.failed, done.message


def test_each_profile_gets_a_helper_of_its_own_which_goes_with_the_last_registry(laptop: Laptop) -> None:
    (laptop.home / ".aws").mkdir(exist_ok=True)
    keys = "aws_access_key_id = AKIADEV\naws_secret_access_key = x\n"
    (laptop.home / ".aws" / "config").write_text(f"[profile dev]\n{keys}[profile prod]\n{keys}")
    script = laptop.home / ".local" / "bin" / "docker-credential-ecr-login-dev"
    registries = [{"host": HOST, "profile": "dev"}, {"host": SECOND, "profile": "prod"}]
    planned = laptop.run(check=True, docker_cred_helpers=True, registries=registries)
    assert not script.exists() and states(planned, "wrapper") == {"ecr-login-dev": "due", "ecr-login-prod": "due"}
    done = laptop.run(docker_cred_helpers=True, registries=registries)
    assert not done.failed, done.message
    assert laptop.config["credHelpers"] == {HOST: "ecr-login-dev", SECOND: "ecr-login-prod"}
    assert "AWS_PROFILE=dev" in script.read_text() and script.stat().st_mode & 0o777 == 0o755
    assert "before that is on PATH" in str(done.data["warnings"])
    assert not laptop.run(docker_cred_helpers=True, registries=registries).changed
    left = laptop.run(docker_cred_helpers=True, registries=[HOST, registries[1]])
    assert laptop.config["credHelpers"] == {HOST: "ecr-login", SECOND: "ecr-login-prod"} and not script.exists()
    assert states(left, "wrapper") == {"ecr-login-dev": "removed", "ecr-login-prod": "fresh"}
    laptop.run(state="absent")
    assert "credHelpers" not in laptop.config and not list(script.parent.iterdir())


def test_from_login_to_helper_and_back(laptop: Laptop, ecr: Ecr, registry: Registry) -> None:
    laptop.run(docker_login=True)
    assert not laptop.run(docker_cred_helpers=True).failed
    assert laptop.config == {"auths": {}, "credHelpers": {HOST: "ecr-login"}}
    back = laptop.run(docker_login=True)
    assert not back.failed, back.message
    assert "credHelpers" not in laptop.config
    assert registry.status("AWS", laptop.password()) == 200


def test_both_ways_at_once_are_refused(laptop: Laptop) -> None:
    refused = laptop.run(docker_login=True, docker_cred_helpers=True)
    assert refused.failed and "exclude each other" in refused.message


def test_a_fresh_run_with_logins_starts_nothing_and_does_not_load_boto(laptop: Laptop) -> None:
    laptop.run(docker_login=True)
    code = (
        "import sys; from tests.support.ecr_pull_secret.scenario import run; "
        f"result = run({str(laptop.kubeconfig)!r}, docker_login=True); "
        "print(result.changed, [name for name in ('boto3', 'botocore') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'collections'}"}
    laptop.calls  # noqa: B018 - forgets the calls so far
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    assert (done.stdout.strip(), laptop.calls) == ("False []", [])


def play(laptop: Laptop, *flags: str, prefix: tuple[str, ...] = (), **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run the role as a user does, on this laptop."""
    own = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = laptop.home / "inventory.yml"
    inventory.write_text(json.dumps({"laptops": {"hosts": {"me": own}}}))
    given = {"secret_refresh_registries": [HOST], "secret_refresh_kubeconfig": str(laptop.kubeconfig), **variables}
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), "playbooks/workstation.yml"]
    temporary = dict.fromkeys(("TMPDIR", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TEMP"), str(laptop.home / "tmp"))
    (laptop.home / "tmp").mkdir(exist_ok=True)
    return forked_ansible.run(
        [*prefix, *command, "--tags", "secret_refresh", "-e", json.dumps(given), *flags],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, **temporary, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
    )  # fmt: skip


def test_the_role_logs_in_and_no_token_shows_at_the_highest_verbosity(laptop: Laptop, ecr: Ecr) -> None:
    outputs: dict[str, Any] = {"secret_refresh_docker_login": True}
    for flags, changed in ((["--check"], 1), (["-vvvv"], 1), ([], 0)):
        done = play(laptop, "--diff", *flags, ansible_keep_remote_files=True, **outputs)
        assert done.returncode == 0 and f"changed={changed} " in done.stdout, done.stdout + done.stderr
        assert done.stdout.count("TASK [") == changed
        token = ecr.token()
        for form in forms_of(token):
            assert form not in done.stdout + done.stderr
            # docker's own file is the one place on the laptop where the user wanted it.
            holding = {path for path in laptop.home.rglob("*") if path.is_file() and form.encode() in path.read_bytes()}
            assert holding <= {laptop.home / ".docker" / "config.json"}
    assert laptop.password() == token


def test_no_process_has_the_token_among_its_arguments_or_in_its_environment(laptop: Laptop, ecr: Ecr, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    prefix = traced(trace)
    done = play(laptop, prefix=prefix, secret_refresh_docker_login=True)
    assert "changed=1" in done.stdout, done.stdout + done.stderr
    calls = trace.read_text(errors="replace")
    assert "--password-stdin" in calls and f"HOME={laptop.home}" in calls and laptop.password() == ecr.token()
    assert not [form for form in forms_of(ecr.token()) if form in calls]
