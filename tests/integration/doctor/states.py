# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways in which a workstation breaks, and what the doctor has to say of each."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import dataclass

from ansible_collections.laptop.containers.plugins.module_utils.company.routes import routes

from tests.support.patient import Patient

from .ways import (
    Break,
    all_of,
    another_k3s,
    copy_builder,
    copy_kube_context,
    damage_definition,
    delete_secret,
    docker_config,
    edit,
    edit_secret,
    end_engine,
    expire_secret,
    expiring_certificate,
    free_port,
    freeze,
    hang_engine,
    in_guest,
    interrupted_recreation,
    lock_disk,
    lose_address,
    lose_program,
    node,
    old_vm,
    pods_in_docker,
    replace_program,
    rotate_tokens,
    run,
    setting,
    too_old_docker,
    variable,
)


@dataclass(frozen=True)
class State:
    """What goes wrong, and the check that finds it. about: of several checks of a kind, the one."""

    name: str
    check: str
    status: str
    happens: Break
    about: str = ""


def office_address() -> str:
    """Return an address of a network that this machine has a route to."""
    networks = [route.network for route in routes(platform.system())]
    return next(f"{network[1]}/{network.prefixlen}" for network in networks if 8 <= network.prefixlen <= 30)


def policy(**rule: object) -> Break:
    """The team gets a policy with this rule."""
    text = json.dumps({"contact": "Ann", "rules": [{**rule, "reason": "Because."}]})

    def happens(patient: Patient) -> None:
        patient.settings.mkdir(exist_ok=True)
        (patient.settings / "policy.yml").write_text(text)

    return happens


# What people meet most; the others are healed in `make test-long`.
USUAL = {"a program is gone", "the context is removed", "a pull secret was edited", "the old VM of a move is kept"}  # fmt: skip
USUAL_IN_THE_VMS = {
    "a VM is deleted", "a VM is frozen", "a change waits for a restart", "the engine's socket is gone", "k3s is stopped",
}  # fmt: skip

