# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker engines behind the contexts: whether they answer, to this docker command too, and run other platforms' images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...colima.model.state import RUNNING, ProfileState
from ...core.errors import CommandFailed, ToolMissing
from ...core.install import install_command
from ...core.system.macos import INSTALL_ROSETTA
from ...docker.client import docker_cli
from ...docker.engine import EngineSilent
from ...toolchain.programs import in_digits, numbers_of
from ..laptop import ENDS, Bounded, Laptop
from ..model import Check, CheckKind

ENGINE = CheckKind("docker.engine", "whether the engine of a profile answers on its socket")
API = CheckKind("docker.api", "whether the docker command and the engine have a version of the API in common")
EMULATION = CheckKind(
    "docker.emulation", "whether a VM really runs programs of the other architecture (Rosetta, binfmt), asked in it"
)
KINDS = (ENGINE, API, EMULATION)

# binfmt's handlers by the machine of the VM: what runs programs of the other one.
_OTHER = {"aarch64": ("amd64", "qemu-x86_64"), "x86_64": ("arm64", "qemu-aarch64")}


def examine(laptop: Laptop) -> Iterator[Check]:
    """Yield the checks."""
    if not laptop.has("colima_profile"):
        return
    answers = laptop.engines()
    for name, current in laptop.profiles().items():
        if current.health == RUNNING and name in answers:
            yield from _engine(laptop, name, answers[name])
        if current.health == RUNNING:
            yield from _emulation(laptop, name, current)


def _engine(laptop: Laptop, name: str, answer: dict[str, Any] | EngineSilent) -> Iterator[Check]:
    if isinstance(answer, EngineSilent) and answer.slow:
        found = f"{answer}: it is busy, or it hangs, so look again first{ENDS}"
        yield ENGINE.warning(found, f"colima restart {name}", name)
        return
    if isinstance(answer, EngineSilent):
        yield ENGINE.broken(*laptop.revived(name, f"it does not answer: {answer}"), name)
        return
    yield ENGINE.ok(f"docker {answer.get('Version', '')}", name)
    yield _api(laptop, name, answer)


def _api(laptop: Laptop, name: str, answer: dict[str, Any]) -> Check:
    most, least = (numbers_of(str(answer.get(key) or "")) for key in ("ApiVersion", "MinAPIVersion"))
    try:
        client = laptop.once("docker api", _client)
    except (CommandFailed, ToolMissing) as error:
        return API.unknown(error.reason, error.remedy, name)
    if client < least:
        found = f"this docker command has API {in_digits(client)}, and the engine wants {in_digits(least)} or newer"
        return API.broken(found, install_command("docker", verb="upgrade", search=laptop.path), name)
    return API.ok(f"{in_digits(min(client, most))}", name)


def _client() -> tuple[int, ...]:
    """Return the newest version of the API that the docker command has."""
    # It asks an engine as well, whatever the format: a missing engine fails at once.
    nowhere = {"DOCKER_HOST": "unix:///dev/null"}
    cli = Bounded("docker", "", {**docker_cli().environment, "DOCKER_CONTEXT": None})
    output = cli.run("version", "--format", "{{.Client.APIVersion}}", check=False, environment=nowhere)
    found = numbers_of(output.stdout.strip())
    if not found:
        raise CommandFailed("ask docker for its version", output.stderr.strip().rpartition("\n")[2], "Run 'docker version'.")
    return found


def _emulation(laptop: Laptop, name: str, current: ProfileState) -> Iterator[Check]:
    settings = current.applied or {}
    machine, wants_rosetta = current.row.arch if current.row else "", bool(settings.get("rosetta"))
    if machine not in _OTHER or not (wants_rosetta or settings.get("binfmt", True)) or settings.get("runtime") == "none":
        return
    try:
        guest = laptop.guest(current.name)
    except CommandFailed as error:
        yield EMULATION.unknown(f"the VM does not answer: {error.reason}", f"colima ssh --profile {name} -- true", name)
        return
    if guest is not None:
        yield _emulators(name, machine, guest.emulators, wants_rosetta=wants_rosetta)


def _emulators(name: str, machine: str, emulators: frozenset[str], *, wants_rosetta: bool) -> Check:
    platform, handler = _OTHER[machine]
    restart = f"colima restart {name}"
    if wants_rosetta and "rosetta" not in emulators:
        found = f"Rosetta is asked for, and is off in the VM{ENDS}"
        return EMULATION.warning(found, f"{INSTALL_ROSETTA} && {restart}", name)
    if not emulators & {handler, "rosetta"}:
        found = f"nothing runs linux/{platform} in the VM, although binfmt is on in its settings{ENDS}"
        return EMULATION.warning(found, restart, name)
    return EMULATION.ok(f"linux/{platform} by {'Rosetta' if 'rosetta' in emulators else 'QEMU'}", name)
