# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's own way to credentials for ECR: AWS' ecr-credential-provider in the VM, as arguments of k3s and a script. Pure.

See https://kubernetes.io/docs/tasks/administer-cluster/kubelet-credential-provider/. The arguments are k3s' own, not those of the
kubelet: with them k3s starts without the provider while a file is missing; the kubelet would not start at all.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence
from typing import Any

from ...core.errors import InputError
from ...ecr.hosts import PUBLIC_HOSTS, host_patterns
from .config import Config, Host, canonical_mounts

_PLACE = "/usr/local/lib/ecr-credential-provider"
PROGRAM = f"{_PLACE}/bin/ecr-credential-provider"
ARGUMENTS = "kubernetes.k3s_args"
SCRIPTS = "provision"
_FLAGS = "--image-credential-provider-"
_OURS = "# laptop.containers: ecr-credential-provider"
# Line breaks would end the file that the script writes; AWS knows no such profile either.
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,255}\Z")

# Runs at each start of the VM. Without a network it keeps the present program, and never delays the start. The protocol between
# kubelet and provider is the same since Kubernetes 1.26, so the release of k3s does not matter. Checksums:
# https://github.com/kubernetes/k8s.io, artifacts/manifests/k8s-staging-provider-aws/v1.37.0.yaml
_SCRIPT = r"""#!/bin/sh
@OURS@
set -eu
place=@PLACE@
version=v1.37.0
case $(uname -m) in
  aarch64 | arm64) arch=arm64 sum=dd4748d167b0167cd4a66779dbbe4964e17a29a076aaa3d2b63cfc36ae84b52c ;;
  *) arch=amd64 sum=842e0fd8159f5ed8df2f38e6521e1e4f0a1ee80cf1e1ac119bbf20bf9c20681c ;;
esac
url=https://artifacts.k8s.io/binaries/cloud-provider-aws/$version/linux/$arch/ecr-credential-provider-linux-$arch
program=$place/bin/ecr-credential-provider
whole() { echo "$sum  $1" | sha256sum -c - >/dev/null 2>&1; }
fetch() {
  if command -v curl >/dev/null; then curl -fsSL --max-time 300 -o "$1" "$url"; else wget -qO "$1" "$url"; fi
}
mkdir -p "$place/bin"
if ! whole "$program"; then
  if fetch "$place/part" && whole "$place/part"; then
    chmod 755 "$place/part"
    mv "$place/part" "$program"
  else
    rm -f "$place/part"
    echo "ecr-credential-provider: could not get $url with checksum $sum; the next start tries again" >&2
  fi
fi
if [ ! -x "$program" ]; then
  rm -f "$place/config.yaml"
  exit 0
fi
cat >"$place/config.yaml" <<'END'
@CONFIG@
END
"""


def check_profile(name: str, profile: str) -> None:
    """Raise InputError for what can't be the name of an AWS profile. Empty: the provider is not wanted."""
    if profile and not _NAME.match(profile):
        what = f"set 'kubernetes.ecr_profile' of profile '{name}'"
        raise InputError(what, "it is not the name of an AWS profile", "Use a name from ~/.aws/config.")


def ecr_settings(profile: str, host: Host, arguments: Sequence[str], scripts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return both settings with the provider for an AWS profile, or (an empty name) without it. Other entries stay."""
    arguments = [argument for argument in arguments if not argument.startswith(_FLAGS)]
    scripts = [script for script in scripts if _OURS not in script["script"]]
    if profile:
        arguments += [f"{_FLAGS}bin-dir={posixpath.dirname(PROGRAM)}", f"{_FLAGS}config={_PLACE}/config.yaml"]
        scripts += [{"mode": "system", "script": _script(profile, host.home)}]
    return {ARGUMENTS: arguments, SCRIPTS: scripts}


def sees_aws(config: Config, home: str) -> bool:
    """Whether a VM with these settings has the user's ~/.aws."""
    mounts = canonical_mounts(config["mounts"], home) or ()
    wanted = f"{home}/.aws/"
    return any(place == point and wanted.startswith(f"{place.rstrip('/')}/") for place, point, _writable in mounts)


def _script(profile: str, home: str) -> str:
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1",
        "kind": "CredentialProviderConfig",
        "providers": [
            {
                "name": posixpath.basename(PROGRAM),
                "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
                # For answers that do not say it themselves; the provider says half of the token's life.
                "defaultCacheDuration": "6h",
                "matchImages": [*host_patterns(), *PUBLIC_HOSTS],
                "env": [{"name": "HOME", "value": home}, {"name": "AWS_PROFILE", "value": profile}],
            }
        ],
    }
    # JSON is YAML, and quotes whatever a name holds.
    parts = {"@OURS@": _OURS, "@PLACE@": _PLACE, "@CONFIG@": json.dumps(config, indent=2)}
    return re.sub("@[A-Z]+@", lambda found: parts[found[0]], _SCRIPT)
