# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a move: engines that are used, runs that are killed and run again, and what must hold after each of them.

A history is a list of events. What people do is known beforehand, and so is what every engine must hold; what a run does is then
judged by it. Engines are the stand-in's, in this process, and answer at once.
"""

from __future__ import annotations

import atexit
import json
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run
from ansible_collections.laptop.containers.plugins.module_utils.docker import stream
from ansible_collections.laptop.containers.plugins.module_utils.manifest.file import ManifestFile
from ansible_collections.laptop.containers.plugins.module_utils.migration import engines
from ansible_collections.laptop.containers.plugins.module_utils.migration.info import MoveReader
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import LABEL
from ansible_collections.laptop.containers.plugins.module_utils.migration.task import Mover

from rehearsal.standin.docker_engine import programs
from rehearsal.standin.docker_engine.server import Server
from rehearsal.standin.docker_engine.state import Memory
from rehearsal.standin.docker_engine.volumes import ROOT

from .at_once import Sockets
from .faults import Killed

Files = Mapping[str, str]
SOURCES, TARGET = ("old", "other"), "new"
SIDES = (*SOURCES, TARGET)
# A volume that can't be moved.
OUTSIDE = "fast"
_SECONDS = 30.0


@dataclass(frozen=True)
class Event:
    """Something that happens. what: the name of a method of World, or "kill" or "cut" within a run."""

    what: str
    given: tuple[Any, ...] = ()


@dataclass
class There:
    """A volume or a tag of the target. base: what the source had when it arrived; None for what did not arrive."""

    content: Any
    base: Any = None
    source: str = ""


@dataclass
class Side:
    """One engine, and what people have put into it. volumes: files by name; images: configurations by tag."""

    server: Server
    state: Memory
    volumes: dict[str, dict[str, str]] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"unix://{self.server.socket_path}"

    def found(self) -> dict[str, dict[str, str]]:
        """Return the files of its volumes, without the copies that a move works on. What was taken aside is there still."""
        rows = [one for one in self.state.load("volumes") if LABEL not in (one.get("Labels") or {})]
        return {one["Name"]: (one.get("Aside") if self.is_aside(one["Name"]) else one.get("Files")) or {} for one in rows}

    def is_aside(self, name: str) -> bool:
        """Whether the data of a volume was taken aside: no container starts with it."""
        return any(one["Name"] == name and not programs.has(one, "Files") for one in self.state.load("volumes"))

    def tags(self) -> dict[str, str]:
        """Return the configuration behind each tag."""
        return {tag: one["Config"]["Env"][0] for one in self.state.load("images") for tag in one.get("RepoTags") or ()}

    def work(self) -> dict[str, dict[str, str] | None]:
        """Return the volumes that a move works on."""
        rows = self.state.load("volumes")
        return {one["Name"]: one.get("Files") for one in rows if LABEL in (one.get("Labels") or {})}


class Moments:
    """Every moment of a run at which something can happen: before each request, after each answer, around each note.

    at: the number of the moment, -1 for none. since_note: it is counted from the first note on.
    """

    def __init__(self, at: int, *, since_note: bool) -> None:
        self.at, self.counting, self.count, self.dead, self.lock = at, not since_note, 0, False, threading.RLock()
        self.act: Callable[[str], None] = lambda _path: None
        self.sockets: list[socket.socket] = []

    def come(self, path: str = "") -> None:
        with self.lock:
            if self.dead:
                raise Killed
            self.count += self.counting
            if self.counting and self.count - 1 == self.at:
                self.act(path)

    def kill(self, _path: str) -> None:
        self.dead = True
        raise Killed

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Let moments come while the block runs."""
        init, answer, append = stream.Exchange.__init__, stream.Exchange.answer, ManifestFile._append

        def first(exchange: stream.Exchange, api: stream.EngineApi, *more: Any) -> None:
            self.come(api.path)
            init(exchange, api, *more)
            self.sockets.append(exchange.socket)

        def answered(exchange: stream.Exchange) -> None:
            answer(exchange)
            self.come()

        def appended(manifest: ManifestFile, entries: Any) -> None:
            self.counting = True
            self.come()
            append(manifest, entries)
            self.come()

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(stream.Exchange, "__init__", first)
            patched.setattr(stream.Exchange, "answer", answered)
            patched.setattr(ManifestFile, "_append", appended)
            try:
                yield
            finally:
                # A process that ends leaves no connection.
                for one in self.sockets:
                    with suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)


