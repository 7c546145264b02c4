# SPDX-License-Identifier: GPL-3.0-or-later
"""What the closing summary says of one laptop. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from .fleet import LaptopOutcome, LaptopResult

# So many namespaces are named in a line.
_NAMESPACES = 5


class Tone(Enum):
    """How a block is meant."""

    PLAIN = "plain"
    WARNING = "warning"
    FAILURE = "failure"


class Block(NamedTuple):
    """Lines under a title."""

    title: str
    lines: Sequence[str]
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Failure:
    """Role (or task) and sentence of a failure. unknown: whether what was done before it is not known. title: its kind.

    each: its sentences, where they are several.
    """

    role: str
    sentence: str
    unknown: bool = False
    title: str = "FAILED"
    each: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.role}: {self.sentence}"

    def blocks(self, not_reached: Sequence[str]) -> Iterator[Block]:
        """Yield what is shown of it. not_reached: the roles that it kept from their turn."""
        yield Block("not reached", [", ".join(_once(not_reached))] if not_reached else [])
        note = " What it did before that is not known." if self.unknown else ""
        lines = [f"{number}. {sentence}" for number, sentence in enumerate(self.each, 1)] or [self.sentence + note]
        yield Block(f"{self.title} {self.role}:", lines, Tone.FAILURE)


@dataclass
class Summary:
    """What the tasks of a run have said of one laptop so far."""

    actions: list[str] = field(default_factory=list)
    # What tasks in check mode planned, in a run that is not.
    planned: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    # Of tasks that changed nothing: Ansible prints only those of the others.
    warnings: list[str] = field(default_factory=list)
    failure: Failure | None = None
    # The roles of which a task was reached.
    reached: set[str] = field(default_factory=set)
    # Whether a task of this collection was more than a look.
    acted: bool = False
    # Why it did not answer, where that does not count as a failure.
    away: str = ""

    def add(self, answer: Mapping[str, Any], *, failed: bool, looked: bool, checked: bool) -> None:
        """Keep the result of a task of this collection. looked: it was in check mode; checked: so is the whole run."""
        self.found.extend(map(str, _listed(answer, "summary")))
        if looked and not checked:
            # A look before the real run is news only if there is none.
            self.planned.extend(map(str, _listed(answer, "actions")))
            return
        self.acted = True
        self.actions.extend(map(str, _listed(answer, "actions")))
        if not failed and not answer.get("changed"):
            self.warnings.extend(map(_text_of, _listed(answer, "warnings")))
        self.pending.extend(map(pending_line, _listed(answer, "pending")))
        if not failed and not (checked and answer.get("changed")):
            # What failed, or is only planned, can't be used.
            self.hints.extend(hints_of(answer))

    def blocks(self, *, checked: bool, not_reached: Sequence[str]) -> Iterator[Block]:
        """Yield what is shown, the failure last. not_reached: the roles that it kept from their turn."""
        # In a check, the task of a plan and the task that carries it out say the same.
        yield Block("found", _once(self.found))
        nothing = [] if self.failure or self.found else ["nothing"]
        planned = self.actions if checked else [] if self.acted else self.planned
        # Where nothing is done, two tasks may plan the same.
        yield Block("would change", _once(planned) or (nothing if checked else []))
        if not checked:
            yield Block("changed", self.actions or ([] if planned else nothing))
        yield Block("pending", _once(self.pending))
        yield Block("warning", _once(self.warnings), Tone.WARNING)
        yield Block("use it", _once(self.hints))
        if self.failure:
            yield from self.failure.blocks(not_reached)

    def of_fleet(self, name: str) -> LaptopResult:
        """Return what became of the laptop, where it is one of many."""
        if self.failure:
            return LaptopResult(name, LaptopOutcome.FAILED, str(self.failure))
        if self.away:
            return LaptopResult(name, LaptopOutcome.AWAY, self.away)
        if not self.reached - {""}:
            return LaptopResult(name, LaptopOutcome.LEFT_ALONE)
        return LaptopResult(
            name, LaptopOutcome.CHANGED if self.actions else LaptopOutcome.PENDING if self.pending else LaptopOutcome.UNCHANGED
        )


def sentence_of(answer: Mapping[str, Any]) -> str:
    """Return what a failed result says, in one line."""
    return _in_one_line(answer.get("msg") or "it gave no reason")


def failure_of(answer: Mapping[str, Any], where: str) -> Failure:
    """Return the failure of a task. where: its role or name."""
    kind, problems = answer.get("kind"), answer.get("problems", 0)
    if problems > 1:
        # The list was printed with the task.
        left = "this task changed nothing" if kind == "policy" else "nothing was changed"
        return Failure("policy" if kind == "policy" else "settings", f"{problems} problems, listed above; {left}.")
    # What a module that crashed had done is not known; what one had done that did not even start, or says so itself, is.
    role = str(kind) if kind in ("settings", "policy") else where
    each = tuple(map(_in_one_line, answer.get("refusals") or answer.get("failures") or ()))
    return Failure(role, sentence_of(answer), "module_stdout" in answer, each=each if len(each) > 1 else ())


def pending_line(item: Any) -> str:
    """Return one pending change as a sentence."""
    if isinstance(item, dict) and {"target", "change", "reason", "remedy"} <= set(item):
        return f"{item['target']}: {item['change']}, because {item['reason']}. {item['remedy']}"
    return str(item)


def hints_of(answer: Mapping[str, Any]) -> list[str]:
    """Return how to use what a result describes: profiles with sizes and sockets, the way back from upgrades, the current
    context, secrets with expiry."""
    hints = [hint for profile in _listed(answer, "profiles") if _is_usable(profile) for hint in _of_profile(profile)]
    if answer.get("files") and answer.get("path"):
        # A bundle: what is in it is for its owner to know before it goes anywhere.
        hints += [f"{file['name']} ({file['bytes']} bytes)" for file in answer["files"]]
        hints.append(f"look through it, then attach it: {answer['path']}")
    hints += [
        f"back to {program['name']} {program['from']}: {program['back']}"
        for program in _listed(answer, "upgraded")
        if program["back"]
    ]
    if answer.get("contexts") and answer.get("current"):
        hints.append(f"docker uses context {answer['current']}")
    return [*hints, *_secrets(_listed(answer, "secrets"))]


def _is_usable(profile: Mapping[str, Any]) -> bool:
    """Whether a profile runs, and nothing waits that it needs. One that is removed has no sizes."""
    waits = any(item.get("kind") in ("repair", "room") for item in profile.get("pending") or ())
    return str(profile.get("status", "")).lower() == "running" and bool(profile.get("memory")) and not waits


def _of_profile(profile: Mapping[str, Any]) -> Iterator[str]:
    size = f"{profile.get('cpu')} CPU{'' if profile.get('cpu') == 1 else 's'}, {profile['memory']:g} GiB"
    socket = profile.get("docker_socket") or profile.get("containerd_socket")
    yield f"profile {profile.get('name')}: {profile.get('runtime')}, {size}{f', {socket}' if socket else ''}"
    kubernetes = profile.get("kubernetes")
    if kubernetes.get("enabled") if isinstance(kubernetes, dict) else kubernetes:
        yield f"kubectl --context {profile.get('instance')} get pods"


def _secrets(secrets: Iterable[Any]) -> list[str]:
    """Return a line for all pull secrets of a cluster that live equally long."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    for secret in secrets:
        if secret.get("hours_left") is not None:
            key = (secret.get("name"), secret.get("context"), secret["hours_left"])
            alike.setdefault(key, []).append(str(secret.get("namespace")))
    lines = []
    for (name, context, hours), namespaces in alike.items():
        shown = ", ".join(namespaces[:_NAMESPACES])
        more = f" and {len(namespaces) - _NAMESPACES} more" if len(namespaces) > _NAMESPACES else ""
        lines.append(f"pull secret {name} in {context} ({shown}{more}): {hours:g} h left")
    return lines


def _listed(answer: Mapping[str, Any], key: str) -> Sequence[Any]:
    return answer.get(key) or ()


def _in_one_line(text: Any) -> str:
    return " ".join(str(text).split())


def _once(lines: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(lines))


def _text_of(warning: Any) -> str:
    """Return the text of a warning, whatever form this ansible-core gives it."""
    event = warning.get("event", warning) if isinstance(warning, dict) else warning
    return str(event.get("msg", event) if isinstance(event, dict) else event)
