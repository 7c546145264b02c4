# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pod reaches: in a network namespace of its own, with what two ConfigMaps of a real API server hold."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.answers import ListedProfile
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import resolve
from ansible_collections.laptop.containers.plugins.module_utils.config_maps import ConfigMapPlace
from ansible_collections.laptop.containers.plugins.module_utils.network.ask import ask_pods
from ansible_collections.laptop.containers.plugins.module_utils.network.pods import AUTHORITIES, FILE, PROXY

from rehearsal.processes.system import comes_true
from rehearsal.services.certificates import Authority
from tests.support.lab_playbooks import ROOT
from tests.support.network.company_proxy import REGISTRY

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer

MISSING = [name for name in ("unshare", "nsenter", "kubectl", "ip", "curl") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.real("kubernetes"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can enter the network of a pod"),
    pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} missing"),
]
PROBE = f"https://{REGISTRY}/v2/"
ROW = ListedProfile(name="k8s", status="Running", arch="x86_64", runtime="containerd+k3s")
# The pod: the company's proxy is the only way out of its network, and its name server answers nothing.
POD = """
mount --bind {resolv} /etc/resolv.conf && ip link set lo up && exec {python} - {directory} <<'END'
import socket, sys
from pathlib import Path
from tests.support.network.company_proxy import CompanyProxy
proxy = CompanyProxy(Path(sys.argv[1]), socket.create_server(("127.0.0.1", 3128)))
Path(sys.argv[1], "ready").touch()
proxy.serve()
END
"""
COLIMA = '#!/bin/sh\nwhile [ "$1" != sudo ]; do shift; done\nshift\nexec "$@"\n'
Ask = Callable[[str], str]


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A pod that runs."""
    (tmp_path / "resolv").write_text(
        "search default.svc.cluster.local svc.cluster.local\nnameserver 127.0.0.9\noptions timeout:1\n"
    )
    script = POD.format(resolv=tmp_path / "resolv", python=sys.executable, directory=tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(["unshare", "--net", "--mount", "sh", "-c", script], env=environment) as running:
        assert comes_true((tmp_path / "ready").exists, 20)
        yield running
        running.kill()


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apiserver: ApiServer) -> Ask:
    """Ask for an address as pods of the cluster do, and return how far it came."""
    (tmp_path / "bin").mkdir()
    programs = {"colima": COLIMA, "k3s": f'#!/bin/sh\nshift\nexec kubectl --kubeconfig {apiserver.kubeconfig} "$@"\n'}
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    # Neither is a pod's.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))

    def asked(url: str) -> str:
        places = [ConfigMapPlace("colima-k8s", "default", name) for name in (AUTHORITIES, PROXY)]
        (cell,) = ask_pods(Colima(resolve(os.environ, "Linux")), [ROW], [url], places)
        return f"{cell.kind.value} {cell.detail}".strip()

    return asked


@pytest.fixture
def give(apiserver: ApiServer) -> Iterator[Callable[[str, dict[str, str]], None]]:
    """Put data into a ConfigMap."""

    def put(name: str, data: dict[str, str]) -> None:
        path = "/api/v1/namespaces/default/configmaps"
        apiserver.request("DELETE", f"{path}/{name}")
        apiserver.request("POST", path, {"metadata": {"name": name}, "data": data})

    yield put
    for name in (AUTHORITIES, PROXY):
        apiserver.request("DELETE", f"/api/v1/namespaces/default/configmaps/{name}")


def test_a_pod_reaches_what_its_two_config_maps_let_it_reach(
    tmp_path: Path, pod: subprocess.Popen[bytes], ask: Ask, give: Callable[[str, dict[str, str]], None]
) -> None:
    other = Authority(tmp_path / "other").certificate_file.read_text()
    company = Authority(tmp_path / "company").certificate_file.read_text()
    give(PROXY, {"https_proxy": "http://127.0.0.1:3128", "NO_PROXY": ".direct.example", "no_proxy": ".direct.example"})
    assert ask(PROBE).startswith("authority curl: (77)")
    give(AUTHORITIES, {FILE: other})
    assert ask(PROBE).startswith("authority curl: (60)")
    give(AUTHORITIES, {FILE: other + company})
    assert ask(PROBE) == "reached"
    assert ask("https://nowhere.direct.example/v2/").startswith("name ")
    give(PROXY, {"https_proxy": "http://127.0.0.1:3129"})
    assert ask(PROBE).startswith("proxy ")
    give(PROXY, {})
    # A cluster always has ours, or none.
    assert ask("https://127.0.0.1:9/").startswith("proxy curl: (7)")
    (tmp_path / "bin" / "kubectl").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "kubectl").chmod(0o755)
    assert ask(PROBE) == "unknown the cluster does not answer"
    (tmp_path / "bin" / "kubectl").unlink()
    pod.kill()
    pod.wait()
    assert ask(PROBE) == "unknown no pod runs in the network of the cluster"
    (tmp_path / "bin" / "k3s").unlink()
    assert ask(PROBE) == "unknown the VM has no k3s"


def test_what_others_write_into_the_config_map_runs_nothing(
    tmp_path: Path, pod: subprocess.Popen[bytes], ask: Ask, give: Callable[[str, dict[str, str]], None]
) -> None:
    del pod
    give(AUTHORITIES, {FILE: Authority(tmp_path / "company").certificate_file.read_text()})
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n: >{tmp_path}/made\n")
    program.chmod(0o755)
    give(
        PROXY, {"https_proxy": "http://127.0.0.1:3128", "PATH": f"{tmp_path}", "no_proxy": f"x\n{program}", "LD_PRELOAD": "/none"}
    )
    assert ask(PROBE) == "reached"
    assert not (tmp_path / "made").exists()


def test_an_address_gets_into_no_script(
    tmp_path: Path, pod: subprocess.Popen[bytes], ask: Ask, give: Callable[[str, dict[str, str]], None]
) -> None:
    del pod
    give(AUTHORITIES, {FILE: Authority(tmp_path / "company").certificate_file.read_text()})
    give(PROXY, {"https_proxy": "http://127.0.0.1:3128", "http_proxy": "$(touch made) `touch made`"})
    made = f"{tmp_path}/made"
    assert ask(f"{PROBE}$(touch${{IFS}}{made})`touch${{IFS}}{made}`'\";touch${{IFS}}{made}") == "reached"
    assert not Path(made).exists()
