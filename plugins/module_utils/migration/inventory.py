# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what an engine keeps, over its own interface. Changes nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from ..docker.engine import EngineSilent
from ..docker.stream import EngineApi, EngineRefused
from .commands import run_command
from .model import LABEL, Container, Image, Inventory, Volume

# The newest version of the interface whose answers are known.
_NEWEST = (1, 51)
# The engine counts the files of every volume.
_COUNT_SECONDS = 900.0
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
_ANONYMOUS_LABEL = "com.docker.volume.anonymous"
_POD_LABEL = "io.kubernetes.pod.name"
# What every engine tells of an image's configuration, and what nerdctl does not.
_CONFIG = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "Labels", "User", "Volumes", "WorkingDir")
_MORE = ("Healthcheck", "OnBuild", "Shell", "StopSignal")
OWN_NETWORKS = ("bridge", "host", "none")


def negotiate(api: EngineApi) -> None:
    """Speak a version of the interface that both sides know. Raises EngineSilent."""
    found = re.match(r"(\d+)\.(\d+)", str(api.object("/version", "ApiVersion")["ApiVersion"]))
    if not found:
        raise EngineSilent("what answers is not a docker engine")
    api.prefix = "/v{}.{}".format(*min((int(found[1]), int(found[2])), _NEWEST))


def read(api: EngineApi, *, sizes: bool = True) -> Inventory:
    """Return what the engine keeps. sizes: whether volumes are counted, which takes long. Raises EngineSilent, EngineRefused."""
    negotiate(api)
    info = api.object("/info", "ID")
    used = api.object("/system/df", seconds=_COUNT_SECONDS) if sizes else {}
    containers, helpers = _containers(api.objects(f"/containers/json?all=1&size={sizes:d}", "Id"))
    volumes = sorted(api.objects("/volumes", "Name", under="Volumes"), key=lambda one: str(one["Name"]))
    networks = [one for one in api.objects("/networks", "Name") if one.get("Name") not in OWN_NETWORKS]
    return Inventory(
        engine=str(info.get("ID") or info.get("Name") or ""),
        version=str(info.get("ServerVersion") or ""),
        architecture=str(info.get("Architecture") or ""),
        contents=_is_in_containerd(info),
        root=str(info.get("DockerRootDir") or ""),
        images=tuple(images(api)),
        volumes=tuple(_volumes(volumes, used)),
        begun=tuple(one["Name"] for one in volumes if _is_of_a_move(one)),
        containers=containers,
        helpers=tuple(one.name for one in helpers),
        networks=tuple(sorted(str(one.get("Name")) for one in networks)),
        plugins=tuple(sorted(str(one["Name"]) for one in api.objects("/plugins", "Name"))),
        swarm=(info.get("Swarm") or {}).get("LocalNodeState") == "active",
        layers_size=int(used.get("LayersSize") or 0),
    )


def _is_in_containerd(info: Mapping[str, Any]) -> bool:
    """Whether an engine has its images in containerd's store."""
    drivers = [str(value) for key, value in info.get("DriverStatus") or () if key == "driver-type"]
    return any("containerd.snapshotter" in driver for driver in drivers)


def _containers(answers: Iterable[Mapping[str, Any]]) -> tuple[tuple[Container, ...], tuple[Container, ...]]:
    """Return the containers and a move's own helpers, both by name."""
    found = sorted(((_container(one), _is_of_a_move(one)) for one in answers), key=lambda one: one[0].name)
    return tuple(one for one, helps in found if not helps), tuple(one for one, helps in found if helps)


def _is_of_a_move(answer: Mapping[str, Any]) -> bool:
    """Whether a thing was made for a move, or for the restoring of a snapshot."""
    return LABEL in (answer.get("Labels") or {})


def commands(api: EngineApi, containers: Iterable[Container]) -> Iterator[tuple[str, str]]:
    """Yield the names of containers, and the commands that make them again. Raises EngineSilent."""
    for one in containers:
        # One that was removed a moment ago is not there any more; an image of a running one can be gone.
        with contextlib.suppress(EngineRefused):
            found = api.object(f"/containers/{one.id}/json")
            yield one.name, run_command(found, api.object(f"/images/{quote(one.image_id)}/json"))


def layers_size(api: EngineApi) -> int:
    """Return the size of all layers, each once. Raises EngineSilent, EngineRefused."""
    # An older engine counts everything.
    return int(api.object("/system/df?type=image", seconds=_COUNT_SECONDS).get("LayersSize") or 0)


def images(api: EngineApi) -> Iterator[Image]:
    """Yield the images of an engine whose version of the interface is settled. Raises EngineSilent, EngineRefused."""
    for one in sorted(api.objects("/images/json", "Id"), key=lambda one: str(one["Id"])):
        if _is_of_a_move(one):
            continue
        # One that was removed a moment ago is not there any more.
        with contextlib.suppress(EngineRefused):
            yield image_of(api.object(f"/images/{quote(one['Id'])}/json", "Id"))


