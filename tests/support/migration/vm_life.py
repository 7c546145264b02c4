# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile that moves between runtimes, with real files for VMs, disks and archives, and no engine: for histories of runs.

The phases are the real ones; only what is inside a VM is a directory here, and a tar is a JSON of its files.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ansible_collections.laptop.containers.plugins.module_utils.colima.client import retained_vms
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.programs import Colima
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import ABSENT, RUNNING, STOPPED, ProfileState
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import Name, Paths
from ansible_collections.laptop.containers.plugins.module_utils.core.defaults import complete
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import Step
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import Fingerprint
from ansible_collections.laptop.containers.plugins.module_utils.migration.model import Image, Inventory, Volume
from ansible_collections.laptop.containers.plugins.module_utils.migration.move import archive
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.guest import Inside
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.model import (
    Claim,
    Held,
    Objects,
    RuntimeMoveSpec,
    RuntimeMoveState,
    SavedClaim,
    SavedImages,
    SaveImages,
    StartProfile,
    StopProfile,
)
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.task import RuntimeMove
from ansible_collections.laptop.containers.plugins.module_utils.migration.transfer.contents import Contents

from .faults import Killed

NAME = Name("k8s", "colima-k8s")
# The second one is below the first; an own directory of each VM is above the third.
CLAIMS = {"a/outer": "/data", "a/inner": "/data/b", "b/opt": "/opt/app"}
FOREIGN = ("notes.txt", "mydata.tar", "mydata.json", "objects.json", "sealed.json")


def files_in(place: Path) -> dict[str, str]:
    """Return the files below a directory, by their paths."""
    return {str(file.relative_to(place)): file.read_text() for file in sorted(place.rglob("*")) if file.is_file()}


def write(file: Path, text: str) -> None:
    """Write a file, with the directories that it needs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def digest(place: Path) -> str:
    """Return a digest of what is below a directory."""
    return hashlib.sha256(json.dumps(files_in(place), sort_keys=True).encode()).hexdigest()


class Vm:
    """The VM that the profile has at this moment."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.place = paths.instance(NAME)

    @property
    def state(self) -> dict[str, Any]:
        """What it is: its runtime, whether it runs, what docker has."""
        file = self.place / "state.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def change(self, **more: Any) -> None:
        """Change some of that."""
        write(self.place / "state.json", json.dumps({**self.state, **more}))

    def inside(self, path: str) -> Path:
        """Return where a directory of the VM is."""
        return self.place / "root" / path.lstrip("/")

    def make(self, runtime: str) -> None:
        """Make a new one, which runs. Each has something in /opt."""
        write(self.paths.configured(NAME), runtime)
        write(self.paths.data_disk(NAME) / "datadisk", runtime)
        write(self.paths.store(NAME), "{}")
        # The inode of a directory may be another one's later.
        self.change(runtime=runtime, images=[], volumes=[], born=secrets.token_hex(8))
        write(self.inside("/opt/tool"), "of the VM")
        self.start()

    def start(self, works: bool = True) -> None:
        """Start it. One that fails has run all the same."""
        write(self.paths.events(NAME), f'{{"time": {random.random()}}}\n')  # noqa: S311 - not for secrets
        if works:
            write(self.paths.applied(NAME), "")
        self.change(running=works)

    def delete(self) -> None:
        """Delete it with its data, as a person does with colima."""
        for path in retained_vms.homes(self.paths, NAME).values():
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


