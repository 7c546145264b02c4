# SPDX-License-Identifier: GPL-3.0-or-later
"""Which real engines the rehearsal can use, where they are on this machine, and how to install the missing ones."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Where systemd itself is: on no PATH.
SYSTEMD_PATH = "/lib/systemd"


@dataclass(frozen=True)
class Engine:
    """One program: what it is for and where it comes from."""

    name: str
    purpose: str
    # A Debian package, or the folder of a go.mod beside this file with the Go package to build.
    package: str = ""
    module: str = ""
    go_package: str = ""
    # The variable that a release sets to its version, with its form.
    version: str = ""
    # A folder of the module that the program looks for beside itself, and where it does.
    data: tuple[str, str] = ("", "")
    root: bool = False
    # The package starts a service that other machines can reach: never installed where a service manager would do so.
    serves: bool = False
    # Built only where LAPTOP_LONG is set, as only the long tests need it.
    long: bool = False

    @property
    def how(self) -> str:
        """One line that says how to get it."""
        if self.serves:
            return f"apt-get install {self.package}, which starts its service"
        if self.package:
            return f"run 'make engines' as root, or: apt-get install {self.package}"
        command = f"{'LAPTOP_LONG=1 ' if self.long else ''}make engines"
        return f"run '{command}' (needs Go; builds {self.go_package})"


_DOCKER_GO = "github.com/docker/buildx/cmd/buildx"
_BUILDKIT = "github.com/moby/buildkit/cmd"
ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("docker", "the docker command line: contexts, run", package="docker.io"),
        Engine("dockerd", "containers of the docker profile", package="docker.io", root=True),
        Engine("containerd", "containers of the containerd profile", package="docker.io", root=True),
        Engine("runc", "runs the containers of both", package="docker.io", root=True),
        Engine("etcd", "storage of the Kubernetes API", package="etcd-server"),
        Engine("systemd", "a user's timers", package="systemd", root=True),
        Engine("sshd", "a docker engine behind ssh://", package="openssh-server", root=True, serves=True),
        Engine("ssh-keygen", "signatures of commits", package="openssh-client"),
        Engine("gpg", "signatures of commits", package="gnupg"),
        Engine("docker-registry", "the registry that asks for ECR's token", package="docker-registry"),
        Engine(
            "kube-apiserver", "the Kubernetes API", module="kube-apiserver", go_package="k8s.io/kubernetes/cmd/kube-apiserver"
        ),
        Engine("kubelet", "pods of a node", module="kube-apiserver", go_package="k8s.io/kubernetes/cmd/kubelet", root=True),
        Engine(
            "kubelet-docker",
            "pods of a node in docker, as before Kubernetes 1.24",
            module="kubelet-docker",
            go_package="k8s.io/kubernetes/cmd/kubelet",
            root=True,
            long=True,
        ),
        Engine("kube-scheduler", "pods find a node", module="kube-apiserver", go_package="k8s.io/kubernetes/cmd/kube-scheduler"),
        Engine(
            "kube-controller-manager",
            "Deployments, accounts and volumes of a cluster",
            module="kube-apiserver",
            go_package="k8s.io/kubernetes/cmd/kube-controller-manager",
        ),
        Engine("kubectl", "the Kubernetes command line", module="kube-apiserver", go_package="k8s.io/kubernetes/cmd/kubectl"),
        Engine(
            "crictl",
            "what the kubelet asks of a runtime",
            module="crictl",
            go_package="sigs.k8s.io/cri-tools/cmd/crictl",
            long=True,
        ),
        Engine("kubeconfig-reader", "kubectl's view of a kubeconfig", module="kubeconfig-reader", go_package="."),
        Engine("helm", "charts with pull secrets", module="helm", go_package="helm.sh/helm/v4/cmd/helm"),
        Engine(
            "ecr-credential-provider",
            "the kubelet's own credentials",
            module="ecr-credential-provider",
            go_package="k8s.io/cloud-provider-aws/cmd/ecr-credential-provider",
        ),
        Engine("docker-buildx", "builds for several platforms", module="buildx", go_package=_DOCKER_GO),
        Engine(
            "buildkitd", "builds in the containerd profile", module="buildkit", go_package=f"{_BUILDKIT}/buildkitd", root=True
        ),
        Engine("buildctl", "talks to buildkitd", module="buildkit", go_package=f"{_BUILDKIT}/buildctl"),
        Engine(
            "nerdctl", "the containerd command line", module="nerdctl", go_package="github.com/containerd/nerdctl/v2/cmd/nerdctl"
        ),
        Engine(
            "colima",
            "the contract of the stand-in",
            module="colima",
            go_package="github.com/abiosoft/colima/cmd/colima",
            version="github.com/abiosoft/colima/config.appVersion=v{}",
        ),
        Engine(
            "limactl",
            "the contract of the stand-in",
            module="lima",
            go_package="github.com/lima-vm/lima/v2/cmd/limactl",
            version="github.com/lima-vm/lima/v2/pkg/version.Version={}",
            data=("templates", "share/lima/templates"),
        ),
    )
}
# What tests and the lab ask for: a service and the programs that it needs.
GROUPS: dict[str, tuple[str, ...]] = {
    "docker-cli": ("docker",),
    "docker": ("dockerd", "containerd", "runc", "docker"),
    "containerd": ("containerd", "runc", "nerdctl"),
    "buildkit": ("buildkitd", "buildctl", "runc"),
    "node": (
        *("kubelet", "containerd", "runc"),
        *("kube-apiserver", "etcd", "kube-scheduler", "kube-controller-manager", "kubectl"),
    ),
    "buildx": ("docker-buildx", "docker"),
    "kubernetes": ("kube-apiserver", "etcd"),
    "kube-apiserver": ("kube-apiserver", "etcd"),
    "registry": ("docker-registry",),
    "docker-registry": ("docker-registry",),
    "colima": ("colima", "limactl"),
}


def caches() -> list[Path]:
    """Return the directories of built engines, best first; new ones go into the first.

    The home of the account comes last because the rehearsal gives its programs a HOME of their own.
    """
    found: list[Path] = []
    if chosen := os.environ.get("REHEARSAL_ENGINES"):
        found.append(Path(chosen))
    cache = os.environ.get("XDG_CACHE_HOME")
    homes = [Path(cache)] if cache else [Path("~/.cache").expanduser()]
    try:
        import pwd

        homes.append(Path(pwd.getpwuid(os.getuid()).pw_dir) / ".cache")
    except (ImportError, KeyError):
        pass
    found += [home / "laptop.containers" / "engines" / "bin" for home in homes]
    return list(dict.fromkeys(found))


# A script of such a name is not an engine but, for example, podman's docker or a nerdctl that reaches into a virtual machine.
NEVER_SCRIPTS = ("docker", "dockerd", "containerd", "nerdctl")


def _executable(path: Path) -> Path | None:
    # os.access, not is_file() alone: PATH may name directories that this user can't enter.
    if not os.access(path, os.X_OK) or not path.is_file():
        return None
    if path.name in NEVER_SCRIPTS:
        try:
            with path.open("rb") as file:
                return None if file.read(2) == b"#!" else path
        except OSError:
            return None
    return path


def find(name: str) -> Path | None:
    """Return the path of the real program, or None. Variables of Kubernetes' test tools come first, then PATH, then the cache."""
    if name == "kube-apiserver" and (named := os.environ.get("TEST_ASSET_KUBE_APISERVER")):
        return _executable(Path(named))
    if name == "etcd" and (named := os.environ.get("TEST_ASSET_ETCD")):
        return _executable(Path(named))
    places = []
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        places.append(Path(assets))
    path = os.pathsep.join([os.environ.get("PATH", ""), SYSTEM_PATH, SYSTEMD_PATH])
    places += [Path(part) for part in path.split(os.pathsep) if part and not _is_rehearsal(part)]
    places += caches()
    for place in places:
        if found := _executable(place / name):
            return found
    return None


