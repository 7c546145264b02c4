# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's own credentials: colima gets the settings, the script does what it says, the kubelet could read its file."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.ecr.hosts import PUBLIC_HOSTS, domains, parse_host

from rehearsal.lab.laptop import Lab
from tests.support.ansible_runs import forked_ansible
from tests.support.lab_playbooks import light_lab

ROOT = Path(__file__).resolve().parents[3]
PLACE = "/usr/local/lib/ecr-credential-provider"
ARGS = [
    "--disable=traefik",
    f"--image-credential-provider-bin-dir={PLACE}/bin",
    f"--image-credential-provider-config={PLACE}/config.yaml",
]
ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with light_lab() as lab:
        yield lab


def play(lab: Lab, ecr_profile: str | None, *flags: str, fails: bool = False, **profile: object) -> str:
    provider = {} if ecr_profile is None else {"ecr_profile": ecr_profile}
    k8s = {"name": "k8s", "runtime": "containerd", "kubernetes": {"enabled": True, **provider}, **profile}
    done = forked_ansible.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory/rehearsal", "playbooks/workstation.yml",
            "--tags", "colima", "-e", json.dumps({"colima_profiles": [k8s]}), *flags,
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "LAPTOP_REHEARSAL_DIR": str(lab.directory), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
    )  # fmt: skip
    assert bool(done.returncode) is fails, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def settings(lab: Lab) -> tuple[str, dict[str, Any]]:
    """What check mode printed, and the colima.yaml that a run then wrote."""
    file = lab.home / ".colima" / "k8s" / "colima.yaml"
    plan = play(lab, "dev", "--check", "--diff")
    assert not file.exists()
    assert "changed=1" in play(lab, "dev")
    assert "changed=0" in play(lab, "dev")
    return plan, yaml.safe_load(file.read_text())


@pytest.fixture(scope="module")
def script(settings: tuple[str, dict[str, Any]]) -> str:
    (entry,) = settings[1]["provision"]
    assert entry["mode"] == "system"
    return str(entry["script"])


def test_colima_gets_the_arguments_of_k3s_and_the_script(settings: tuple[str, dict[str, Any]]) -> None:
    plan, config = settings
    assert "changed=1" in plan
    assert config["kubernetes"]["enabled"] is True and config["kubernetes"]["k3sArgs"] == ARGS
    assert config["provision"][0]["script"].startswith("#!/bin/sh\n")


def test_the_arguments_and_the_script_name_the_same_files(script: str) -> None:
    assert f"place={PLACE}\n" in script
    assert '"$place/config.yaml"' in script and "$place/bin/ecr-credential-provider" in script


def test_shellcheck_finds_nothing(script: str) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, "--shell=sh", "-"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


class Machine:
    """The script in a directory of its own, with a curl that has what a test gives it and a machine that a test names."""

    def __init__(self, folder: Path, script: str) -> None:
        self.folder, self.place = folder, folder / "place"
        self.script = script.replace(PLACE, str(self.place))
        self.served = folder / "served"
        self.served.write_text("#!/bin/sh\necho provider\n")
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.tool("curl", f'for last; do :; done; echo "$last" >> {folder}/asked; cp {self.served} "$5"')
        self.machine("x86_64")

    def tool(self, name: str, text: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)

    def machine(self, name: str) -> None:
        self.tool("uname", f"echo {name}")

    def trust_what_is_served(self) -> None:
        digest = hashlib.sha256(self.served.read_bytes()).hexdigest()
        self.script = re.sub(r"sum=[0-9a-f]{64}", f"sum={digest}", self.script)

    def start(self) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.bin}:{os.environ['PATH']}"}
        return subprocess.run(["sh", "-c", self.script], env=environment, capture_output=True, text=True, check=False)

    @property
    def asked(self) -> list[str]:
        file = self.folder / "asked"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def files(self) -> set[str]:
        return {str(path.relative_to(self.place)) for path in self.place.rglob("*") if path.is_file()}


