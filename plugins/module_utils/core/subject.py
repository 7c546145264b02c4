# SPDX-License-Identifier: GPL-3.0-or-later
"""The skeleton of every module: read, plan, apply, verify. A subject gives the parts; what all of them owe is written here once.

Knows no subject, and neither Ansible nor the module or action plugin that calls it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from .errors import Defect, Interrupted, NotVerified, WorkstationError, naming_files, refused
from .plan import Plan, Step
from .progress import emit
from .secrecy import known
from .secrecy.patterns import secrets_in
from .system.command import end_guarded

# What the options ask for, and what was found. Both are frozen.
Spec = TypeVar("Spec")
State = TypeVar("State")


@dataclass(frozen=True)
class Result(Generic[Spec, State]):
    """A finished run, for the subject to show. In check mode, and where nothing was to do, after is before."""

    spec: Spec
    before: State
    after: State
    plan: Plan
    check_mode: bool = False
    # What carry_out returned; None where nothing was carried out.
    applied: Any = None


class Subject(Generic[Spec, State]):
    """What one module is about. An object serves one run, so it may keep its clients."""

    # AnsibleModule's argument_spec, and its other rules (mutually_exclusive and so on).
    argument_spec: ClassVar[Mapping[str, Any]]
    rules: ClassVar[Mapping[str, Any]] = {}
    # Options whose values never appear in a result, a log line or a message.
    hidden: ClassVar[frozenset[str]] = frozenset()
    # The work in words, for messages: "Could not {work}: ...".
    work: ClassVar[str]
    # What to look at when a second look finds something left.
    look: str = "Another program may have changed it meanwhile; run again."

    def preload(self) -> None:
        """Import what only its work needs, before that begins. What is missing, the work itself tells."""

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> Spec:
        """Return what the options ask for. Raises InputError. The only place that knows options."""
        raise NotImplementedError

    def read(self, spec: Spec) -> State:
        """Return the current state. Changes nothing."""
        raise NotImplementedError

    def plan(self, spec: Spec, current: State) -> Plan:
        """Return what has to be done. Pure."""
        raise NotImplementedError

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        raise NotImplementedError

    def public(self, outcome: Result[Spec, State]) -> dict[str, Any]:
        """Return the result keys that are the subject's own; "warnings" are added to the plan's."""
        raise NotImplementedError

    def secrets(self, params: Mapping[str, Any]) -> set[str]:
        """Return the texts that no result may hold: logins in addresses, and values whose name is that of a secret.

        Takes options of any shape, also invalid ones.
        """
        return secrets_in(params)

    def programs(self, spec: Spec) -> tuple[str, ...]:
        """Return the programs without which a real run would fail."""
        del spec
        return ()

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Return what keeps other runs out; made before reading, and entered from before the first step until the last look.

        Entering returns whether what was read is still true; if not, it is read and planned again.
        """
        return contextlib.nullcontext(True)

    def require(self, plan: Plan) -> None:
        """Raise for what the plan needs and the laptop lacks; called before other runs are kept out."""

    def still_true(self, plan: Plan) -> bool:
        """Return whether the plan still holds, once other runs are kept out."""
        del plan
        return True

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> object:
        """Carry out a plan, reporting each finished step. Return what was applied, for a second look.

        A subject whose steps run side by side overrides this.
        """
        for step in plan.steps:
            self.apply(step)
            if not step.silent:
                report(str(step))
        return None

    def read_again(self, spec: Spec, applied: Any) -> State:
        """Return the state after a plan was carried out. applied: what carry_out returned."""
        del applied
        return self.read(spec)

    def so_far(self) -> dict[str, Any]:
        """Return the result keys that are true also after a run that was ended in between."""
        return {}

    def close(self) -> None:
        """End what the run opened."""


class Reader(Subject[Spec, State]):
    """A subject that only reads, for an info module."""

    def plan(self, spec: Spec, current: State) -> Plan:
        """Return an empty plan."""
        del spec, current
        return Plan()


def run(subject: Subject[Any, Any], params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Run a subject and return its result. Raises a WorkstationError that tells what was done before it.

    Neither holds a secret that was learned until then.
    """
    done: list[str] = []
    planned: list[str] = []
    known.begin(subject.secrets(params), os.environ)
    try:
        with interruptible(subject.work), naming_files(subject.work), contextlib.closing(subject):
            outcome = _converged(subject, params, check_mode, done, planned)
            shown = subject.public(outcome)
    except WorkstationError as error:
        error.done = [*done, *error.done]
        error.planned = planned
        error.context = {**subject.so_far(), **error.context}
        error.hide()
        raise
    except Exception as error:
        # Without the exception itself: its words, and those behind it, may hold anything.
        raise _defect(subject.work, error, done, planned) from None
    plan = outcome.plan
    actions = plan.actions if check_mode else done
    result: dict[str, Any] = {
        "changed": bool(actions),
        "actions": actions,
        "diff": plan.diff,
        "pending": [item.public() for item in plan.pending],
        **shown,
        "warnings": list(dict.fromkeys([*plan.warnings, *shown.get("warnings", ())])),
    }
    return known.hidden(result)  # type: ignore[no-any-return]


def _defect(work: str, error: Exception, done: list[str], planned: list[str]) -> Defect:
    where = [
        f"{frame.filename.rpartition('module_utils/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    message = (str(error).splitlines() or [""])[0][:200].rstrip(". ")
    reason = f"{type(error).__name__}{f' ({message})' if message else ''} in {where[-1]}"
    found = Defect(
        work, reason, "This is a mistake of laptop.containers: report it, with the file of 'make support'.", trace=where
    )
    found.done, found.planned = done, planned
    found.hide()
    return found


def _converged(
    subject: Subject[Any, Any], params: Mapping[str, Any], check_mode: bool, done: list[str], planned: list[str]
) -> Result[Any, Any]:
    spec = subject.parse(params, check_mode=check_mode)
    guard = subject.lock()
    current = subject.read(spec)
    plan = subject.plan(spec, current)
    _refuse(plan)
    if check_mode or not plan.steps:
        return Result(spec, current, current, plan, check_mode)
    subject.require(plan)
    with guard as undisturbed:
        if not (subject.still_true(plan) and undisturbed):
            current = subject.read(spec)
            plan = subject.plan(spec, current)
            _refuse(plan)
        planned += plan.actions
        if plan.changed:
            emit(plan=plan.actions)
        applied = subject.carry_out(plan, done.append)
        after = subject.read_again(spec, applied)
        _verify(subject, subject.plan(spec, after))
    return Result(spec, current, after, plan, applied=applied)


def _refuse(plan: Plan) -> None:
    if plan.refusals:
        raise refused(plan.refusals)


def _verify(subject: Subject[Any, Any], left: Plan) -> None:
    """Raise NotVerified for what a second look still finds to do."""
    steps = [step for step in left.steps if not step.silent]
    if steps:
        raise NotVerified(
            subject.work,
            f"every step was carried out, yet a second look still finds this to do: {steps[0]}",
            subject.look,
            left=[str(step) for step in steps],
        )
    _refuse(left)


@contextlib.contextmanager
def interruptible(work: str) -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does, together with its child processes. Both become a failure that lists what was done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    came = set[int]()

    def stop(number: int, _frame: object) -> None:
        # Of a Ctrl-C, Ansible sends its worker both signals. The second must not cut short what the first has set in motion.
        if came <= {number}:
            came.add(number)
            end_guarded()
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(work, "the run was interrupted", "Run again: it continues from there.") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
