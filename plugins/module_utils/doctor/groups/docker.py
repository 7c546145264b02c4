# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether docker on the laptop talks to the profile that it should: its configuration, contexts, variables and engines."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...core.errors import InputError
from ...core.install import how_to_install, install_command
from ...core.plan import Step
from ...core.system.files import is_json_object, moved_away
from ...core.system.home import home
from ...docker.client import config_file, context_directory, docker_directory
from ...docker.config.plan import EditConfig, LinkPlugin
from ...docker.context.model import BUILT_IN, ContextSpec, ContextsState, ContextStep
from ...docker.context.overrides import VARIABLES, find_settings, overriding, start_files
from ..laptop import Laptop
from ..model import Check, CheckKind
from ..settings import SubjectReading

CONFIG = CheckKind(
    "docker.config", "whether docker's config.json can be read, and holds nothing that a removed Docker Desktop left"
)
PLUGINS = CheckKind("docker.plugins", "whether docker finds its plugins buildx and compose")
CONTEXT = CheckKind("docker.context", "whether a docker context is there, with the address of its profile")
CURRENT = CheckKind("docker.current", "whether docker uses the context that it should")
OVERRIDES = CheckKind(
    "docker.variables", "whether DOCKER_HOST or DOCKER_CONTEXT overrules the current context, and where it is set"
)
KINDS = (CONFIG, PLUGINS, CONTEXT, CURRENT, OVERRIDES)


def examine(laptop: Laptop) -> Iterator[Check]:
    """Yield the checks."""
    if laptop.has("docker_cli_config"):
        yield from _config(laptop)
    if laptop.has("docker_context"):
        try:
            look = laptop.look("docker_context")
        except InputError as error:
            # What repairs its config.json was reported already.
            if not laptop.config_damaged():
                yield CONTEXT.broken(error.complaint, error.remedy)
            return
        yield from _contexts(laptop, look)


def _config(laptop: Laptop) -> Iterator[Check]:
    converge = laptop.converge("docker_cli")
    try:
        look = laptop.look("docker_cli_config")
    except InputError as error:
        again = laptop.converge("docker_cli,docker_context,buildx")
        mend = _mend(config_file(docker_directory(laptop.environment, home())))
        yield CONFIG.broken(f"could not {error.what}: {error.reason}", f"{mend} && {again}")
        return
    for step in look.plan.steps:
        yield _wrong(step, converge)
    missing = [name for name, place in look.current.facts.plugins.items() if place is None]
    for name in missing:
        remedy = install_command(name, search=laptop.path) or how_to_install(name, search=laptop.path)
        yield PLUGINS.warning("it is not installed", remedy, name)
    if not look.plan.steps:
        yield CONFIG.ok("readable, without leftovers")
        if not missing:
            yield PLUGINS.ok("found")


def _mend(file: Path) -> str:
    """Return the command that lets docker's configuration be read, and loses no log-in that is in it."""
    quoted = shlex.quote(str(file))
    if file.is_file() and not os.access(file, os.R_OK):
        return f"chmod u+rw {quoted}" if file.stat().st_uid == os.getuid() else f'sudo chown "$(id -un)" {quoted}'
    return moved_away(file)


def _wrong(step: Step, converge: str) -> Check:
    """Return what is wrong with docker's configuration, by the step that puts it right."""
    plugin = isinstance(step, EditConfig) and step.key == "cliPluginsExtraDirs" and step.after
    if plugin or (not isinstance(step, EditConfig) and step.verb == "link"):
        return PLUGINS.warning("docker does not look where its plugins are installed", converge, step.target)
    if isinstance(step, EditConfig) and step.key == "currentContext":
        return CONFIG.broken(f"its current context '{step.before}' is gone, so docker does nothing", converge)
    if not isinstance(step, EditConfig | LinkPlugin):
        return CONFIG.warning(f"a run would {step}", converge)
    return CONFIG.warning(f"a removed Docker Desktop left {step.target} ({step.detail})", converge)


def _contexts(laptop: Laptop, look: SubjectReading) -> Iterator[Check]:
    store: ContextsState = look.current
    converge = laptop.converge("docker_context")
    steps = [step for step in look.plan.steps if isinstance(step, ContextStep)]
    for wanted in look.spec.wanted:
        yield _context(wanted, store, steps, converge)
    yield from _of_others(docker_directory(laptop.environment, home()), {wanted.name for wanted in look.spec.wanted})
    current = store.current or BUILT_IN
    switch = next((step for step in steps if step.switches is not None), None)
    if switch is not None:
        yield CURRENT.warning(f"docker uses '{current}' instead of '{(switch.switches or ('', ''))[1]}'", converge)
    else:
        yield CURRENT.ok(f"docker uses '{current}'")
    target = (switch.switches or ("", ""))[1] if switch is not None else current
    yield from _overrides(laptop, target, store)


def _context(wanted: ContextSpec, store: ContextsState, steps: list[ContextStep], converge: str) -> Check:
    name, found = wanted.name, store.contexts.get(wanted.name)
    step = next((step for step in steps if step.switches is None and step.argv[-1] == name), None)
    if found is not None and found.broken:
        return CONTEXT.broken("its entry in docker's store can't be read", converge, name)
    if step is None:
        return CONTEXT.ok(found.host if found is not None else "as asked for", name)
    if found is None:
        return CONTEXT.broken("it does not exist", converge, name)
    return CONTEXT.warning(f"a run would {step}", converge, name)


def _of_others(directory: Path, names: Iterable[str]) -> Iterator[Check]:
    """Yield each entry of another context that can't be read: docker then lists none at all."""
    ours = {context_directory(directory, name) for name in names}
    for file in sorted(directory.glob("contexts/meta/*/meta.json")):
        if file.parent not in ours and not is_json_object(file):
            found = "docker can't read its entry, so 'docker context ls' shows no context"
            yield CONTEXT.broken(found, moved_away(file.parent, directory / "contexts"), str(file))


def _overrides(laptop: Laptop, current: str, store: ContextsState) -> Iterator[Check]:
    host = store.contexts[current].host if current in store.contexts else ""
    environment = {name: laptop.environment[name] for name in VARIABLES if laptop.environment.get(name)}
    settings = find_settings(start_files(home()), home())
    found = overriding(environment, settings, current, host)
    for assignment in found:
        lines = [f"sed -i.bak {item.line}d {shlex.quote(item.path)}" for item in reversed(assignment.settings)]
        sentence = f"{assignment.variable} is '{assignment.value}', {assignment.where}, and overrules context '{current}'"
        remedy = "; ".join([*lines, f"unset {assignment.variable}"])
        if assignment.variable == "DOCKER_CONTEXT" and not _is_there(laptop, assignment.value):
            yield OVERRIDES.broken(f"{sentence}; it does not exist, so docker does nothing", remedy, assignment.variable)
        else:
            yield OVERRIDES.warning(sentence, remedy, assignment.variable)
    if not found:
        yield OVERRIDES.ok("none overrules it")


def _is_there(laptop: Laptop, context: str) -> bool:
    return context == BUILT_IN or context_directory(docker_directory(laptop.environment, home()), context).is_dir()
