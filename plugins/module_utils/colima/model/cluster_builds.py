# SPDX-License-Identifier: GPL-3.0-or-later
"""BuildKit of a containerd profile that builds into the images of the profile's own cluster: its buildkitd.toml. Pure.

colima copies the file into the VM at each start. A profile's own replaces the one below ~/.config that all profiles share, so
ours repeats what is in that.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...core.errors import InputError
from ...toolchain.programs import in_digits
from .config import Config, has_kubernetes
from .settings import Version
from .spec import ProfileSpec, Refusal

OPTION = "kubernetes.build"
SINCE: Version = (0, 10, 2)
# What colima uses, and writes below ~/.config, where a file is missing.
COLIMAS_OWN = "[worker.oci]\nenabled = false\n\n[worker.containerd]\nenabled = true\n\n[grpc]\ngid = 1000\n"
_OURS = "# laptop.containers writes this file for kubernetes.build. To keep one of your own, remove this line.\n"
# containerd's namespace with the images that the kubelet sees.
_NAMESPACE = "k8s.io"
_ROOT = "/var/lib/buildkit"


@dataclass(frozen=True)
class BuildkitFiles:
    """What configures BuildKit in a profile's VM. own: the profile's buildkitd.toml, shared: that of all profiles. None: no file.

    saved: a copy of the own one, from before the VM is deleted until the profile is there again. unread: the VM was started
    before the file was last written.
    """

    path: str = ""
    own: str | None = None
    shared_path: str = ""
    shared: str | None = None
    saved: bool = False
    unread: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether we wrote the profile's file."""
        return self.own is not None and self.own.startswith(_OURS)

    @property
    def builds_into_cluster(self) -> bool:
        """Whether the profile's file lets BuildKit work where the kubelet looks, even if the user wrote it."""
        try:
            worker = _parsed(self.own or "").get("worker", {}).get("containerd", {})
            return worker.get("namespace") == _NAMESPACE and worker.get("enabled") is not False
        except (ValueError, AttributeError):
            return False

    def rendered(self) -> str:
        """Return the profile's file as it is to be. Raises InputError where that can't be made of the shared one."""
        from ...buildx.config import to_toml

        what = f"use '{self.shared_path}' for '{OPTION}'"
        try:
            found = _parsed(COLIMAS_OWN if self.shared is None else self.shared)
        except ValueError as error:
            raise InputError(what, f"it is not TOML ({error})", "Correct it.") from error
        settings: dict[str, Any] = copy.deepcopy(found)
        worker = settings.setdefault("worker", {})
        try:
            worker.setdefault("oci", {})["enabled"] = False
            worker.setdefault("containerd", {}).update(enabled=True, namespace=_NAMESPACE)
        except (AttributeError, TypeError) as error:
            raise InputError(what, "its worker is not a table", "Correct it.") from error
        # Its records name snapshots of one namespace. With those of another, builds fail: "parent snapshot does not exist".
        return _OURS + to_toml({**settings, "root": f"{settings.get('root', _ROOT)}/{_NAMESPACE}"})


def build_problems(spec: ProfileSpec, settings: Mapping[str, Any]) -> list[Refusal]:
    """Return why a profile with these settings can't build into its cluster. What they leave out is fine."""
    if not spec.build:
        return []
    runtime = settings.get("runtime", "containerd")
    if runtime == "containerd" and settings.get("kubernetes.enabled", True):
        return []
    lacks = f"its runtime is {runtime}" if runtime != "containerd" else "it has no Kubernetes"
    return [_refusal(spec, lacks, "Use runtime containerd and kubernetes.enabled, or leave it out.")]


def build_refusals(spec: ProfileSpec, target: Config, files: BuildkitFiles, version: Version | None) -> list[Refusal]:
    """Return why the file can't be written, or would not be read. version: of colima; None: not known, nothing to object."""
    if not spec.build:
        return []
    known = {"runtime": target["runtime"], "kubernetes.enabled": has_kubernetes(target)}
    if problems := build_problems(spec, known):
        return problems
    if version is not None and version < SINCE:
        reason = f"it needs colima {in_digits(SINCE)}, and {in_digits(version)} is installed"
        return [_refusal(spec, reason, "Run 'brew upgrade colima'.")]
    if files.own is None or files.is_ours:
        try:
            files.rendered()
        except InputError as error:
            return [Refusal(error.what, error.reason, error.remedy)]
    elif not files.builds_into_cluster:
        remedy = (
            f'Add root = "{_ROOT}/{_NAMESPACE}" at its top and namespace = "{_NAMESPACE}" below [worker.containerd], '
            "or move it away and run again."
        )
        return [_refusal(spec, f"'{files.path}' is your own, and builds elsewhere", remedy)]
    return []


def _refusal(spec: ProfileSpec, reason: str, remedy: str) -> Refusal:
    return Refusal(f"set '{OPTION}' of profile '{spec.name}'", reason, remedy)


def _parsed(text: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(text)
