# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes to fill the new VM, to go back to the old one, and to give it up. Pure."""

from __future__ import annotations

from ...colima.model.state import RUNNING, STOPPED
from ...core.errors import InputError, NotVerified, RefusedStep
from ...core.plan import Plan, Step, in_number, size_in_words
from .leaving import PLAYBOOK, kept_name, kept_to_return, runtime_of, set_aside
from .model import KEPT, LEAVING, RETURNING, Confirm, Create, Fill, Found, Load, Objects, Remove, Return, Wish
from .objects import key_of


def plan_arriving(found: Found, wish: Wish) -> Plan:
    """Return the steps: images, then the data of volumes, then the objects that use both."""
    archive, what = found.archive, f"fill profile '{wish.profile}'"
    if found.verified or (not found.kept and archive.sealed is None):
        return Plan()
    if archive.sealed is None:
        remedy = f"Correct O(directory), or bring back the old VM with {PLAYBOOK}, --tags back."
        return Plan(refusals=(RefusedStep(what, f"there is no complete archive at '{wish.place}'", remedy),))
    if found.current.health != RUNNING or runtime_of(found) != wish.runtime:
        reason = f"it does not run with {wish.runtime}"
        return Plan(refusals=(RefusedStep(what, reason, "Make it with playbooks/workstation.yml, and run again."),))
    objects = archive.objects or Objects()
    if objects.items and not found.current.live.get("kubernetes"):
        return Plan(refusals=(RefusedStep(what, "its Kubernetes does not run", "Set kubernetes.enabled, and run again."),))
    steps: list[Step] = [
        Load("load", in_number(len(one.images), "image"), size_in_words(one.size), saved=one)
        for one in archive.images
        if one.file not in found.arrived.files
    ]
    steps += [
        Fill("fill", f"volume '{one.claim.claim}'", size_in_words(one.size), saved=one)
        for one in archive.claims
        if one.claim.volume not in found.arrived.volumes
    ]
    items = tuple(one for one in objects.items if key_of(one) not in found.arrived.objects)
    if items:
        steps.append(Create("create", f"{in_number(len(items), 'object')} in the cluster", items=items))
    return Plan(tuple(steps))


def plan_ready(found: Found, wish: Wish) -> Plan:
    """Return nothing to do, or what is not as it was in the old cluster."""
    missing = plan_arriving(found, wish)
    if missing.refusals or missing.steps:
        left = missing.refusals[0].message if missing.refusals else f"it is left to {missing.steps[0]}"
        return Plan(refusals=(NotVerified(f"verify profile '{wish.profile}'", left, f"Run {PLAYBOOK} again."),))
    if found.arrived.waiting:
        reason = f"{', '.join(found.arrived.waiting[:5])} {'is' if len(found.arrived.waiting) == 1 else 'are'} not ready"
        remedy = f"See 'kubectl get pods --all-namespaces', and run again; {PLAYBOOK} with --tags back brings back the old VM."
        return Plan(refusals=(NotVerified(f"verify profile '{wish.profile}'", reason, remedy),))
    if found.archive.sealed is None or found.verified:
        return Plan()
    return Plan((Confirm("note", "that everything has arrived", silent=True),))


def plan_return(found: Found, wish: Wish) -> Plan:
    """Return the steps that let the old VM be the profile again. The new one is kept in its turn."""
    what = f"bring back the old VM of profile '{wish.profile}'"
    kept, runtime = kept_to_return(found, wish), runtime_of(found)
    others = [one.name for one in found.kept if one.runtime != wish.runtime]
    if kept is None:
        if not others and runtime not in ("", wish.runtime):
            return Plan()
        reason, remedy = "none is kept", f"There is one only after {PLAYBOOK} has moved the profile."
        if others:
            reason, remedy = "it is not clear which", f"Name it as E(confirm). There are: {', '.join(others)}."
        return Plan(refusals=(InputError(what, reason, remedy),))
    steps: list[Step] = [Return("bring back", f"the VM of profile '{wish.profile}'", f"kept as '{kept.name}'", kept=kept)]
    if half := next((one for one in found.kept if one.state == LEAVING and one.runtime == wish.runtime), None):
        steps.insert(0, set_aside(wish, half.name, half.runtime))
    elif runtime == wish.runtime or (not runtime and found.parts and kept.state == KEPT):
        if found.current.exists and found.current.health != STOPPED:
            reason = f"the new one is {found.current.health}"
            return Plan(refusals=(RefusedStep(what, reason, f"Stop it with 'colima stop {wish.profile}', and run again."),))
        name = kept_name(wish, wish.runtime)
        if any(one.name == name for one in found.kept):
            remedy = f"Remove that with {PLAYBOOK}, --tags retire and E(confirm={name})."
            return Plan(refusals=(RefusedStep(what, f"another one is still kept as '{name}'", remedy),))
        steps.insert(0, set_aside(wish, name, wish.runtime))
    elif runtime and kept.state == KEPT:
        remedy = f"If nothing in it is needed, delete it with 'colima delete --data {wish.profile}', and run again."
        return Plan(refusals=(RefusedStep(what, f"another VM with runtime {runtime} has its place", remedy),))
    return Plan(tuple(steps))


def plan_retire(found: Found, wish: Wish) -> Plan:
    """Return the steps that give up a kept VM and the archive. Only for who names it, and once the new one was found good."""
    if not found.kept:
        left = Remove("remove", "what a killed run has left", silent=True, name="", archive=False)
        # No refusal: an earlier run may have removed it, and what was removed is not found afterwards.
        none = f"No old VM of profile '{wish.profile}' is kept as '{wish.confirm}', so none was removed."
        return Plan((left,)) if found.left else Plan(warnings=(none,) if wish.confirm else ())
    what, names = f"remove the old VM of profile '{wish.profile}'", [one.name for one in found.kept]
    kept = next((one for one in found.kept if one.name == wish.confirm), None)
    if kept is None:
        return Plan(
            refusals=(RefusedStep(what, "everything in it would be lost", f"Name it as E(confirm): {', '.join(names)}."),)
        )
    if kept.state != KEPT:
        how = " with --tags back" if kept.state == RETURNING or kept.runtime == wish.runtime else ""
        return Plan(refusals=(RefusedStep(what, "it is half on its way", f"Run {PLAYBOOK}{how} to its end, and then this."),))
    if kept.runtime != wish.runtime and found.archive.files and not found.verified:
        reason = "the new one was not found to have all of it"
        return Plan(refusals=(RefusedStep(what, reason, "Run the move again to its end, and then this."),))
    target = f"the VM of profile '{wish.profile}' that is kept as '{kept.name}'"
    # Another one that is kept can still be what the archive is of.
    last = len(found.kept) == 1
    return Plan((Remove("remove", target, "and the archive" if last else "", name=kept.name, archive=last),))
