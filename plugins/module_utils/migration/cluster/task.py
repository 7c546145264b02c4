# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving what runs in another engine's Kubernetes as a subject: options, reading, and carrying out each step."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ...colima.client.programs import Colima
from ...colima.client.retained_vms import mark, vm_id
from ...colima.model.config import canonical_mounts
from ...colima.observe.read import known_profiles, read
from ...colima_paths import parse_name, resolve
from ...core.errors import NotVerified
from ...core.plan import Plan, Step
from ...core.progress import emit
from ...core.subject import Result, Subject
from ...core.system.home import home, lock_directory
from ...core.system.lock import Lock
from ...kube.entry import kubeconfig_paths
from ...manifest.file import ManifestFile
from ...manifest.model import Fingerprint, Kind, Resource, Row, Status, SyncState
from .. import inventory
from ..engines import free_bytes, patience_from, programs_of, silence_from, source_from
from ..model import Note, Unpause
from ..move.cluster import Cluster, cluster_behind, cluster_of
from ..move.evidence import arrived, is_in, is_mine, stands
from ..move.guest import Inside
from ..move.model import CLUSTER, Claim
from ..move.objects import called
from ..transfer import pausing
from ..transfer.helper import sweep
from .fitting import place_of
from .model import COPY, READY, VERIFY, ClusterMoveSpec, ClusterMoveState, CreateObjects, SendClaim, SendImages, Source, Target
from .plan import going, plan_copy, plan_ready, plan_verify, room_for, wanted_images
from .problems import unfit
from .reading import located, source_of, target_of
from .streams import digest_of, send_claim, send_images, size_of
from .usage import containers_of, pods_of

_WAIT_SECONDS = 5.0
# On the disk on which the data of volumes is, too.
_ENGINE = "/var/lib/containerd"
_ARRIVED = (SyncState.ARRIVED, SyncState.SOURCE_CHANGED, SyncState.TARGET_CHANGED)
_PLANS: Mapping[str, Callable[[ClusterMoveState, ClusterMoveSpec], Plan]] = {
    COPY: plan_copy,
    READY: plan_ready,
    VERIFY: plan_verify,
}