class World:
    """Two engines to move from, one to move to, and one laptop that remembers."""

    def __init__(self, directory: Path, servers: Mapping[str, Server]) -> None:
        self.directory, self.serial = directory, 0
        self.sides: dict[str, Side] = {}
        for name, server in servers.items():
            state = server.state
            assert isinstance(state, Memory)
            state.texts = {"engine": json.dumps({"ID": f"id-{name}"})}
            server.shells.passes = None
            self.sides[name] = Side(server, state)
        self.there: dict[str, There] = {}
        self.tags: dict[str, There] = {}
        self.foreign: dict[str, dict[str, str]] = {}
        # What volumes and tags of a source were, from the beginning of a run on.
        self.seen: list[tuple[str, str, Any]] = []
        # From which source each volume was begun that a move works on at the target.
        self.begun: dict[str, str] = {}
        self.running = self.forgotten = False
        # What the manifests and the target's volumes and tags were when the run began.
        self.noted: dict[Path, int] = {}
        self.at_start: dict[str, Any] = {}
        # What has come from each source: where another one's has taken its place since, that was someone's choice.
        self.arrived: set[tuple[str, str, str]] = set()
        # What was equal at both sides when a person changed it.
        self.equal: list[tuple[dict[str, There], str, Any, str]] = []
        # What a run was told to replace and did not come to: the target's content is given up, as it was then.
        self.given_up: list[tuple[str, Any]] = []
        # Volumes of a source that a container writes to, or did in this run.
        self.written: set[tuple[str, str]] = set()

    # What people do.

    def use(self, side: str, name: str, renew: bool = False) -> None:
        """Put something new into a volume, or, with renew, an empty one in its place."""
        one = self.sides[side]
        self._catch_up(side, name, self.there, one.found())
        if renew and not self.remove(side, name):
            return
        if one.is_aside(name):
            return
        self.serial += 1
        # What containers count up from it is nothing that anybody else puts anywhere.
        what = str(self.serial * 1000)
        files = {} if renew else {"first": what, "last": what}
        if name not in one.found():
            one.state.save("volumes", [*one.state.load("volumes"), _volume(name, self.serial)])
        programs.put(one.state, name, files)
        self._know(side, name, files)

    def put_outside(self, side: str) -> None:
        """Make a volume whose data is in memory."""
        self.sides[side].state.save(
            "volumes",
            [
                *(one for one in self.sides[side].state.load("volumes") if one["Name"] != OUTSIDE),
                _volume(OUTSIDE, 0, {"type": "tmpfs"}),
            ],
        )
        self._know(side, OUTSIDE, {})

    def remove(self, side: str, name: str) -> bool:
        """Remove a volume, unless a container has it."""
        one = self.sides[side]
        if any(mount.get("Name") == name for each in one.state.containers() for mount in each["Mounts"]):
            return False
        one.state.save("volumes", [each for each in one.state.load("volumes") if each["Name"] != name])
        self._know(side, name, None)
        return True

    def prune(self, side: str) -> None:
        """Remove every volume that no container has, and images without a name."""
        one = self.sides[side]
        for name in [each["Name"] for each in one.state.load("volumes")]:
            if self.remove(side, name) and side == TARGET:
                self.foreign.pop(name, None)
                self.begun.pop(name, None)
        one.state.save("images", [each for each in one.state.load("images") if each.get("RepoTags")])

    def tag(self, side: str, tag: str, config: str | None) -> None:
        """Give a tag to an image that differs from others only in its configuration, or take it away."""
        one = self.sides[side]
        self._catch_up(side, tag, self.tags, one.tags())
        images = [{**each, "RepoTags": [name for name in each["RepoTags"] if name != tag]} for each in one.state.load("images")]
        if config:
            made: dict[str, Any] = {
                "Id": f"sha256:{config * 64}",
                "RepoTags": [],
                "Layers": [f"sha256:{'a' * 64}"],
                "Created": 5,
                "Size": 5,
            }
            mine = next((each for each in images if each["Id"] == made["Id"]), {**made, "Config": {"Env": [f"RELEASE={config}"]}})
            images = [*(each for each in images if each["Id"] != mine["Id"]), {**mine, "RepoTags": [*mine["RepoTags"], tag]}]
        one.state.save("images", [each for each in images if each["RepoTags"] or LABEL in (each.get("Labels") or {})])
        value = f"RELEASE={config}" if config else None
        if side == TARGET:
            # A tag that is given again is another one's choice, as if it had never been away.
            self.tags[tag] = There(value, self.tags[tag].base if tag in self.tags else None, self._source(self.tags, tag))
        else:
            self.seen.append((side, tag, value))

    def hold(self, side: str, name: str, state: str) -> None:
        """Make a container that has a volume. state: "running", where it does not write while others read, "paused", "exited"."""
        one = self.sides[side]
        if name not in one.found() or (one.is_aside(name) and state != "exited"):
            return
        self.serial += 1
        mount = {"Type": "volume", "Name": name, "Source": f"{ROOT}/{name}/_data", "Destination": "/data", "RW": True}
        made = {"Id": f"c{self.serial}", "Names": [f"/c{self.serial}"], "State": state, "Mounts": [mount], "Labels": {}}
        one.state.save("containers", [*one.state.load("containers"), made])

    def write(self, side: str, name: str, bind: bool) -> None:
        """Start a container that changes two files of a volume together, again and again. bind: it has the volume's directory."""
        one = self.sides[side]
        if name not in one.found():
            return
        self.serial += 1
        place = {"Source": f"{ROOT}/{name}/_data", "Destination": "/data", "RW": True}
        mount = {"Type": "bind", **place} if bind else {"Type": "volume", "Name": name, **place}
        made = {"Id": f"c{self.serial}", "Names": [f"/c{self.serial}"], "Mounts": [mount], "Labels": {programs.WRITES: ""}}
        one.state.save("containers", [*one.state.load("containers"), {**made, "State": "running"}])
        self.written.add((side, name))

    def release(self, side: str) -> None:
        """Remove all containers of people's."""
        one = self.sides[side]
        one.state.save("containers", [each for each in one.state.load("containers") if LABEL in each.get("Labels", {})])

    def put_foreign(self, name: str) -> None:
        """Make a volume at the target that looks like one of a move, and is of another."""
        self.serial += 1
        label = {LABEL: "other"} if name.endswith("labelled") else {}
        one = self.sides[TARGET]
        made = {"Name": name, "Driver": "local", "Labels": label, "Mountpoint": f"{ROOT}/{name}/_data", "Options": None}
        volumes = [each for each in one.state.load("volumes") if each["Name"] != name]
        self.foreign[name] = {"theirs": str(self.serial)}
        one.state.save("volumes", [*volumes, {**made, "Files": self.foreign[name]}])

    def forget(self) -> None:
        """Lose what the laptop remembers."""
        shutil.rmtree(self.directory / "state", ignore_errors=True)
        self.forgotten = True
        if not self.running:
            self._forget_arrivals()

    def _forget_arrivals(self) -> None:
        self.forgotten, self.noted = False, {}
        self.arrived = {(source, name, content) for source, name, content in self.arrived if self._is_noted(source, name)}
        for name, one in (*self.there.items(), *self.tags.items()):
            # What a run has noted since is known.
            if not self._is_noted(one.source, name):
                # Nobody knows any more that it came from a source.
                one.base, one.source = None, ""

    def _manifests(self) -> dict[Path, str]:
        return {path: path.read_text() for path in self.directory.glob("state/**/*.jsonl")}

    def _is_noted(self, source: str, name: str) -> bool:
        """Whether a manifest tells of it since the run began."""
        return any(
            f"id-{source}@" in text and f'"name": "{name}"' in text[self.noted.get(path, 0) :]
            for path, text in self._manifests().items()
        )

    def tear(self) -> None:
        """Leave half of a line in each manifest, as a power cut does."""
        for path in self.directory.glob("state/**/*.jsonl"):
            with path.open("ab") as file:
                file.write(b'{"kind": "volume", "name": "db", "status": "moved", "sour')

    def fill(self, full: bool) -> None:
        """Fill the target's disk, or free it."""
        state = self.sides[TARGET].state
        state.save("engine", {**state.load("engine"), "full": full})

    def _catch_up(self, side: str, name: str, known: dict[str, There], found: Mapping[str, Any]) -> None:
        """Know what has arrived in the run that continues."""
        for source, called, content in self.seen if self.running else ():
            if side != TARGET or called != name or name not in found or found[name] != content:
                continue
            copied = known is self.there and self.at_start.get(name) != content
            if copied or self._is_noted(source, name):
                self._come(known, name, content, source)
            else:
                # An image, and what was equal before the run, is known to have arrived once the run has noted it.
                self.equal.append((known, name, content, source))

    def _know(self, side: str, name: str, files: dict[str, str] | None) -> None:
        if side != TARGET:
            known = self.sides[side].volumes
            if files is None:
                known.pop(name, None)
            else:
                known[name] = files
            self.seen.append((side, name, files))
        elif files is None:
            self.there.pop(name, None)
        else:
            old = self.there.get(name)
            # What is made in place of a removed one has nothing of it.
            self.there[name] = There(files, old.base if old else None, self._source(self.there, name))

    @staticmethod
    def _source(there: Mapping[str, There], name: str) -> str:
        return there[name].source if name in there else ""

    # What runs do.

    def run(
        self,
        source: str,
        moment: int,
        what: Event | None,
        options: Mapping[str, Any],
        since_note: bool = False,
        *,
        begun: Collection[str] = (),
    ) -> None:
        """Run a move in which something happens at a moment, see Moments.

        what: "kill", "cut", or what people do; None for a run that nothing disturbs. begun: what it must not call a conflict.
        """
        side = self.sides[source]
        self.seen = [(source, name, files) for name, files in side.volumes.items()]
        self.seen += [(source, tag, config) for tag, config in side.tags().items()]
        moments, before = Moments(moment, since_note=since_note), side.tags()
        # What the target has as it came from this source isn't a conflict, whatever the source has.
        own = {f"volume '{name}'" for name, one in self.there.items() if one.content and one.content == one.base}
        own &= {f"volume '{name}'" for name, one in self.there.items() if one.source == source}
        others = {name: files for name, files in self._work().items() if self.begun.get(name, source) != source}
        moments.act = self._act(moments, what)
        disturbed, result, killed = what is not None, None, False
        self.running, self.noted = True, {path: len(text) for path, text in self._manifests().items()}
        self.at_start = {**self.sides[TARGET].found(), **self.sides[TARGET].tags()}
        try:
            with moments.watched():
                result = run(Mover(), self._options(Mover.argument_spec, source, options), check_mode=False)
        except Killed:
            killed = True
        except WorkstationError as error:
            full = self.sides[TARGET].state.load("engine").get("full")
            assert disturbed or full or any(side == source for side, _name in self.written), error
        self.running = False
        work = self._work()
        touched = {name for name, files in others.items() if name in self.begun and work.get(name, ...) != files}
        assert not touched, f"{touched} is a copy from another source"
        self.begun = {name: self.begun.get(name, source) for name in work}
        assert side.tags() == before or disturbed
        self._judge(source, options, killed=killed or result is None)
        self._know_equals()
        if result is None:
            known = {**self.there, **self.tags}
            self.given_up += [(name, known[name].content) for name in options.get("replace", ()) if name in known]
        if self.forgotten:
            # The run went on with what it had read before.
            self._forget_arrivals()
        assert not result or not {item["target"] for item in result["pending"]}.intersection(begun)
        if result and not disturbed:
            self._is_true(source, options, {item["target"] for item in result["pending"]})
            conflicts = own & {item["target"] for item in result["pending"] if item["kind"] == "conflict"}
            assert not conflicts, f"{conflicts} came from '{source}', and no one has changed it since"
        self._forget_writers()

    def _know_equals(self) -> None:
        for known, name, content, source in self.equal:
            if name in known and known[name].base is None and self._is_noted(source, name):
                known[name].base, known[name].source = content, source
                self.arrived.add((source, name, repr(content)))
        self.equal = []

    def _forget_writers(self) -> None:
        """Know of no writer any more that is gone."""
        self.written = {
            (side, name)
            for side, name in self.written
            for one in self.sides[side].state.containers()
            if programs.WRITES in one["Labels"] and any(f"/{name}/" in mount["Source"] for mount in one["Mounts"])
        }

    def _work(self) -> dict[str, Any]:
        """Return what moves work on at the target."""
        return {name: files for name, files in self.sides[TARGET].work().items() if name not in self.foreign}

    def _waits(self, name: str) -> bool:
        """Whether a copy is still under its working name."""
        rows = self.sides[TARGET].state.load("volumes")
        return any((one.get("Labels") or {}).get(LABEL) == name and programs.has(one, "Files") for one in rows)

    def _act(self, moments: Moments, what: Event | None) -> Callable[[str], None]:
        if what is None:
            return lambda _path: None
        if what.what == "kill":
            return moments.kill
        if what.what == "cut":
            return lambda path: self._cut(path, *what.given)
        return lambda _path: self.happen(what)

    def _cut(self, path: str, most: int) -> None:
        for one in self.sides.values():
            if str(one.server.socket_path) == path:
                one.server.shells.passes = most

    def _options(self, spec: Any, source: str, options: Mapping[str, Any]) -> dict[str, Any]:
        ends = {"source": self.sides[source].host, "target": self.sides[TARGET].host, "timeout": _SECONDS, "parallel": 1}
        return {name: one.get("default") for name, one in spec.items()} | ends | dict(options)

    def _judge(self, source: str, options: Mapping[str, Any], *, killed: bool) -> None:
        """Look at every engine: what a run must not have changed, and what it may have."""
        for name in SOURCES:
            found = self.sides[name].found()
            for side, volume in self.written:
                # Its containers alone have changed it, and both files together.
                if side == name and volume in found:
                    assert found[volume].get("first") == found[volume].get("last")
                    self.sides[name].volumes[volume] = found[volume]
            assert found == self.sides[name].volumes, f"'{name}' was changed"
        target = self.sides[TARGET]
        there = {name: files for name, files in target.found().items() if name not in self.foreign}
        everything = {each["Name"]: each.get("Files") for each in target.state.load("volumes")}
        assert {name: everything.get(name) for name in self.foreign} == self.foreign, "what is foreign was changed"
        self._changes(self.there, there, source, options, killed)
        self._changes(self.tags, target.tags(), source, options, killed)

    def _changes(
        self, known: dict[str, There], found: Mapping[str, Any], source: str, options: Mapping[str, Any], killed: bool
    ) -> None:
        empty: Files | None = {} if known is self.there else None
        for name in {*known, *found}:
            old, content = known.get(name), found.get(name)
            if old and content == old.content:
                if old.base is None and (source, name, content) in self.seen and self._is_noted(source, name):
                    # Both are equal, and noted: from now on it is as if it had arrived.
                    self._come(known, name, content, source)
                continue
            assert self._may_change(old, name, source, options), f"'{name}' of the target was changed: {old} is {content}"
            arrived = (source, name, content) in self.seen or self._of_writer(source, name, content)
            if arrived and not (killed and content == empty and self._waits(name)):
                self._come(known, name, content, source)
                if killed and not self._is_noted(source, name):
                    # Of an image a run that is killed right then has not noted yet that it came.
                    known[name].base = None
            elif content is None:
                assert killed, f"'{name}' is gone"
                known.pop(name)
            else:
                assert killed and content == empty, f"'{name}' has arrived as {content}, which the source never had"
                known[name] = There(content, source=f"begun from {source}")

    def _come(self, known: dict[str, There], name: str, content: Any, source: str) -> None:
        known[name] = There(content, content, source)
        self.arrived.add((source, name, repr(content)))

    def _of_writer(self, source: str, name: str, content: Any) -> bool:
        """Whether a container at the source has made of a volume what arrived."""
        return (source, name) in self.written and bool(content) and content["first"] == content["last"]

    def _may_change(self, old: There | None, name: str, source: str, options: Mapping[str, Any]) -> bool:
        """Whether a run may give something else to a name of the target."""
        if old is None or not old.content or (old.base == old.content and old.source == source):
            return True
        # What only the target has used since is kept, whatever is to be replaced.
        used_here_too = any(one[:2] == (source, name) and one[2] != old.base for one in self.seen)
        given_up = name in options.get("replace", ()) or (name, old.content) in self.given_up
        return given_up and (old.base is None or used_here_too)

    def _is_true(self, source: str, options: Mapping[str, Any], pending: set[str]) -> None:
        """What a run does not name as pending is at the target, or was used there alone."""
        # What changes all the time is at the target as it was at one moment.
        lacking = self._lacking(source, options) - {f"volume '{name}'" for name in (OUTSIDE, *(one[1] for one in self.written))}
        assert lacking <= pending, f"nothing was said of {lacking - pending}"

    def _lacking(self, source: str, options: Mapping[str, Any]) -> set[str]:
        side, leave = self.sides[source], options.get("leave", ())
        things: list[tuple[str, dict[str, There], Mapping[str, Any]]] = [
            ("volume", self.there, side.volumes),
            ("image", self.tags, side.tags()),
        ]
        return {
            f"{kind} '{name}'"
            for kind, there, here in things
            for name, content in here.items()
            if name not in leave
            and (name == OUTSIDE or not (name in there and self._is_safe(source, name, content, there[name])))
        }

    def _is_safe(self, source: str, name: str, content: Any, there: There) -> bool:
        """Whether the target has it, or had it and was given something else since."""
        given_since = bool(there.content) and (source, name, repr(content)) in self.arrived
        return content in (there.content, there.base) or given_since

    def retire(self, source: str, leave: tuple[str, ...], kept: tuple[str, ...] = ()) -> None:
        """Ask whether a source may go. It may not where something of it would be lost, or the settings have it."""
        side = self.sides[source]
        asked = {"retire": True, "confirm": side.host, "leave": list(leave), "kept": list(kept)}
        with suppress(WorkstationError):
            run(MoveReader(), self._options(MoveReader.argument_spec, source, asked), check_mode=False)
            assert source not in {name.removeprefix("colima-") for name in kept}, "a profile of the settings may go"
            lacking = self._lacking(source, asked)
            assert not lacking, f"the source may go, and with it {lacking}"
            people = [one for one in side.state.containers() if LABEL not in one["Labels"]]
            assert all(one["State"] == "exited" for one in people), "a container would be lost while it runs"
        # A question notes nothing, and changes nothing.
        self.seen = []
        self._judge(source, {}, killed=False)

    def finish(self, source: str) -> None:
        """Let all trouble end. Then a run moves everything, another one has nothing to do, and the source may go."""
        for side in SIDES:
            self.release(side)
        self.fill(False)
        self._forget_writers()
        begun = {
            f"volume '{name}'" for name, one in self.there.items() if one.source == f"begun from {source}" and not one.content
        }
        if begun:
            self.run(source, -1, None, {}, begun=begun)
        everything = {"replace": [*self.sides[source].volumes, *self.sides[source].tags()]}
        self.run(source, -1, None, everything)
        again = run(Mover(), self._options(Mover.argument_spec, source, everything if self.serial % 2 else {}), check_mode=False)
        assert (again["actions"], again["pending"]) == ([], []), again
        asked = {"retire": True, "confirm": self.sides[source].host, "leave": [OUTSIDE]}
        run(MoveReader(), self._options(MoveReader.argument_spec, source, asked), check_mode=False)
        for side in SIDES:
            helpers = [one for one in self.sides[side].state.containers() if LABEL in one["Labels"]]
            assert side not in (source, TARGET) or not helpers
        self._judge(source, everything, killed=False)

    def happen(self, event: Event) -> None:
        getattr(self, event.what)(*event.given)


