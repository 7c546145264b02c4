# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks for an address as each consumer does: with that consumer's own request. Leaves nothing behind."""

from __future__ import annotations

import http.client
import re
import shlex
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from ..colima.client.programs import Colima
from ..colima.model.answers import ListedProfile
from ..colima_paths import Name, parse_name
from ..config_maps import ConfigMapPlace
from ..core.errors import WorkstationError
from ..core.system.proxies import proxy_handler
from ..docker.engine import EngineSilent, request_unix
from .pods import AUTHORITIES, FILE, PROXY
from .reach import Consumer, Reach, ReachKind, judged

# What no registry has: its manifest is asked for, and nothing is pulled.
_NOTHING = "laptop.containers/none"
_SECONDS = 10.0
# After so long no further request begins: many profiles and silent addresses must not hold up a run.
_ENOUGH_SECONDS = 20.0
_AT_ONCE = 16
# What a proxy answers, for a plain address in the place of the other side.
_OF_PROXIES = (407, 502, 503, 504)
_LOG_IN = 511
_STATUS = re.compile(r"answer (\d+) (.*)\Z")
_EMPTY = "/run/laptop.containers-empty"
_CURL = f'curl -sS -o /dev/null -w "answer %{{http_code}} %{{redirect_url}}\\n" -m {_SECONDS:.0f}'
# In the network of a pod of the cluster, with its name servers, and with what the ConfigMaps hold, as a pod that takes them. This
# runs as root, and others may write into both: of the variables only those of a proxy count, each in one line.
_POD = r"""
command -v k3s >/dev/null || { echo the VM has no k3s; exit; }
given() { k3s kubectl --namespace %(namespace)s get configmap $1 --ignore-not-found --output go-template="$2" 2>/dev/null; }
proxy=$(given %(proxy)s '{{range $name, $value := .data}}{{$name}}={{$value}}{{"\n"}}{{end}}') &&
authorities=$(given %(authorities)s '{{with .data}}{{index . "%(file)s"}}{{end}}') || { echo the cluster does not answer; exit; }
for file in $(grep -lsD skip '^search .*\.svc\.' /proc/[0-9]*/root/etc/resolv.conf); do
  pod=${file%%/root/*}
  net=$(readlink $pod/ns/net) && [ "$net" != "$(readlink /proc/self/ns/net)" ] && break
  pod=
done
[ "$pod" ] || { echo no pod runs in the network of the cluster; exit; }
export pod
printf %%s "$proxy" | sed -n '/^\(https*\|no\|HTTPS*\|NO\)_\(proxy\|PROXY\)=[!-~]*$/p' |
xargs -d '\n' nsenter --net=$pod/ns/net unshare --mount sh -c '
  mount --bind $pod/root/etc/resolv.conf /etc/resolv.conf && mount --bind /dev/null /etc/hosts &&
  exec env -i PATH=$PATH "$@" %(curl)s "$0"
' %(url)s 3<<END
$authorities
END
"""


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
    pods: Collection[ConfigMapPlace] = (),
    seconds: float = _ENOUGH_SECONDS,
) -> tuple[Reach, ...]:
    """Return the matrix of every consumer and address, asked side by side. rows: running profiles; bundle: PEM, or empty.

    pods: ConfigMaps that pods take; without one of its cluster, a profile has no cell for pods.
    seconds: after so long no further request begins; one that has begun takes up to 30 seconds.
    """
    questions = [_Question(Consumer.LAPTOP, None, url, partial(_laptop, url, bundle, proxies)) for url in urls]
    questions += [question for url in urls for row in rows for question in _of(colima, row, url)]
    return _answers([*questions, *_of_pods(colima, rows, urls, pods)], seconds)


def ask_pods(
    colima: Colima, rows: Sequence[ListedProfile], urls: Sequence[str], pods: Collection[ConfigMapPlace]
) -> tuple[Reach, ...]:
    """Return the cells of pods alone."""
    return _answers([*_of_pods(colima, rows, urls, pods)], _ENOUGH_SECONDS)


def _answers(questions: Sequence[_Question], seconds: float) -> tuple[Reach, ...]:
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(lambda question: question.answered(end), questions))


def _of(colima: Colima, row: ListedProfile, url: str) -> Iterator[_Question]:
    """Yield what a running profile is asked."""
    name = parse_name(row.name)
    runtime, _plus, kubernetes = row.runtime.partition("+")

    def in_guest(script: str) -> Callable[[], _Answer]:
        return partial(_in_guest, colima, name, url, script)

    asked: dict[Consumer, Callable[[], _Answer]] = {Consumer.GUEST: in_guest(f"{_CURL} {shlex.quote(url)}")}
    if runtime == "docker":
        asked[Consumer.DOCKER] = partial(_docker, colima.paths.socket(name, "docker"), url)
        asked[Consumer.BUILDKIT] = in_guest(_build("docker", url))
    elif runtime == "containerd":
        asked[Consumer.BUILDKIT] = in_guest(_build("nerdctl", url))
        if kubernetes:
            asked[Consumer.KUBELET] = in_guest(f"k3s crictl pull {_image(url)}")
    for consumer, ask in asked.items():
        yield _Question(consumer, name, url, ask)


