# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that makes a container again."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.migration.commands import run_command

IMAGE = {
    "Config": {"Env": ["PATH=/bin", "LEVEL=1"], "Cmd": ["serve"], "Entrypoint": ["/web"], "User": "web", "Labels": {"by": "us"}},
}
# As the engine describes a container of this image that asked for nothing.
PLAIN = {**IMAGE["Config"], "Image": "web:1"}
SECRET = "hunter2-canary"


@pytest.mark.parametrize(
    "config",
    [
        {"Cmd": ["redis-server", "--requirepass", SECRET]},
        {"Cmd": ["redis-server", "--requirepass", f"two words {SECRET}"]},
        {"Cmd": ["mysqld", f"--password={SECRET}"]},
        {"Cmd": ["sh", "-c", f"DB_PASS='{SECRET}' exec serve"]},
        {"Cmd": ["sh", "-c", f'export API_TOKEN="{SECRET}"; serve --port 80']},
        {"Cmd": ["curl", "-u", f"admin:{SECRET}", "http://x"]},
        {"Cmd": ["serve", f"postgres://me:{SECRET}@db/shop"]},
        {"Cmd": ["serve", "--header", f"Authorization: Bearer {SECRET}1"]},
        {"Entrypoint": ["/sh", "-c"], "Cmd": [f"TOKEN={SECRET} serve"]},
        {"Labels": {"a": "b", "shop.db.password": SECRET}},
        {"Labels": {"a": "b", "shop.token": f"it's {SECRET}"}},
        {"Labels": {"traefik.http.middlewares.auth.basicauth.users": f"admin:{SECRET}"}},
    ],
)
def test_arguments_and_labels_show_no_secret(config: dict[str, Any]) -> None:
    said = run_command({"Name": "/shop", "Config": {**PLAIN, **config}, "HostConfig": {}}, IMAGE)
    assert SECRET not in said and "(hidden)" in said
    assert said.startswith("docker run --detach --name shop ") and " web:1" in said


@pytest.mark.parametrize("words", [["serve", "--port", "80"], ["sh", "-c", "sleep 1; exec serve --config /etc/a.yml"]])
def test_plain_arguments_are_shown(words: list[str]) -> None:
    said = run_command({"Name": "/shop", "Config": {**PLAIN, "Cmd": words}, "HostConfig": {}}, IMAGE)
    assert said.endswith(shlex.join(words))


@pytest.mark.parametrize(
    ("config", "host", "said"),
    [
        ({}, {"NetworkMode": "default", "ShmSize": 64 << 20, "IpcMode": "private"}, "--detach --name shop web:1"),
        ({"Tty": True}, {}, "--interactive --tty --name shop web:1"),
        ({"Env": ["PATH=/bin", "LEVEL=2", "PASSWORD=hunter2"]}, {}, "--detach --name shop --env LEVEL --env PASSWORD web:1"),
        ({"Cmd": ["serve", "a b"]}, {}, "--detach --name shop web:1 serve 'a b'"),
        ({"Entrypoint": ["/sh", "-c"], "Cmd": ["true"]}, {}, "--detach --name shop --entrypoint /sh web:1 -c true"),
        ({"User": "0", "WorkingDir": "/w"}, {}, "--detach --name shop --user 0 --workdir /w web:1"),
        ({"Labels": {"by": "us", "a": "b", "com.docker.x": "y"}}, {}, "--detach --name shop --label a=b web:1"),
        (
            {},
            {
                "PortBindings": {
                    "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
                    "53/udp": [{"HostPort": "53"}],
                }
            },
            "--detach --name shop --publish 53:53/udp --publish 127.0.0.1:8080:80 web:1",
        ),
        (
            {},
            {"NetworkMode": "shopnet", "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
            "--detach --name shop --network shopnet --restart on-failure:3 web:1",
        ),
        (
            {},
            {
                "Privileged": True,
                "CapAdd": ["NET_ADMIN"],
                "Memory": 1 << 30,
                "NanoCpus": 1_500_000_000,
                "Tmpfs": {"/t": ""},
            },
            "--detach --name shop --tmpfs /t --cap-add NET_ADMIN --privileged --memory 1073741824 --cpus 1.5 web:1",
        ),
    ],
)
def test_it_says_what_the_image_does_not(config: dict[str, Any], host: dict[str, Any], said: str) -> None:
    container = {"Name": "/shop", "Config": {**PLAIN, **config}, "HostConfig": host}
    assert run_command(container, IMAGE) == f"docker run {said}"


def test_mounts_are_in_it_and_no_value_of_the_environment() -> None:
    mounts = [
        {"Type": "volume", "Name": "db", "Source": "/var/lib/docker/volumes/db/_data", "Destination": "/data", "RW": True},
        {"Type": "bind", "Source": "/Users/me/conf", "Destination": "/conf", "RW": False},
    ]
    config = {**PLAIN, "Env": [*PLAIN["Env"], "PASSWORD=hunter2"]}
    said = run_command({"Name": "/shop", "Config": config, "HostConfig": {}, "Mounts": mounts}, IMAGE)
    assert "--volume db:/data --volume /Users/me/conf:/conf:ro web:1" in said and "hunter2" not in said