NOT_READY = [{"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "container runtime is down"}]
LAPTOP = {"system": "Darwin", "arch": "aarch64", "cpus": 12, "memory_mib": 36864}
NOTE = {"name": "k8s-docker", "id": "old", "profile": "k8s", "runtime": "docker", "state": "kept", "parts": {}, "inodes": {}}
FAILED_RUN = {"time": "2026-11-26T08:00:00Z", "task": "docker_context", "failed": True, "msg": "Could not do it: no."}
FAILED = {"time": "2026-11-26T10:00:00Z", "result": "failed", "message": "AWS did not answer", "failures": 3, "login": ""}
OLD_KUBECTL = b'#!/bin/sh\necho \'{"clientVersion": {"gitVersion": "v1.29.0"}}\'\n'
# Made for the machine that this one is not.
OTHER_MACHINE = b"\xb7\0" if platform.machine() == "x86_64" else b"\x3e\0"
FOREIGN_PROGRAM = b"\x7fELF" + b"\2\1\1" + b"\0" * 11 + OTHER_MACHINE + b"\0" * 40

ON_THE_LAPTOP = [
    State("a program is gone", "tools.program", "broken", lose_program("limactl", "lima"), "limactl"),
    State("another program comes first", "tools.shadowed", "warning", all_of(
        edit(".local/bin/kubectl", lambda _text: "#!/bin/sh\n"), run("chmod +x ~/.local/bin/kubectl"),
        lambda patient: patient.inside.update(PATH=f"{patient.home}/.local/bin:{patient.inside['PATH']}")), "kubectl"),
    State("nerdctl is gone", "tools.nerdctl", "warning", run("rm ~/.local/bin/nerdctl")),
    State("nerdctl is bound to another profile", "tools.nerdctl", "warning",
          edit(".local/bin/nerdctl", lambda text: text.replace("k8s", "lab"))),
    State("config.json is torn", "docker.config", "broken", edit(".docker/config.json", lambda text: text[:20])),
    State("config.json is a directory, and one was moved away before", "docker.config", "broken",
          run("cd ~/.docker && rm config.json && mkdir config.json && touch config.json.damaged")),
    State("Docker Desktop left its helper", "docker.config", "warning", docker_config(credsStore="desktop")),
    State("the current context is gone", "docker.config", "broken", docker_config(currentContext="desktop-linux")),
    State("docker does not look for its plugins", "docker.plugins", "warning", docker_config(cliPluginsExtraDirs=None)),
    State("the context is removed", "docker.context", "broken", run("docker context rm --force colima-buildx")),
    State("the context leads elsewhere", "docker.context", "warning",
          run("docker context update colima-buildx --docker host=unix:///var/run/old.sock")),
    State("the context is damaged", "docker.context", "broken",
          run("for f in ~/.docker/contexts/meta/*/meta.json; do grep -q '\"colima-buildx\"' $f && echo '{' > $f; done; true")),
    State("a context of another program is damaged", "docker.context", "broken",
          run("docker context create other --docker host=unix:///tmp/other.sock &&"
              " : > ~/.docker/contexts/meta/$(printf other | sha256sum | cut -d' ' -f1)/meta.json")),
    State("another context is current", "docker.current", "warning", run("docker context use default")),
    State("a start file sets DOCKER_HOST", "docker.variables", "warning",
          edit(".zshrc", lambda text: f"{text}alias d=docker\nexport DOCKER_HOST=tcp://10.0.0.1:2375\n")),
    State("the shell has DOCKER_CONTEXT", "docker.variables", "warning", variable("DOCKER_CONTEXT", "default")),
    State("the shell has a DOCKER_CONTEXT that does not exist", "docker.variables", "broken", variable("DOCKER_CONTEXT", "nope")),
    State("buildx's note of the current builder is damaged", "builders.builder", "broken",
          edit(".docker/buildx/current", lambda _text: "x")),
    State("the builder is removed", "builders.builder", "broken", run("docker buildx rm --force multi-platform")),
    State("docker's directory is gone", "builders.builder", "broken", run("rm -r ~/.docker")),
    State("a builder's context leads elsewhere", "builders.nodes", "broken",
          run("docker context update colima-buildx --docker host=ssh://me@build.example.org")),
    State("the builder's record is damaged", "builders.builder", "broken",
          edit(".docker/buildx/instances/multi-platform", lambda _text: "{")),
    State("another builder is the default", "builders.builder", "warning", run("docker buildx use --default colima-buildx")),
    State("a builder of a lost context is left", "builders.stale", "note",
          copy_builder("old", "nowhere"), "old"),
    State("a pull secret is deleted", "registries.secret", "broken", delete_secret, "colima-k8s/team-a"),
    State("a pull secret was edited", "registries.secret", "broken", edit_secret, "colima-k8s/default"),
    State("a pull secret has expired", "registries.secret", "broken", expire_secret, "colima-k8s/default"),
    State("the registry takes no old token", "registries.access", "broken", rotate_tokens),
    State("a service account does not pull", "registries.accounts", "warning",
          setting("secret_refresh_service_accounts", ["default"]), "colima-k8s/default"),
    State("docker does not use the credential helper", "registries.login", "warning",
          setting("secret_refresh_docker_cred_helpers", True)),
    State("the timer is stopped", "timers.installed", "broken", run("systemctl --user stop laptop-containers-refresh.timer")),
    State("the timer's file is changed", "timers.installed", "warning",
          edit(".config/systemd/user/laptop-containers-refresh.timer", lambda text: text.replace("Persistent=true", ""))),
    State("the timer is gone", "timers.installed", "broken",
          run("systemctl --user disable --now laptop-containers-refresh.timer; rm $XDG_CONFIG_HOME/systemd/user/*refresh*")),
    State("the start at log-in is gone", "timers.installed", "broken",
          run("systemctl --user disable --now laptop-containers-autostart.timer; rm $XDG_CONFIG_HOME/systemd/user/*autostart*"),
          "autostart"),
    State("the timer's last run failed", "timers.last_run", "broken",
          run(f"mkdir -p $XDG_STATE_HOME/laptop.containers && echo '{json.dumps(FAILED)}' >"
              " $XDG_STATE_HOME/laptop.containers/refresh.json")),
    State("the proxy is down", "network.proxy", "broken",
          lambda patient: patient.inside.update(HTTPS_PROXY=f"http://me:secret@127.0.0.1:{free_port()}")),
    State("the authority's file is gone", "network.authority", "broken", variable("NODE_EXTRA_CA_CERTS", "/nowhere/ca.pem")),
    State("a docker context leads to a profile that is gone", "leftovers.context", "note",
          run("docker context create colima-old --docker host=unix://$HOME/.colima/old/docker.sock"), "colima-old"),
    State("a kube context leads to a profile that is gone", "leftovers.kube_context", "note",
          copy_kube_context("colima-gone"), "colima-gone"),
    State("the collection's notes are damaged", "leftovers.notes", "warning",
          run("echo '{' > $XDG_STATE_HOME/laptop.containers/docker_context.json")),
    State("the last run failed", "leftovers.failure", "warning",
          run(f"mkdir -p $XDG_STATE_HOME/laptop.containers/runs && echo '{json.dumps(FAILED_RUN)}' >"
              " $XDG_STATE_HOME/laptop.containers/runs/$(date -u +%Y%m%dT%H%M%SZ)-1-x.jsonl && sleep 1"), "docker_context"),
    State("a repair has put a directory aside", "leftovers.aside", "note",
          run("mkdir -p ~/.colima/_lima/_laptop.containers/aside/colima-k8s")),
    State("the old VM of a move is kept", "leftovers.kept", "note", all_of(setting("colima_keep_deleted", 0), old_vm(NOTE)),
          "k8s-docker"),
]  # fmt: skip

IN_THE_VMS = [
    State("a VM is stopped", "profiles.health", "warning", run("colima stop k8s"), "k8s"),
    State("a VM is deleted", "profiles.health", "broken", run("colima delete --force docker-buildx"), "docker-buildx"),
    State("a VM is frozen", "profiles.health", "broken", freeze("docker-buildx"), "docker-buildx"),
    State("a VM's colima.yaml is damaged", "profiles.drift", "warning",
          edit(".colima/k8s/colima.yaml", lambda _text: "runtime: [docker"), "k8s"),
    State("a VM's definition is damaged", "profiles.health", "broken", damage_definition, "k8s"),
    State("the engine has died", "profiles.engine", "broken", end_engine, "docker-buildx"),
    State("a running VM's colima.yaml was edited", "profiles.drift", "warning",
          edit(".colima/k8s/colima.yaml", lambda text: re.sub("(?m)^memory: .*", "memory: 2", text)), "k8s"),
    State("a VM has other settings", "profiles.drift", "warning", run("colima stop k8s && colima start k8s --cpus 2"), "k8s"),
    State("a change waits for a restart", "profiles.pending", "warning", all_of(
        run("colima stop k8s && colima start k8s --cpus 2"), setting("colima_restart", "never")), "k8s"),
    State("a profile was being made again", "profiles.interrupted", "warning",
          interrupted_recreation, "k8s"),
    State("another profile runs beside", "profiles.room", "note",
          run("colima start old --cpus 1 --memory 1 --runtime none"), "old"),
    State("the data disk is full", "profiles.disk", "broken",
          in_guest("docker-buildx", "/var/lib/rehearsal/used", "101000000"), "docker-buildx"),
    State("the data disk is nearly full", "profiles.disk", "warning",
          in_guest("k8s", "/var/lib/rehearsal/used", "92000000"), "k8s"),
    State("the data disk is not mounted", "profiles.mount", "broken",
          in_guest("docker-buildx", "/proc/mounts", "/dev/vda1 / ext4 rw 0 0\n"), "docker-buildx"),
    State("the disk's lock is stale", "profiles.lock", "warning", lock_disk, "k8s"),
    State("the directory of a VM that runs is gone", "profiles.lock", "broken", run("rm -r ~/.colima/_lima/colima-k8s"), "k8s"),
    State("the note of the disk's format is lost", "profiles.format", "broken",
          run("rm ~/.colima/_store/colima-k8s.json"), "k8s"),
    State("a VM's clock stood still", "profiles.clock", "warning", in_guest("k8s", "/var/lib/rehearsal/clock", "-3600"), "k8s"),
    State("the engine's socket is gone", "docker.engine", "broken",
          lambda patient: (patient.colima / "docker-buildx/docker.sock").unlink(), "docker-buildx"),
    State("the engine hangs", "docker.engine", "warning", hang_engine, "docker-buildx"),
    State("nothing runs other platforms", "docker.emulation", "warning",
          in_guest("docker-buildx", "/proc/sys/fs/binfmt_misc/qemu-x86_64", None), "docker-buildx"),
    State("the builder's engine is gone", "builders.nodes", "broken",
          lambda patient: (patient.colima / "docker-buildx/docker.sock").unlink(), "multi-platform"),
    State("the kube context is lost", "kubernetes.context", "broken", run("rm $KUBECONFIG")),
    State("KUBECONFIG names another file", "kubernetes.context", "broken", variable("KUBECONFIG", "/nowhere/config")),
    State("KUBECONFIG names another file first", "kubernetes.context", "warning", lambda patient: patient.inside.update(
        KUBECONFIG=f"{patient.home}/first.yaml:{patient.home}/.kube/config")),
    State("the kubeconfig is not YAML", "kubernetes.context", "broken", edit(".kube/config", lambda _text: "a: [b")),
    State("the kube context is that of another k3s", "kubernetes.context", "broken",
          edit(".kube/config", another_k3s)),
    State("no kube context is current", "kubernetes.current", "warning",
          edit(".kube/config", lambda text: text.replace("current-context: colima-k8s", "current-context: lost"))),
    State("k3s is stopped", "kubernetes.api", "broken", run("colima kubernetes stop --profile k8s")),
    State("the API server has died", "kubernetes.api", "broken", lambda patient: patient.cluster.kill()),
    State("the node is not ready", "kubernetes.node", "broken", node(conditions=NOT_READY)),
    State("kubectl is too old", "kubernetes.skew", "warning", replace_program("kubectl", "kubernetes-cli", OLD_KUBECTL)),
    State("the cluster does not answer", "registries.cluster", "broken", lambda patient: patient.cluster.kill()),
    State("a VM resolves no names", "network.guest_names", "broken",
          in_guest("k8s", "/var/lib/rehearsal/lost-names", ""), "k8s"),
    State("a profile of no settings is left", "leftovers.profile", "note",
          run("colima start old --cpus 1 --memory 1 --runtime none && colima stop old"), "old"),
    State("a data disk of no profile is left", "leftovers.disk", "note",
          run("colima start old --cpus 1 --memory 1 && colima delete --force old"), "colima-old"),
    State("a program is made for another machine", "tools.machine", "warning",
          replace_program("kubectl", "kubernetes-cli", FOREIGN_PROGRAM), "kubectl"),
    State("docker is too old for the engine", "docker.api", "broken", too_old_docker, "docker-buildx"),
    State("the address could not be set up", "profiles.address", "warning", lose_address, "k8s"),
    State("a certificate is about to end", "kubernetes.certificates", "warning", expiring_certificate),
]  # fmt: skip

REGISTRY = {"host": "123456789012.dkr.ecr.eu-central-1.amazonaws.com", "endpoint_url": "http://registry.invalid:1"}
LOW = "MemTotal: 12251412 kB\nMemFree: 1000 kB\nMemAvailable: 100000 kB\n"

# What only another laptop can show, and the tests of it.
ELSEWHERE = {"tools.kvm": "tests/unit/doctor/test_versions.py"}

# What no single command heals, or only the user can: found, with words that say what to do.
NOT_HEALED_BY_COMMAND = [
    State("colima is too old", "tools.colima", "broken", variable("REHEARSAL_COLIMA_VERSION", "0.7.0")),
    State("Lima is known to break", "tools.version", "broken", variable("REHEARSAL_LIMA_VERSION", "1.0.0"), "limactl"),
    State("the settings want too much", "profiles.settings", "broken",
          setting("colima_profiles", [{"name": "k8s", "runtime": "containerd", "cpu": 64}])),
    State("a VM has no memory left", "profiles.memory", "warning", in_guest("k8s", "/proc/meminfo", LOW), "k8s"),
    State("the laptop's disk is full", "profiles.space", "broken",
          setting("colima_host", {**LAPTOP, "disk_free_mib": 1500})),
    State("Kubernetes runs through a shim", "kubernetes.runtime", "warning",
          node(nodeInfo={"containerRuntimeVersion": "docker://28.4.0", "kubeletVersion": "v1.36.3+k3s1"})),
    State("pods run in docker", "kubernetes.pods", "warning", pods_in_docker, "docker-buildx"),
    State("there are no AWS credentials", "registries.credentials", "broken",
          lambda patient: patient.inside.update(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")),
    State("the registry's name is unknown", "network.names", "warning", setting("secret_refresh_registries", [REGISTRY])),
    State("the company's proxy is down", "network.reach", "broken", setting("network_https_proxy", "http://127.0.0.1:1")),
    State("pods lack the company's proxy", "network.pods", "warning",
          all_of(setting("network_https_proxy", "http://127.0.0.1:1"), setting("network_pod_namespaces", ["default"]))),
    State("docker has the office's addresses", "network.routes", "warning",
          all_of(setting("network_no_proxy", ["10.0.0.0/8"]), setting("network_http_proxy", "http://127.0.0.1:1"),
                 lambda patient: patient.variables.update(
                     colima_profile_overrides={"docker-buildx": {"docker": {"bip": office_address()}}}))),
    State("a VM lacks the laptop's authority", "network.guest_authority", "warning",
          lambda patient: patient.inside.update(SSL_CERT_FILE=str(patient.cluster.data / "ca.crt"))),
    State("Docker Desktop is installed", "leftovers.docker_desktop", "note",
          run("cd ~/.local/bin && printf '#!/bin/sh\\n' > docker-credential-desktop && chmod +x docker-credential-desktop")),
    State("the policy is broken", "policy.file", "broken", policy(setting="colima_restart")),
    State("the settings break the policy", "policy.settings", "broken", policy(setting="colima_restart", value="never")),
    State("a profile is larger than the policy allows", "policy.profile", "broken",
          policy(setting="colima_profiles[name=k8s].memory", maximum=0.5), "k8s"),
    State("a program is older than the policy allows", "policy.tool", "broken", policy(tool="colima", minimum="99.0"), "colima"),
]  # fmt: skip