class Directories(Inside):
    """The inside of a VM, with its directories as files of this machine."""

    vm: Vm

    def found(self, paths: Sequence[str]) -> dict[str, Held]:
        """Return which directories are there."""
        there = {path: self.vm.inside(path) for path in paths if self.vm.inside(path).exists()}
        return {path: Held(Fingerprint("", str(place.stat().st_ino)), not any(place.iterdir())) for path, place in there.items()}

    def contents(
        self, path: str, doing: str, watch: Callable[[], object], on_bytes: Callable[[int], object] = lambda _: None
    ) -> Contents:
        """Return a digest of what is in one."""
        del doing, watch, on_bytes
        return Contents(digest(self.vm.inside(path)), 0, 0)

    def save(self, claim: Claim, place: Path, watch: Callable[[Path], Callable[[], object]]) -> None:
        """Write one into a file."""
        del watch
        file = archive.volume_file(claim)
        with archive.written(place, file) as part:
            part.write_text(json.dumps(files_in(self.vm.inside(claim.path))))
            found = archive.digest(part)
            archive.note(place, SavedClaim(file, claim, digest(self.vm.inside(claim.path)), part.stat().st_size, found))

    def fill(
        self, claim: str, path: str, source: Path | IO[bytes], expected: Callable[[], str], watch: Callable[[], object]
    ) -> str:
        """Give one its content, at once."""
        del claim, expected, watch
        assert isinstance(source, Path)
        beside = self.vm.inside(f"{path}.laptop.containers.moving-1")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        for name, text in json.loads(source.read_text()).items():
            write(beside / name, text)
        os.fsync(0)
        # As mv does: over nothing, or over an empty directory.
        beside.rename(self.vm.inside(path))
        return self.found([path])[path].reading.identity

    def missing(self, namespace: str, images: Sequence[Image]) -> list[str]:
        """Return the images that are not there."""
        del namespace
        return [tag for one in images for tag in one.tags if tag not in self.vm.state["images"]]

    def load(self, namespace: str, images: Sequence[Image], source: Path | IO[bytes], watch: Callable[[], object]) -> None:
        """Load images."""
        del namespace, source, watch
        os.fsync(0)
        self.vm.change(images=sorted({*self.vm.state["images"], *(tag for one in images for tag in one.tags)}))


class Move(RuntimeMove):
    """The real phases around such a VM."""

    vm: Vm

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> RuntimeMoveSpec:
        """Return what is asked for."""
        spec = super().parse(params, check_mode=check_mode)
        self.inside = Directories(Colima(self.vm.paths), NAME)
        self.inside.vm = self.vm
        self.colima = Colima(self.vm.paths)
        return spec

    def _current(self, name: Name) -> ProfileState:
        state = self.vm.state
        settings: Any = {"runtime": state.get("runtime", ""), "kubernetes.enabled": True, "disk": 20}
        if not state:
            return ProfileState(name, ABSENT)
        live = {"runtime": state["runtime"], "kubernetes": True} if state["running"] else {}
        return ProfileState(name, RUNNING if state["running"] else STOPPED, applied=settings, live=live)

    def _inventory(self) -> Inventory:
        state = self.vm.state
        images = tuple(Image(f"sha256:{name}", (name,)) for name in state["images"])
        return Inventory("e", images=images, volumes=tuple(map(Volume, state["volumes"])))

    def _objects(self, found: RuntimeMoveState) -> Objects:
        claims = [Claim(name.replace("/", "-"), name, path) for name, path in CLAIMS.items() if self.vm.inside(path).exists()]
        return Objects(claims=tuple(claims), boot=found.boot)

    def _leave(self, step: Step) -> None:
        if isinstance(step, SaveImages):
            self._begin(step)
            with archive.written(self.asked.place, step.file) as part:
                part.write_text(step.file)
                saved = SavedImages(step.file, step.namespace, step.images, part.stat().st_size, archive.digest(part))
                archive.note(self.asked.place, saved)
        elif isinstance(step, StopProfile):
            self._begin(step)
            self.vm.change(running=False)
            archive.seal(self.asked.place, step.boot, stopped=True)
        elif isinstance(step, StartProfile):
            self.vm.start()
        elif step.verb != "stop":
            super()._leave(step)


