# SPDX-License-Identifier: GPL-3.0-or-later
"""The link at the place where tools expect docker's socket: whose it is, and how it comes and goes."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import InputError, RefusedStep
from ..core.plan import Plan, Step


def plan_link(path: Path, kept: Path, links: tuple[str | None, str | None], target: str, present: bool) -> Plan:
    """Return the steps. links is what path and kept are: None for nothing, the target of a link, "" for anything else."""
    found, found_kept = links
    steps: list[Step] = []
    if not present:
        if found == target:
            steps.append(Step("remove", f"link '{path}'", f"to {target}"))
            if found_kept:
                steps.append(Step("bring back", f"link '{path}'", f"to {found_kept}"))
    elif found == "":
        raise RefusedStep(
            f"Could not link '{path}': a socket or file of somebody else is there. "
            "Stop the engine that listens there (Docker Desktop, or the system's docker service) and remove the file first."
        )
    elif found != target:
        if found and found_kept == "":
            raise RefusedStep(
                f"Could not link '{path}': the link that is there would be kept as '{kept}', and '{kept}' is there. "
                "Move that file away first."
            )
        if found and found_kept is None:
            steps.append(Step("keep", f"link '{path}'", f"to {found}, as {kept}"))
        steps.append(Step("link", f"'{path}'", f"to {target}"))
    verbs = [step.verb for step in steps]
    after = found_kept if "bring back" in verbs else (None if "remove" in verbs else target if steps else found)
    return Plan(tuple(steps), {str(path): found}, {str(path): after})


def apply_link(plan: Plan, path: Path, kept: Path, target: str) -> None:
    """Run the steps; each replaces at once, so that there is no moment without a link."""
    try:
        for step in plan.steps:
            if step.verb == "keep":
                path.replace(kept)
            elif step.verb == "link":
                temporary = path.with_name(f".{path.name}.new")
                temporary.unlink(missing_ok=True)
                temporary.symlink_to(target)
                temporary.replace(path)
            elif step.verb == "remove":
                path.unlink()
            elif step.verb == "bring back":
                kept.replace(path)
    except OSError as error:
        raise InputError(
            f"Could not change link '{path}': {(error.strerror or str(error)).lower()}. Run the task with become."
        ) from error
