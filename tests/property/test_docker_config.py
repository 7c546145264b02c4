# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever docker's config.json holds, an edit changes what it names and nothing else."""

from __future__ import annotations

import itertools
import json
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError, NotVerified
from ansible_collections.laptop.containers.plugins.module_utils.core.system import files as atomic_file
from ansible_collections.laptop.containers.plugins.module_utils.docker.config.file import ConfigFile, render, without_logins
from ansible_collections.laptop.containers.plugins.module_utils.docker.config.plan import (
    ConfigFacts,
    EditConfig,
    UndoFacts,
    edit,
    edited,
    plan_config,
    plan_undo,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.test_runs.tiers import times

KEYS = st.one_of(
    st.text(max_size=12), st.sampled_from(["auths", "credsStore", "cliPluginsExtraDirs", "currentContext", "HttpHeaders"])
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
CONFIGS = st.dictionaries(KEYS, VALUES, max_size=8)
INDENTS = st.sampled_from(["\t", "  ", "    ", None])
MANY = settings(max_examples=times(10, 60, 60))


@contextmanager
def config_file(text: str, mode: int = 0o600) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "config.json"
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        yield path


@MANY
@given(config=CONFIGS, indent=INDENTS, key=KEYS, value=VALUES, mode=st.sampled_from([0o600, 0o644, 0o640, 0o400 | 0o200]))
def test_other_keys_their_order_and_the_mode_stay(config: Any, indent: Any, key: str, value: Any, mode: int) -> None:
    with config_file(json.dumps(config, indent=indent), mode) as path:
        ConfigFile(path).edit(lambda found: {**found, key: value})
        after = json.loads(path.read_text(encoding="utf-8"))
        assert after == {**config, key: value}
        assert [name for name in after if name != key] == [name for name in config if name != key]
        assert list(after)[: len(config)] == list(config)
        assert stat.S_IMODE(path.stat().st_mode) == mode


@MANY
@given(config=CONFIGS, indent=INDENTS)
def test_an_edit_that_changes_nothing_writes_nothing(config: Any, indent: Any) -> None:
    with config_file(json.dumps(config, indent=indent)) as path:
        before = path.stat()
        assert ConfigFile(path).edit(dict) is None
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert len(list(path.parent.iterdir())) == 1


@MANY
@given(config=CONFIGS, indent=st.sampled_from(["\t", "  ", "    "]), end=st.sampled_from(["", "\n"]))
def test_the_layout_of_the_file_stays(config: Any, indent: str, end: str) -> None:
    text = json.dumps(config, indent=indent, ensure_ascii=False) + end
    if config:
        assert render(config, text) == text


@MANY
@given(config=CONFIGS)
def test_the_backup_is_the_file_as_it_was_but_for_its_logins(config: Any) -> None:
    text = json.dumps(config, indent=3)
    with config_file(text, 0o640) as path:
        kept = ConfigFile(path).edit(lambda found: {**found, "new key": 1})
        assert kept is not None
        assert kept.read_bytes() == without_logins(text.encode())
        assert {"auths", "HttpHeaders", "proxies"} & config.keys() or kept.read_text(encoding="utf-8") == text
        assert stat.S_IMODE(kept.stat().st_mode) == 0o640


@MANY
@given(config=CONFIGS, text=st.text(max_size=40))
def test_a_linked_file_stays_linked(config: Any, text: str) -> None:
    with config_file(json.dumps(config)) as path:
        link = path.with_name("link.json")
        link.symlink_to("config.json")
        ConfigFile(link).edit(lambda found: {**found, "x": text})
        assert str(link.readlink()) == "config.json"
        assert json.loads(path.read_text(encoding="utf-8"))["x"] == text


@MANY
@given(text=st.text(max_size=40))
def test_a_file_that_docker_cannot_read_is_never_written(text: str) -> None:
    try:
        readable = not text.strip() or isinstance(json.loads(text), dict)
    except ValueError:
        readable = False
    with config_file(text) as path:
        before = path.read_bytes()
        if readable:
            return
        with pytest.raises(InputError):
            ConfigFile(path).edit(lambda found: {**found, "x": 1})
        assert path.read_bytes() == before


HELPERS = st.frozensets(st.sampled_from(["desktop", "osxkeychain", "pass", "secretservice"]))
PLUGIN = st.sampled_from([None, ("found", "/p/docker-buildx"), ("directory", "/opt/homebrew/lib/docker/cli-plugins")])
DOCKERISH = st.fixed_dictionaries(
    {},
    optional={
        "credsStore": st.sampled_from(["desktop", "osxkeychain", "ecr-login"]),
        "credHelpers": st.dictionaries(st.sampled_from(["a.example", "b.example"]), st.sampled_from(["desktop", "ecr-login"])),
        "cliPluginsExtraDirs": st.lists(st.sampled_from(["/gone", "/here", "/opt/homebrew/lib/docker/cli-plugins"]), max_size=3),
        "currentContext": st.sampled_from(["desktop-linux", "mine"]),
        "auths": st.just({"r.example": {"auth": "c2VjcmV0"}}),
        "experimental": st.just("enabled"),
    },
)


def facts(config: Any, helpers: frozenset[str], plugin: Any, system: str) -> ConfigFacts:
    extra = config.get("cliPluginsExtraDirs") or []
    if plugin and plugin[0] == "directory" and plugin[1] in extra:
        plugin = ("found", plugin[1] + "/docker-buildx")
    return ConfigFacts(
        system=system,
        helpers=helpers,
        desktop="desktop" in helpers,
        dead_directories=frozenset(item for item in extra if item == "/gone"),
        dead_context=config.get("currentContext") == "desktop-linux",
        plugins={"docker-buildx": plugin},
    )


@MANY
@given(config=DOCKERISH, helpers=HELPERS, plugin=PLUGIN, system=st.sampled_from(["Darwin", "Linux"]))
def test_a_repair_is_settled_in_one_go_keeps_logins_and_can_be_undone(
    config: Any, helpers: frozenset[str], plugin: Any, system: str
) -> None:
    plan = plan_config(config, facts(config, helpers, plugin, system), repair=True)
    edits = [step for step in plan.steps if isinstance(step, EditConfig)]
    after = edited(config, edits)
    assert plan_config(after, facts(after, helpers, plugin, system), repair=True).steps == ()
    assert after.get("auths") == config.get("auths")
    assert after.get("experimental") == config.get("experimental")
    assert "c2VjcmV0" not in json.dumps([plan.actions, plan.diff])
    back = plan_undo(after, UndoFacts(edits, desktop=True, contexts=frozenset(["desktop-linux"])))
    assert edited(after, [step for step in back.steps if isinstance(step, EditConfig)]) == config
    lost = plan_undo(after, UndoFacts(edits))
    left = edited(after, [step for step in lost.steps if isinstance(step, EditConfig)])
    for key in ("credsStore", "credHelpers", "currentContext"):
        assert left.get(key) == after.get(key)
    assert len(lost.warnings) == len({step.key for step in edits} & {"credsStore", "credHelpers", "currentContext"})


def test_what_was_changed_since_is_not_undone() -> None:
    noted = [edit("credsStore", "desktop", "osxkeychain")]
    assert not plan_undo({"credsStore": "pass"}, UndoFacts(noted, desktop=True)).changed


def test_no_reader_sees_half_a_file() -> None:
    with config_file(json.dumps({"auths": {str(number): "x" * 50 for number in range(500)}})) as path:
        stop = threading.Event()
        seen: list[Exception] = []

        def look() -> None:
            while not stop.is_set():
                try:
                    assert len(json.loads(path.read_text())["auths"]) == 500
                except Exception as error:
                    seen.append(error)

        watcher = threading.Thread(target=look)
        watcher.start()
        for number in range(50):
            ConfigFile(path).edit(partial(adding, "n", number), backup=False)
        stop.set()
        watcher.join()
        assert not seen


def adding(key: str, value: object, found: Mapping[str, Any]) -> dict[str, Any]:
    return {**found, key: value}


def test_runs_beside_each_other_lose_nothing() -> None:
    with config_file("{}") as path:
        threads = [
            threading.Thread(target=partial(ConfigFile(path).edit, partial(adding, f"k{n}", n), backup=False)) for n in range(24)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert json.loads(path.read_text()) == {f"k{n}": n for n in range(24)}


def test_a_write_between_reading_and_replacing_is_not_lost() -> None:
    with config_file('{"auths": {}}') as path:
        meanwhile = iter([{"auths": {"r.example": {}}}, {"auths": {"r.example": {}}, "currentContext": "mine"}])

        def change(found: dict[str, Any]) -> dict[str, Any]:
            other = next(meanwhile, None)
            if other is not None:
                # As docker does it: another file takes the name.
                path.with_suffix(".docker").write_text(json.dumps(other))
                path.with_suffix(".docker").replace(path)
            return {**found, "credsStore": "pass"}

        ConfigFile(path).edit(change)
        assert json.loads(path.read_text()) == {"auths": {"r.example": {}}, "currentContext": "mine", "credsStore": "pass"}
        assert len(list(path.parent.glob("*.bak"))) == 1


def test_the_newest_write_stays_also_when_it_comes_between_the_two_exchanges(monkeypatch: pytest.MonkeyPatch) -> None:
    with config_file('{"n": 0}') as path:
        exchange = atomic_file._rename("exchange")
        # The first exchange finds a write just before it, the second one another.
        writes = iter(['{"n": 1}', '{"n": 2}'])

        def interrupted(one: bytes, other: bytes) -> bool:
            if (content := next(writes, None)) is not None:
                path.with_suffix(".docker").write_text(content)
                path.with_suffix(".docker").replace(path)
            return exchange(one, other)

        monkeypatch.setattr(atomic_file, "_rename", lambda _way: interrupted)
        assert not atomic_file.replace_if_unchanged(path, '{"n": "ours"}', 0o600, b'{"n": 0}')
        assert path.read_text() == '{"n": 2}'
        assert [item.name for item in path.parent.iterdir()] == ["config.json"]


# Reads, changes and replaces the file as docker does, only far more often.
WRITER = """
import json, os, sys, time
path = sys.argv[1]
for number in range(500):
    time.sleep(0.001)
    with open(path) as file:
        settings = json.load(file)
    settings[f"k{number}"] = number
    with open(path + ".docker", "w") as file:
        json.dump(settings, file)
    os.replace(path + ".docker", path)
"""


def test_the_writes_of_a_busy_program_stay() -> None:
    """An edit that only reads and replaces loses about 400 of the 500."""
    with config_file("{}") as path:
        busy = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        attempts = itertools.count()
        while busy.poll() is None:
            # On a disk that is slow to write, all attempts of an edit come too late.
            with suppress(NotVerified):
                ConfigFile(path).edit(lambda found: {**found, "credsStore": str(next(attempts))}, backup=False)
        assert busy.returncode == 0
        assert next(attempts) > 10
        after = json.loads(path.read_text())
        lost = [number for number in range(500) if f"k{number}" not in after]
        # One in some thousands falls between two system calls on a busy machine: see replace_if_unchanged.
        assert len(lost) <= 5, lost
        assert sorted(item.name for item in path.parent.iterdir()) == ["config.json"]


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed: apt-get install docker.io")
def test_the_docker_command_writing_at_the_same_time_loses_nothing(home: Path) -> None:
    path = home / ".docker/config.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"auths": {"r.example": {"auth": "eDp5"}}, "HttpHeaders": {"X": "y"}}))
    for name in ("ctx-a", "ctx-b"):
        subprocess.run(["docker", "context", "create", name, "--docker", "host=unix:///x"], check=True, capture_output=True)
    process = subprocess.Popen(
        ["sh", "-c", "i=0; while [ $i -lt 20 ]; do docker context use ctx-a; docker context use ctx-b; i=$((i+1)); done"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    edits = 0
    while process.poll() is None:
        # docker reads at its start and writes at its end: what it overwrites, the next run sets again.
        ConfigFile(path).edit(lambda found: {**found, "credsStore": "pass"}, backup=False)
        edits += 1
    ConfigFile(path).edit(lambda found: {**found, "credsStore": "pass"}, backup=False)
    after = json.loads(path.read_text())
    assert after["currentContext"] == "ctx-b"
    assert after["auths"] == {"r.example": {"auth": "eDp5"}}
    assert after["HttpHeaders"] == {"X": "y"}
    assert after["credsStore"] == "pass"
    assert edits > 10
