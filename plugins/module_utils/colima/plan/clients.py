# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host's clients of a profile need: its entry in the kubeconfig, and colima's docker context. Pure."""

from __future__ import annotations

from ..model.config import Config
from ..model.state import RUNNING, ProfileState
from .model import Action, ActionKind, act


def carries_socket(current: ProfileState) -> bool:
    """Whether a lost socket of the engine can come back without a restart."""
    return current.ssh_master and current.live.get("runtime") in ("docker", "containerd")


def client_repairs(current: ProfileState, target: Config) -> list[Action]:
    """Return what a running profile needs on the host and gets without a restart."""
    applied = current.applied or {}
    if current.health != RUNNING:
        return []
    kube = _kubeconfig(current, target) if current.live.get("kubernetes") and applied.get("kubernetes.enabled") else []
    return [*_socket(current), *kube, *(_context(current) if applied.get("runtime") == "docker" else [])]


def _socket(current: ProfileState) -> list[Action]:
    """Restore the engine's socket where Lima's connection can carry it again: no container notices."""
    runtime = str(current.live.get("runtime"))
    if not (current.lost_socket and carries_socket(current)):
        return []
    detail = "it is gone, and the engine in the VM runs"
    return [act(ActionKind.RESTORE_SOCKET, current.name, "restore", detail, f"socket '{current.lost_socket}'", text=runtime)]


def _kubeconfig(current: ProfileState, target: Config) -> list[Action]:
    name, clients = current.name, current.clients
    entry, activate = f"kubeconfig entry '{name.id}'", bool(target["auto_activate"])
    if clients.kube_entry != "present":
        detail = "it is of another k3s" if clients.kube_entry == "stale" else "from the running k3s"
        return [act(ActionKind.REPAIR_KUBECONFIG, name, "repair", detail, entry, activate=activate)]
    if clients.kube_current_dangling and activate:
        return [act(ActionKind.REPAIR_KUBECONFIG, name, "make current", "the current context is not there", entry, activate=True)]
    if clients.kube_to_note:
        return [act(ActionKind.NOTE_ENTRY, name, "note", "", entry, text=clients.kube_to_note, silent=True)]
    return []


def _context(current: ProfileState) -> list[Action]:
    """Correct colima's docker context: colima itself leaves an existing context alone, whatever its address."""
    there = current.clients.docker_context
    if not there or there == current.docker_socket:
        return []
    detail = f"{there} -> {current.docker_socket}"
    return [act(ActionKind.CORRECT_CONTEXT, current.name, "correct", detail, f"docker context '{current.name.id}'")]


def context_after_start(current: ProfileState, target: Config) -> list[Action]:
    """Return what colima's docker context needs when the profile was started."""
    if target["runtime"] != "docker":
        return []
    # A proper stop removes the context, and the start makes it again, but current only where the settings ask for that.
    removed = current.health == RUNNING and (current.applied or {}).get("runtime") == "docker"
    if not removed:
        return _context(current)
    if target["auto_activate"] or not current.clients.docker_current:
        return []
    return [act(ActionKind.USE_CONTEXT, current.name, "make current again", "", f"docker context '{current.name.id}'")]
