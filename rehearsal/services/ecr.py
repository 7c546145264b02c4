# SPDX-License-Identifier: GPL-3.0-or-later
"""ECR's API on the loopback: moto's server, with tokens that live 12 hours from now and can be rotated."""

from __future__ import annotations

import argparse
import base64
import datetime
import json
import os
import re
import secrets
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from rehearsal.processes.daemon import Daemon
from rehearsal.processes.system import LabError, free_port
from rehearsal.services.service import Service

ACCOUNT = "123456789012"
REGION = "eu-central-1"
HOURS = 12.0
HANG_SECONDS = 120.0
READY_SECONDS = 120.0


class Ecr(Service):
    """The server in its own process. All state is available over HTTP, so that any process can ask for it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.daemon = Daemon("ecr", directory)
        self._port_file = directory / "ecr.port"

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL would be."""
        return f"http://127.0.0.1:{self._port_file.read_text().strip()}"

    @property
    def environment(self) -> dict[str, str]:
        """What boto3 needs to talk to it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "AKIAREHEARSAL0000000",
            "AWS_SECRET_ACCESS_KEY": "rehearsal-secret-key-of-nobody",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> Self:
        """Start the server and wait until it answers. Raises LabError."""
        self.spawn()
        self.wait()
        return self

    def spawn(self) -> None:
        """Start the server without waiting for it; that takes a second or two."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._port_file.write_text(str(free_port()))
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MOTO_"))}
        self.daemon.spawn_module("rehearsal.services.ecr", "--port", self._port_file.read_text(), environment=kept)

    def wait(self) -> None:
        """Wait until the server answers. Raises LabError."""
        try:
            self.daemon.wait_until(self._answers, READY_SECONDS)
        except LabError:
            self.daemon.kill()
            raise

    def _answers(self) -> bool:
        try:
            self._ask("calls")
        except LabError:
            return False
        return True

    def _ask(self, what: str, body: dict[str, Any] | None = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/rehearsal/{what}", data=data)  # noqa: S310 - always http
        # Without a proxy of the caller's environment.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=15) as answer:
                return json.load(answer)
        except (OSError, urllib.error.URLError, ValueError) as error:
            raise LabError(f"Could not ask the rehearsal's ECR: {error}.") from error

    def token(self, account: str = ACCOUNT, region: str = REGION) -> str:
        """Return the password that the registry of that account and region accepts now."""
        return str(self._ask("token", {"account": account, "region": region})["token"])

    def rotate(self) -> None:
        """Invalidate every token so far."""
        self._ask("rotate", {})

    @property
    def calls(self) -> int:
        """Return the number of requests for a token."""
        return int(self._ask("calls")["calls"])

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Return every request for a token: region, accounts, access key, time."""
        return list(self._ask("calls")["requests"])

    def configure(self, hours: float | None = None, fail: str | None = None, times: int = 1) -> None:
        """Change the lifetime of tokens, or answer the next requests with an AWS error code; "hang" never answers."""
        self._ask("configure", {"hours": hours, "fail": fail, "times": times})

    def keep_htpasswd(self, path: Path, account: str = ACCOUNT, region: str = REGION) -> None:
        """Write the current token into an htpasswd file, now and after every rotation."""
        self._ask("htpasswd", {"path": str(path), "account": account, "region": region})

    def stop(self) -> None:
        """End the server."""
        self.daemon.stop(grace=2.0)


class _Tokens:
    """The state of the server: the valid token, and the requests so far."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.generation = 1
        self.salt = secrets.token_hex(8)
        self.hours = HOURS
        self.failures: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.files: dict[str, tuple[str, str]] = {}

    def token(self, account: str, region: str) -> str:
        """Short enough for bcrypt (72 bytes), different for every account, region and rotation."""
        return f"tok{self.generation}-{self.salt}-{account}-{region}"

    def next_failure(self, target: str) -> Any:
        """The answer that a test scripted for this request for a token, if any."""
        from werkzeug import Response

        with self.lock:
            if not target.endswith("GetAuthorizationToken") or not self.failures:
                return None
            code = self.failures.pop(0)
        if code == "hang":
            time.sleep(HANG_SECONDS)
        status = 500 if code.startswith(("Server", "Internal", "hang")) else 400
        answer = {"__type": code, "message": f"The rehearsal is set to answer {code}"}
        return Response(json.dumps(answer), status=status, mimetype="application/x-amz-json-1.1")

    def rotate(self) -> None:
        """The next generation."""
        with self.lock:
            self.generation += 1
            self.salt = secrets.token_hex(8)
            for path in self.files:
                self.write(path)

    def write(self, path: str) -> None:
        """Write one htpasswd file in place of the old one."""
        import bcrypt

        line = bcrypt.hashpw(self.token(*self.files[path]).encode(), bcrypt.gensalt(rounds=4)).decode()
        part = Path(f"{path}.part")
        part.write_text(f"AWS:{line}\n")
        part.replace(path)


def _authorization(tokens: _Tokens, region: str, accounts: list[str], key: str) -> dict[str, Any]:
    """The answer to GetAuthorizationToken."""
    now = datetime.datetime.now(datetime.UTC)
    tokens.requests.append({"region": region, "accounts": accounts, "access_key": key, "time": now.isoformat()})
    data = []
    for account in accounts:
        pair = f"AWS:{tokens.token(account, region)}"
        data.append(
            {
                "authorizationToken": base64.b64encode(pair.encode()).decode(),
                "expiresAt": now + datetime.timedelta(hours=tokens.hours),
                "proxyEndpoint": f"https://{account}.dkr.ecr.{region}.amazonaws.com",
            }
        )
    return {"authorizationData": data}


def _teach_moto(tokens: _Tokens) -> None:
    """Replace moto's answer, which expired in 2015."""
    from moto.core.responses import ActionResult
    from moto.ecr.responses import ECRResponse

    def get_authorization_token(self: Any) -> Any:
        with tokens.lock:
            key = str(self.headers.get("Authorization", "")).partition("Credential=")[2].partition("/")[0]
            accounts = self._get_param("registryIds") or [self.current_account]
            return ActionResult(_authorization(tokens, self.region, list(accounts), key))

    ECRResponse.get_authorization_token = get_authorization_token  # type: ignore[method-assign]


def _control(tokens: _Tokens, what: str, body: dict[str, Any]) -> dict[str, Any]:
    """Answer the lab's own requests."""
    if what == "rotate":
        tokens.rotate()
    elif what == "token":
        return {"token": tokens.token(body["account"], body["region"])}
    elif what == "configure":
        with tokens.lock:
            tokens.hours = body["hours"] if body.get("hours") is not None else tokens.hours
            tokens.failures = [body["fail"]] * int(body.get("times", 1)) if body.get("fail") else []
    elif what == "htpasswd":
        with tokens.lock:
            tokens.files[body["path"]] = (body["account"], body["region"])
            tokens.write(body["path"])
    return {"calls": len(tokens.requests), "requests": tokens.requests}


def _registry_status(tokens: _Tokens, environ: dict[str, Any]) -> int:
    """Answer as the registry would whose name was asked for: 200 for its current token, else 401."""
    name = re.match(r"(\d{12})\.dkr\.ecr\.([^.]+)\.", str(environ.get("HTTP_HOST", "")))
    given = base64.b64decode(str(environ.get("HTTP_AUTHORIZATION", "")).removeprefix("Basic ")).decode()
    # A token opens the registries of its region, of every account that lets its owner in.
    begin, end = tokens.token("", name[2] if name else "").split("--")
    return 200 if name and given.startswith(f"AWS:{begin}-") and given.endswith(f"-{end}") else 401


def serve(port: int) -> None:
    """Serve AWS' API, and the lab's own requests below /rehearsal/."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug import Request, Response
    from werkzeug.serving import run_simple

    tokens = _Tokens()
    _teach_moto(tokens)
    aws = DomainDispatcherApplication(create_backend_app)

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        path = str(environ.get("PATH_INFO", ""))
        if path == "/v2/":
            return Response("{}", status=_registry_status(tokens, environ), mimetype="application/json")(environ, start_response)
        if not path.startswith("/rehearsal/"):
            failure = tokens.next_failure(str(environ.get("HTTP_X_AMZ_TARGET", "")))
            return failure(environ, start_response) if failure else aws(environ, start_response)
        body = json.loads(Request(environ).get_data() or b"{}")
        answer = _control(tokens, path.removeprefix("/rehearsal/"), body)
        return Response(json.dumps(answer), mimetype="application/json")(environ, start_response)

    run_simple("127.0.0.1", port, application, threaded=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server in the foreground."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port of the loopback; 0 picks a free one")
    options = parser.parse_args(arguments)
    serve(options.port or free_port())


if __name__ == "__main__":
    main()
