# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the settings of all roles that a run will reach, before its first task of this collection changes anything.

Runs on the controller, inside the action plugin of that first task: there all variables, roles and tags are known, so the check
costs no task of its own. All problems are one list, each with the file and line that it comes from.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from ..module_utils.colima_paths import short_name
from ..module_utils.company.network import network_variables
from ..module_utils.core.errors import ToolMissing
from ..module_utils.core.install import missing
from ..module_utils.core.options import Problem, problems, suggestion
from ..module_utils.core.subject import Subject
from ..module_utils.core.system.command import complete_path
from .lab import VARIABLE, leaving, outside
from .layers import OWN, Place, layers_of, places_of, written_at
from .plays import OURS, is_wanted, registered_in, role_of, tasks_of
from .references import (
    foreign_wrappers,
    unfit_profiles,
    unknown_aws_profiles,
    unknown_clusters,
    unknown_docker_contexts,
    unknown_profiles,
    unmovable_clusters,
    unreadable_files,
)
from .refusals import Part, all_refusals, refusals
from .role_settings import wrong_settings
from .templates import Unread, unread, unread_file

# Variables of the playbooks themselves, as argument specifications. Those with a default are used in conditions.
OF_PLAYBOOKS: Mapping[str, Mapping[str, Any]] = {
    "fleet_max_fail_percentage": {
        "type": "float",
        "description": "How many of the laptops, in percent, may fail before C(fleet.yml) ends the run; with C(-e) only.",
    },
    "fleet_serial": {
        "type": "str",
        "description": "How many laptops C(fleet.yml) works on before the next ones begin; with C(-e) only.",
    },
    "fleet_unreachable": {
        "type": "str",
        "choices": ["report", "fail"],
        "description": "Whether a laptop that does not answer is a failure of C(fleet.yml).",
    },
    "settings_show": {
        "type": "str",
        "choices": ["set", "all"],
        "description": "Whether C(settings.yml) shows what is set, or the defaults, too; with C(-e) only.",
    },
    "workstation_autostart": {"type": "bool", "default": False, "description": "Whether the profiles start at log-in."},
    "workstation_environment": {
        "type": "dict",
        "default": {},
        "description": "Variables of the environment that every task gets.",
    },
    "workstation_hosts": {"type": "str", "description": "The laptops or groups that a playbook runs on."},
    "workstation_idle_stop": {
        "type": "str",
        "default": "",
        "description": "For how long nothing must run in a VM before it is stopped: V(2h).",
    },
    "workstation_refresh_timer": {"type": "bool", "default": False, "description": "Whether a timer renews the pull secrets."},
    "workstation_settings": {"type": "path", "description": "The file of your own settings."},
}
# By role, the setting that confirms a loss of data; and the layers that last for one run, or are of a playbook.
CONFIRMATIONS = {
    "colima": "colima_confirm_data_loss",
    "migrate": "migrate_confirm",
    "move": "move_confirm",
    "snapshot": "snapshot_confirm",
}
_FOR_ONE_RUN = ("command line", "playbook")
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
# What the run of a laptop depends on, and is often misspelt.
_OF_ANSIBLE = ("ansible_connection", "ansible_python_interpreter")
# How much a name without a prefix of this collection must be like a known one to count as that one misspelt.
_LIKE = 0.9
_NOWHERE = Place("", "")
# So many problems of one module are reported at once.
_MOST = 20


@dataclass
class Reached:
    """A task of this collection that the run will reach: its subject, its options as they are now, and their variables."""

    name: str
    subject: Subject[Any, Any]
    options: dict[str, Any]
    names: dict[str, str]
    # Whether all could be read, and have a value.
    complete: bool
    programs: tuple[str, ...] = ()


@dataclass
class Findings:
    """What is wrong, in order."""

    project: str = ""
    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    # Where a variable is set, by the layers of settings: of a truth value or an empty one, the sum of them does not tell.
    where: Callable[[str], Place] = lambda _name: _NOWHERE

    def add(self, sentence: str, at: Any = None, *, place: str = "", warns: bool = False) -> None:
        """Add a sentence, with the place that the value comes from, once; also as no more than a warning."""
        place = place or written_at(at, self.project)
        line = f"{sentence} ({place})" if place else sentence
        lines = self.warnings if warns else self.lines
        # Several tasks may use one setting, and not all know where it stands.
        if line not in lines and not any(other.startswith(f"{sentence} (") for other in lines):
            lines[:] = [other for other in lines if other != sentence]
            lines.append(line)


