# SPDX-License-Identifier: GPL-3.0-or-later
"""The script of a company's network as a guest runs it: on real files, with the system's own update-ca-certificates."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Host, defaults
from ansible_collections.laptop.containers.plugins.module_utils.colima.plan.company_network import company_settings
from ansible_collections.laptop.containers.plugins.module_utils.company.authorities import authorities_from
from ansible_collections.laptop.containers.plugins.module_utils.company.network import CompanyNetwork, Mirror, Proxy

from rehearsal.services.certificates import Authority

TOOLS = [
    name for name in ("unshare", "update-ca-certificates") if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None
]
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay a directory over /etc"),
    pytest.mark.skipif(bool(TOOLS), reason=f"{' and '.join(TOOLS)} missing"),
]
# In a private view of the file system: what is written below /etc and /usr/local/share stays in a directory of the test's.
OVERLAID = """
for d in etc usr/local/share; do
  mkdir -p "$1/$d/up" "$1/$d/work"
  mount -t overlay overlay -o "lowerdir=/$d,upperdir=$1/$d/up,workdir=$1/$d/work" "/$d"
done
"""
PROXY = Proxy(https="http://127.0.0.1:3128")
Play = Callable[[str], str]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Run commands on the overlaid files, which last from one call to the next."""
    layers = tmp_path / "layers"
    layers.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", layers], check=True)

    def run(script: str) -> str:
        whole = ["unshare", "--mount", "sh", "-c", f"{OVERLAID}\n{script}", "sh", str(layers)]
        done = subprocess.run(whole, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield run
    subprocess.run(["umount", layers], check=True)


def script(
    tmp_path: Path, company: CompanyNetwork, name: str, before: Mapping[str, Any] | None = None
) -> tuple[Path, dict[str, Any]]:
    """Write the script of a profile with this company's network; return its path and the profile's settings."""
    known: Mapping[str, Any] = before or {**defaults(Host()), "runtime": "containerd"}
    settings = {**known, **company_settings(company, {}, known, "colima-k8s")}
    path = tmp_path / name
    path.write_text(settings["provision"][-1]["script"])
    return path, settings


@pytest.fixture
def company(tmp_path: Path) -> CompanyNetwork:
    """A company with everything that becomes a file in the guest."""
    file = str(Authority(tmp_path / "company").certificate_file)
    authorities = authorities_from([file], now=datetime.now(UTC))
    return CompanyNetwork(authorities, PROXY, (Mirror("docker.io", "https://m.corp/hub"),), (), {"corp.example": ("10.0.0.53",)})


COUNT = "grep -c BEGIN /etc/ssl/certs/ca-certificates.crt"
FILES = "find /etc /usr/local/share -path '*laptop.containers*' -type f | sort"


def test_a_guest_trusts_the_authority_until_the_settings_go(tmp_path: Path, play: Play, company: CompanyNetwork) -> None:
    on, settings = script(tmp_path, company, "on")
    off, _settings = script(tmp_path, CompanyNetwork(), "off", settings)
    before = int(play(f"update-ca-certificates --fresh >/dev/null; {COUNT}"))
    assert int(play(f"sh {on} >/dev/null; {COUNT}")) == before + 1
    files = play(FILES).split()
    assert {path.rpartition("/")[2] for path in files} >= {"laptop.containers.conf", "50-laptop.containers.conf", "use-mirrors"}
    assert int(play(f"sh {off} >/dev/null; {COUNT}")) == before
    assert play(FILES).split() == ["/etc/laptop.containers/files"]


def test_a_second_start_writes_nothing(tmp_path: Path, play: Play, company: CompanyNetwork) -> None:
    on, _settings = script(tmp_path, company, "on")
    stamps = "find /etc /usr/local/share -path '*laptop.containers*' -type f ! -name files -exec stat -c '%n %Y %i' {} + | sort"
    assert play(f"sh {on} >/dev/null; {stamps}") == play(f"sleep 1; sh {on} >/dev/null; {stamps}")


def test_foreign_files_stay(tmp_path: Path, play: Play, company: CompanyNetwork) -> None:
    on, settings = script(tmp_path, company, "on")
    off, _settings = script(tmp_path, CompanyNetwork(), "off", settings)
    hosts = "/etc/containerd/certs.d/docker.io/hosts.toml"
    play(f"mkdir -p {hosts.rpartition('/')[0]}; echo mine >{hosts}")
    assert play(f"sh {on} >/dev/null; cat {hosts}") == "mine\n"
    assert play(f"sh {off} >/dev/null; cat {hosts}") == "mine\n"


@pytest.mark.parametrize("version", ["", "version = 2\n"])
def test_containerd_reads_mirrors_in_the_configuration_that_colima_writes(
    tmp_path: Path, play: Play, company: CompanyNetwork, version: str
) -> None:
    if shutil.which("containerd") is None:
        pytest.skip("containerd is missing: make engines brings it")
    on, _settings = script(tmp_path, company, "on")
    write = f"mkdir -p /etc/containerd; printf '{version}[grpc]\\ngid = 1000\\n' >/etc/containerd/config.toml"
    use = "sh /etc/laptop.containers/use-mirrors /etc/containerd/config.toml"
    said = play(
        f"sh {on} >/dev/null; {write}; {use}; {use}; containerd --config /etc/containerd/config.toml config dump 2>/dev/null"
    )
    assert 'config_path = "/etc/containerd/certs.d"' in said


# A network of its own: the company's name server, the laptop's, and the guest's, which reads what the script and colima write.
NAME_SERVERS = """
cat >/etc/dnsmasq.d/01-colima.conf <<'END'
server=127.0.0.3
interface=lo
listen-address=127.0.0.1
bind-interfaces
END
rm -f /etc/resolv.conf
echo 'nameserver 127.0.0.1' >/etc/resolv.conf
echo 'hosts: files dns' >/etc/nsswitch.conf
ip link set lo up
serve() { dnsmasq --keep-in-foreground --user=root --no-resolv --no-hosts --pid-file= "$@" & }
serve --conf-file=/dev/null --bind-interfaces --listen-address=127.0.0.2 --address=/corp.example/10.1.1.1
serve --conf-file=/dev/null --bind-interfaces --listen-address=127.0.0.3 --address=/#/10.9.9.9
serve --conf-file=/dev/null --conf-dir=/etc/dnsmasq.d
exec "$1" - git.corp.example corp.example other.example notcorp.example <<'END'
import contextlib, socket, sys, time
for _attempt in range(50):
    with contextlib.suppress(OSError):
        print(*map(socket.gethostbyname, sys.argv[1:]))
        break
    time.sleep(0.2)
END
"""


@pytest.mark.skipif(shutil.which("dnsmasq", path="/usr/sbin") is None, reason="dnsmasq missing: run make engines")
def test_names_of_the_company_are_asked_at_its_own_server(tmp_path: Path, play: Play) -> None:
    on, settings = script(tmp_path, CompanyNetwork(dns_domains={"corp.example": ("127.0.0.2",)}), "on")
    off, _settings = script(tmp_path, CompanyNetwork(), "off", settings)
    (tmp_path / "ask").write_text(NAME_SERVERS)
    ask = f"mkdir -p /etc/dnsmasq.d; unshare --net --pid --fork --kill-child sh {tmp_path}/ask {sys.executable} 2>/dev/null"
    company, laptop = "10.1.1.1", "10.9.9.9"
    assert play(f"sh {on} >/dev/null; {ask}").split() == [company, company, laptop, laptop]
    assert play(f"sh {off} >/dev/null; {ask}").split() == [laptop] * 4