def image_of(answer: Mapping[str, Any]) -> Image:
    """Return the image that the engine describes."""
    platform = "/".join(filter(None, (answer.get("Os"), answer.get("Architecture"), answer.get("Variant"))))
    return Image(
        id=str(answer["Id"]),
        tags=tuple(sorted(tag for tag in answer.get("RepoTags") or () if not tag.startswith("<none>"))),
        layers=tuple((answer.get("RootFS") or {}).get("Layers") or ()),
        size=int(answer.get("Size") or 0),
        platform=platform,
        created=_seconds(answer.get("Created")),
        labels=(answer.get("Config") or {}).get("Labels") or {},
        digests=tuple(sorted(map(str, answer.get("RepoDigests") or ()))),
        config=_digest(answer.get("Config") or {}, _CONFIG),
        more=_digest(answer.get("Config") or {}, _MORE),
    )


def _digest(config: Mapping[str, Any], fields: Iterable[str]) -> str:
    """Return the digest of fields of an image's configuration. Engines differ in how they tell of empty ones."""
    said = {field: config[field] for field in fields if config.get(field)}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _volumes(volumes: Iterable[Mapping[str, Any]], used: Mapping[str, Any]) -> Iterator[Volume]:
    sizes = {one["Name"]: (one.get("UsageData") or {}).get("Size") for one in used.get("Volumes") or ()}
    for one in volumes:
        if not _is_of_a_move(one):
            yield volume_of(one, sizes.get(one["Name"]))


def volume_of(one: Mapping[str, Any], size: object = None) -> Volume:
    """Return the volume that the engine describes. size: as it counts it, -1 where it can't."""
    labels = one.get("Labels") or {}
    return Volume(
        name=str(one["Name"]),
        size=size if isinstance(size, int) and size >= 0 else None,
        created=_seconds(one.get("CreatedAt")),
        labels=labels,
        anonymous=is_anonymous(str(one["Name"]), labels),
        outside=_outside(str(one.get("Driver")), one.get("Options") or {}),
        mountpoint=str(one.get("Mountpoint") or ""),
        options=one.get("Options") or {},
    )


def _outside(driver: str, options: Mapping[str, str]) -> str:
    """Return why the data of a volume is not the engine's; empty where it is."""
    if driver != "local":
        return f"driver '{driver}' keeps its data"
    kind, device = options.get("type", ""), options.get("device", "")
    if kind == "tmpfs":
        return "its data is in memory"
    if device and "bind" in options.get("o", "").split(","):
        return f"its data is directory '{device}' of its machine"
    return f"its data is on '{device}' ({kind or 'no type'})" if device or kind else ""


def is_anonymous(name: str, labels: Mapping[str, str]) -> bool:
    """Whether a volume was given its name by the engine."""
    return _ANONYMOUS_LABEL in labels or bool(_ANONYMOUS.fullmatch(name))


def _container(one: Mapping[str, Any]) -> Container:
    return container_of(
        id=str(one["Id"]),
        name=next(iter(one.get("Names") or ()), one["Id"][:12]).lstrip("/"),
        image=str(one.get("Image") or ""),
        image_id=str(one.get("ImageID") or ""),
        state=str(one.get("State") or ""),
        labels=one.get("Labels") or {},
        mounts=one.get("Mounts") or (),
        own=int(one.get("SizeRw") or 0),
    )


def container_of(*, labels: Mapping[str, str], mounts: Sequence[Mapping[str, Any]], **known: Any) -> Container:
    """Return a container, with what its labels and mounts say. known: what Container has beside that."""
    named = [mount for mount in mounts if mount.get("Type") == "volume" and mount.get("Name")]
    return Container(
        **known,
        writes=frozenset(mount["Name"] for mount in named if mount.get("RW")),
        volumes=frozenset(mount["Name"] for mount in named),
        project=str(labels.get("com.docker.compose.project") or ""),
        directory=str(labels.get("com.docker.compose.project.working_dir") or ""),
        mounts={str(mount["Destination"]): str(mount["Source"]) for mount in mounts if mount.get("Source")},
        # Those of pods belong to their cluster.
        binds=() if _POD_LABEL in labels else tuple(sorted(_binds(mounts))),
    )


def _binds(mounts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield directories and files that are mounted, as the laptop calls them where Docker Desktop tells otherwise."""
    for mount in mounts:
        if mount.get("Type") == "bind":
            yield str(mount.get("Source") or "").removeprefix("/host_mnt")


def _seconds(value: object) -> float:
    """Return a time in seconds since the epoch, 0 for none."""
    if isinstance(value, int | float):
        return float(value)
    # The engine writes nanoseconds, of which Python takes six digits.
    text = re.sub(r"(\.\d{6})\d*", r"\1", str(value or ""))
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(text).timestamp()
    return 0.0
