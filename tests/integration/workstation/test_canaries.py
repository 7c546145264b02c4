# SPDX-License-Identifier: GPL-3.0-or-later
"""No option of a wrong type brings a secret from another option into the output or the log."""

from __future__ import annotations

import base64
import copy
import json
import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.standin.kube_api import KubeApi
from tests.support.ansible_runs import forked_ansible
from tests.support.ecr_pull_secret.scenario import HOST
from tests.support.in_process_module import SUBJECTS
from tests.support.test_runs.tiers import LONG

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
CANARY = "hunter2-canary"
PROXY = f"http://me:{CANARY}@proxy:3128"
# As docker's files and pull secrets keep it.
ENCODED = base64.b64encode(f"AWS:{CANARY}".encode()).decode()
# For every option, all of them where LAPTOP_LONG is set, else in turn.
WRONG: tuple[Any, ...] = ("text", ["text"], {"odd": "text"}, 10**400, [{"odd": ["text"]}], PROXY)

# Options that are all given, with a canary wherever an option may hold a secret.
COMPANY: dict[str, Any] = {
    "authorities": [],
    "local_authorities": False,
    "http_proxy": "http://proxy.example:3128",
    "https_proxy": "http://proxy.example:3128",
    "no_proxy": [".example.com"],
    "mirrors": [{"registry": "docker.io", "url": "https://mirror.example"}],
    "dns_servers": ["10.0.0.53"],
    "dns_domains": {"corp.example": ["10.0.0.53"]},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "brew_bundle": {"brewfile": f'tap "team/tools", "https://me:{CANARY}@git.example/tools"\nbrew "colima"\n'},
    "buildx_builder": {
        "company_network": COMPANY,
        "builders": [
            {
                "name": "far",
                "driver": "docker-container",
                "nodes": [
                    {"name": "a", "endpoint": "work", "platforms": ["linux/amd64"], "driver_opts": {"env.http_proxy": PROXY}}
                ],
                "platforms": ["linux/amd64"],
                "buildkitd_config": {"debug": True},
                "buildkitd_flags": ["--debug"],
                "driver_opts": {"env.https_proxy": PROXY},
            }
        ],
        "recreate": "never",
        "prune_stale": "never",
        "timeout": 0.1,
    },
    "colima_disk_snapshot": {
        "profile": "lab",
        "name": "before",
        "directory": "/nowhere",
        "keep": 2,
        "state": "restored",
        "confirm": "lab",
    },
    "cluster_migration": {
        "source": f"tcp://me:{CANARY}@far:2376",
        "context": "far",
        "target": "lab",
        "phase": "copy",
        "namespaces": ["none"],
        "secrets": True,
        "pause": False,
        "timeout": 0.1,
        "ready_timeout": 0.1,
    },
    "move": {
        "profile": "lab",
        "runtime": "containerd",
        "phase": "leave",
        "directory": "/nowhere",
        "images": ["none"],
        "namespaces": ["none"],
        "secrets": True,
        "stop": "always",
        "confirm": "lab-docker",
        "timeout": 0.1,
        "ready_timeout": 0.1,
    },
    "colima_profile": {
        "company_network": COMPANY,
        "profiles": [
            {
                "name": "lab",
                "cpu": 2,
                "memory": 2,
                "disk": 20,
                "runtime": "docker",
                "kubernetes": {"enabled": False},
                "network": {"address": False},
                "env": {"API_TOKEN": CANARY, "HTTPS_PROXY": PROXY},
                "docker": {"proxies": {"http-proxy": PROXY}},
                "provision": [{"mode": "system", "script": f"curl {PROXY}"}],
            }
        ],
        "restart": "never",
        "stop": "if_idle",
        "idle_for": "2h",
        "on_fixed_change": "refuse",
        "confirm_data_loss": [],
        "timeout": 5,
        "stall_timeout": 5,
    },
    "colima_profile_info": {"names": ["lab"]},
    "reclaim": {
        "names": ["lab"],
        "images": "unused",
        "build_cache": "all",
        "build_cache_older_than": "1h",
        "containers_older_than": "1h",
        "volumes": ["old"],
        "trim": False,
    },
    "docker_cli_config": {
        "repair": True,
        "plugins": ["docker-buildx"],
        "profile": "lab",
        "env_file": "~/docker.env",
        "testcontainers": True,
        "backup": True,
    },
    "docker_context": {
        "contexts": [
            {"name": "far", "docker": {"host": f"tcp://me:{CANARY}@far:2376", "skip_tls_verify": True}, "description": "x"}
        ],
        "current_context": "default",
        "probe_timeout": 0,
    },
    "docker_context_info": {"names": ["far"], "reachability": False, "timeout": 0.1},
    "docker_migration": {
        "source": f"tcp://me:{CANARY}@far:2376",
        "target": "docker-buildx",
        "timeout": 0.1,
        "images": ["*"],
        "volumes": ["*"],
        "labels": ["keep"],
        "newer_than": "2h",
        "largest_gib": 1.5,
        "dangling": True,
        "anonymous": True,
        "pause": False,
        "replace": ["mine"],
        "parallel": 1,
    },
    "docker_migration_info": {
        "source": f"tcp://me:{CANARY}@far:2376",
        "target": "docker-buildx",
        "timeout": 0.1,
        "compare": True,
    },
    "docker_socket_link": {"path": "~/docker.sock", "target": "/far.sock", "state": "present"},
    "docker_volume_snapshot": {
        "engine": "docker-buildx",
        "volumes": ["db"],
        "name": "before",
        "directory": "/nowhere",
        "keep": 2,
        "state": "restored",
        "confirm": ["db"],
        "pause": False,
        "anonymous": True,
        "timeout": 0.1,
    },
    "ecr_pull_secret": {
        "name": "ecr-creds",
        "registries": [
            {
                "host": HOST,
                "aliases": ["localhost:5000"],
                "role_arn": "arn:aws:iam::123456789012:role/pull",
                "duration": 900,
                "session_name": "me",
                "external_id": "me",
                "endpoint_url": f"http://me:{CANARY}@127.0.0.1:1",
                "sts_endpoint_url": f"http://me:{CANARY}@127.0.0.1:1",
            },
            {"account_id": "210987654321", "region": "eu-central-1", "profile": "work"},
        ],
        "namespaces": ["default", "team-*"],
        "namespace_selector": "team=x",
        "exclude_namespaces": ["kube-system"],
        "create_namespaces": True,
        "service_accounts": ["default"],
        "contexts": ["colima-k8s", "far", "stranger"],
        "kubeconfig": "~/kubeconfig",
        "refresh_before": "half",
        "adopt": True,
        "force_conflicts": True,
        "prune": True,
        "docker_cred_helpers": False,
        "docker_login": True,
        "nerdctl_profiles": ["lab"],
        "unreachable": "pending",
        "state": "present",
    },
    "local_registry": {
        "host": "localhost:5000",
        "host_from_cluster": "registry:5000",
        "host_from_containers": "host.lima.internal:5000",
        "help": f"https://me:{CANARY}@wiki.example/registry",
        "context": "far",
        "expected_contexts": ["far"],
        "kubeconfig": "~/kubeconfig",
        "state": "present",
    },
    "network": {
        "authorities": ["/nowhere/ca.pem"],
        "http_proxy": PROXY,
        "https_proxy": PROXY,
        "no_proxy": [".example.com"],
        "mirrors": [{"registry": "docker.io", "url": PROXY}],
        "dns_domains": {"corp.example": ["10.0.0.53"]},
        "probes": [PROXY],
    },
    "nerdctl_wrapper": {
        "wrappers": [{"path": "~/nerdctl", "profile": "k8s", "move_foreign": False, "state": "present"}],
        "completion": [],
        "colima": "/bin/true",
    },
    "bootstrap": {
        "requirements": f"--index-url https://me:{CANARY}@packages.example/simple\nwords==1.0\n",
        "uv": "uv==1.0",
        "directory": "/nowhere/data",
        "python": "/nowhere/python3",
        "fetch": False,
        "state": "present",
    },
    "toolchain_info": {"known_to_break": "refuse"},
    "upgrade": {"programs": ["colima"], "stop": True},
    "user_timer": {
        "name": "refresh",
        "command": ["/bin/true", PROXY],
        "every": 30,
        "refresh_before": "half",
        "idle_for": "2h",
        "environment": {"HTTPS_PROXY": PROXY, "AWS_SECRET_ACCESS_KEY": CANARY},
        "programs": ["docker"],
        "inherit": ["HOME"],
        "leave": ["AWS_PROFILE"],
        "needs": ["/bin/true"],
        "directory": "/tmp",
        "manager": "systemd",
    },
}

