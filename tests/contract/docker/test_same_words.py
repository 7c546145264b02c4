# SPDX-License-Identifier: GPL-3.0-or-later
"""Word for word: the stand-in and the real docker 28 print the same through a whole story, on the same channels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Docker, LightEngine

Step = tuple[str, ...]

CONTEXTS: list[Step] = [
    ("context", "create", "aaa", "--description", "x y", "--docker", "host=unix:///tmp/a.sock"),
    ("context", "create", "aaa", "--docker", "host=unix:///tmp/b.sock"),
    ("context", "create", "bbb"),
    ("context", "create", "ccc", "--from", "aaa", "--description", "copied"),
    ("context", "create", "ddd", "--from", "nope"),
    ("context", "create", "ddd", "--from", "aaa", "--docker", "host=unix:///x"),
    ("context", "create", "eee", "--docker", "host=unix:///tmp/a.sock,bogus=1"),
    ("context", "create", "fff", "--docker", "host=tcp://1.2.3.4:2376,skip-tls-verify=true"),
    ("context", "create", "ggg", "--docker", "host=tcp://1.2.3.4:2376,ca=/proc/nope"),
    ("context", "create", "hhh", "--docker", "host=ssh://u@h"),
    ("context", "create", "jjj", "--docker", "host=/var/x"),
    ("context", "create", "kkk", "--docker", "skip-tls-verify=1"),
    ("context", "create", "lll", "--docker", "from=fff"),
    ("context", "create", "one", "two"),
    ("context", "create"),
    ("context", "create", "--bogus"),
    ("context", "create", "mmm", "--docker", "nonsense"),
    ("context", "ls"),
    ("context", "ls", "--format", "json"),
    ("context", "ls", "--format", "table {{.Name}}\\t{{.DockerEndpoint}}\\t{{.Current}}"),
    ("context", "ls", "--format", "{{if .Current}}*{{else}}-{{end}}{{.Name | upper}}"),
    ("context", "ls", "--format", "{{.Name}} {{.Nope}}"),
    ("context", "ls", "--format", "{{nonsense .Name}}"),
    ("context", "ls", "-q", "extra"),
    ("context", "use", "aaa"),
    ("context", "show"),
    ("context", "inspect"),
    ("context", "inspect", "aaa", "nope", "fff"),
    ("context", "inspect", "aaa", "--format", "json"),
    ("context", "inspect", "aaa", "--format", '{{(index .Endpoints "docker").Host}} {{json .Endpoints.docker}}'),
    ("context", "inspect", "aaa", "--format", "{{.Name}} {{.Metadata.Description}}"),
    ("context", "update", "fff", "--description", "zz"),
    ("context", "update", "fff", "--docker", "host=unix:///q"),
    ("context", "update", "nope", "--description", "z"),
    ("context", "update", "aaa"),
    ("context", "rm", "aaa"),
    ("context", "rm", "default", "nope", "bbb"),
    ("context", "rm", "-f", "aaa", "never-was"),
    ("context", "rm"),
    ("context", "use", "nope"),
    ("context", "use"),
    ("context", "nonsense"),
    ("context", "ls"),
    ("nonsense",),
    ("--nonsense",),
    ("--version",),
    ("--log-level", "nonsense", "context", "show"),
]
# One driver option only: the real buildx prints several in no order.
BUILDERS: list[Step] = [
    ("context", "create", "eng", "--docker", "host={engine}"),
    ("context", "create", "dead", "--docker", "host=unix:///proc/nowhere.sock"),
    ("context", "use", "dead"),
    ("buildx", "create", "--name", "multi", "--platform", "linux/amd64,linux/arm64,linux/arm/v7", "eng"),
    ("buildx", "create", "--name", "multi", "eng"),
    ("buildx", "create", "--name", "multi", "--append", "eng"),
    ("buildx", "create", "--name", "multi", "--node", "other"),
    ("buildx", "create", "--name", "multi", "--append", "--node", "other", "--driver", "docker-container", "{engine}"),
    ("buildx", "create", "--name", "opt", "--driver-opt", "network=host", "--buildkitd-flags", "--debug", "eng"),
    ("buildx", "create", "--name", "deadone", "dead"),
    ("buildx", "create", "--name", "far", "--driver", "remote", "unix:///proc/nowhere.sock"),
    ("buildx", "create", "--name", "x", "--driver", "nope"),
    ("buildx", "create", "--name", "default"),
    ("buildx", "create", "--name", "eng"),
    ("buildx", "create", "a", "b"),
    ("buildx", "create", "--bogus"),
    ("buildx", "create", "--leave", "--name", "multi"),
    ("buildx", "create", "--leave", "--name", "multi", "--node", "nope"),
    ("buildx", "inspect", "multi"),
    ("buildx", "inspect", "opt"),
    ("buildx", "inspect", "far"),
    ("buildx", "inspect", "dead"),
    ("buildx", "inspect", "nope"),
    ("buildx", "inspect", "a", "b"),
    ("buildx", "--builder", "opt", "inspect"),
    ("buildx", "use", "multi"),
    ("buildx", "use", "eng"),
    ("buildx", "use", "nope"),
    ("buildx", "ls", "--format", "{{.Name}} {{.Nope}}"),
    ("context", "rm", "-f", "eng"),
    ("buildx", "ls"),
    ("buildx", "ls", "--format", "json"),
    ("buildx", "ls", "--format", "{{.Name}}|{{.DriverEndpoint}}|{{.Status}}|{{.Platforms}}"),
    ("buildx", "rm", "nope"),
    ("buildx", "rm", "dead"),
    ("buildx", "rm", "opt"),
    ("buildx", "rm", "far"),
    ("buildx", "ls"),
]
CLOCK = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


def told(docker: Docker, steps: Sequence[Step], engine: str = "") -> list[str]:
    """Every command with its exit code, stdout and stderr, without what differs by time and place."""
    story = []
    for step in steps:
        arguments = [word.replace("{engine}", engine) for word in step]
        result = docker(*arguments)
        text = f"$ docker {' '.join(arguments)}\nexit code {result.rc}\nout:\n{result.out}err:\n{result.err}"
        story.append(CLOCK.sub("TIME", text.replace(str(docker.directory), "HERE")))
    return story


def files(folder: Path) -> dict[str, str]:
    """The content of every file below a folder."""
    found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: CLOCK.sub("TIME", path.read_text()) for name, path in found.items() if "cli-plugins" not in name}


def test_contexts_are_told_word_for_word(both: tuple[Docker, Docker]) -> None:
    mine, real = (told(docker, CONTEXTS) for docker in both)
    for step_of_mine, step_of_real in zip(mine, real, strict=True):
        assert step_of_mine == step_of_real
    assert files(both[0].config) == files(both[1].config)


def test_builders_are_told_word_for_word(both_buildx: tuple[Docker, Docker], light_engine: LightEngine) -> None:
    mine, real = (told(docker, BUILDERS, light_engine.host) for docker in both_buildx)
    for step_of_mine, step_of_real in zip(mine, real, strict=True):
        assert step_of_mine == step_of_real
    assert files(both_buildx[0].config) == files(both_buildx[1].config)