def check_settings(
    task: Any,
    variables: Mapping[str, Any],
    templar: Any,
    subject_of: Callable[[str], Subject[Any, Any] | None],
    against_policy: Callable[..., Iterable[str]] = lambda *_work: (),
    *,
    here: bool = True,
) -> Findings:
    """Return everything that is wrong with the settings of a run, and what it will miss, seen from one of its tasks.

    subject_of: the subject of a module, None where it has none; against_policy: what a task, given with its subject, options,
    variables and templar, would do against the team's policy, in sentences; here: whether the laptop is this machine. What is on
    another one, its own tasks find out.
    """
    play = task.get_play()
    tasks = _tasks_around(task)
    reached = [
        role_task for role_task in tasks if role_task._role and role_task.evaluate_tags(play.only_tags, play.skip_tags, variables)
    ]
    roles = {role_of(role_task): role_task._role for role_task in tasks if role_task._role}
    names = {role_of(role_task) for role_task in reached}
    registered = registered_in(tasks)
    project = str(Path.cwd())
    findings = Findings(project, where=lambda name: _place_of(play, str(variables.get("inventory_hostname")), name, project))
    _check_names(findings, variables, roles, names, registered)
    _check_confirmations(findings, play, variables, names)
    works = list(_check_tasks(findings, reached, variables, templar, subject_of=subject_of, against_policy=against_policy))
    told = {name for work in works for name in work.names.values()}
    for sentence, at in wrong_settings((roles[name] for name in names if name in roles), told, variables, templar, here=here):
        findings.add(sentence, place=written_at(at, project) or findings.where(at).at)
    if VARIABLE in variables:
        _check_lab(findings, works, str(templar.template(variables[VARIABLE])))
    if here:
        _check_laptop(findings, works, task.check_mode)
    return findings


def _check_tasks(
    findings: Findings,
    reached: Iterable[Any],
    variables: Mapping[str, Any],
    templar: Any,
    *,
    subject_of: Callable[[str], Subject[Any, Any] | None],
    against_policy: Callable[..., Iterable[str]],
) -> Iterator[Reached]:
    """Find what is wrong with the options of the tasks that the run reaches, and yield these."""
    for role_task in reached:
        subject = subject_of(_module(role_task)) if str(role_task.action).startswith(OURS) else None
        if subject is not None:
            mine = {**variables, **role_task.get_vars(), **role_task.get_play()._variable_manager.extra_vars}
            own = templar.copy_with_new_env(available_variables=mine)
            work = _reached(role_task, subject, own, findings)
            if work is not None:
                _check_options(findings, work, mine, role_task.check_mode)
                for sentence in against_policy(role_task, subject, work.options, mine, own):
                    findings.add(sentence)
                yield work


def _tasks_around(task: Any) -> list[Any]:
    """Return the tasks of a task's play, itself among them: a play does not have the tasks of a role that it includes."""
    tasks = tasks_of(task.get_play())
    return tasks if role_of(task) in map(role_of, tasks) else [*tasks, task]


def _place_of(play: Any, host: str, name: str, project: str) -> Place:
    """Return the layer of settings that has a variable, and its file and line; empty where that is not known."""
    # Of ansible-core's internals: where they change, a sentence loses its place and nothing else.
    with contextlib.suppress(Exception):
        found = places_of(name, layers_of(play, play._variable_manager._inventory.get_host(host)), project)
        return found[0] if found else _NOWHERE
    return _NOWHERE


def _check_lab(findings: Findings, works: list[Reached], lab: str) -> None:
    """Find what would lead a rehearsal out of its lab."""
    if why := outside(lab, os.environ):
        findings.add(why, "workstation_environment")
    for work in works:
        for sentence, at in leaving(lab, work.name, work.subject.argument_spec, work.options, work.names):
            findings.add(sentence, at)


def _check_confirmations(findings: Findings, play: Any, variables: Mapping[str, Any], roles: Iterable[str]) -> None:
    """Refuse a confirmation of data loss that stays in a file: it would confirm every later loss as well."""
    given = [name for role, name in CONFIRMATIONS.items() if role in roles and variables.get(name)]
    if not given:
        return
    host = play.get_variable_manager()._inventory.get_host(variables["inventory_hostname"])
    layers = layers_of(play, host)
    for name in given:
        places = [place for place in places_of(name, layers, findings.project)[:1] if place.layer not in _FOR_ONE_RUN]
        for place in places:
            sentence = (
                f"Could not use '{name}' of {place.layer}: a confirmation that stays there confirms every later loss. "
                f"Remove it, and give it for one run: -e '{name}=...'."
            )
            findings.add(sentence, place=place.at)


