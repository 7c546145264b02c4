# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks for an address as each consumer does: with that consumer's own request. Leaves nothing behind."""

from __future__ import annotations

import http.client
import shlex
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from ..colima.client.programs import Colima
from ..colima.model.answers import ListedProfile
from ..colima_paths import Name, parse_name
from ..core.errors import WorkstationError
from ..docker.engine import EngineSilent, request_unix
from .reach import Consumer, Reach, ReachKind, judged

# What no registry has: its manifest is asked for, and nothing is pulled.
_NOTHING = "laptop.containers/none"
_SECONDS = 10.0
# Its helpers for proxies of the environment are not in every stub.
_request: Any = urllib.request
_SCHEMES = ("http", "https")
# What a proxy answers, for a plain address in the place of the other side.
_OF_PROXIES = (407, 502, 503, 504)
_EMPTY = "/run/laptop.containers-empty"


def ask_all(
    colima: Colima, rows: Sequence[ListedProfile], urls: Sequence[str], environment: Mapping[str, str], bundle: str
) -> tuple[Reach, ...]:
    """Return the matrix of every consumer and address, asked side by side. rows: running profiles; bundle: PEM, or empty."""
    proxies = {scheme: environment.get(f"{scheme}_proxy") or environment.get(f"{scheme}_proxy".upper()) for scheme in _SCHEMES}
    through = {scheme: proxy for scheme, proxy in proxies.items() if proxy}
    without = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    questions = [partial(_laptop, url, bundle, {} if _passes_by(url, without) else through) for url in urls]
    for row in rows:
        questions += [partial(question, colima, parse_name(row.name), url) for url in urls for question in _of(row)]
    with ThreadPoolExecutor(8) as pool:
        return tuple(pool.map(lambda question: question(), questions))


def _of(row: ListedProfile) -> list[Callable[[Colima, Name, str], Reach]]:
    runtime, _plus, kubernetes = row.runtime.partition("+")
    found: list[Callable[[Colima, Name, str], Reach]] = [_guest]
    if runtime == "docker":
        found += [_docker, partial(_builds, "docker")]
    elif runtime == "containerd":
        found += [partial(_builds, "nerdctl"), *([_kubelet] if kubernetes else [])]
    return found


def _passes_by(url: str, without: str) -> bool:
    return bool(_request.proxy_bypass_environment(urlsplit(url).netloc, {"no": without}))


def _laptop(url: str, bundle: str, proxies: Mapping[str, str]) -> Reach:
    context = ssl.create_default_context(cadata=bundle or None)
    if bundle:
        context.load_default_certs()
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler(dict(proxies)))
    try:
        with opener.open(url, timeout=_SECONDS):
            return Reach(Consumer.LAPTOP, "", url, ReachKind.REACHED)
    except urllib.error.HTTPError as error:
        return Reach(Consumer.LAPTOP, "", url, *_answered(error.code, has_proxy=urlsplit(url).scheme in proxies))
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = str(getattr(error, "reason", error))
        return Reach(Consumer.LAPTOP, "", url, *judged(reason, has_proxy=bool(proxies)))


def _guest(colima: Colima, name: Name, url: str) -> Reach:
    script = f"curl -sS -o /dev/null -w 'answer %{{http_code}}\\n' -m {_SECONDS:.0f} {shlex.quote(url)}"
    return _in_guest(colima, name, url, Consumer.GUEST, script)


def _answered(code: int, *, has_proxy: bool) -> tuple[ReachKind, str]:
    """Return how far a request came by the status of its answer."""
    if code == _OF_PROXIES[0] or (has_proxy and code in _OF_PROXIES):
        return ReachKind.PROXY, f"it answers {code}"
    return ReachKind.REACHED, ""


def _kubelet(colima: Colima, name: Name, url: str) -> Reach:
    return _in_guest(colima, name, url, Consumer.KUBELET, f"k3s crictl pull {_image(url)}")


def _builds(program: str, colima: Colima, name: Name, url: str) -> Reach:
    # Without a variable: sudo -i lets root's shell put in what it knows by that name, before sh sees it.
    build = f"echo FROM {_image(url)} | {program} build --no-cache -f - {_EMPTY}"
    return _in_guest(colima, name, url, Consumer.BUILDKIT, f"mkdir -p {_EMPTY} && {build}")


def _in_guest(colima: Colima, name: Name, url: str, consumer: Consumer, script: str) -> Reach:
    try:
        whole = f"{{ {script}; }} 2>&1; env | grep -qi ^https*_proxy= && echo has-proxy; :"
        text = colima.in_guest(name, "sudo", "-i", "sh", "-c", whole, seconds=_SECONDS * 3)
    except WorkstationError as error:
        return Reach(consumer, name.name, url, ReachKind.UNKNOWN, error.reason)
    found = text.removesuffix("has-proxy\n")
    has_proxy, (*_said, last) = found != text, found.splitlines() or [""]
    code = last.removeprefix("answer ")
    if code != last and code.isdigit() and int(code):
        return Reach(consumer, name.name, url, *_answered(int(code), has_proxy=has_proxy))
    return Reach(consumer, name.name, url, *judged(found, has_proxy=has_proxy))


def _docker(colima: Colima, name: Name, url: str) -> Reach:
    path = colima.paths.socket(name, "docker").removeprefix("unix://")
    target = f"/distribution/{quote(_image(url), safe='/:')}/json"
    try:
        _status, answer = request_unix(path, "GET", target, _SECONDS * 2)
    except EngineSilent as silent:
        return Reach(Consumer.DOCKER, name.name, url, ReachKind.UNKNOWN, str(silent))
    reason = str(answer.get("message", answer) if isinstance(answer, dict) else answer)
    return Reach(Consumer.DOCKER, name.name, url, *judged(reason))


def _image(url: str) -> str:
    """Return the name of an image that the registry at an address does not have."""
    host = urlsplit(url).netloc
    # Docker takes a host without a dot and a port for a name at Docker Hub.
    if not set(".:") & set(host):
        host += ":80" if url.startswith("http:") else ":443"
    return f"{'docker.io' if host == 'registry-1.docker.io' else host}/{_NOTHING}"