@pytest.fixture
def machine(tmp_path: Path, script: str) -> Machine:
    return Machine(tmp_path, script)


@pytest.mark.parametrize(("name", "arch"), [("x86_64", "amd64"), ("aarch64", "arm64")])
def test_the_first_start_installs_the_program_and_the_second_downloads_nothing(machine: Machine, name: str, arch: str) -> None:
    machine.machine(name)
    machine.trust_what_is_served()
    for _ in range(2):
        done = machine.start()
        assert (done.returncode, done.stderr) == (0, "")
        assert machine.files == {"bin/ecr-credential-provider", "config.yaml"}
    base = "https://artifacts.k8s.io/binaries/cloud-provider-aws/v1.37.0/linux"
    assert machine.asked == [f"{base}/{arch}/ecr-credential-provider-linux-{arch}"]
    assert os.access(machine.place / "bin" / "ecr-credential-provider", os.X_OK)


def test_what_has_another_checksum_is_not_installed_and_k3s_is_left_without_a_provider(machine: Machine) -> None:
    done = machine.start()
    assert done.returncode == 0 and "could not get https://" in done.stderr
    assert machine.files == set()


def test_without_a_network_the_vm_starts_and_what_was_there_stays(machine: Machine) -> None:
    machine.tool("curl", "exit 6")
    assert machine.start().returncode == 0 and machine.files == set()
    program = machine.place / "bin" / "ecr-credential-provider"
    program.write_text("an older release")
    program.chmod(0o755)
    assert machine.start().returncode == 0
    assert machine.files == {"bin/ecr-credential-provider", "config.yaml"}
    assert program.read_text() == "an older release"


@pytest.fixture
def config(machine: Machine) -> dict[str, Any]:
    machine.trust_what_is_served()
    assert machine.start().returncode == 0
    found: dict[str, Any] = yaml.safe_load((machine.place / "config.yaml").read_text())
    return found


def test_the_configuration_has_the_shape_that_the_kubelet_demands(config: dict[str, Any]) -> None:
    # The rules of kubelet's validateCredentialProviderConfig, and no field beyond those of kubelet.config.k8s.io/v1.
    assert set(config) == {"apiVersion", "kind", "providers"}
    assert (config["apiVersion"], config["kind"]) == ("kubelet.config.k8s.io/v1", "CredentialProviderConfig")
    (provider,) = config["providers"]
    assert set(provider) <= {"name", "matchImages", "defaultCacheDuration", "apiVersion", "args", "env", "tokenAttributes"}
    assert provider["name"] == "ecr-credential-provider" and not set(provider["name"]) & set("/ \\")
    assert provider["apiVersion"] == "credentialprovider.kubelet.k8s.io/v1"
    assert re.fullmatch(r"(\d+h)?(\d+m)?(\d+s)?", provider["defaultCacheDuration"])
    assert provider["matchImages"] and all(isinstance(image, str) and "/" not in image for image in provider["matchImages"])
    assert all(set(entry) == {"name", "value"} and isinstance(entry["value"], str) for entry in provider["env"])


def test_the_provider_runs_with_the_users_own_profile(lab: Lab, config: dict[str, Any]) -> None:
    env = {entry["name"]: entry["value"] for entry in config["providers"][0]["env"]}
    assert env == {"HOME": str(lab.home), "AWS_PROFILE": "dev"}


def matches(image: str, patterns: list[str]) -> bool:
    """As the kubelet does: as many parts as the pattern has, each by itself."""
    host = image.partition("/")[0].split(".")
    return any(
        len(parts := pattern.split(".")) == len(host) and all(map(fnmatch.fnmatchcase, host, parts)) for pattern in patterns
    )