def _check_laptop(findings: Findings, works: list[Reached], check_mode: bool) -> None:
    """Find what settings mention and this machine does not have: profiles, contexts, readable files, programs."""
    options = {work.name: work.options for work in works}
    for problem in (unknown_profiles, unknown_docker_contexts, unmovable_clusters, foreign_wrappers):
        for sentence, at in problem(options, os.environ):
            findings.add(sentence, at)
    for sentence, at in unfit_profiles(options, os.environ):
        # A default of a role needs no profile that can't have it.
        findings.add(sentence, at, warns=not written_at(at, findings.project))
    for sentence, at in (*unknown_aws_profiles(options, os.environ), *unknown_clusters(options, os.environ)):
        # They may still be made before the run that is only tried here.
        findings.add(sentence, at, warns=check_mode)
    for sentence in unreadable_files((work.name for work in works), os.environ):
        findings.add(sentence)
    lacking = missing((program for work in works for program in work.programs), complete_path(os.environ.get("PATH", "")))
    if lacking:
        error = ToolMissing(*lacking)
        if not check_mode:
            findings.add(error.message)
        elif "colima_profile" not in (work.name for work in works):
            # A check is right, as far as it can know, also where nothing is installed yet. colima_profile says it itself.
            findings.warnings.append(error.message)


def _check_names(
    findings: Findings, variables: Mapping[str, Any], roles: Mapping[str, Any], reached: Iterable[str], registered: Iterable[str]
) -> None:
    """Find unknown names that look like settings of the reached roles, and settings without a value."""
    defaults = {name: value for role in roles.values() for name, value in role._default_vars.items()}
    # What each role registers: an earlier play of the run may have left it.
    results = {f"{name}_result" for name in roles}
    known = {*defaults, *results, *(name for role in roles.values() for name in role._role_vars), *registered, *OF_PLAYBOOKS}
    prefixes = (*(f"{name}_" for name in reached), "workstation_")
    helpers = mentioned(variables, known)
    for name, value in variables.items():
        if name in known:
            if value is None and defaults.get(name) is not None:
                said = f"Could not use '{name}': it has no value. Give it one, or remove the line."
                findings.add(said, name, place=findings.where(name).at)
            # In conditions any other word counts as false; an environment of another form Ansible leaves out.
            elif OF_PLAYBOOKS.get(name, {}).get("type") in ("bool", "dict") and not _TEMPLATE.search(str(value)):
                for sentence, at in _wrong_of_playbooks(name, value):
                    findings.add(sentence, at)
        elif name not in helpers and (why := why_unknown(name, known, defaults, prefixes)):
            findings.add(f"Could not use variable '{name}': {why}", name)
    _check_prefixes(findings, {*variables} - known - helpers, defaults)


def _check_prefixes(findings: Findings, others: Iterable[str], settings: Iterable[str]) -> None:
    """Warn of variables in the user's own settings that may lack the prefix of a role: profiles for colima_profiles, say.

    An inventory may have them for other purposes.
    """
    for name in sorted(others):
        meant = sorted(setting for setting in settings if setting.endswith(f"_{name}"))
        place = findings.where(name) if meant else _NOWHERE
        if place.layer == OWN:
            either = "' or '".join(meant)
            said = f"Your settings have '{name}', which no role reads. Did you mean '{either}'?"
            findings.add(said, name, place=place.at, warns=True)


