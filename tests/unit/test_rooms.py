# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of plugins/module_utils: imports go down from floor to floor and never in a circle, and no room is overcrowded."""

from __future__ import annotations

import ast
import functools
import re
import sys
from pathlib import Path

import pytest

from tests.support.import_graph import Graph, circles, import_graph

ROOT = Path(__file__).resolve().parents[2]
UTILS = ROOT / "plugins" / "module_utils"
# A room may use the rooms of lower floors.
FLOORS = (
    {"core"},
    {"bootstrap", "brew", "colima_paths", "company", "ecr", "kube", "manifest", "toolchain"},
    {"config_maps", "docker", "nerdctl", "timer"},
    {"buildx", "local_registry", "registry_login"},
    {"colima", "ecr_pull_secret"},
    {"network", "policy", "snapshot"},
    {"doctor", "migration", "reclaim", "support", "upgrade"},
    {"progress"},
)
# These know less than their floor allows.
LESS = {
    **{room: {"core", "colima_paths"} for room in ("docker", "nerdctl")},
    "timer": {"core", "colima_paths", "ecr"},
    "progress": {"core"},
}
# Inside colima; the files beside these rooms use all of them.
COLIMA = ("model", "client", "observe", "plan", "carry_out")
# The rooms of the lab.
LAB_FLOORS = ("engines", "machines", "processes", "services", "standin", "lab", "__main__")
MOST_FILES = 12
MOST_FILES_AT_THE_TOP = 5

ROOMS = sorted({path.parent for path in UTILS.rglob("*.py")} - {UTILS})


@functools.cache
def graph_of_rooms() -> Graph:
    """Return which file of plugins/module_utils imports which."""
    return import_graph(UTILS)


def upward() -> set[tuple[str, str]]:
    """Return the imports that do not go down."""
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    found = set()
    for name, imported in graph_of_rooms().items():
        for other in imported:
            room, target = name.split(".")[0], other.split(".")[0]
            if room == target:
                allowed = room != "colima" or _in_colima(name) >= _in_colima(other)
            else:
                allowed = floor[target] < floor[room] and target in LESS.get(room, floor)
            if not allowed:
                found.add((name, other))
    return found


def _in_colima(name: str) -> int:
    room = name.split(".")[1:2]
    return COLIMA.index(room[0]) if room and room[0] in COLIMA else len(COLIMA)


def test_the_page_on_the_architecture_has_these_floors() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    floors = re.findall(r"^\| (\d) \| (.*) \|$", page, flags=re.M)
    assert [set(re.findall(r"`(\w+)`", rooms)) for _number, rooms in reversed(floors)] == list(FLOORS)
    # What another branch has left, holds no module.
    rooms = {path.stem for path in UTILS.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))} - {"__init__"}
    assert set().union(*FLOORS) == rooms


def test_every_room_is_on_a_floor() -> None:
    assert {name.split(".")[0] for name in graph_of_rooms() if name} <= set().union(*FLOORS)


def test_imports_go_down() -> None:
    assert upward() == set()


def test_no_import_leads_back() -> None:
    assert circles(graph_of_rooms()) == set()


def test_imports_of_the_lab_go_down_and_never_lead_back() -> None:
    graph = import_graph(ROOT / "rehearsal", "rehearsal")
    floor = {name: LAB_FLOORS.index(name.split(".")[0]) for name in graph if name}
    assert [(name, other) for name in floor for other in graph[name] if floor[other] > floor[name]] == []
    assert circles(graph) == set()


@pytest.mark.parametrize("place", ["rehearsal", "tests", "bench"])
def test_no_folder_of_code_is_overcrowded(place: Path) -> None:
    folders = {path.parent for path in (ROOT / place).rglob("*.py")}
    assert [folder for folder in folders if len(list(folder.glob("*.py"))) > MOST_FILES + 1] == []


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(UTILS)))
def test_a_room_says_what_it_is_for(room: Path) -> None:
    body = ast.parse((room / "__init__.py").read_text()).body
    assert len(body) == 1, f"{room.name}/__init__.py: one docstring says what the package is for"
    assert isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(UTILS)))
def test_the_name_of_a_room_is_its_own(room: Path) -> None:
    assert room.name not in sys.stdlib_module_names
    assert not room.with_suffix(".py").exists()


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(UTILS)))
def test_no_room_is_overcrowded(room: Path) -> None:
    files = {path.name for path in room.glob("*.py")} - {"__init__.py"}
    assert len(files) <= MOST_FILES


def test_few_files_are_in_no_room() -> None:
    assert len(list(UTILS.glob("*.py"))) <= MOST_FILES_AT_THE_TOP


def test_an_import_that_goes_up_and_a_circle_are_found(tmp_path: Path) -> None:
    for name, text in {
        "low/__init__.py": "",
        "low/one.py": "def later():\n    from ..high import two\n",
        "high/__init__.py": "",
        "high/two.py": "from ..low.one import later\n",
        "high/three.py": "if TYPE_CHECKING:\n    from .four import Four\n",
        "high/four.py": "from .three import later\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    graph = import_graph(tmp_path)
    assert graph["low.one"] == {"high.two"}
    assert graph["high.two"] == {"low.one"}
    assert circles(graph) == {frozenset({"low.one", "high.two"}), frozenset({"high.three", "high.four"})}