def _volume(name: str, serial: int, options: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a volume of a person's, as an engine keeps it."""
    made = {"Name": name, "Driver": "local", "Labels": {}, "CreatedAt": f"2026-01-01T00:{serial // 60:02}:{serial % 60:02}Z"}
    return {**made, "Mountpoint": f"{ROOT}/{name}/_data", "Options": options}


@cache
def _servers() -> dict[str, Server]:
    """Make the engines, which all histories use, one after another."""
    directory = Path(tempfile.mkdtemp(prefix="life-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    # Each is where the engine of a profile of that name would be.
    return {name: Server(directory / name / "docker.sock", directory, Memory(directory)) for name in SIDES}


@contextmanager
def world() -> Iterator[World]:
    """Give a laptop and three engines, without anything in them."""
    directory = Path(tempfile.mkdtemp(prefix="life-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_STATE_HOME", str(directory / "state"))
        patched.setattr(engines, "_archive", lambda _profile: b"programs")
        servers = _servers()
        patched.setenv("COLIMA_HOME", str(servers[TARGET].socket_path.parent.parent))
        patched.setattr(stream, "socket", Sockets({str(one.socket_path): one for one in servers.values()}))
        try:
            yield World(directory, servers)
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def play(events: list[Event], source: str = "old") -> None:
    """Let a history happen, and judge it after each event."""
    with world() as laptop:
        for event in events:
            laptop.happen(event)
        laptop.finish(source)