def _wrong_of_playbooks(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    yield from ((problem.sentence, name) for problem in problems(OF_PLAYBOOKS, {name: value}))
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        if inner is None:
            yield f"Could not use '{key}' of '{name}': it has no value. Give it one, or remove the line.", key


def why_unknown(name: str, known: Collection[str], settings: Iterable[str], prefixes: tuple[str, ...]) -> str:
    """Return what is wrong with a name that is not known, and is or looks like a setting; empty for one of the user's own.

    settings: the ones of roles; prefixes: what only a setting may begin with.
    """
    if name.startswith(prefixes):
        # What a role leaves behind is known, and not to be set.
        settable = [candidate for candidate in known if not candidate.endswith("_result")]
        role = name.removeprefix("workstation_")
        is_role = role != name and any(setting.startswith(f"{role}_") for setting in settable)
        help_ = f" roles/{role}/README.md lists the settings of that role." if is_role else suggestion(name, settable)
        help_ = help_ or " Correct it, or remove it; the pages of the roles list their variables."
        return f"it is unknown.{help_}"
    like = "" if name.startswith("docker_") else _misspelt(name, _OF_ANSIBLE if name.startswith("ansible_") else settings)
    return f"it is unknown. Did you mean '{like}'?" if like else ""


def mentioned(variables: Mapping[str, Any], known: Iterable[str]) -> set[str]:
    """Return the names that the user's own settings use: a helper variable may begin as it likes."""
    text = " ".join(repr(variables[name]) for name in known if name in variables)
    return set(_words(text))


def _words(text: str) -> list[str]:
    """Return the words of the templates in a text."""
    return re.findall(r"\w+", " ".join(_TEMPLATE.findall(text)))


def _misspelt(name: str, known: Iterable[str]) -> str:
    found = [
        candidate
        for candidate in known
        if abs(len(candidate) - len(name)) <= 2 and SequenceMatcher(None, name, candidate).ratio() >= _LIKE
    ]
    return found[0] if found and name != found[0] else ""


def _reached(task: Any, subject: Any, own: Any, findings: Findings) -> Reached | None:
    """Return a task with its options, templated by a templar of its own. None where its condition does not hold."""
    options: dict[str, Any] = {}
    complete = True
    if not is_wanted(task, own):
        return None
    for option, raw in task.args.items():
        try:
            if isinstance(raw, Unread):
                # The task that runs has been read already.
                raise raw.error
            value = own.template({option: raw})
        except Exception as error:
            if not any(word in str(raw) for word in ("_result", "register")):
                setting = variables_of(task).get(option, option)
                file = unread_file(setting, _written(task).get(option), own)
                findings.add(*(file or unread(setting, error, own.available_variables, OF_PLAYBOOKS)))
            complete = False
            continue
        complete = complete and None not in value.values()
        options.update({name: found for name, found in value.items() if found is not None})
    names = {option: _of_playbooks(name, own.available_variables) for option, name in variables_of(task).items()}
    network = network_variables(subject.argument_spec)
    whole = names.get("company_network", "company_network")
    names |= {**network, **{f"{whole}.{option}": name for option, name in network.items()}}
    return Reached(_module(task), subject, options, names, complete)


def _of_playbooks(name: str, variables: Mapping[str, Any]) -> str:
    """Return the variable of the playbooks that a role's variable takes its value from; the name itself where there is none."""
    words = _words(str(variables.get(name, "")))
    return next((word for word in words if word in OF_PLAYBOOKS and word in variables), name)


def _check_options(findings: Findings, work: Reached, variables: Mapping[str, Any], check_mode: bool) -> None:
    """Find what no module could take of a task's options, and what its own refuses."""
    found: list[Problem] = problems(work.subject.argument_spec, work.options, work.subject.hidden, work.names)
    for sentence, at in found:
        names = [variable for variable in variables if variable == work.names.get(str(at), at)]
        found_at = next(filter(None, (written_at(place, findings.project) for place in (at, *names))), "")
        findings.add(sentence, place=found_at or findings.where(work.names.get(str(at), str(at))).at)
    if work.complete:
        _check_refusals(findings, work, variables, len(found), check_mode=check_mode)


def _check_refusals(
    findings: Findings, work: Reached, variables: Mapping[str, Any], problems_before: int, *, check_mode: bool
) -> None:
    """Find what a module refuses of options, beside what none could take."""

    def judge(options: Mapping[str, Any]) -> list[str]:
        return refusals(work.subject, options, work.names, check_mode=check_mode)[0]

    def place(part: Part) -> str:
        # Of a number or a truth value, only its name has a place; of an option, that of its variable.
        name = work.names.get(part.key, part.key)
        names = [variable for variable in variables if variable == name] or [name]
        return next(
            filter(None, (written_at(at, findings.project) for at in (part.value, part.key, *names, *_inside(part.value)))), ""
        )

    def is_written(part: Part, way: list[Part]) -> bool:
        # What a role's task itself gives to its module is not a setting; a mapping of it may hold some.
        return bool(way or part.key in work.names or "options" in spec.get(part.key, {})) and bool(place(part))

    # What no module could take must not hide what this one refuses of the rest.
    spec = work.subject.argument_spec
    left = _fit(spec, work.options)
    with contextlib.suppress(TypeError):
        sentences, work.programs = refusals(work.subject, left, work.names, check_mode=check_mode)
        turns = range(problems_before, _MOST)
        for sentence, way in all_refusals(left, sentences, judge, is_written, spec=spec, turns=turns):
            findings.add(sentence, place=_at_named(findings, work, sentence, way) or (place(way[-1]) if way else ""))


def _at_named(findings: Findings, work: Reached, sentence: str, way: list[Part]) -> str:
    """Return the place of a setting that a sentence names among others: of several together, another part can seem to blame."""
    named = [name for name in work.names.values() if re.search(rf"\b{name}\b", sentence.partition(". ")[0])]
    top = {work.names.get(part.key, part.key) for part in way}
    return findings.where(named[0]).at if len(named) > 1 and not top & set(named) else ""


def _fit(spec: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options without what no module could take: of a list, without single entries, or wrong options of these."""
    found = {}
    for key, value in options.items():
        if not problems(spec, {key: value}):
            found[key] = value
        elif isinstance(value, list | tuple) and (entries := list(_fit_entries(spec.get(key, {}), value))):
            found[key] = entries
    return found


def _fit_entries(spec: Mapping[str, Any], entries: Iterable[Any]) -> Iterator[Any]:
    inner = spec.get("options") or {}
    for entry in entries:
        left = _fit(inner, entry) if isinstance(entry, Mapping) and inner else entry
        # Of an entry without what it needs, nothing else is known.
        is_whole = left is entry or not any(inner.get(option, {}).get("required") for option in set(entry) - set(left))
        if is_whole and not problems({"entry": spec}, {"entry": [left]}):
            yield left


def _inside(value: Any) -> Iterator[Any]:
    """Yield all keys and values in a value: a rebuilt value has no place of its own."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield item
            yield from _inside(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield item
            yield from _inside(item)


def profile_setting_at(options: Mapping[str, Any], profile: str, setting: str) -> str:
    """Return the file and line of a profile's setting in the options of a task; empty where that is not known."""
    overrides, entries = options.get("overrides"), options.get("profiles")
    named = list(overrides.items()) if isinstance(overrides, Mapping) else []
    listed = entries if isinstance(entries, list | tuple) else ()
    named += [(entry.get("name"), entry) for entry in listed if isinstance(entry, Mapping)]
    *outer, last = setting.split(".")
    for given in (given for name, given in named if short_name(name) == profile):
        inner: Any = given
        for part in outer:
            inner = inner.get(part) if isinstance(inner, Mapping) else None
        key = next((key for key in inner or () if key == last), "")
        if at := written_at(key, str(Path.cwd())):
            return at
    return ""


def wrong_options(task: Any, spec: Mapping[str, Any], names: Mapping[str, str] | None = None) -> str:
    """Return what is wrong with the options of a task that has no subject, empty where they are right.

    names: the variable of each option, where it is not that of a role.
    """
    return " ".join(problem.sentence for problem in problems(spec, task.args, names=names or variables_of(task)))


def _module(task: Any) -> str:
    return str(task.action).rpartition(".")[2]


def _written(task: Any) -> Mapping[str, Any]:
    """Return the options of a task as its file has them."""
    written = getattr(task, "_ds", None) or {}
    given = written.get(task.action, written.get(_module(task)))
    return given if isinstance(given, Mapping) else {}


def variables_of(task: Any) -> dict[str, str]:
    """Return the variable of each option of a role's task: the first of the role's own in it, else the first word."""
    if not task._role:
        return {}
    settable, private = task._role._default_vars, task._role._role_vars

    def variable(words: Iterable[str]) -> str:
        for word in words:
            found = word if word in settable else variable(_words(str(private[word]))) if word in private else ""
            if found:
                return found
        return ""

    words = {option: _words(raw) for option, raw in _written(task).items() if isinstance(raw, str)}
    found = {option: variable(some) or some[0] for option, some in words.items() if some}
    for option, some in words.items():
        # A role may put a variable into a mapping: {'weight': colima_host_weight}.
        inside = re.findall(r"'(\w+)': (\w+)", str(private.get(some[0], ""))) if some else ()
        found.update({f"{found[option]}.{key}": name for key, name in inside if name in settable})
    return {option: name for option, name in found.items() if not name.startswith("__")}
