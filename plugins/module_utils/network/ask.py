# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks for an address as each consumer does: with that consumer's own request. Leaves nothing behind."""

from __future__ import annotations

import http.client
import shlex
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote, urlsplit

from ..colima.client.programs import Colima
from ..colima.model.answers import ListedProfile
from ..colima_paths import Name, parse_name
from ..core.errors import WorkstationError
from ..core.system.proxies import proxy_handler
from ..docker.engine import EngineSilent, request_unix
from .reach import Consumer, Reach, ReachKind, judged

# What no registry has: its manifest is asked for, and nothing is pulled.
_NOTHING = "laptop.containers/none"
_SECONDS = 10.0
# After so long no further request begins: many profiles and silent addresses must not hold up a run.
_ENOUGH_SECONDS = 20.0
_AT_ONCE = 16
# What a proxy answers, for a plain address in the place of the other side.
_OF_PROXIES = (407, 502, 503, 504)
_EMPTY = "/run/laptop.containers-empty"


# How far a request came, and what the asked tool said of it.
_Answer = tuple[ReachKind, str]


@dataclass(frozen=True)
class _Question:
    """A cell of the matrix that is still to be filled. name: None for the laptop."""

    consumer: Consumer
    name: Name | None
    url: str
    ask: Callable[[], _Answer]

    def answered(self, end: float) -> Reach:
        """Return the cell. end: of time.monotonic(); what has not been asked then is unknown."""
        answer: _Answer = (ReachKind.UNKNOWN, "the time for all requests was over")
        if time.monotonic() < end:
            try:
                answer = self.ask()
            except (WorkstationError, EngineSilent) as error:
                answer = (ReachKind.UNKNOWN, error.reason if isinstance(error, WorkstationError) else str(error))
        return Reach(self.consumer, self.name.name if self.name else "", self.url, *answer)


def ask_all(
    colima: Colima,
    rows: Sequence[ListedProfile],
    urls: Sequence[str],
    proxies: Mapping[str, str],
    bundle: str,
    *,
    seconds: float = _ENOUGH_SECONDS,
) -> tuple[Reach, ...]:
    """Return the matrix of every consumer and address, asked side by side. rows: running profiles; bundle: PEM, or empty.

    seconds: after so long no further request begins; one that has begun takes up to 30 seconds.
    """
    questions = [_Question(Consumer.LAPTOP, None, url, partial(_laptop, url, bundle, proxies)) for url in urls]
    questions += [question for url in urls for row in rows for question in _of(colima, row, url)]
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(lambda question: question.answered(end), questions))


def _of(colima: Colima, row: ListedProfile, url: str) -> Iterator[_Question]:
    """Yield what a running profile is asked."""
    name = parse_name(row.name)
    runtime, _plus, kubernetes = row.runtime.partition("+")

    def in_guest(script: str) -> Callable[[], _Answer]:
        return partial(_in_guest, colima, name, script)

    asked: dict[Consumer, Callable[[], _Answer]] = {Consumer.GUEST: in_guest(_curl(url))}
    if runtime == "docker":
        asked[Consumer.DOCKER] = partial(_docker, colima.paths.socket(name, "docker"), url)
        asked[Consumer.BUILDKIT] = in_guest(_build("docker", url))
    elif runtime == "containerd":
        asked[Consumer.BUILDKIT] = in_guest(_build("nerdctl", url))
        if kubernetes:
            asked[Consumer.KUBELET] = in_guest(f"k3s crictl pull {_image(url)}")
    for consumer, ask in asked.items():
        yield _Question(consumer, name, url, ask)


def _laptop(url: str, bundle: str, proxies: Mapping[str, str]) -> _Answer:
    context = ssl.create_default_context(cadata=bundle or None)
    if bundle:
        context.load_default_certs()
    handler = proxy_handler(url, proxies)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), handler)
    try:
        with opener.open(url, timeout=_SECONDS):
            return ReachKind.REACHED, ""
    except urllib.error.HTTPError as error:
        return _answered(error.code, has_proxy=urlsplit(url).scheme in handler.proxies)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return judged(str(getattr(error, "reason", error)), has_proxy=bool(handler.proxies))


def _answered(code: int, *, has_proxy: bool) -> _Answer:
    """Return how far a request came by the status of its answer."""
    if code == _OF_PROXIES[0] or (has_proxy and code in _OF_PROXIES):
        return ReachKind.PROXY, f"it answers {code}"
    return ReachKind.REACHED, ""


def _curl(url: str) -> str:
    return f"curl -sS -o /dev/null -w 'answer %{{http_code}}\\n' -m {_SECONDS:.0f} {shlex.quote(url)}"


def _build(program: str, url: str) -> str:
    # Without a variable: sudo -i lets root's shell put in what it knows by that name, before sh sees it.
    return f"mkdir -p {_EMPTY} && echo FROM {_image(url)} | {program} build --no-cache -f - {_EMPTY}"


def _in_guest(colima: Colima, name: Name, script: str) -> _Answer:
    whole = f"{{ {script}; }} 2>&1; env | grep -qi ^https*_proxy= && echo has-proxy; :"
    text = colima.in_guest(name, "sudo", "-i", "sh", "-c", whole, seconds=_SECONDS * 3)
    found = text.removesuffix("has-proxy\n")
    has_proxy, (*_said, last) = found != text, found.splitlines() or [""]
    code = last.removeprefix("answer ")
    if code != last and code.isdigit() and int(code):
        return _answered(int(code), has_proxy=has_proxy)
    return judged(found, has_proxy=has_proxy)


def _docker(socket: str, url: str) -> _Answer:
    target = f"/distribution/{quote(_image(url), safe='/:')}/json"
    _status, answer = request_unix(socket.removeprefix("unix://"), "GET", target, _SECONDS * 2)
    return judged(str(answer.get("message", answer) if isinstance(answer, dict) else answer))


def _image(url: str) -> str:
    """Return the name of an image that the registry at an address does not have."""
    host = urlsplit(url).netloc
    # Docker takes a host without a dot and a port for a name at Docker Hub.
    if not set(".:") & set(host):
        host += ":80" if url.startswith("http:") else ":443"
    return f"{'docker.io' if host == 'registry-1.docker.io' else host}/{_NOTHING}"