class ClusterMove(Subject[ClusterMoveSpec, ClusterMoveState]):
    """What the Kubernetes of another engine has and a profile's lacks."""

    argument_spec = {
        "source": {"type": "str", "required": True},
        "context": {"type": "str", "required": True},
        "target": {"type": "str", "default": "k8s"},
        "phase": {"type": "str", "choices": list(_PLANS), "default": COPY},
        "namespaces": {"type": "list", "elements": "str", "default": ["*"]},
        "secrets": {"type": "bool", "default": False},
        "pause": {"type": "bool", "default": False},
        "timeout": {"type": "float", "default": 120.0},
        "ready_timeout": {"type": "float", "default": 300.0},
    }
    work = "move a cluster"
    look = "Something in one of the clusters was changed meanwhile; run again."

    found: ClusterMoveState
    # What came to the old cluster after the first look is left to the next run.
    first: tuple[Source, frozenset[str]] | None = None

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> ClusterMoveSpec:
        """Return what to move. Raises InputError."""
        name = parse_name(params["target"])
        self.colima = Colima(resolve(os.environ, os.uname().sysname))
        self.inside = Inside(self.colima, name)
        self.engine = source_from(params["source"], programs_of(name), silence_from(params))
        self.kubeconfigs = kubeconfig_paths("", os.environ)
        seconds = patience_from(params)
        self.asked = ClusterMoveSpec(
            params["phase"],
            params["context"],
            name,
            tuple(params["namespaces"]),
            params["secrets"],
            params["pause"],
            0.0 if check_mode else seconds,
        )
        return self.asked

    def programs(self, spec: ClusterMoveSpec) -> tuple[str, ...]:
        """Return what reaches the VM."""
        del spec
        return "colima", "limactl"

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep other moves out."""
        return Lock(lock_directory(), self.work, _WAIT_SECONDS, name="migration.lock")

    def read(self, spec: ClusterMoveSpec) -> ClusterMoveState:
        """Return what both clusters have, and what of it is data and images."""
        current = read(self.colima, [spec.profile]).profiles[spec.profile.name]
        others = known_profiles(self.colima.paths, with_disks=False)
        self.found = found = ClusterMoveState(current, others=tuple(str(one) for one in others if one != spec.profile))
        if next(unfit(found, spec), None):
            return found
        api = self.engine.side.api
        with self.engine.side.trouble(self.work):
            engine = replace(inventory.read(api, sizes=False), layers_size=inventory.layers_size(api))
        self.record = pausing.Record((engine.engine, api.path), (spec.context, str(spec.profile)))
        mounts = canonical_mounts((current.known or {}).get("mounts"), home()) or ()
        mounted = tuple(point for _location, point, _writable in mounts)
        found = replace(found, engine=engine, mounted=mounted, paused=self.record.paused())
        with cluster_behind(spec.context, self.kubeconfigs) as old:
            items = old.items()
        with cluster_of(self.colima, spec.profile) as new:
            source = source_of(items, spec.namespaces, mounted, secrets=spec.secrets)
            source = located(source, items, engine.containers)
            found = replace(found, source=self.first[0] if self.first else source, target=_target(new, source))
            if found.source.uid == found.target.uid:
                return found
            found = replace(found, incomplete=new.incomplete(source.objects.items))
            self.found = self._with_data(found)
            if spec.phase in (READY, VERIFY):
                waiting = new.waiting(going(self.found, spec).ready, spec.seconds, self._say)
                self.found = replace(self.found, waiting=waiting)
        return self.found

    def _with_data(self, found: ClusterMoveState) -> ClusterMoveState:
        """Return also which images and volumes the target has, and the size of the missing ones."""
        claims, target = found.source.objects.claims, found.target
        self.manifest = ManifestFile(f"{found.source.uid}@{self.asked.context}", f"the cluster of {self.asked.profile.id}")
        states, unnoted = self._compared(claims, target)
        filled = frozenset(one.volume for one in claims if states.get(one.claim) in _ARRIVED)
        sizes = {one.volume: size_of(self.engine, one) for one in claims if one.volume not in filled} if not self.first else {}
        lost = frozenset(one.claim for one in claims if sizes.get(one.volume, 0) is None)
        if self.first is None:
            claims = tuple(replace(one, size=sizes.get(one.volume) or 0) for one in claims)
            objects = replace(found.source.objects, claims=claims)
            found = replace(found, source=replace(found.source, objects=objects), free=free_bytes(self.asked.profile, _ENGINE))
            self.first = found.source, lost
        found = replace(found, filled=filled, lost=self.first[1], states=states, unnoted=unnoted)
        return replace(found, missing=frozenset(self.inside.missing(CLUSTER, wanted_images(found, self.asked))))

    def _compared(self, claims: Iterable[Claim], target: Target) -> tuple[dict[str, SyncState], tuple[Row, ...]]:
        """Return how volumes that the new cluster has stand to the old one's, and rows for what has come and is not noted.

        To verify, both sides are read. Otherwise that is spared for what has arrived in this very directory of this VM.
        """
        places = {one.claim: (one, place_of(one, target)) for one in claims}
        there, rows = self.inside.found([path for _one, path in places.values()]), self.manifest.rows()
        vm, states, unnoted = vm_id(self.colima.paths.instance(self.asked.profile)), dict[str, SyncState](), list[Row]()
        for name, (claim, path) in places.items():
            row = rows.get(Resource(Kind.CLAIM, name), Row(Resource(Kind.CLAIM, name), Status.BEGUN))
            if path not in there:
                continue
            if is_mine(row, vm, there[path].reading.identity) and self.asked.phase != VERIFY:
                states[name] = SyncState.ARRIVED
                continue
            held = self.inside.readings({name: path}, partial(self._say, f"comparing volume '{name}'"))[name]
            source = Fingerprint(digest_of(self.engine, claim))
            states[name] = stands(row, vm, source, held)
            if states[name] is SyncState.ARRIVED and not is_in(row, vm):
                unnoted.append(arrived(replace(row, source=source), "", source.digest, held.reading.identity))
        return states, tuple(unnoted)

    def _note(self, row: Row, digest: str, identity: str) -> None:
        self.manifest.append(arrived(row, mark(self.colima.paths.instance(self.asked.profile)), digest, identity))

    def plan(self, spec: ClusterMoveSpec, current: ClusterMoveState) -> Plan:
        """Return what goes where."""
        return _PLANS[spec.phase](current, spec)

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Carry out the plan, once what a killed run has left of helpers is gone."""
        with self.engine.side.trouble(self.work):
            sweep(self.engine.image)
        super().carry_out(plan, report)

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        say = partial(self._say, str(step))
        if isinstance(step, SendImages):
            send_images(self.engine.side, self.inside, step, say)
        elif isinstance(step, SendClaim):
            there = send_claim(self.engine, self.inside, step, partial(self._quiet, step), say)
            row = Row(Resource(Kind.CLAIM, step.claim.claim), Status.FILLED, Fingerprint(there.digest))
            self._note(row, there.digest, there.identity)
        elif isinstance(step, Note):
            for one in step.rows:
                self._note(one, one.target.digest if one.target else "", one.target.identity if one.target else "")
        elif isinstance(step, CreateObjects):
            with cluster_of(self.colima, self.asked.profile) as cluster:
                cluster.create(step.items)
        elif isinstance(step, Unpause):
            pausing.unpause(self.engine.side, step.container, str(step))
            self.record.note_paused(step.container, False)

    @contextlib.contextmanager
    def _quiet(self, step: SendClaim) -> Iterator[None]:
        """Keep pods from writing to a volume meanwhile, and look afterwards whether one did so all the same."""
        with pausing.paused(self.engine.side, step.pause, str(step), self.record.note_paused):
            yield
            with cluster_behind(self.asked.context, self.kubeconfigs) as cluster:
                pods = [one for one in pods_of(cluster.pods()) if step.claim.claim in one.writes]
            with self.engine.side.trouble(str(step)):
                running = inventory.read(self.engine.side.api, sizes=False).containers
            still = {one.id for one in running if one.state == "paused"}
            if step.pause and still.issuperset(step.pause):
                pods = [one for one in pods if containers_of(one, running)]
            if pods:
                reason = f"pod {pods[0].name} could write to it meanwhile"
                raise NotVerified(str(step), reason, "Scale down what runs it in the old cluster, and run again.")

    def _say(self, phase: str) -> None:
        emit(profile=str(self.asked.profile), phase=phase, done=False)

    def close(self) -> None:
        """Take the helpers away from the engine."""
        if hasattr(self, "engine"):
            self.engine.image.remove()

    def public(self, outcome: Result[ClusterMoveSpec, ClusterMoveState]) -> dict[str, Any]:
        """Return what of the old cluster is in the new one, or goes there."""
        found = outcome.after
        chosen = going(found, outcome.spec)
        room = room_for(outcome.plan.steps, outcome.before)
        return {
            "images": sorted(tag for one in wanted_images(found, outcome.spec) for tag in one.tags),
            "volumes": [{"name": one.claim, "bytes": one.size} for one in chosen.claims],
            "objects": [called(one) for one in chosen.items],
            "workloads": list(chosen.ready),
            "compared": list(found.states),
            **room.public(f"in profile '{outcome.spec.profile}'", check_mode=outcome.check_mode),
        }


def _target(new: Cluster, source: Source) -> Target:
    items = new.items()
    wanted = {(str(one["apiVersion"]), str(one["kind"])) for one in source.objects.items}
    return target_of(items, [one for one in wanted if new.knows(*one)])


SUBJECT = ClusterMove
