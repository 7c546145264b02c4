# SPDX-License-Identifier: GPL-3.0-or-later
"""Mistakes in settings: each is reported before anything runs, with the right name and the place; what is right is never refused.

One run has a laptop for each mistake, with a home of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.support.ansible_runs import forked_ansible
from tests.support.test_runs.tiers import times

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = ROOT / "playbooks" / "workstation.yml"
# Refused in every laptop of the second test, so that its run ends there: nothing else may be.
SENTINEL = "colima_restrat"
REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
REFUSED = f"Could not use variable '{SENTINEL}': it is unknown. Did you mean 'colima_restart'?"


class Mistake(NamedTuple):
    """Settings with one mistake, and what its sentence has to hold."""

    settings: Mapping[str, Any]
    expected: str


def specs() -> dict[str, dict[str, Any]]:
    """Return the documented variables of the roles that the playbook runs, with their specifications."""
    found: dict[str, dict[str, Any]] = {}
    for role in re.findall(r"import_role:\s+name: laptop\.containers\.(\w+)", PLAYBOOK.read_text()):
        text = (ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text()
        found |= yaml.safe_load(text)["argument_specs"]["main"]["options"]
    return found


def misspelt(word: str) -> str:
    """Return the word with two letters of its last part exchanged."""
    head, _, tail = word.rpartition("_")
    tail = f"{tail[1]}{tail[0]}{tail[2:]}" if len(tail) > 1 and tail[0] != tail[1] else f"{tail}x"
    return f"{head}_{tail}" if head else tail


def generated() -> Iterator[tuple[str, Mistake]]:
    """Yield a misspelling of every variable of every role, and a wrong type where there is one."""
    options = specs()
    for name, spec in options.items():
        for wrong in {misspelt(name), name[:-1]} - set(options):
            yield wrong, Mistake({wrong: "x"}, f"Could not use variable '{wrong}': it is unknown. Did you mean '{name}'?")
        if spec["type"] == "bool" and name.startswith("secret_refresh"):
            yield (
                f"{name} in words",
                Mistake(
                    {name: "perhaps", "secret_refresh_registries": [REGISTRY]},
                    f"Could not use 'perhaps' as '{name}': it is neither true nor false.",
                ),
            )
        if spec.get("choices") and name.startswith(("colima", "buildx")) and not name.endswith("_state"):
            yield f"{name} unknown", Mistake({name: "sometimes"}, f"Could not use 'sometimes' as '{name}': it is not a choice.")


def profile(**options: Any) -> dict[str, Any]:
    return {"colima_profiles": [{"name": "k8s", "runtime": "containerd", **options}, {"name": "docker-buildx"}]}


def options_of(module: str, option: str = "") -> list[str]:
    """Return the documented options of a module, or those of the entries of one of its lists."""
    text = (ROOT / "plugins" / "modules" / f"{module}.py").read_text()
    found = yaml.safe_load(re.search(r'DOCUMENTATION = r"""(.*?)"""', text, re.DOTALL)[1])["options"]  # type: ignore[index]
    return list(found[option]["suboptions"] if option else found)


def in_entries() -> Iterator[tuple[str, Mistake]]:
    """Yield a misspelling of every option of the entries of each list."""
    lists: dict[str, tuple[list[str], dict[str, Any]]] = {
        "colima_profiles": (options_of("colima_profile", "profiles"), {"name": "k8s", "runtime": "containerd"}),
        "nerdctl_wrappers": (options_of("nerdctl_wrapper", "wrappers"), {"profile": "k8s"}),
        "docker_context_contexts": (
            options_of("docker_context"),
            {"name": "colima-buildx", "docker": {"profile": "docker-buildx"}},
        ),
        "buildx_builders": (options_of("buildx_builder", "builders"), {"name": "multi-platform", "endpoint": "colima-buildx"}),
    }
    of_task = {"profiles", "contexts", "current_context", "probe_timeout", "state"}
    for variable, (options, entry) in lists.items():
        for option in options:
            if misspelt(option) not in options and option not in of_task and len(option) > 3:
                rest = [{"name": "docker-buildx"}] if variable == "colima_profiles" else []
                settings = {variable: [{**entry, misspelt(option): "x"}, *rest]}
                yield f"{variable}: {option}", Mistake(settings, f"Did you mean '{option}'?")


BY_HAND = {
    "an empty list": Mistake({"secret_refresh_registries": None}, "'secret_refresh_registries': it has no value."),
    "an empty text": Mistake({"colima_restart": None}, "'colima_restart': it has no value."),
    "a wrapper of another profile": Mistake(
        {"nerdctl_wrappers": [{"path": "~/.local/bin/nerdctl", "profile": "k9s"}]},
        "Could not use profile 'k9s' of nerdctl wrapper '~/.local/bin/nerdctl': colima_profiles does not have it. "
        "Did you mean 'k8s'?",
    ),
    "a wrapper of a profile with docker": Mistake(
        {"nerdctl_wrappers": [{"path": "~/.local/bin/nerdctl", "profile": "docker-buildx"}]},
        "Could not use profile 'docker-buildx' of nerdctl wrapper '~/.local/bin/nerdctl': its runtime is docker, and nerdctl "
        "works with containerd only. Name one with runtime containerd, such as 'k8s', or leave it out. (hosts.yml:",
    ),
    "the BuildKit of a profile with docker": Mistake(
        {"buildx_builders": [{"name": "own", "profile": "docker-buildx"}]},
        "Could not use profile 'docker-buildx' of builder 'own': its runtime is docker, and a profile's own BuildKit runs with",
    ),
    "a context of another profile": Mistake(
        {"docker_context_contexts": [{"name": "colima-buildx", "docker": {"profile": "docker-bildx"}}]},
        "Did you mean 'docker-buildx'?",
    ),
    "a current context that is not made": Mistake(
        {"docker_context_current": "colima-buildxx"},
        "Could not use docker context 'colima-buildxx' as docker_context_current: docker_context_contexts does not have it. "
        "Did you mean 'colima-buildx'?",
    ),
    "a current context of a profile without docker": Mistake(
        {"docker_context_current": "colima-k8s"},
        "Could not use docker context 'colima-k8s' as docker_context_current: docker_context_contexts does not have it. "
        "Did you mean 'colima-buildx'?",
    ),
    "a builder in another context": Mistake(
        {"buildx_builders": [{"name": "multi-platform", "endpoint": "colima-bildx"}]},
        "Could not use docker context 'colima-bildx' of builder 'multi-platform': docker_context_contexts does not have it. "
        "Did you mean 'colima-buildx'?",
    ),
    "a builder of another profile": Mistake(
        {"buildx_builders": [{"name": "k8s", "profile": "k9s"}]},
        "Could not use profile 'k9s' of builder 'k8s': colima_profiles does not have it. Did you mean 'k8s'?",
    ),
    "a builder with two places": Mistake(
        {"buildx_builders": [{"name": "k8s", "profile": "k8s", "endpoint": "colima-buildx"}]}, "mutually exclusive"
    ),
    "a builder that would start a BuildKit beside the profile's": Mistake(
        {"buildx_builders": [{"name": "k8s", "profile": "k8s", "driver": "docker-container"}]},
        "Could not plan builder 'k8s': driver docker-container starts a BuildKit of its own, and the profile's runs already. "
        "Leave out driver, or profile. (hosts.yml:",
    ),
    "builds into the cluster without one": Mistake(
        {"colima_profiles": [{"name": "k8s", "runtime": "docker", "kubernetes": {"build": True}}, {"name": "docker-buildx"}]},
        "Could not set 'kubernetes.build' of profile 'k8s': its runtime is docker.",
    ),
    "secrets in another cluster": Mistake(
        {"secret_refresh_context": "colima-k9s", "secret_refresh_registries": [REGISTRY]},
        "Could not use profile 'colima-k9s' in secret_refresh_context: colima_profiles does not have it. "
        "Did you mean 'colima-k8s'?",
    ),
    "an AWS profile that is not there": Mistake(
        {"secret_refresh_registries": [{"host": REGISTRY, "profile": "dve"}]},
        f"Could not use AWS profile 'dve' of registry '{REGISTRY}': '~/.aws/config' does not have it. "
        "Create it with 'aws configure sso --profile dve', or correct the name. (hosts.yml:",
    ),
    "a kubeconfig that is not there": Mistake(
        {"secret_refresh_kubeconfig": "/proc/nowhere/config", "secret_refresh_registries": [REGISTRY]},
        "Could not use kubeconfig '/proc/nowhere/config': it does not exist. Correct its path. (hosts.yml:",
    ),
    "a kube context that is not there": Mistake(
        {"secret_refresh_context": ["colima-k8s", "colma-k8s"], "secret_refresh_registries": [REGISTRY]},
        "/.kube/config' does not have it. Did you mean 'colima-k8s'? (hosts.yml:",
    ),
    "a kube context that would be in another file": Mistake(
        {"secret_refresh_kubeconfig": str(PLAYBOOK.with_name("vars") / "none.yml"), "secret_refresh_registries": [REGISTRY]},
        "Could not use kube context 'colima-k8s' in secret_refresh_context: "
        f"'{PLAYBOOK.with_name('vars') / 'none.yml'}' does not have it. Correct its name, or add it there.",
    ),
    "cpus": Mistake(profile(cpus=2), "Could not use option 'cpus' of 'k8s' in 'colima_profiles': it is unknown. Did you mean"),
    "disk in words": Mistake(
        profile(disk="big"), "Could not use 'big' as 'disk' of 'k8s' in 'colima_profiles': it is not a whole"
    ),
    "a mapping for a list": Mistake({"colima_profiles": {"k8s": {}}}, "it is a mapping, not a list. Begin each entry with '- '."),
    "a text for an entry": Mistake({"colima_profiles": ["k8s"]}, "not a mapping. Write its options as 'option: value'"),
    "a relative wrapper": Mistake(
        {"nerdctl_wrappers": [{"path": "bin/nerdctl", "profile": "k8s"}]},
        "it is not absolute. Start it with '/' or '~/'. (hosts.yml:",
    ),
    "a wrapper twice": Mistake(
        {"nerdctl_wrappers": [{"path": "/x/nerdctl", "profile": "k8s"}, {"path": "/x/nerdctl", "profile": "k8s"}]},
        "it is listed twice. Give each profile a path of its own. (hosts.yml:",
    ),
    "an unknown shell": Mistake({"nerdctl_completion": ["tcsh"]}, "'tcsh' as 'nerdctl_completion': it is not a choice."),
    "a variable of the playbook": Mistake(
        {"workstation_refresh_timers": True},
        "'workstation_refresh_timers': it is unknown. Did you mean 'workstation_refresh_timer'?",
    ),
    "a truth in other words": Mistake(
        {"workstation_autostart": "yes please"},
        "Could not use 'yes please' as 'workstation_autostart': it is neither true nor false. Use one of these. (hosts.yml:",
    ),
    "a truth for a time": Mistake(
        {"workstation_idle_stop": True},
        "Could not use 'True' as 'workstation_idle_stop': YAML reads on, off, yes and no without quotes as true or false. "
        "Write another value, or put the word in quotes.",
    ),
    "a limit below 0": Mistake(
        {"workstation_idle_stop": "2h", "idle_stop_limit": -5},
        "Could not use -5 as idle_stop_limit: nothing ends in that time. Set it to minutes, such as 15. (hosts.yml:",
    ),
    "an undefined variable": Mistake(
        {"colima_profiles": "{{ my_profils }}", "my_profiles": []},
        "Could not read 'colima_profiles': 'my_profils' is undefined. Did you mean 'my_profiles'? (hosts.yml:",
    ),
    "an undefined variable in an entry": Mistake(
        profile(cpu="{{ all_of_them }}"),
        "Could not read 'colima_profiles': 'all_of_them' is undefined. Define it, or correct its name. (hosts.yml:",
    ),
    "an undefined variable in a condition": Mistake(
        {"secret_refresh_registries": "{{ my_registries }}"},
        "Could not read 'secret_refresh_registries': 'my_registries' is undefined. Define it, or correct its name. (hosts.yml:",
    ),
    "an undefined variable behind one of the role's own": Mistake(
        {"colima_host_weight": "{{ heavy }}"}, "Could not read 'colima_host': 'heavy' is undefined."
    ),
    "an unknown filter": Mistake(
        {"colima_restart": "{{ 'never' | nosuch }}"}, "No filter named 'nosuch'. Correct its template. (hosts.yml:"
    ),
    "a name of the role that only a recreation includes": Mistake(
        {"colima_on_fixed_change": "recreate", "move_stpo": "always"}, "Did you mean 'move_stop'?"
    ),
    "a mapping for a list, with recreation": Mistake(
        {"colima_on_fixed_change": "recreate", "colima_profiles": {"k8s": {}}}, "it is a mapping, not a list."
    ),
    "a text for an entry, with recreation": Mistake(
        {"colima_on_fixed_change": "recreate", "colima_profiles": ["k8s"]}, "not a mapping. Write its options"
    ),
    "a proxy without a port": Mistake(
        {"network_https_proxy": "http://proxy.example"}, "Could not use network_https_proxy: it is not the address of a proxy."
    ),
    "a name server that is a name": Mistake(
        {"network_dns_servers": ["ns.example"]}, "Could not use 'ns.example' in network_dns_servers: it is not an IP address."
    ),
    "a mirror without its address": Mistake(
        {"network_mirrors": [{"registry": "docker.io"}]}, "Could not use an entry of 'network_mirrors': it has no url. Add that."
    ),
    "a mount without its folder": Mistake(
        profile(mounts=[{"writable": True}]),
        "Could not use an entry of 'colima_profiles' (mounts): it has no location. Add that.",
    ),
    "the only namespace is none": Mistake(
        {"secret_refresh_registries": [REGISTRY], "secret_refresh_namespaces": ["Team"]},
        "Could not use namespace 'Team': Kubernetes allows only lower case letters, digits and '-' in it.",
    ),
    "a release of k3s that is none": Mistake(
        profile(kubernetes={"enabled": True, "version": "latest"}),
        "Could not set 'kubernetes.version' of profile 'k8s' to 'latest': it is not a release of k3s.",
    ),
    "an insecure registry with a scheme": Mistake(
        {"colima_profile_overrides": {"docker-buildx": {"docker": {"insecure-registries": ["http://registry.local:5000"]}}}},
        "Could not set 'docker.insecure-registries' of profile 'docker-buildx' to 'http://registry.local:5000': it is not a "
        "host, an address or a range. Use one such as registry.example.com:5000, without http://. (hosts.yml:",
    ),
    "an override without a value": Mistake(
        {"colima_profile_overrides": {"docker-buildx": {"memory": None}}},
        "'memory' of profile 'docker-buildx': it has no value. Give it one, or remove the line. (hosts.yml:",
    ),
    "a text for a mapping": Mistake(
        {"colima_host": "{}"},
        "Could not use 'colima_host': it is a text, not a mapping. Write its options as 'option: value', or behind -e as "
        """'{"colima_host": {...}}'. (hosts.yml:""",
    ),
    "a variable of Ansible": Mistake(
        {"ansible_conection": "local"},
        "Could not use variable 'ansible_conection': it is unknown. Did you mean 'ansible_connection'? (hosts.yml:",
    ),
    "two settings that exclude each other": Mistake(
        {
            "secret_refresh_registries": [REGISTRY],
            "secret_refresh_docker_login": True,
            "secret_refresh_docker_cred_helpers": True,
        },
        "Could not plan docker's logins: secret_refresh_docker_cred_helpers and secret_refresh_docker_login exclude each other,",
    ),
    "a truth in a list": Mistake(
        {"secret_refresh_registries": [REGISTRY], "secret_refresh_namespaces": [True, 8080]},
        "Could not use 'True' as 'secret_refresh_namespaces': YAML reads on, off, yes and no without quotes as true or false. "
        "Write another value, or put the word in quotes. (hosts.yml:",
    ),
    "an empty entry": Mistake(
        {"secret_refresh_registries": [REGISTRY], "secret_refresh_namespaces": ["default", None]},
        "Could not use 'secret_refresh_namespaces': entry 2 is empty. Give it a value, or remove it. (hosts.yml:",
    ),
    "an unknown key of a registry": Mistake(
        {"secret_refresh_registries": [{"host": REGISTRY, "profil": "dev"}]},
        f"Could not read registry '{REGISTRY}': unknown key 'profil'. Did you mean 'profile'? (hosts.yml:",
    ),
    "an option of a mapping that a variable of its own holds": Mistake(
        {"colima_host_weight": "x"}, "Could not use 'x' as 'colima_host_weight': it is not a"
    ),
    "a mapping in a list of texts": Mistake(
        {"network_dns_servers": [{"a": 1}]},
        "Could not use '{'a': 1}' in network_dns_servers: it is not an IP address. Use the address of a name server.",
    ),
    "an override under two names": Mistake(
        {"colima_profile_overrides": {"k8s": {"cpu": 2}, "colima-k8s": {"cpu": 4}}},
        "Could not override profile 'colima-k8s' twice: 'k8s' is the same profile. Write everything below one of them.",
    ),
    "a repository that is none": Mistake(
        {"pull_timer_repository": "laptops"},
        "Could not use 'laptops' as 'pull_timer_repository': it is neither an address nor an absolute path. Use one such as",
    ),
    "signers that are not there": Mistake(
        {"pull_timer_signers": "/proc/nowhere/signers"},
        "Could not use '/proc/nowhere/signers' as 'pull_timer_signers': there is no such file.",
    ),
    "a size with its unit": Mistake(
        {"colima_profile_overrides": {"k8s": {"memory": "8GB"}}},
        "Could not override profile 'k8s' by '8GB' as 'memory': it has a unit. Write a number of GiB alone. (hosts.yml:",
    ),
    "a time with its unit": Mistake(
        {"colima_timeout": "10m"},
        "Could not use '10m' as 'colima_timeout': it has a unit. Write a number of seconds alone. (hosts",
    ),
    "a region that can't be": Mistake(
        {"secret_refresh_registries": [REGISTRY.replace("central", "centrall")]},
        "'eu-centrall-1' is not the name of a region. Write it as",
    ),
    "namespaces of a network that is off": Mistake(
        {"network_pod_namespaces": ["Team A"]}, "Could not use namespace 'Team A': Kubernetes allows only lower case letters"
    ),
    "a name that belongs to a role": Mistake(
        {"workstation_pull_timer": True},
        "Could not use variable 'workstation_pull_timer': it is unknown. roles/pull_timer/README.md lists",
    ),
    "a name without its underscore": Mistake({"colimaprofiles": []}, "Did you mean 'colima_profiles'?"),
}
MISTAKES = {**dict(generated()), **dict(in_entries()), **BY_HAND}

# What people have in their inventories beside our settings, and what looks like ours and is right.
FINE: tuple[dict[str, Any], ...] = (
    {},
    # One laptop has them all: each would be a problem of its own.
    dict.fromkeys((
        "docker_users", "docker_edition", "docker_package", "docker_compose_version", "docker_daemon_options", "docker_repo_url",
        "pip_install_packages", "homebrew_installed_packages", "homebrew_cask_apps", "dotfiles_repo", "zsh_theme", "git_email",
        "kubectl_version", "helm_version", "k3s_version", "kube_config_path", "minikube_version", "kind_version", "k9s_theme",
        "aws_region", "aws_profile", "ecr_account", "registry_mirror", "proxy_http", "no_proxy", "ntp_servers", "timezone",
        "colour", "profile", "profiles", "contexts", "registries", "namespaces", "wrappers", "builders", "team", "user_name",
        "lima_version", "limactl_path", "vm_size", "vault_token", "ssh_keys", "node_version", "python_version", "go_version",
        "podman_machine", "rancher_path", "orbstack", "timer", "timers", "refresh", "secret", "secrets", "workstation",
    ), "x"),
    {"my_profiles": [{"name": "k8s"}, {"name": "docker-buildx"}], "colima_profiles": "{{ my_profiles }}"},
    {"colima_extra_mounts": [], "colima_profiles": [
        {"name": "k8s", "runtime": "containerd", "mounts": "{{ colima_extra_mounts }}"}, {"name": "docker-buildx"},
    ]},
    {"colima_restart": "{{ 'never' if true else 'always' }}"},
    {"workstation_autostart": "no", "workstation_refresh_timer": "{{ 'linux' in ansible_facts | default([]) }}"},
    {"nerdctl_completion": ["zsh"]},
    {"docker_context_current": "default"},
    {"docker_context_current": "colima-docker-buildx"},
    {"buildx_builders": [{"name": "far", "endpoint": "ssh://build@far.example.org"}, {"name": "pods", "driver": "kubernetes"}]},
    {"secret_refresh_registries": [REGISTRY], "secret_refresh_context": "minikube", "secret_refresh_unreachable": "pending"},
    {"secret_refresh_registries": [{"host": REGISTRY, "profile": ""}]},
    # The wrapper that the role has by default is useless then, and does no harm.
    {"colima_profiles": [{"name": "k8s", "kubernetes": {"enabled": True}}, {"name": "docker-buildx"}]},
    # Only pulls of the cluster need it.
    profile(kubernetes={"enabled": True, "ecr_profile": "later"}),
    {"secret_refresh_state": "absent", "secret_refresh_registries": [{"host": REGISTRY, "profile": "gone"}],
     "secret_refresh_context": "gone", "secret_refresh_kubeconfig": "/gone"},
    {"secret_refresh_registries": [REGISTRY], "secret_refresh_kubeconfig": "$HOME/.kube/config"},
    {"secret_refresh_registries": [], "secret_refresh_namespaces": ["default", "team-*"]},
)  # fmt: skip


def run(folder: Path, laptops: Mapping[str, Mapping[str, Any]], *arguments: str) -> tuple[dict[str, list[str]], str]:
    """Run the playbook over laptops with these settings. Returns the problems of each laptop, and what was printed."""
    programs = folder / "programs"
    programs.mkdir(parents=True)
    for program in ("colima", "limactl", "lima", "docker", "kubectl"):
        (programs / program).write_text("#!/bin/sh\nexit 1\n")
        (programs / program).chmod(0o755)
    hosts = {}
    for name, settings in laptops.items():
        home = folder / "homes" / name
        home.mkdir(parents=True, exist_ok=True)
        surroundings = {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}"}
        facts = {"cpus": 12, "memory_mib": 36864, "system": "Darwin", "arch": "aarch64"}
        hosts[name] = {"workstation_environment": surroundings, "colima_host": facts, **settings}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"laptops": {"hosts": hosts, "vars": local}}))
    plugins = folder / "callback"
    plugins.mkdir()
    shutil.copy(ROOT / "tests" / "support" / "recorded_results.py", plugins)
    recorded = folder / "results"
    recorded.touch()
    environment = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_CALLBACK_PLUGINS": str(plugins),
        "ANSIBLE_CALLBACKS_ENABLED": "laptop.containers.progress,recorded_results",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "facts"),
        "RECORDED_RESULTS": str(recorded),
    }
    command: list[str | Path] = [
        Path(sys.executable).with_name("ansible-playbook"),
        "-i",
        "hosts.yml",
        str(PLAYBOOK),
        "-f",
        "4",
        *arguments,
    ]
    done = forked_ansible.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=900
    )
    found: dict[str, list[str]] = {}
    for line in recorded.read_text().splitlines():
        one = json.loads(line)
        if one["result"].get("msg") == "All items completed":
            # Of a role that was included.
            continue
        lines = str(one["result"].get("msg", "")).splitlines()
        found.setdefault(one["host"], []).extend(re.sub(r"^ *\d+\. ", "", line) for line in lines[1:] or lines)
    return found, done.stdout + done.stderr


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / "homes").glob("*/*"))


def test_every_mistake_is_told_at_once_and_nothing_is_changed(tmp_path: Path) -> None:
    assert len(MISTAKES) >= 120
    # A laptop for each: half a second.
    tried = dict(islice(MISTAKES.items(), 0, None, times(12, 4, 1)))
    laptops = {f"laptop{number}": mistake.settings for number, mistake in enumerate(tried.values())}
    found, printed = run(tmp_path, laptops)
    wrong = {
        name: found.get(f"laptop{number}", printed[-2000:])
        for number, (name, mistake) in enumerate(tried.items())
        if not any(mistake.expected in problem for problem in found.get(f"laptop{number}", ()))
        or len(found[f"laptop{number}"]) != 1
    }
    assert not wrong, json.dumps(wrong, indent=1)
    assert not written(tmp_path)
    assert "Traceback" not in printed


def test_nothing_that_is_right_is_refused(tmp_path: Path) -> None:
    assert sum(map(len, FINE)) >= 75
    laptops = {f"laptop{number}": {SENTINEL: "always", **settings} for number, settings in enumerate(FINE)}
    found, printed = run(tmp_path, laptops)
    wrong = {
        str(FINE[number]): found.get(f"laptop{number}", printed[-2000:])
        for number in range(len(FINE))
        if [problem.partition(" (")[0] for problem in found.get(f"laptop{number}", ())] != [REFUSED]
    }
    assert not wrong, json.dumps(wrong, indent=1)


def test_what_is_undefined_stops_no_other_problem(tmp_path: Path) -> None:
    settings = {"colima_profiles": "{{ nowhere }}", "nerdctl_wrappers": "{{ nothing }}", "colima_restrat": "never"}
    found, _printed = run(tmp_path, {"laptop": settings})
    assert [problem.partition("'")[2].partition("'")[0] for problem in found["laptop"]] == [
        "colima_restrat", "colima_profiles", "nerdctl_wrappers",
    ]  # fmt: skip


def test_an_unknown_laptop_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    _, printed = run(tmp_path, {"laptop1": {}}, "-e", "workstation_hosts=laptpo1")
    said = "Could not run on 'laptpo1': the inventory has neither a laptop nor a group of that name."
    assert f"{said} Did you mean 'laptop1'? Known: laptop1, laptops." in printed


def test_an_inventory_without_a_laptop_is_named(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("")
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [program, "-i", str(tmp_path / "hosts.yml"), str(PLAYBOOK), "--check"]
    done = forked_ansible.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=60)
    said = f"Could not run on 'laptops': no laptop was found in the inventory '{tmp_path}/hosts.yml'. List one there"
    assert done.returncode == 2 and said in " ".join(done.stderr.split())


def test_a_pattern_or_a_group_without_laptops_is_no_mistake(tmp_path: Path) -> None:
    for hosts in ("lap*x", "laptops:!laptop1"):
        folder = tmp_path / hosts[-1]
        folder.mkdir()
        _, printed = run(folder, {"laptop1": {}}, "-e", f"workstation_hosts={hosts}")
        assert "skipping: no hosts matched" in printed and "Could not run" not in printed


def test_a_group_without_a_laptop_is_refused_where_nothing_limits_the_run(tmp_path: Path) -> None:
    text = "team: {hosts: , laptop2: {}}\n"
    said = "Could not run on 'team': the group has no laptop. Write each below 'hosts:', indented, as 'NAME:'."
    for arguments, is_refused in (((), True), (("--limit", "localhost"), False)):
        folder = tmp_path / str(is_refused)
        folder.mkdir()
        (folder / "more.yml").write_text(text)
        _, printed = run(folder, {"laptop1": {}}, "-i", "more.yml", "-e", "workstation_hosts=team", *arguments)
        assert (said in printed) is is_refused, printed


def test_all_problems_are_one_list_with_their_places(tmp_path: Path) -> None:
    settings = {**profile(cpus=2), "nerdctl_wrappers": [{"path": "bin", "profile": "k9s"}], "colima_restrat": "never"}
    found, printed = run(tmp_path, {"laptop": settings})
    assert len(found["laptop"]) == 4
    assert all(re.search(r"\(hosts\.yml:\d+\)$", problem) for problem in found["laptop"]), found
    assert "Found 4 problems in the settings; nothing was changed:" in printed
    assert printed.splitlines()[-1] == "FAILED settings: 4 problems, listed above; nothing was changed."


def test_a_wrong_setting_of_the_network_has_its_place_also_where_only_profiles_use_it(tmp_path: Path) -> None:
    settings = {"network_http_proxy": "http://proxy.example.com:1", "network_no_proxy": [".corp", "http://x.example.com"]}
    found, _printed = run(tmp_path, {"laptop": settings}, "--tags", "colima")
    (problem,) = found["laptop"]
    assert problem.startswith(
        "Could not use 'http://x.example.com' in network_no_proxy: it is not a name, an address or a range."
    )
    assert re.search(r"\(hosts\.yml:\d+\)$", problem), problem


def test_a_variable_of_the_environment_needs_a_value_and_two_settings_together_have_the_place_of_one(tmp_path: Path) -> None:
    both = {"secret_refresh_docker_login": True, "secret_refresh_docker_cred_helpers": True}
    settings = {
        "secret_refresh_registries": [REGISTRY],
        **both,
        "workstation_environment": {"PATH": os.environ["PATH"], "A": None},
    }
    found, _printed = run(tmp_path, {"laptop": settings})
    empty, exclude, *_programs = found["laptop"]
    assert empty.startswith("Could not use 'A' of 'workstation_environment': it has no value. Give it one, or remove the line. (")
    number = int(re.search(r"\(hosts\.yml:(\d+)\)$", exclude)[1])  # type: ignore[index]
    assert "secret_refresh_docker_cred_helpers: true" in (tmp_path / "hosts.yml").read_text().splitlines()[number - 1]


def test_every_wrong_value_of_a_list_and_of_an_entry_is_told_with_its_cause(tmp_path: Path) -> None:
    settings = {
        **profile(cpu=0, memory=-4, disk=-1),
        "secret_refresh_registries": ["one.example.org", {"host": "two.example.org"}, "three.example.org"],
        "colima_restart": False,
        "secret_refresh_exclude_namespaces": "default, team-a",
    }
    found, printed = run(tmp_path, {"laptop": settings})
    said = "\n".join(found["laptop"])
    for part in (
        "Could not use 'False' as 'colima_restart': YAML reads on, off, yes and no without quotes as true or false. Put the",
        "'one.example.org'", "'two.example.org'", "'three.example.org'",
        "Could not use 'default, team-a' as 'secret_refresh_exclude_namespaces': it is a text, not a list.",
    ):  # fmt: skip
        assert part in said, f"{part}\n{said}\n{printed[-1500:]}"
    assert all(re.search(r"\(hosts\.yml:\d+\)$", problem) for problem in found["laptop"]), said
    for size in ("cpu is 0", "memory is -4", "'disk' of profile 'k8s' to '-1'"):
        assert size in said
    profiles = [{"name": "My Profile", "runtime": "podman"}, {"runtime": "docker"}, "docker-buildx", {"name": "k8s", "cpus": 2}]
    overrides = {"k8s": {"memory": 1}}
    found, _printed = run(tmp_path / "profiles", {"laptop": {"colima_profiles": profiles, "colima_profile_overrides": overrides}})
    for part in (
        "'podman' as 'runtime' of 'My Profile'",
        "entry 3 is a text",
        "'cpus' of 'k8s'",
        "has no name",
        "name 'My Profile'",
    ):
        assert [part in problem for problem in found["laptop"]].count(True) == 1, (part, found)
    assert not any("override" in problem for problem in found["laptop"]), found
    template = {"colima_timeout": "{{ my_timout }}", "my_timeout": 60}
    names = {**template, "secret_refresh_registries": [REGISTRY], "secret_refresh_namespaces": ["Team_A", "default", "b c"]}
    found, _printed = run(tmp_path / "b", {"laptop": names})
    assert "Could not read 'colima_timeout': 'my_timout' is undefined. Did you mean 'my_timeout'?" in "\n".join(found["laptop"])
    assert [name for name in ("'Team_A'", "'b c'") if name in "\n".join(found["laptop"])] == ["'Team_A'", "'b c'"], found


@pytest.mark.parametrize(
    ("file", "expected"),
    [(".docker/config.json", "Could not read docker's configuration '"), (".kube/config", "Could not read kubeconfig '")],
)
def test_a_file_of_the_user_that_cannot_be_read_is_told_before_anything_runs(tmp_path: Path, file: str, expected: str) -> None:
    broken = tmp_path / "homes" / "laptop" / file
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    found, printed = run(tmp_path, {"laptop": {}})
    assert len(found["laptop"]) == 1 and found["laptop"][0].startswith(expected), printed
    assert broken.read_text() == "{"
    assert written(tmp_path) == [str(broken.parent.relative_to(tmp_path))]


def test_what_a_user_made_is_found(tmp_path: Path) -> None:
    home = tmp_path / "homes" / "laptop"
    for folder in (".aws", ".kube"):
        (home / folder).mkdir(parents=True)
    (home / ".aws" / "config").write_text("[profile dev]\n")
    cluster = {"name": "minikube", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "minikube", "context": {"cluster": "minikube"}}
    (home / ".kube" / "config").write_text(yaml.safe_dump({"clusters": [cluster], "contexts": [context]}))
    settings = {
        SENTINEL: "always",
        "secret_refresh_registries": [{"host": REGISTRY, "profile": "dev"}],
        "secret_refresh_context": ["minikube", "colima-k8s"],
    }
    found, printed = run(tmp_path, {"laptop": settings})
    assert [problem.partition(" (")[0] for problem in found["laptop"]] == [REFUSED], printed


def test_what_can_still_be_made_is_a_warning_of_a_check(tmp_path: Path) -> None:
    settings = {"secret_refresh_registries": [{"host": REGISTRY, "profile": "dve"}], "secret_refresh_context": "minikub"}
    found, printed = run(tmp_path, {"laptop": settings}, "--check", "--tags", "colima,secret_refresh")
    assert not any("dve" in problem or "minikub" in problem for problem in found.get("laptop", ())), printed
    said = " ".join(printed.split())
    for warning in (
        "Could not use AWS profile 'dve' of registry",
        "Could not use kube context 'minikub' in secret_refresh_context",
    ):
        assert f"[WARNING]: {warning}" in said, printed


def test_only_the_settings_of_reached_roles_are_checked(tmp_path: Path) -> None:
    found, printed = run(tmp_path, {"laptop": {"colima_restrat": "never"}}, "--tags", "secret_refresh")
    assert "laptop" not in found, printed


@pytest.mark.parametrize(("option", "word"), [("--tags", "colma"), ("--skip-tags", "bildx")])
def test_an_unknown_tag_is_refused_with_the_known_ones(tmp_path: Path, option: str, word: str) -> None:
    _, printed = run(tmp_path, {"laptop": {}}, option, word)
    near = {"colma": "colima", "bildx": "buildx"}[word]
    assert f"Could not use tag '{word}': no task has it. Did you mean '{near}'? Known: autostart, buildx," in printed
    assert not written(tmp_path)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("colima_restart", "Could not use -e 'colima_restart': it has no value. Write -e colima_restart=VALUE."),
        ("token=hunter2 swordfish", "Could not use -e 'token': a word without '=' stands beside the value. Put quotes around a"),
        ("token swordfish", "Could not use -e 'token': it has no value. Write -e token=VALUE."),
        ("token: swordfish", "Could not use -e 'token': its value stands behind ':', not '='. Write -e token=VALUE."),
        ('colima_host={"cpus": 4}', "its value is cut at a blank. Write it as JSON: -e '{\"colima_host\": ...}'."),
    ],
)
def test_a_variable_without_a_value_is_refused(tmp_path: Path, given: str, expected: str) -> None:
    _, printed = run(tmp_path, {"laptop": {}}, "-e", "colima_stop=never", "-e", given)
    assert expected in printed and "swordfish" not in printed
    assert not written(tmp_path)


def test_a_misspelt_truth_value_is_told_once_and_in_our_words(tmp_path: Path) -> None:
    found, printed = run(tmp_path, {"laptop": {"workstation_refresh_timer": "yess", "workstation_autostart": "t"}})
    (problem,) = found["laptop"]
    assert problem.startswith("Could not use 'yess' as 'workstation_refresh_timer': it is neither true nor false.")
    assert "bool" not in printed and "autostart" in printed.partition("not reached")[2]


@pytest.mark.parametrize(("wanted", "missed"), [(False, "buildx\n"), (True, "buildx, autostart\n")])
def test_what_is_off_is_not_named_among_what_was_not_reached(tmp_path: Path, wanted: bool, missed: str) -> None:
    settings = {"colima_restrat": "never", "workstation_autostart": wanted}
    _, printed = run(tmp_path, {"laptop": {}}, "-e", json.dumps(settings))
    assert f"not reached    nerdctl, docker_cli, docker_context, {missed}" in printed