@pytest.mark.parametrize(
    ("image", "asked"),
    [
        (f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/nginx:1", True),
        ("docker.io/library/nginx:1", False),
        ("dkr.ecr.eu-central-1.amazonaws.com.example.org/web:1", False),
        ("ghcr.io/x/y:1", False),
    ],
)
def test_it_is_asked_for_images_of_ecr_and_no_others(config: dict[str, Any], image: str, asked: bool) -> None:
    assert matches(image, config["providers"][0]["matchImages"]) is asked


# A region of each partition; the provider's own pattern takes the same hosts.
REGIONS = (
    "eu-central-1",
    "us-gov-west-1",
    "cn-north-1",
    "eusc-de-east-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "us-isof-south-1",
    "eu-isoe-west-1",
)


def test_it_is_asked_for_every_form_of_host_that_the_pull_secrets_take(config: dict[str, Any]) -> None:
    hosts = list(PUBLIC_HOSTS)
    for region in REGIONS:
        classic, dual = domains(region)
        hosts += [f"{ACCOUNT}.dkr.ecr.{region}.{classic}", *([f"{ACCOUNT}.dkr-ecr.{region}.{dual}"] if dual else [])]
    hosts += [f"{ACCOUNT}.dkr.ecr-fips.us-gov-west-1.amazonaws.com", f"{ACCOUNT}.dkr-ecr-fips.us-east-1.on.aws"]
    assert [parse_host(host).name for host in hosts] == hosts
    assert [host for host in hosts if not matches(f"{host}/web:1", config["providers"][0]["matchImages"])] == []


def test_a_vm_without_the_program_is_told_and_a_quiet_run_asks_nothing(lab: Lab, settings: tuple[str, dict[str, Any]]) -> None:
    # The lab's VM runs no scripts, as a VM without a network would have none of the program.
    play(lab, "dev", state="stopped")
    assert "can't pull from ECR yet" in play(lab, "dev")
    assert "can't pull from ECR yet" not in play(lab, "dev")


def test_an_empty_name_takes_away_what_is_ours_and_nothing_else(lab: Lab, settings: tuple[str, dict[str, Any]]) -> None:
    file = lab.home / ".colima" / "k8s" / "colima.yaml"
    mine = {"mode": "user", "script": "#!/bin/sh\ntrue\n"}
    args = ["--disable=traefik", "--debug"]

    play(lab, None, kubernetes={"enabled": True, "k3s_args": args, "ecr_profile": 'o\'neil: "x" $HOME'}, provision=[mine])
    both = yaml.safe_load(file.read_text())
    assert both["kubernetes"]["k3sArgs"] == [*args, *ARGS[1:]]
    text = both["provision"][1]["script"].split("<<'END'\n", 1)[1].split("\nEND", 1)[0]
    assert yaml.safe_load(text)["providers"][0]["env"][1]["value"] == 'o\'neil: "x" $HOME'
    assert "changed=0" in play(lab, None)

    play(lab, "")
    left = yaml.safe_load(file.read_text())
    assert left["kubernetes"]["k3sArgs"] == args
    assert [one["script"] for one in left["provision"]] == [mine["script"]]
    play(lab, "dev")


@pytest.mark.parametrize(
    ("ecr_profile", "profile", "sentence"),
    [
        ("dev", {"kubernetes": {"enabled": False, "ecr_profile": "dev"}}, "it has no Kubernetes."),
        ("dev", {"mounts": [{"location": "~/work"}]}, "its VM does not have ~/.aws. Add '~/.aws' to its mounts"),
        ("a\nEND\nreboot", {}, "it is not the name of an AWS profile."),
    ],
)
def test_what_cannot_work_is_refused(
    lab: Lab, settings: tuple[str, dict[str, Any]], ecr_profile: str, profile: dict[str, Any], sentence: str
) -> None:
    before = (lab.home / ".colima" / "k8s" / "colima.yaml").read_bytes()
    assert sentence in " ".join(play(lab, ecr_profile, fails=True, **profile).split())
    assert (lab.home / ".colima" / "k8s" / "colima.yaml").read_bytes() == before
