# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked in a VM, run by a shell as sudo -i hands it over, and what the answers mean."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.answers import ListedProfile
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import resolve
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.network.ask import ask_all
from ansible_collections.laptop.containers.plugins.module_utils.network.task import Network

from tests.support.network.web_server import web_server

# sudo -i escapes all but letters, digits, _, - and $ for root's shell, which runs in root's home.
COLIMA = """import re, subprocess, sys
words = sys.argv[sys.argv.index("-i") + 1 :]
line = " ".join(re.sub(r"([^\\w$-])", r"\\\\\\1", word) for word in words).replace("/run/", "{root}/run/")
sys.exit(subprocess.run(["sh", "-c", line], cwd="{root}/home").returncode)
"""
ROW: dict[str, Any] = {"name": "k8s", "status": "Running", "arch": "aarch64", "runtime": "containerd+k3s"}


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A VM as a directory: home is root's home, said what nerdctl was asked, answer what curl prints."""
    for directory in ("bin", "home", "run"):
        (tmp_path / directory).mkdir()
    (tmp_path / "colima.py").write_text(COLIMA.format(root=tmp_path))
    programs = {
        # Python's path may hold blanks, which no first line of a script takes.
        "colima": f"#!/bin/sh\nexec '{sys.executable}' '{tmp_path}/colima.py' \"$@\"",
        "nerdctl": f"#!/bin/sh\n{{ pwd; cat; }} >>{tmp_path}/said\necho r: not found",
        "k3s": "#!/bin/sh\necho not found",
        "curl": f"#!/bin/sh\ncat {tmp_path}/answer",
    }
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def kinds(url: str, proxies: dict[str, str] | None = None, *, vm: bool = True) -> dict[str, str]:
    colima = Colima(resolve({}, "Linux"))
    rows = [ListedProfile(**ROW)] if vm else []
    return {one.consumer.value: one.kind.value for one in ask_all(colima, rows, [url], proxies or {}, "")}


def test_a_file_in_the_home_of_root_stays(guest: Path) -> None:
    (guest / "answer").write_text("answer 200 \n")
    (guest / "home" / "Dockerfile").write_text("FROM mine\n")
    assert kinds("https://registry.example/v2/")["BuildKit"] == "reached"
    assert "FROM registry.example/laptop.containers/none" in (guest / "said").read_text()
    assert (guest / "home" / "Dockerfile").read_text() == "FROM mine\n"


def test_a_host_without_a_dot_is_no_name_at_docker_hub(guest: Path) -> None:
    (guest / "answer").write_text("answer 200 \n")
    kinds("https://harbor/v2/")
    assert "FROM harbor:443/laptop.containers/none" in (guest / "said").read_text()


@pytest.mark.parametrize(("answer", "kind"), [("200", "reached"), ("401", "reached"), ("503", "reached"), ("407", "proxy")])
def test_an_answer_is_known_by_its_status(guest: Path, answer: str, kind: str) -> None:
    (guest / "answer").write_text(f"answer {answer} \n")
    assert kinds("http://registry.example/v2/")["VM"] == kind


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("302 https://log-in.example/?from=registry.example", "portal"),
        ("511 ", "portal"),
        ("301 https://registry.example/v2/", "reached"),
        ("308 https://www.registry.example/v2/", "reached"),
        ("308 https://example/v2/", "reached"),
        ("308 https://registry.example.corp.example/v2/", "reached"),
        ("302 http://[log-in/", "portal"),
        ("302 http://log-in.example/a page", "portal"),
    ],
)
def test_a_page_that_wants_a_log_in_is_no_other_side(guest: Path, answer: str, kind: str) -> None:
    (guest / "answer").write_text(f"answer {answer}\n")
    assert kinds("http://registry.example/v2/")["VM"] == kind
    # Over TLS, the certificate has shown whose answer it is.
    assert kinds("https://registry.example/v2/")["VM"] == ("portal" if answer == "511 " else "reached")


@pytest.fixture
def server() -> Iterator[str]:
    with web_server() as (url, _paths):
        yield url


@pytest.mark.usefixtures("guest")
def test_the_laptop_asks_without_the_proxy_what_needs_none(server: str) -> None:
    proxy = {"http": "http://127.0.0.1:9", "https": ""}
    assert kinds(server, proxy, vm=False) == {"laptop": "proxy"}
    assert kinds(server, {**proxy, "no": "127.0.0.1"}, vm=False) == {"laptop": "reached"}
    # Where none serves the scheme, none is to blame.
    assert kinds("https://127.0.0.1:9/", {"http": "http://127.0.0.1:9"}, vm=False) == {"laptop": "silent"}


@pytest.mark.usefixtures("guest")
@pytest.mark.parametrize(
    ("without", "kind"), [("127.0.0.0/8", "reached"), ("x/y,127.0.0.0/8", "reached"), ("10.0.0.0/8,x/y", "proxy")]
)
def test_a_range_without_a_proxy_counts_as_curl_and_docker_count_it(server: str, without: str, kind: str) -> None:
    assert kinds(server, {"http": "http://127.0.0.1:9", "no": without}, vm=False) == {"laptop": kind}


def test_once_the_time_is_over_no_one_is_asked(guest: Path) -> None:
    (guest / "answer").write_text("answer 200 \n")
    found = ask_all(Colima(resolve({}, "Linux")), [ListedProfile(**ROW)], ["https://r.example/"], {}, "", seconds=0)
    assert {cell.kind.value for cell in found} == {"unknown"}
    assert {cell.detail for cell in found} == {"the time for all requests was over"}
    assert not (guest / "said").exists()


@pytest.mark.usefixtures("guest")
def test_a_proxy_that_answers_in_its_place_is_no_other_side(server: str) -> None:
    assert kinds("http://registry.example/strange", {"http": server}, vm=False) == {"laptop": "proxy"}


@pytest.mark.usefixtures("guest")
def test_the_laptop_follows_no_one_to_a_page_that_wants_a_log_in(server: str) -> None:
    assert kinds(f"{server}/log-in", vm=False) == {"laptop": "portal"}


@pytest.mark.usefixtures("guest")
def test_a_host_that_no_name_can_have_is_told(server: str) -> None:
    del server
    assert kinds("https://.example.com/", vm=False) == {"laptop": "unknown"}


def probes(*urls: str) -> Any:
    given = {name: option.get("default") for name, option in Network.argument_spec.items()}
    return Network().parse({**given, "probes": list(urls)}, check_mode=False)


@pytest.mark.parametrize("url", ["https://x;reboot", "https://$(reboot)", "https://x y", "https://", "https://[::1", "ftp://x"])
def test_what_is_no_address_gets_into_no_script(url: str) -> None:
    with pytest.raises(InputError):
        probes(url)


def test_a_log_in_is_not_repeated() -> None:
    with pytest.raises(InputError) as raised:
        probes("https://joe:hunter2@registry.example/v2/")
    assert "hunter2" not in str(raised.value)
