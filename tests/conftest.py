# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test gets: a HOME of its own, real engines on request, and a complete list of what was not real."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from rehearsal import engines
from tests.support.test_runs import fault_rows
from tests.support.test_runs.tiers import leave_rows, limit_time, times

if TYPE_CHECKING:
    from rehearsal.services.apiserver import ApiServer
    from rehearsal.services.containerd import Containerd
    from rehearsal.services.dockerd import Dockerd
    from rehearsal.services.ecr import Ecr
    from rehearsal.services.registry import Registry

# Where bytecode is not kept, each start of Ansible and of a stand-in compiles what it imports: as long as all else it does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Where nothing is buffered, a line that no one flushes is seen at once; in a plain shell it is not.
os.environ.pop("PYTHONUNBUFFERED", None)
# What `make test` exports: with it, printed commands are verbs of make.
os.environ.pop("LAPTOP_MAKE_VERBS", None)
# What a shell starts in the background ignores Ctrl-C, and so would everything that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Tests change HOME; engines stay where they were when the run began.
os.environ["REHEARSAL_ENGINES"] = str(
    next((place for place in engines.caches() if os.access(place, os.X_OK)), engines.caches()[0])
)

# How long one example takes says more about the machine than about the law that it is an example of.
settings.register_profile(
    "any machine", deadline=None, max_examples=times(15, 100, 100), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

FOREIGN = ("DOCKER_", "BUILDX_", "BUILDKIT_", "CONTAINERD_", "NERDCTL_", "AWS_", "COLIMA_", "LIMA_", "REHEARSAL_", "ANSIBLE_")
FOREIGN_NAMES = ("KUBECONFIG", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
KEPT = ("REHEARSAL_ENGINES",)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A HOME for this test alone; nothing of the user's docker, kubectl, AWS or colima is seen."""
    for name in list(os.environ):
        if (name.startswith(FOREIGN) or name in FOREIGN_NAMES) and name not in KEPT:
            monkeypatch.delenv(name)
    place = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(place))
    # No test may ask the cloud's metadata address for credentials: that takes seconds to fail.
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return place


@pytest.fixture(autouse=True)
def fault(request: pytest.FixtureRequest, home: Path) -> Iterator[None]:
    """Note what runs say while a test of a fault runs; its row goes along with the report."""
    mark = request.node.get_closest_marker("fault")
    if mark is None:
        yield
        return
    case = getattr(request.node, "callspec", None)
    noted = fault_rows.Fault(mark.args[0].replace("{}", case.id if case else ""), mark.kwargs["there"])
    fault_rows.begin(noted)
    yield
    fault_rows.end()
    if request.node.stash.get(PASSED, False):
        request.node.user_properties.append(("fault", tuple(noted.row(request.node.nodeid))))


PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Tell what happens in a test from what its fixtures did before."""
    for noted in fault_rows._current:
        noted.begun = True
    yield
    item.stash[PASSED] = True


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the rows of the tests of faults that passed."""
    if report.when == "teardown" and report.passed:
        rows: list[Any] = [row for name, row in report.user_properties if name == "fault"]
        ROWS.extend(map(fault_rows.Row._make, rows))


ROWS: list[fault_rows.Row] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write docs/faults.md, where that was asked for."""
    if session.config.getoption("--write-faults") and not hasattr(session.config, "workerinput") and ROWS:
        fault_rows.write(ROWS)


def skip_unless(name: str) -> None:
    """Skip the test when an engine (or group of engines) is not usable; the end of the run lists what was missing."""
    reason = engines.missing(name)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def engine() -> Callable[[str], Path]:
    """engine("docker-buildx") is the path of the real program; skips where it is missing."""

    def path(name: str) -> Path:
        skip_unless(name)
        found = engines.find(engines.GROUPS.get(name, (name,))[0])
        assert found is not None
        return found

    return path


def pytest_addoption(parser: pytest.Parser) -> None:
    """--progress orders a whole run and says how long it will take; --costs=FILE writes what each file of tests cost."""
    parser.addoption("--progress", action="store_true", help="longest files first, lines of progress with the time left")
    parser.addoption("--write-faults", action="store_true", help="write docs/faults.md, of the tests of faults that pass")
    parser.addoption("--costs", metavar="FILE", help="write what each file costs: seconds, processor, starts")


def pytest_configure(config: pytest.Config) -> None:
    """Measure, and show progress, where that was asked for."""
    if not (config.getoption("--progress") or config.getoption("--costs")):
        return
    from tests.support.test_runs.file_costs import Measured, count_starts
    from tests.support.test_runs.run_progress import Progress

    # The workers hand over what they measure.
    file = None if hasattr(config, "workerinput") else config.getoption("--costs")
    measured = Measured(Path(file) if file else None)
    config.pluginmanager.register(measured, "laptop-costs")
    if config.getoption("--costs"):
        count_starts()
    if config.getoption("--progress"):
        config.pluginmanager.register(Progress(config, measured), "laptop-progress")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave rows to the long tier, limit each test's time, and refuse a long test without a reason (tests/long_tests.py)."""
    leave_rows(items)
    limit_time(items)
    nameless = [item.nodeid for item in items for mark in item.iter_markers("long") if not mark.args]
    if nameless:
        raise pytest.UsageError(f'{nameless[0]}: say why, @pytest.mark.long("...")')


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked real("docker") run only with that engine."""
    for marker in item.iter_markers("real"):
        for name in marker.args:
            skip_unless(name)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Give some folders to one process each, where `--dist loadfile` gives it a file at a time."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    from tests.support.test_runs.run_progress import scope_of

    class ByFileOrFolder(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid)

    return ByFileOrFolder(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Close with what was not real in this run, and how to get it. Read from the reports: tests may run in several processes."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr).removeprefix("Skipped: ")
        reasons[reason] = reasons.get(reason, 0) + 1
    if not reasons:
        return
    terminalreporter.section("not real in this run", sep="=")
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{count:4d} test{'s' if count != 1 else ' '} skipped: {reason}")


@pytest.fixture(scope="session")
def short_path() -> Iterator[Path]:
    """A directory whose path leaves room for unix sockets (pytest's own are too long on some systems)."""
    place = Path(tempfile.mkdtemp(prefix="reh-", dir=os.environ.get("TMPDIR", "/tmp")))
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def dockerd(short_path: Path) -> Iterator[Dockerd]:
    """A real dockerd: .host for contexts and DOCKER_HOST, .socket."""
    skip_unless("docker")
    from rehearsal.services.dockerd import Dockerd

    with Dockerd(short_path / "dockerd") as running:
        yield running


@pytest.fixture(scope="session")
def containerd(short_path: Path) -> Iterator[Containerd]:
    """A real containerd, with buildkitd if that is there: .socket, .buildkit_socket, .nerdctl([...]) as an argument list."""
    skip_unless("containerd")
    from rehearsal.services.containerd import Containerd

    with Containerd(short_path / "containerd") as running:
        yield running


@pytest.fixture(scope="session")
def apiserver(short_path: Path) -> Iterator[ApiServer]:
    """A real kube-apiserver: .kubeconfig (context colima-k8s), .kubeconfig_for(user, rules), .namespace(name), .restart()."""
    skip_unless("kubernetes")
    from rehearsal.services.apiserver import ApiServer

    with ApiServer(short_path / "kube") as running:
        yield running


@pytest.fixture(scope="session")
def ecr(short_path: Path) -> Iterator[Ecr]:
    """ECR's API: .url, .environment (for boto3), .token(), .rotate(), .calls, .configure(hours=, fail=)."""
    from rehearsal.services.ecr import Ecr

    with Ecr(short_path / "ecr") as running:
        yield running


@pytest.fixture
def aws(ecr: Ecr, monkeypatch: pytest.MonkeyPatch) -> Ecr:
    """ECR's API for this process, its tokens valid for 12 hours again whatever an earlier test asked for."""
    for name, value in ecr.environment.items():
        monkeypatch.setenv(name, value)
    ecr.configure(hours=12)
    return ecr


@pytest.fixture(scope="session")
def registry(short_path: Path, ecr: Ecr) -> Iterator[Registry]:
    """A registry that takes only ECR's current token: .address, .status(user, password)."""
    skip_unless("registry")
    from rehearsal.services.registry import Registry

    with Registry(short_path / "registry", ecr) as running:
        yield running
