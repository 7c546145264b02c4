# SPDX-License-Identifier: GPL-3.0-or-later
"""One state: it happens, the doctor finds it, its remedy is run as it was printed, and the check is well."""

from __future__ import annotations

from tests.support.patient import Patient

from .states import State


def treat(patient: Patient, state: State) -> None:
    """Break the laptop and heal it; the lab is then well again for the next state."""
    state.happens(patient)
    examined = patient.examine()["checks"]
    faults = [check["found"] for check in examined if "the doctor itself failed" in check["found"]]
    assert faults == [], faults
    assert (patient.code == 2) == any(check["status"] == "broken" for check in examined)
    ill = [check for check in examined if check["id"] == state.check and check["status"] != "ok"]
    found = [check for check in ill if state.about in (check["about"], "")]
    assert [check["status"] for check in found][:1] == [state.status], patient.output
    assert found[0]["remedy"], found
    said = patient.shell(found[0]["remedy"])
    left = [check for check in patient.checks(state.check) if check["status"] != "ok"]
    assert left == [], f"{left}\n{found[0]['remedy']}\n{said}"