class Life:
    """One history: a profile with docker, and what happens to it. place: an empty directory."""

    def __init__(self, place: Path, seed: int, kill: Callable[[int], None]) -> None:
        self.draw, self.kill, self.place = random.Random(seed), kill, place  # noqa: S311 - not for secrets
        self.vm = Vm(Paths(place / "colima", place / "colima/_lima"))
        self.moves = [place / "moves", place / "backups"]
        self.foreign: dict[Path, str] = {}
        # What a new VM has of its own: by the VM.
        self.own: dict[tuple[str, str], str] = {}
        self.told: list[str] = []
        self.numbers = iter(range(10**6))
        self.vm.make("docker")
        self.volumes = self.draw.choice([[], ["db"]])
        # What its user has named to be given up.
        self.given = set[str]()
        self.vm.change(images=["web:1"], volumes=self.volumes)
        # What no run may lose: a file in each volume that nothing changes any more.
        self.sources = {name: str(next(self.numbers)) for name in CLAIMS}
        for name, path in CLAIMS.items():
            write(self.vm.inside(path) / f"source-{name.replace('/', '-')}", self.sources[name])

    def go(self, events: int) -> None:
        """Let so many things happen, and look after each whether anything is lost."""
        for _ in range(events):
            # Most of the time a person continues with the move.
            event = self.draw.choice(self.helpful() if self.draw.random() < 0.6 else self.possible())
            self.told.append(event.__name__)
            event()
            self.check()

    def helpful(self) -> list[Callable[[], None]]:
        """Return what continues with the move."""
        state = self.vm.state
        if not state:
            return [self.leave, self.make_new]
        if not state["running"]:
            return [self.start]
        return [self.leave] if state["runtime"] == "docker" else [self.arrive, self.arrive, self.ready, self.retire]

    def possible(self) -> list[Callable[[], None]]:
        """Return what else can happen now."""
        state = self.vm.state
        some: list[Callable[[], None]] = [self.leave, self.retire, self.back, self.put_foreign, self.unplug]
        if not state:
            return [*some, self.make_new]
        some += [self.stop, self.use] if state["running"] else [self.start]
        if state["runtime"] == "docker":
            return some if state["running"] else [*some, self.fail_to_start]
        return [*some, self.delete_new, self.occupy]

    # -- what happens

    def phase(self, phase: str, **more: Any) -> bool:
        """Run one phase, which may be killed. Returns whether it came to its end."""
        subject = Move()
        subject.vm = self.vm
        given = {"profile": NAME.name, "phase": phase, "directory": str(self.draw.choice(self.moves)), **more}
        self.kill(self.draw.choice([0, 0, self.draw.randrange(1, 60)]))
        try:
            run(subject, complete(RuntimeMove.argument_spec, given), check_mode=False)
        except WorkstationError as error:
            self.told.append(f"  {error.message[:150]}")
            return False
        except Killed:
            self.told.append("  killed")
            return False
        finally:
            self.kill(0)
        return True

    def leave(self) -> None:
        """Save all, and set the VM aside."""
        self.phase("leave", stop="always")

    def arrive(self) -> None:
        """Fill the new VM."""
        leave = self.draw.choice([[], [], ["b/*"]])
        self.given |= {"b/opt"} if leave else set()
        self.phase("arrive", leave=leave)

    def ready(self) -> None:
        """Look whether the new VM has everything."""
        self.phase("ready")

    def back(self) -> None:
        """Bring the old VM back."""
        if self.vm.state:
            self.vm.change(running=False)
        self.phase("return")

    def retire(self) -> None:
        """Give up what is kept."""
        there = sorted(self.holders())
        if not there:
            return
        name, given = self.draw.choice(there), self.draw.choice([[], ["db"], ["b/*", "db"]])
        before = self.holders()
        self.phase("retire", confirm=name, leave=given, keep_deleted=self.draw.choice([0, 7]))
        gone = before - self.holders()
        if f"{NAME}-docker" in gone:
            self.check_retired(given)

    def make_new(self) -> None:
        """Converge the profile. What it brings along may have a place of its own where a volume belongs."""
        self.vm.make("containerd")
        if self.draw.random() < 0.15:
            self.occupy()

    def delete_new(self) -> None:
        """Delete the new VM by hand: what came to it since is its user's loss."""
        self.vm.delete()
        self.given |= {name for name in CLAIMS if not self.is_somewhere(name)}

    def start(self) -> None:
        """Start the VM."""
        self.vm.start()

    def fail_to_start(self) -> None:
        """Let something write to the VM in a start that fails."""
        self.vm.start(works=False)
        self.use()

    def stop(self) -> None:
        """Stop the VM."""
        self.vm.change(running=False)

    def use(self) -> None:
        """Let a pod write to a volume."""
        name = self.draw.choice(list(CLAIMS))
        place = self.vm.inside(CLAIMS[name])
        if place.exists():
            write(place / "day", str(next(self.numbers)))
        if self.vm.state["runtime"] == "docker":
            fresh = str(next(self.numbers))
            file = place / f"source-{name.replace('/', '-')}"
            if file.exists():
                file.write_text(fresh)
                self.sources[name] = fresh

    def occupy(self) -> None:
        """Let the new VM have something of its own where a volume belongs."""
        name = self.draw.choice(list(CLAIMS))
        file = self.vm.inside(CLAIMS[name]) / "own"
        if not (file.parent / f"source-{name.replace('/', '-')}").exists():
            write(file, str(next(self.numbers)))
            self.own[self.vm.state["born"], str(file.relative_to(self.vm.place))] = file.read_text()

    def put_foreign(self) -> None:
        """Put a file of the user's into a directory of archives."""
        file = self.draw.choice(self.moves) / NAME.name / self.draw.choice(FOREIGN)
        if not file.exists() and file not in self.foreign:
            write(file, str(next(self.numbers)))
            self.foreign[file] = file.read_text()
        elif file in self.foreign:
            file.unlink()
            del self.foreign[file]

    def unplug(self) -> None:
        """Take the disk with an archive away, or attach it again."""
        place = self.draw.choice(self.moves)
        away = place.with_name(f"{place.name}-away")
        if away.exists():
            if place.exists():
                return
            away.rename(place)
        elif place.exists() and not any(file.is_relative_to(place) for file in self.foreign):
            place.rename(away)

    # -- what has to hold

    def holders(self) -> set[str]:
        """Return the names of VMs that a move keeps."""
        return {one.name for one in retained_vms.read(self.vm.paths, NAME)}

    def places(self) -> Iterator[Path]:
        """Yield the directory of each VM that there is, wherever it is kept."""
        yield self.vm.place
        for one in retained_vms.everything(self.vm.paths):
            yield self.vm.paths.kept / one.name / "instance"

    def check(self) -> None:
        """Check that nothing is lost, and nothing of another's was touched."""
        for file, text in self.foreign.items():
            assert file.exists() and file.read_text() == text, f"{file} was touched: {self.told}"
        if self.vm.state.get("runtime") == "containerd":
            for (born, name), text in self.own.items():
                file = self.vm.place / name
                if self.vm.state["born"] != born:
                    continue
                assert file.exists() and file.read_text() == text, f"{name} of the new VM was touched: {self.told}"
        for name in CLAIMS:
            assert name in self.given or self.is_somewhere(name), f"volume '{name}' is lost: {self.told}"

    def is_somewhere(self, name: str) -> bool:
        """Whether what the old VM had in a volume is in any VM."""
        relative = CLAIMS[name].lstrip("/") + f"/source-{name.replace('/', '-')}"
        files = (place / "root" / relative for place in self.places())
        return any(file.exists() and file.read_text() == self.sources[name] for file in files)

    def check_retired(self, leave: Sequence[str]) -> None:
        """Check that the VM which is there has what the retired one had, but for what was named."""
        assert "db" in leave or not self.volumes, f"docker's volume was lost unnamed: {self.told}"
        self.given |= {"b/opt"} if "b/*" in leave else set()
        for name in CLAIMS.keys() - self.given:
            file = self.vm.inside(CLAIMS[name]) / f"source-{name.replace('/', '-')}"
            assert file.exists() and file.read_text() == self.sources[name], f"'{name}' is not in the new VM: {self.told}"