OPTIONS["support"] = {"path": "/nowhere/x.tar.gz", "report": {"checks": [{"found": PROXY}]}}

# It examines what other modules are asked for.
OPTIONS["doctor"] = {
    **{module: OPTIONS[module] for module in ("colima_profile", "docker_context")},
    "groups": ["profiles", "docker"],
    "play": f"ansible-playbook --extra-vars proxy={PROXY}",
    "timer_directory": "/tmp",
    "timeout": 0.5,
}


def places(options: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every option, of those in lists and mappings, too."""
    items = options.items() if isinstance(options, Mapping) else enumerate(options) if isinstance(options, list) else ()
    for key, value in items:
        yield (*where, key)
        yield from places(value, (*where, key))


def replaced(options: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed: Any = copy.deepcopy(options)
    parent = changed
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    return dict(changed)


def variants(module: str) -> Iterator[dict[str, Any]]:
    """Yield the options as they are, and with each of them of a wrong type."""
    options = OPTIONS[module]
    yield options
    for number, place in enumerate(places(options)):
        chosen = WRONG if LONG else (WRONG[number % len(WRONG)],)
        yield from (replaced(options, place, value) for value in chosen)


def test_every_module_with_a_subject_is_tried() -> None:
    assert set(SUBJECTS) == set(OPTIONS), "add a row to OPTIONS in this file, or remove one"


@pytest.fixture(scope="module")
def cluster(short_path: Path) -> Iterator[KubeApi]:
    with KubeApi(short_path / "canaries") as running:
        yield running


def keep_secrets(home: Path, cluster: KubeApi) -> dict[str, str]:
    """Put canaries where the user, a cluster and AWS' variables keep secrets. Returns the variables."""
    logins = {"auths": {HOST: {"auth": ENCODED}, "r.example": {"auth": ENCODED}}}
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text(json.dumps(logins))
    data = {".dockerconfigjson": base64.b64encode(json.dumps(logins).encode()).decode()}
    secret = {"metadata": {"name": "ecr-creds"}, "type": "kubernetes.io/dockerconfigjson", "data": data}
    cluster.request("POST", "/api/v1/namespaces/default/secrets", {"apiVersion": "v1", "kind": "Secret", **secret})
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    (local,) = config["clusters"]
    entries = {
        "far": ({"server": f"https://me:{CANARY}@127.0.0.1:1"}, {"username": "me", "password": CANARY}),
        "stranger": (local["cluster"], {"token": CANARY}),
    }
    for name, (server, user) in entries.items():
        config["clusters"].append({"name": name, "cluster": server})
        config["users"].append({"name": name, "user": user})
        config["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
    (home / "kubeconfig").write_text(yaml.safe_dump(config))
    return {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": CANARY, "AWS_SESSION_TOKEN": CANARY}


@pytest.mark.parametrize("where", ["action plugin", "packed module"])
def test_no_wrong_type_shows_a_secret(where: str, home: Path, cluster: KubeApi) -> None:
    (home / "python3").symlink_to(os.path.realpath(sys.executable))
    interpreter = sys.executable if where == "action plugin" else str(home / "python3")
    tasks = [
        {f"laptop.containers.{module}": options, "ignore_errors": True, "name": f"{module} {number}"}
        for module in OPTIONS
        for number, options in enumerate(variants(module))
        # Packed, the same code runs: a process for each task, so a few of them tell.
        if LONG or where == "action plugin" or number % 48 == 0
    ]
    play = {"hosts": "me", "connection": "local", "gather_facts": False, "tasks": tasks}
    (home / "play.yml").write_text(json.dumps([play | {"vars": {"ansible_python_interpreter": interpreter}}]))
    environment = {
        **os.environ,
        **keep_secrets(home, cluster),
        # The other interpreter finds no libraries by itself.
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_LOG_PATH": str(home / "log"),
        "ANSIBLE_INJECT_INVOCATION": "true",
    }
    command = [str(PLAYBOOK), "-i", "me,", str(home / "play.yml"), "--check", "--diff", "-vvv"]
    done = forked_ansible.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1500, check=False)
    said = done.stdout + done.stderr + (home / "log").read_text()
    assert done.returncode == 0, said[-3000:]
    assert f"ok={len(tasks)}" in done.stdout
    assert [line for line in said.splitlines() if any(form in line for form in (CANARY[:7], ENCODED[:12]))] == []
    # Every refusal is a sentence.
    assert "Traceback" not in said and "Unhandled exception" not in said and "MODULE FAILURE" not in said
