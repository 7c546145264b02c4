# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a subject as an Ansible module. The one file here that imports Ansible.

It is imported by whatever Python the target has, so nothing above the check of its version may need a newer one.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Callable  # noqa: UP035 - also where this Python is too old for the rest

from ansible.module_utils.basic import AnsibleModule

NEEDED = (3, 11)


class _Module(AnsibleModule):  # type: ignore[misc]
    """A module that shows no secret among its options, also where Ansible refuses them before anything else runs."""

    def __init__(self, subject: Any, **arguments: Any) -> None:
        self.subject = subject
        super().__init__(**arguments)

    def _load_params(self) -> None:
        from .secrecy.known import learn

        super()._load_params()
        secrets = self.subject.secrets(self.params)
        self.no_log_values.update(secrets)
        learn(*secrets)

    def _log_invocation(self) -> None:
        given: Any = self.params  # type: ignore[has-type]
        self.params = shown_options(self.subject, given)
        super()._log_invocation()
        self.params = given

    def warn(self, warning: str, **options: Any) -> None:
        """Show a warning. Ansible shows it as it is given, unlike the result."""
        from .secrecy.known import hide

        super().warn(hide(warning), **options)

    def _return_formatted(self, kwargs: dict[str, Any]) -> None:
        from .secrecy.known import hidden, learn

        learn(*self.no_log_values)
        kwargs = hidden(kwargs)
        kwargs["invocation"] = {"module_args": shown_options(self.subject, self.params)}
        super()._return_formatted(kwargs)


def shown_options(subject: Any, params: Any) -> Any:
    """Return the options without the values of hidden ones, at any depth."""
    if isinstance(params, dict):
        return {
            key: "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" if key in subject.hidden and value else shown_options(subject, value)
            for key, value in params.items()
        }
    if isinstance(params, (list, tuple)):
        return [shown_options(subject, item) for item in params]
    return params


def run_module(subject_class: Callable[[], Any]) -> None:
    """Run a module to its end. subject_class is a function that imports and returns the class of its subject."""
    if sys.version_info < NEEDED:
        # Modules answer in JSON on stdout; AnsibleModule needs the arguments, whose specification this Python can't import.
        print(_too_old(sys.version.split()[0], sys.executable))
        sys.exit(1)
    from datetime import UTC, datetime

    from .errors import WorkstationError, result_in_words
    from .records import keep
    from .subject import run

    began, planned = datetime.now(UTC), list[str]()
    subject = subject_class()()
    module = _Module(subject, argument_spec=dict(subject.argument_spec), supports_check_mode=True, **subject.rules)
    try:
        outcome = run(subject, module.params, check_mode=module.check_mode)
    except WorkstationError as error:
        planned, outcome = error.planned, {"failed": True, **error.result}
    outcome = result_in_words(outcome, {})
    warnings = outcome.pop("warnings", [])
    if not module.check_mode:
        warnings = [*warnings, *keep(module._name.rpartition(".")[2], began, outcome, planned)]
    for text in warnings:
        module.warn(text)
    if outcome.pop("failed", False):
        module.fail_json(**outcome)
    module.exit_json(**outcome)


def _too_old(found: str, path: str) -> str:
    needed = ".".join(map(str, NEEDED))
    return json.dumps(
        {
            "failed": True,
            "changed": False,
            "actions": [],
            "msg": f"Could not run on {path}: it is Python {found}, and laptop.containers needs {needed} or newer. "
            "Install one, and set ansible_python_interpreter to its path.",
        }
    )