def _of_pods(
    colima: Colima, rows: Sequence[ListedProfile], urls: Sequence[str], pods: Collection[ConfigMapPlace]
) -> Iterator[_Question]:
    """Yield what pods are asked, in the first of their namespaces: all of them are given the same."""
    for name in (parse_name(row.name) for row in rows):
        first = next((place.namespace for place in pods if place.context == name.id), "")
        given = {place.name for place in pods if (place.context, place.namespace) == (name.id, first)}
        for url in urls if given else ():
            yield _Question(Consumer.POD, name, url, partial(_pod, colima, name, url, first, given))


def _pod(colima: Colima, name: Name, url: str, namespace: str, given: Collection[str]) -> _Answer:
    curl = _CURL + (" --capath /dev/null --cacert /dev/fd/3" if AUTHORITIES in given else "")
    what = {"proxy": PROXY, "authorities": AUTHORITIES, "file": FILE}
    words = {**what, "namespace": namespace, "curl": curl, "url": shlex.quote(url)}
    text = colima.in_guest(name, "sudo", "sh", "-c", f"{{ {_POD % words} }} 2>&1; :", seconds=_SECONDS * 3)
    if re.search("^(answer|curl:) ", text, re.MULTILINE):
        return _far(url, text, has_proxy=PROXY in given)
    return ReachKind.UNKNOWN, (text.splitlines() or [""])[-1]


def _laptop(url: str, bundle: str, proxies: Mapping[str, str]) -> _Answer:
    context = ssl.create_default_context(cadata=bundle or None)
    if bundle:
        context.load_default_certs()
    handler = proxy_handler(url, proxies)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), handler, _NoRedirect)
    try:
        with opener.open(url, timeout=_SECONDS):
            return ReachKind.REACHED, ""
    except urllib.error.HTTPError as error:
        return _answered(url, error.code, error.headers.get("Location", ""), has_proxy=urlsplit(url).scheme in handler.proxies)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return judged(str(getattr(error, "reason", error)), has_proxy=urlsplit(url).scheme in handler.proxies)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """As curl: the first answer counts."""

    def redirect_request(self, *_arguments: Any) -> None:
        """Follow no redirect."""


def _answered(url: str, code: int, target: str, *, has_proxy: bool) -> _Answer:
    """Return how far a request came by the status of its answer. target: the address that it redirects to, or empty."""
    if code == _LOG_IN or (300 <= code < 400 and _leads_away(url, target)):
        return ReachKind.PORTAL, f"it answers {code}"
    if code == _OF_PROXIES[0] or (has_proxy and code in _OF_PROXIES):
        return ReachKind.PROXY, f"it answers {code}"
    return ReachKind.REACHED, ""


def _leads_away(url: str, target: str) -> bool:
    """Whether a redirection of a plain address leads to a stranger: with TLS, the certificate has shown whose answer it is."""
    asked = urlsplit(url)
    try:
        host = urlsplit(target).hostname or asked.hostname
    except ValueError:
        host = "?"
    # The domain above, one below, and the whole name of a short one count as the same.
    near = f".{host}".endswith(f".{asked.hostname}") or f".{asked.hostname}".endswith(f".{host}")
    return asked.scheme == "http" and not near and not f"{host}".startswith(f"{asked.hostname}.")


def _build(program: str, url: str) -> str:
    # Without a variable: sudo -i lets root's shell put in what it knows by that name, before sh sees it.
    return f"mkdir -p {_EMPTY} && echo FROM {_image(url)} | {program} build --no-cache -f - {_EMPTY}"


def _in_guest(colima: Colima, name: Name, url: str, script: str) -> _Answer:
    whole = f"{{ {script}; }} 2>&1; env | grep -qi ^https*_proxy= && echo has-proxy; :"
    text = colima.in_guest(name, "sudo", "-i", "sh", "-c", whole, seconds=_SECONDS * 3)
    found = text.removesuffix("has-proxy\n")
    return _far(url, found, has_proxy=found != text)


def _far(url: str, text: str, *, has_proxy: bool) -> _Answer:
    """Return how far a request came by what the asked tool printed; of curl, the last line has the status."""
    *_said, last = text.splitlines() or [""]
    if (answer := _STATUS.match(last)) and int(answer[1]):
        return _answered(url, int(answer[1]), answer[2], has_proxy=has_proxy)
    return judged(text, has_proxy=has_proxy)


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
