# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks for an address as each consumer does: with that consumer's own request. Leaves nothing behind."""

from __future__ import annotations

import shlex
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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
_SCHEMES = ("http", "https")


def ask_all(
    colima: Colima, rows: Sequence[ListedProfile], urls: Sequence[str], environment: Mapping[str, str], bundle: str
) -> tuple[Reach, ...]:
    """Return the matrix of every consumer and address, asked side by side. rows: running profiles; bundle: PEM, or empty."""
    proxies = {scheme: environment.get(f"{scheme}_proxy") or environment.get(f"{scheme}_proxy".upper()) for scheme in _SCHEMES}
    through = {scheme: proxy for scheme, proxy in proxies.items() if proxy}
    questions = [partial(_laptop, url, bundle, through) for url in urls]
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


def _laptop(url: str, bundle: str, proxies: Mapping[str, str]) -> Reach:
    context = ssl.create_default_context(cadata=bundle or None)
    if bundle:
        context.load_default_certs()
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler(dict(proxies)))
    try:
        with opener.open(url, timeout=_SECONDS):
            return Reach(Consumer.LAPTOP, "", url, ReachKind.REACHED)
    except urllib.error.HTTPError as error:
        kind = ReachKind.PROXY if error.code == 407 else ReachKind.REACHED
        return Reach(Consumer.LAPTOP, "", url, kind)
    except OSError as error:
        reason = str(getattr(error, "reason", error))
        return Reach(Consumer.LAPTOP, "", url, *judged(reason, has_proxy=bool(proxies)))


def _guest(colima: Colima, name: Name, url: str) -> Reach:
    script = f"curl -sS -o /dev/null -m {_SECONDS:.0f} {shlex.quote(url)} && echo reached"
    return _in_guest(colima, name, url, Consumer.GUEST, script)


def _kubelet(colima: Colima, name: Name, url: str) -> Reach:
    return _in_guest(colima, name, url, Consumer.KUBELET, f"k3s crictl pull {_image(url)}")


def _builds(program: str, colima: Colima, name: Name, url: str) -> Reach:
    build = f"echo FROM {_image(url)} >Dockerfile && {program} build --no-cache ."
    return _in_guest(colima, name, url, Consumer.BUILDKIT, f"d=$(mktemp -d) && cd $d && {build}; cd / && rm -rf $d")


def _in_guest(colima: Colima, name: Name, url: str, consumer: Consumer, script: str) -> Reach:
    try:
        whole = f"{{ {script}; }} 2>&1; env | grep -qi ^https*_proxy= && echo has-proxy; :"
        text = colima.in_guest(name, "sudo", "-i", "sh", "-c", whole, seconds=_SECONDS * 3)
    except WorkstationError as error:
        return Reach(consumer, name.name, url, ReachKind.UNKNOWN, error.reason)
    found = text.removesuffix("has-proxy\n")
    if found.strip() == "reached":
        return Reach(consumer, name.name, url, ReachKind.REACHED)
    return Reach(consumer, name.name, url, *judged(found, has_proxy=found != text))


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
    return f"{'docker.io' if host == 'registry-1.docker.io' else host}/{_NOTHING}"
