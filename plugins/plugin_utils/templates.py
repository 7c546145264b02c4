# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings whose templates can't be read: which name in them is undefined, and where that template stands."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleError, AnsibleTemplateError, AnsibleUndefinedVariable
from jinja2 import Environment, TemplateError
from jinja2.meta import find_undeclared_variables

from ..module_utils.core.entries import kind_of
from ..module_utils.core.options import suggestion

# What Ansible offers in templates beside variables and what Jinja has.
_OFFERED = frozenset(("lookup", "query", "q", "now", "undef", "omit"))


@dataclass(frozen=True)
class Unread:
    """In place of an option of a task: why it can't be read."""

    error: AnsibleTemplateError

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """Go back to Ansible as words: errors of templates can't be sent between processes."""
        return str, (str(self.error),)


def unread(setting: str, error: Exception, variables: Mapping[str, Any], others: Collection[str] = ()) -> tuple[str, Any]:
    """Return a sentence for a setting whose template can't be read, and the text that is wrong in it.

    variables: all that have a value; others: the names that could have one.
    """
    cause = _innermost(error)
    text = getattr(cause, "obj", None)
    unknown = _unknown(text, variables) if isinstance(cause, AnsibleUndefinedVariable) else []
    if unknown:
        words = [name for name in (*variables, *others) if not name.startswith("_") and name != setting]
        near = suggestion(unknown[0], words, 0.8) or suggestion(unknown[0], [name for name in words if name not in others])
        return f"Could not read '{setting}': '{unknown[0]}' is undefined.{near or ' Define it, or correct its name.'}", text
    value = variables.get(setting)
    if "expected dicts" in str(cause) and not isinstance(value, Mapping):
        remedy = f"""Write its options as 'option: value', or behind -e as '{{"{setting}": {{...}}}}'."""
        return f"Could not use '{setting}': it is {kind_of(value)}, not a mapping. {remedy}", value
    reason = str(cause).strip().partition("\n")[0].rstrip(".")
    return f"Could not read '{setting}': {reason}. Correct its template.", text


def unread_file(setting: str, written: object, templar: Any) -> tuple[str, Any] | None:
    """Return a sentence for a setting that names a file which can't be read, and its value; None for another setting.

    written: the option as the role's task has it.
    """
    if f"lookup('ansible.builtin.file', {setting})" not in str(written):
        return None
    with contextlib.suppress(AnsibleError):
        value = templar.template([templar.available_variables[setting]])[0]
        remedy = "Give the path of a file; a bare name is looked for in the role's files."
        return f"Could not read '{value}' as '{setting}': the file does not exist, or it is not readable text. {remedy}", value
    return None


def _innermost(error: Exception) -> Exception:
    """Return the error that knows the template itself, behind those of the values that use it."""
    found, behind = error, error.__cause__
    while isinstance(behind, AnsibleError):
        found, behind = behind, behind.__cause__
    return found


def _unknown(text: object, variables: Collection[str]) -> list[str]:
    if not isinstance(text, str):
        return []
    jinja = Environment(autoescape=True)
    try:
        used = find_undeclared_variables(jinja.parse(text))
    except TemplateError:
        return []
    return sorted(used - set(variables) - set(jinja.globals) - _OFFERED)
