# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to one API server through the kubernetes package, with ready JSON and without its classes of objects.

Ours is what a failure means. A busy or restarting server is asked again (patience.py). Loaded only where a cluster is asked.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, ProxyError
from urllib3.exceptions import TimeoutError as TimeoutException

from ..core.errors import InputError, ToolMissing, WorkstationError
from ..core.secrecy.patterns import without_logins
from .access import Access
from .answers import JSON, ApiError, Unreachable, Untrusted, is_object
from .bounds import TooLarge, answer_within, read_all, use_bounds
from .patience import RETRIED, Patience, Retries, Trouble

_ATTEMPTS = 3
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


class KubeHttp:
    """Requests to one cluster. Threads may share it."""

    def __init__(self, access: Access, patience: Patience | None = None) -> None:
        from kubernetes.client import ApiClient

        self.access = access
        self.patience = patience or Patience()
        self.warnings: dict[str, None] = {}
        self._trouble = Trouble(self.patience)
        self._failure: WorkstationError | None = None
        access.settings.retries = Retries(self._trouble)
        try:
            self._api = ApiClient(access.settings)
        except ImportError as error:
            raise ToolMissing("PySocks", remedy="Install it into Ansible's Python: pip install pysocks.") from error
        if not access.settings.verify_ssl:
            # The kubeconfig says so; kubectl does not warn either.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        if access.tls is not None:
            self._api.rest_client.pool_manager.connection_pool_kw["ssl_context"] = access.tls
        use_bounds(self._api.rest_client.pool_manager, self.patience.answer)
        self._headers = {"User-Agent": "laptop.containers"}
        if access.authorization:
            self._headers["Authorization"] = access.authorization
        if access.impersonate:
            self._headers["Impersonate-User"] = access.impersonate

    def json(self, method: str, path: str, body: Any = None, content_type: str = JSON, accept: str = JSON) -> Any:
        """Send a request and return the decoded answer, which is an object of the API.

        Raises ApiError, Untrusted, or Unreachable: after patience has run out, and where another program answers.
        """
        from kubernetes.client import ApiException

        headers = {**self._headers, "Accept": accept} | ({} if body is None else {"Content-Type": content_type})
        for attempt in range(1, _ATTEMPTS + 1):
            if self._trouble.hopeless and self._failure is not None:
                raise self._failure
            try:
                return self._ask(method, self.access.server + path, headers, body)
            except TooLarge as error:
                # It would be as large again.
                raise explained(self.access, error) from None
            except (HTTPError, OSError) as error:
                self._failure = failure = explained(self.access, error)
                if self._is_final(error, attempt):
                    raise failure from None
            except ApiException as error:
                # The package's own word for a failure of TLS.
                raise explained(self.access, error.__context__ or error) from None
            except ValueError:
                # Without the exception: it quotes the header that it dislikes.
                raise _unsendable(self.access) from None
        raise AssertionError(path)

    def _is_final(self, error: Exception, attempt: int) -> bool:
        """Whether to give up. What ends in the middle of an answer, urllib3 does not repeat: that is asked again here."""
        return isinstance(error, MaxRetryError) or not self._trouble.reached or attempt == _ATTEMPTS

    def _ask(self, method: str, url: str, headers: dict[str, str], body: Any) -> Any:
        answer_within(self.patience.total + self.patience.answer)
        answered = self._api.call_api(method, url, headers, body, _request_timeout=self.patience.request)
        response = answered.response
        status, content = response.status, read_all(response)
        # Else the connection would not be taken for the next request.
        response.release_conn()
        for text in _WARNING.findall(response.headers.get("Warning", "")):
            self.warnings[re.sub(r"\\(.)", r"\1", text)] = None
        if status == 407:
            raise ProxyError(str(response.reason), OSError(f"{status} {response.reason}"))
        if status in RETRIED:
            raise ApiError(status, content)
        if status < 300:
            try:
                found = json.loads(content)
            except (ValueError, RecursionError):
                raise OSError("the answer is not JSON") from None
            if not is_object(url.removeprefix(self.access.server), found):
                raise foreign_answer(self.access)
        self._trouble.over()
        if status >= 300:
            raise ApiError(status, content)
        return found

    def close(self) -> None:
        """Close every connection."""
        self._api.close()


def foreign_answer(access: Access) -> Unreachable:
    """Return the failure where something else answers in the place of the API server: a captive portal, another program."""
    server = without_logins(access.server)
    return Unreachable(
        f"reach cluster '{access.context}'",
        f"what answers at {server} is not an API server",
        "Correct 'server' in the kubeconfig, or log in to the network, and run again.",
        unreachable=access.context,
    )


def explained(access: Access, error: BaseException) -> WorkstationError:
    """Return why a cluster can't be reached or trusted, in the user's words."""
    cause, proxy = _cause(error)
    server, what = without_logins(access.server), f"reach cluster '{access.context}'"
    if isinstance(cause, ssl.SSLCertVerificationError):
        why, remedy = _CERTIFICATES.get(cause.verify_code, _CERTIFICATES[0])
        return Untrusted(f"trust cluster '{access.context}'", f"its certificate at {server} {why}", remedy)
    if proxy:
        way = f"{_reason(cause)} at the proxy {without_logins(access.settings.proxy)} on the way to {server}"
        remedy = "Start that proxy, or correct proxy-url in the kubeconfig or the variables of the environment."
        return Unreachable(what, way, remedy, unreachable=access.context)
    return Unreachable(what, f"{_reason(cause)} at {server}", _how_to_start(access.context), unreachable=access.context)


_EXPIRED = "Restart the profile so that k3s makes a new one, or set the clock of this machine."
_CERTIFICATES = {
    0: (
        "is not signed by the authority in the kubeconfig",
        "Restart the profile so that colima writes the new one.",
    ),
    9: ("is not yet valid", "Set the clock of this machine, or that of the cluster."),
    10: ("has expired", _EXPIRED),
    62: (
        "is for another host name",
        "Correct 'server' in the kubeconfig, or set tls-server-name to a name in the certificate.",
    ),
}
_CERTIFICATES[64] = _CERTIFICATES[62]


def _unsendable(access: Access) -> InputError:
    return InputError(
        f"use kube context '{access.context}'",
        "the name of its server, its tls-server-name or its credentials hold a line break, or another character that no request "
        "can carry",
        "Repair the kubeconfig.",
    )


def _cause(error: BaseException) -> tuple[BaseException, bool]:
    """Return what is behind the exceptions of the libraries, and whether it happened at the proxy."""
    proxy = False
    while True:
        proxy = proxy or isinstance(error, ProxyError)
        inner = [getattr(error, "reason", None), getattr(error, "original_error", None), error.__cause__, *error.args]
        behind = next((one for one in inner if isinstance(one, BaseException) and one is not error), None)
        if behind is None:
            return error, proxy
        error = behind


def _reason(error: BaseException) -> str:
    known = (
        (ConnectionRefusedError, "connection refused"),
        ((TimeoutError, TimeoutException), "no answer in time"),
        (socket.gaierror, "its name is unknown"),
    )
    for kind, words in known:
        if isinstance(error, kind):
            return words
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return without_logins((str(error).splitlines() or [""])[0]) or "the connection broke"


def _how_to_start(context: str) -> str:
    if context == "colima" or context.startswith("colima-"):
        profile = context.removeprefix("colima-") if context != "colima" else "default"
        return f"Start the profile with 'colima start {profile}' and run again."
    return "Start the cluster and run again."
