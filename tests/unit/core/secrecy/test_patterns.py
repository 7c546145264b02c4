# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken for a secret by its name or its form, and what stays readable."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.secrecy.patterns import (
    HIDDEN,
    hidden,
    is_secret_name,
    logins_in,
    redact,
    secrets_in,
    without_logins,
)

# Put together, so that no scanner of repositories takes an example for a leak.
HEX32, HEX40 = "9f86d081884c7d65" * 2, "9f86d081884c7d659a2f" * 2
JWT = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
LONG = "dGhpcyBpcyBhIHZlcnkgbG9uZyBzZWNyZXQgdGV4dCBvZiBuby1vbmU"
# A line, and what must be gone of it.
SECRETS: tuple[tuple[str, str], ...] = (
    ("proxy http://jane:hunt@er2@proxy:3128 used", "hunt@er2"),
    ("https://user:pa/ss@host/x", "pa/ss"),
    ("https://user:pa%2Fss@host", "pa%2Fss"),
    ("git clone https://" + "ghp_x@github.example/laptops.git", "ghp_x"),
    ("fatal: unable to access 'https://x1y2z3w4v5@git.example/a.git/'", "x1y2z3w4v5"),
    ("amqp://guest:canary1@rabbit:5672/vhost", "canary1"),
    ("DATABASE_URL=postgres://app:canary1@db/app", "canary1"),
    ("DB_PASS=canary1", "canary1"),
    ('"SMTP_PASS": "canary1"', "canary1"),
    ("MYSQL_PWD: canary1", "canary1"),
    ("PGPASS=canary1", "canary1"),
    ("mysqld --password canary1", "canary1"),
    ("mysqld --password=canary1", "canary1"),
    ("redis-server --requirepass canary1", "canary1"),
    ("redis-cli -a canary1 ping", "canary1"),
    ("mysql -u root -pcanary1 db", "canary1"),
    ("sshpass -p canary1 ssh host", "canary1"),
    ("<db><password>canary1 and more</password></db>", "canary1"),
    ("<apiKey>canary1</apiKey>", "canary1"),
    ("echo canary1 | docker login r.example -u me --password-stdin", "canary1"),
    ("printf '%s' canary1 | nerdctl login --password-stdin r.example", "canary1"),
    ("docker login -u me -p canary1 r.example", "canary1"),
    ("curl -u admin:canary1 http://h", "canary1"),
    ("curl --user admin:canary1 http://h", "canary1"),
    ('["curl", "-u", "admin:canary1", "http://h"]', "canary1"),
    ('["mysqld", "--password", "canary1"]', "canary1"),
    ("--set auth.password=canary1", "canary1"),
    ("--api-key canary1", "canary1"),
    ("--token canary1", "canary1"),
    ("--client-secret=canary1", "canary1"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"),
    ("aws_session_token=canary1+/==", "canary1"),
    ("key " + "AKIA" + "IOSFODNN7EXAMPLE is used", "IOSFODNN7"),
    ("ASIA" + "IOSFODNN7EXAMPLE", "IOSFODNN7"),
    (f"Authorization: Bearer {JWT}", "sdWIi"),
    ("Authorization: Basic QVdTOmFiYw==", "QVdTOmFiYw"),
    ("Proxy-Authorization: Basic QVdTOmFiYw==", "QVdTOmFiYw"),
    ('"Authorization": "token canary1"', "canary1"),
    ("authorization: AWS4-HMAC-SHA256 Credential=canary1/x, Signature=canary2", "canary2"),
    ("x-api-key: canary1", "canary1"),
    ("x-api-key canary1", "canary1"),
    ("-H 'X-Vault-Token: canary1'", "canary1"),
    ("X-Auth-Key: canary1", "canary1"),
    ("Cookie: session=canary1; id=canary2", "canary2"),
    ("Set-Cookie: sid=canary1; Path=/", "canary1"),
    ('{"password": "two words, \\"quoted\\""}', "two words"),
    ('{"stdout": "{\\"password\\": \\"canary1 b\\"}"}', "canary1"),
    ('{"stdout": "password: correct horse canary1\\nnext: line"}', "canary1"),
    ("MY_TOKEN='a b c'", "a b c"),
    ("passphrase=short", "short"),
    ("password: correct horse battery canary1", "canary1"),
    ("DB_PASSWORD=first canary1", "canary1"),
    ("password = a,canary1", "canary1"),
    ("password=canary1;level=info", "canary1"),
    ("db.password: canary1", "canary1"),
    ("dbPassword: canary1", "canary1"),
    ("'client_secret' => 'canary1'", "canary1"),
    ("tls_key: canary1", "canary1"),
    ("password: |\n  canary1\n  canary2\nnext: line", "canary2"),
    ("  api_token: >-\n    canary1\n    canary2\n", "canary2"),
    ("- secret: |\n    canary1\n", "canary1"),
    ("- name: DB_PASSWORD\n  value: canary1", "canary1"),
    ('{"name": "DB_PASS", "value": "canary1"}', "canary1"),
    ("docker run -e MYSQL_ROOT_PASSWORD=canary1 mysql", "canary1"),
    ('"auths": {"r": {"auth": "QVdTOmFiYw=="}}', "QVdTOmFiYw"),
    ('"identitytoken": "canary1"', "canary1"),
    ('"registrytoken": "canary1"', "canary1"),
    (f"the answer was {LONG}", LONG),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\ndef\n-----END OPENSSH PRIVATE KEY-----", "abc"),
    ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----", "abc"),
    ("-----BEGIN PRIVATE KEY-----\ncut off", "cut off"),
    ("client-key-data: LS0tLS1CRUdJTg==", "LS0tLS1CRUdJTg"),
    ("private_key=canary1", "canary1"),
    ("token " + "ghp_abcdefghijklmnopqrst", "abcdefghij"),
    ("github_pat_" + "11ABCDEFG0abcdefghij_klm", "11ABCDEFG0"),
    ("glpat-" + "abcdefghijklmnopqrst", "abcdefghij"),
    ("xoxb-" + "123456789012-abcdefghij", "123456789012"),
    ("https://hooks.slack.com/services/" + "T000/B000/canary1", "canary1"),
    ("https://discord.example/api/webhooks/" + "1/canary1", "canary1"),
    ("SG." + "abcdefgh12345678.abcdefgh12345678abcd", "abcdefgh1234"),
    ("sk_live_" + "abcdefghijklmnop", "abcdefghijkl"),
    ("AIza" + "SyA1234567890abcdefghijklmnopqrstuv", "SyA12345"),
    ("ya29." + "a0AfH6SMBcanary1", "canary1"),
    ("npm_" + "abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijk"),
    ("pypi-" + "AgEIcHlwaS5vcmcCJGFiY2RlZg", "AgEIcHlw"),
    ("dckr_pat_" + "abcdefghijklmnop", "abcdefghijk"),
    ("hvs." + "CAESIJabcdefghijklmnop", "CAESIJabcdef"),
    ("hf_" + "abcdefghijklmnopqrst", "abcdefghijk"),
    (f"K10{HEX32}{HEX32}::server:canary1", "canary1"),
    (f"SK{HEX32}", HEX32),
    (f"key-{HEX32}", HEX32),
    (f"the session {HEX32} is over", HEX32),
    (f"called with {HEX40}", HEX40),
    ("https://bucket.example/x?X-Amz-Signature=canary1&X-Amz-Expires=300", "canary1"),
    ("https://x.example/?access_token=canary1", "canary1"),
    ("https://x.example/?sig=canary1%3D&se=2026", "canary1"),
    ("DefaultEndpointsProtocol=https;AccountKey=canary1==;EndpointSuffix=core", "canary1"),
    ("K3S_TOKEN=canary1", "canary1"),
    ("machine git.example login me password canary1", "canary1"),
)
HARMLESS: tuple[str, ...] = (
    "sha256:" + "0123456789abcdef" * 4,
    "commit 7421704f1b2c3d4e5f60718293a4b5c6d7e8f901",
    "HEAD 7421704f1b2c3d4e5f60718293a4b5c6d7e8f901 is checked out",
    'time=2026-11-26T19:00:00Z level=fatal msg="error starting vm: exit status 1"',
    "author: the team",
    "certificate-authority: /etc/ca.crt",
    "authentication: sso",
    "123456789012.dkr.ecr.eu-central-1.amazonaws.com/app:dev",
    "unix:///Users/me/.colima/docker-buildx/docker.sock",
    "ssh://git@github.example/team/laptops.git",
    "https://jane@git.example/team/laptops.git",
    "https://proxy.example:3128",
    "http://localhost:5000/v2/",
    "PWD=/Users/me/project",
    "OLDPWD=/Users/me",
    "bypass: example.com",
    "compass=north",
    "tests passed: 31",
    "passed=12 failed=0",
    "secretName: ecr-creds",
    "token_ttl=3600",
    "tokenFile: /var/run/token",
    "secret_refresh_namespaces: default",
    "password_file=/run/secrets/db",
    "docker login --username AWS --password-stdin r.example",
    "imagePullSecrets: [{name: ecr-creds}]",
    "credsStore=osxkeychain",
    "credHelpers: {}",
    "key=default/coredns-7b98449c4-x8jkd",
    "monkey: banana",
    "keyboard=us",
    "level=info msg=started",
    "I1126 19:00:00.123456 1 controller.go:42] Syncing node k8s",
    "container 4f66ad9a0b2e1c3d5f60718293a4b5c6d7e8f9014f66ad9a0b2e1c3d5f607182 started",
    "Started colima in 32 s",
    "docker-buildx  Running  aarch64  4  8GiB  60GiB",
    "vmType: vz, mountType: virtiofs",
    "PATH=/opt/homebrew/bin:/usr/bin:/bin",
    "HOME=/Users/me",
    "KUBECONFIG=/Users/me/.kube/config",
    "AWS_PROFILE=work",
    "AWS_REGION=eu-central-1",
    "DOCKER_HOST=unix:///var/run/docker.sock",
    "HTTPS_PROXY=http://proxy:3128",
    "NO_PROXY=localhost,127.0.0.1,.example",
    "-u 1000:1000",
    "--user 1000:1000 --rm",
    "-p 8080:80",
    "docker run -p 127.0.0.1:8080:80 nginx",
    "kubectl --context colima-k8s get namespaces",
    "aws sso login --profile work",
    "Basic settings are in inventory/",
    "bearer of news",
    "/home/linuxbrew/.linuxbrew/Cellar/docker-credential-helper/bin/docker",
    "/Users/me/Library/Application/Support/Caches/some/long/path/without/end",
    "uid 0e8400e2-9b41-4d4a-a716-446655440000",
    "coredns-7b98449c4-x8jkd 1/1 Running",
    "helm-install-traefik-crd-9xk2p Completed",
    "2026-11-26T19:00:00.000000Z",
    "10.43.0.10:53",
    "fe80::1ff:fe23:4567:890a",
    "exit code 1",
    "Could not reach cluster 'colima-k8s': connection refused at https://127.0.0.1:6443.",
    "Could not get a token for registry 'r.example'.",
    "the SSO session of profile 'work' has expired",
    "renewed pull secret colima-k8s/default/ecr-creds",
    "6 h are left",
    "mode: 0600",
    "memory: 8, cpu: 4, disk: 60",
    "registry-mirrors: [https://mirror.example.com]",
    "image nginx@sha256:" + "0123456789abcdef" * 4,
    "linux/amd64,linux/arm64",
    'ha.stderr.log: {"level":"info","msg":"[VZ] - vm state change: running"}',
    "Error response from daemon: No such container: web",
    "git@github.example:team/laptops.git",
    "mailto:platform@example.com",
    "contact: platform@example.com",
    "TERM=xterm-256color",
    "LANG=en_US.UTF-8",
    "colima version 0.9.1",
    "limactl version 2.0.0",
    "md5 d41d8cd98f00b204e9800998ecf8427e",
    'password: "{{ vault_password }}"',
    "password: ${DB_PASSWORD}",
    "auth: null",
    "tokens left: 3",
)


def test_the_lists_are_long_enough() -> None:
    assert len(set(SECRETS)) >= 80 and len(set(HARMLESS)) >= 80


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_secret_is_hidden_by_its_form_or_its_name(text: str, secret: str) -> None:
    shown = redact(text)
    assert secret not in shown and HIDDEN in shown, shown


@pytest.mark.parametrize("text", HARMLESS)
def test_what_helps_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_what_was_redacted_stays_so(text: str, secret: str) -> None:
    once = redact(text)
    assert redact(once) == once


def test_what_follows_a_secret_stays() -> None:
    assert redact("password: |\n  a\n  b\nnext: line\n") == f"password: |\n  {HIDDEN}\nnext: line\n"
    assert redact("level=info password=a b c msg=started") == f"level=info password={HIDDEN} msg=started"
    assert redact('{"password": "a", "rc": 1}') == f'{{"password": "{HIDDEN}", "rc": 1}}'


def test_names_of_secrets() -> None:
    assert all(map(is_secret_name, ("password", "DB_PASS", "API_TOKEN", "tls-key", "x-registry-auth", "MYSQL_PWD")))
    assert not any(map(is_secret_name, ("author", "PWD", "secretName", "tokenFile", "key", "bypass", "namespace")))


def test_logins_in_addresses() -> None:
    assert logins_in(["https://me:a@b@h", {"x": "https://" + "ghp_x@h"}]) == {"me:a@b", "ghp_x"}
    assert logins_in(["ssh://git@h", "http://me@proxy", "https://h/a@b", "mail me@h"]) == set()
    assert without_logins("at https://me:pa/ss@h/x") == "at https://h/x"


def test_what_must_not_be_seen_of_a_timer() -> None:
    environment = {
        "HTTPS_PROXY": "http://me:hunt@er2@proxy:3128",
        "http_proxy": "http://me@proxy",
        "AWS_SECRET_ACCESS_KEY": "hidden",
    }
    command = ["/bin/run", "--extra-vars", '{"proxy": "https://you:s3cret@proxy"}', "user@host"]
    assert secrets_in([command, environment]) == {"me:hunt@er2", "hunt@er2", "you:s3cret", "s3cret", "hidden"}
    # Options of another type are refused, and their secrets stay hidden.
    assert secrets_in("A=b AWS_SECRET_ACCESS_KEY=hidden1,MY_TOKEN: 'hidden2'") == {"hidden1", "hidden2"}
    assert secrets_in(["AWS_SECRET_ACCESS_KEY=hidden1", {"PASSWORD": "hidden2"}]) == {"hidden1", "hidden2"}
    assert secrets_in([None, "/bin/run http://a:b@c"]) == {"a:b"}


def test_what_must_not_be_seen_of_options() -> None:
    options = {"env": {"API_TOKEN": "hunter2", "MODE": "fast-one"}, "proxy": "http://me:hunt%40er2@p"}
    assert secrets_in(options) == {"hunter2", "me:hunt%40er2", "hunt%40er2", "hunt@er2"}
    assert hidden(options)["env"] == {"API_TOKEN": "(not shown)", "MODE": "fast-one"}
    assert hidden(options)["proxy"] == "http://(not shown)@p"


@pytest.mark.parametrize("name", ["ecr_pull_secret", "pull_secret", "secret_refresh_namespaces", "secret_refresh"])
def test_what_says_where_pull_secrets_are_holds_no_secret(name: str) -> None:
    assert secrets_in({name: {"namespaces": ["team-alpha"], "unreachable": "pending"}}) == set()
    assert secrets_in({name: {"token": "abcdef123456"}}) == {"abcdef123456"}
    assert secrets_in({"command": [f"--extra-vars={name}_unreachable=pending"]} if name == "secret_refresh" else {}) == set()
