# SPDX-License-Identifier: GPL-3.0-or-later
"""How containerd runs pods on this machine: their network is a loopback, so that the machine gets no bridge and no rule."""

from __future__ import annotations

import json
from pathlib import Path

from rehearsal.engines import SYSTEM_PATH

NETWORK = "nowhere"
# A plugin of the container network interface. The kubelet wants an address for each pod, and this one leads nowhere.
_PLUGIN = f"""#!/bin/sh
set -eu
PATH={SYSTEM_PATH}
case $CNI_COMMAND in
  VERSION) echo '{{"cniVersion": "0.4.0", "supportedVersions": ["0.3.1", "0.4.0"]}}' ;;
  ADD)
    nsenter --net="$CNI_NETNS" ip link set lo up
    number=$(printf %s "$CNI_CONTAINERID" | cksum | cut -d ' ' -f 1)
    address=10.42.$((number / 256 % 256)).$((number % 254 + 1))
    cat <<END
{{
  "cniVersion": "0.3.1",
  "interfaces": [{{"name": "$CNI_IFNAME", "sandbox": "$CNI_NETNS"}}],
  "ips": [{{"version": "4", "interface": 0, "address": "$address/16"}}]
}}
END
    ;;
esac
"""


def _places(directory: Path) -> tuple[Path, Path]:
    return directory / "cni" / "bin", directory / "cni" / "net.d"


def install_network(directory: Path) -> None:
    """Write the network's plugins and its settings below a directory."""
    plugins, networks = _places(directory)
    for place in (plugins, networks):
        place.mkdir(parents=True, exist_ok=True)
    for name in ("loopback", NETWORK):
        (plugins / name).write_text(_PLUGIN)
        (plugins / name).chmod(0o755)
    network = {"cniVersion": "0.3.1", "name": NETWORK, "plugins": [{"type": NETWORK}]}
    (networks / f"{NETWORK}.conflist").write_text(json.dumps(network))


def settings(directory: Path, pause: str) -> str:
    """Return the settings of containerd's CRI plugin, with the network of the directory.

    pause is the image that holds a pod together.
    """
    plugins, networks = _places(directory)
    return f"""[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
disable_apparmor = true
restrict_oom_score_adj = true
tolerate_missing_hugetlb_controller = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{networks}"
"""
