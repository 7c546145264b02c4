# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers what the doctor found on every laptop of a run; see the module of the same name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.core.errors import WorkstationError, naming_files
from ..module_utils.core.system.files import write_atomically
from ..module_utils.doctor.show.compare import changes, in_words
from ..module_utils.doctor.show.report import document, files_for, read_document
from ..module_utils.doctor.show.run import ENDS_RUN
from ..plugin_utils.plain import doctor_lines, is_shown
from ..plugin_utils.settings import wrong_options

_SPEC = {
    "register": {"type": "str", "default": "doctor_result"},
    "show": {"type": "str", "choices": ["findings", "all"], "default": "findings"},
    "report": {"type": "str", "default": ""},
    "compare": {"type": "str", "default": ""},
}
_NO_ANSWER = {"msg": "it could not be reached"}


class ActionModule(ActionBase):
    """See the documentation of the module."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what was written; fails where something is broken."""
        super().run(tmp, task_vars)
        if wrong := wrong_options(self._task, _SPEC):
            return {"failed": True, "msg": wrong}
        _spec, options = self.validate_argument_spec(_SPEC)
        results = _results(task_vars or {}, options["register"])
        try:
            with naming_files("write the report"):
                reported = self._reported(document(results), options)
                if not is_shown():
                    for line in doctor_lines(results, {"show": options["show"], **reported}):
                        Display().display(line)
                return reported
        except WorkstationError as error:
            return {"failed": True, **error.result}

    def _reported(self, found: Mapping[str, Any], options: Mapping[str, str]) -> dict[str, Any]:
        earlier = read_document(options["compare"]) if options["compare"] else None
        since = changes(earlier, found) if earlier else []
        files = [] if self._task.check_mode or not options["report"] else _write(found, options["report"], since)
        laptops: Sequence[Mapping[str, Any]] = found["laptops"]
        broken = [laptop["name"] for laptop in laptops if laptop["reached"] and laptop["verdict"] == "broken"]
        lost = [laptop["name"] for laptop in laptops if not laptop["reached"]]
        result: dict[str, Any] = {"changed": False, "show": options["show"], "files": files}
        result |= {
            "changes": [in_words(change, with_laptop=len(laptops) > 1) for change in since],
            "broken": broken,
            "unreachable": lost,
            "since": earlier["made"] if earlier else "",
        }
        return _failed(result, broken, len(laptops)) if broken else result


def _failed(result: Mapping[str, Any], broken: Sequence[str], laptops: int) -> dict[str, Any]:
    """Return the result where something is broken. laptops: how many were examined."""
    msg = "Something is broken. The list says what, and what helps."
    if laptops > 1:
        number = f"{len(broken)} of {laptops} laptops {'is' if len(broken) == 1 else 'are'}"
        msg = f"{number} broken: {', '.join(broken)}. See what helps with --limit {broken[0]}."
    # Ansible prints the whole result of a failed task above the findings.
    kept = {name: value for name, value in result.items() if value and value != "findings"}
    # Where the findings end the run, Ansible need not print an error before them.
    return {**kept, "failed": os.environ.get(ENDS_RUN) != str(os.getppid()), "msg": msg}


def _results(variables: Mapping[str, Any], register: str) -> dict[str, Mapping[str, Any]]:
    """Return the examination of each laptop of the play, or why it has none."""
    hosts = variables["hostvars"]
    return {name: hosts[name].get(register) or _NO_ANSWER for name in variables["ansible_play_hosts_all"]}


def _write(found: Mapping[str, Any], path: str, since: Sequence[Mapping[str, str]]) -> list[str]:
    """Write the files of a report and return their paths."""
    import json

    written = []
    for kind, file in files_for(path).items():
        if kind == "json":
            text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        else:
            from ..module_utils.doctor.show.page import page

            text = page(found, since)
        write_atomically(file, text, 0o644)
        written.append(str(file))
    return written