def _is_rehearsal(directory: str) -> bool:
    """Return whether a directory of PATH belongs to a lab, whose programs are stand-ins, links or what a role installed."""
    lab = os.environ.get("REHEARSAL_LAB")
    return bool(lab and Path(directory).is_relative_to(lab)) or os.access(Path(directory).parent / "environment.json", os.F_OK)


def missing(name: str) -> str | None:
    """Return why the engine (or group of engines) is not usable here and how to get it. Returns None when it is usable."""
    programs = GROUPS.get(name, (name,))
    for program in programs:
        engine = ENGINES[program]
        if find(program) is None:
            return f"{program} is not installed: {engine.how}"
    if any(ENGINES[program].root for program in programs) and (reason := _may_not_isolate()):
        return reason
    return None


@functools.cache
def _may_not_isolate() -> str | None:
    """Return why this process cannot give an engine its own namespaces. Returns None when it can."""
    if sys.platform != "linux":
        return "container engines run on Linux only"
    if os.geteuid() != 0:
        return "container engines need root: run as root (sudo) for the real grade"
    unshare = shutil.which("unshare", path=SYSTEM_PATH)
    if unshare is None:
        return "the program unshare is missing: apt-get install util-linux"
    probe = [unshare, "--mount", "--pid", "--fork", "--mount-proc", "--", "mount", "-t", "tmpfs", "tmpfs", "/run"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=20)
    if done.returncode != 0:
        return f"root may not mount here ({done.stderr.strip()[:80]}): run in a virtual machine or a privileged container"
    return None


def require(name: str, otherwise: Callable[[str], None]) -> Path:
    """Return the path of a program. Calls otherwise(reason), which must raise, when it is not usable."""
    if reason := missing(name):
        otherwise(reason)
    found = find(GROUPS.get(name, (name,))[0])
    assert found is not None
    return found
