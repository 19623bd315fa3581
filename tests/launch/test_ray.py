"""Cells on a real Ray, which is started for each of the tests that need it."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from fscost import __version__
from fscost.cells.cell import Cell
from fscost.cells.outcome import Status
from fscost.engine import DEFAULTS
from fscost.errors import ConfigError
from fscost.launch.ray import RayLauncher, run_task
from fscost.launch.task import How, Task
from fscost.store.lock import held
from fscost.store.store import Store
from tests.conftest import cell_of, cells_of
from tests.waiting import PATIENCE_S

without_ray = find_spec("ray") is None


def needs_ray(test: Callable[..., None]) -> Callable[..., None]:
    return pytest.mark.ray(pytest.mark.skipif(without_ray, reason="no Ray: pip install 'fscost[ray]'")(test))


ESTIMATES = ("engine=estimate", "model=lr", "data=digits", "rounds=1", "seed=0,1")
TRAINED = ("engine=builtin", "model=lr", "data=digits", "rounds=1", "seed=0,1")
LONG = ("engine=builtin", "model=lr", "data=digits", "rounds=1000000")
TWO_AT_A_TIME = {"name": "ray", "ray": {"init": {"address": None, "num_cpus": 2}}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "runs")
    made.check_writable()
    return made


@pytest.fixture
def launched(store: Store) -> Iterator[Callable[..., RayLauncher]]:
    """Make launchers that are closed whatever happens."""
    made: list[RayLauncher] = []

    def make(tasks: list[Task]) -> RayLauncher:
        made.append(RayLauncher(store, tasks))
        return made[-1]

    yield make
    for launcher in made:
        launcher.close()


@pytest.fixture
def own_answer() -> Iterator[Callable[..., None]]:
    """An answer to SIGTERM, as a program has that ends in order."""

    def answer(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, answer)
    yield answer
    signal.signal(signal.SIGTERM, before)


def task_of(cell: Cell, launcher: dict[str, Any] = TWO_AT_A_TIME) -> Task:
    return Task(cell, DEFAULTS, launcher, "")


def worker_of(store: Store, cell: Cell) -> int:
    """Wait until a process computes the cell and return its number."""
    while not (store.running().get(cell.name) and (told := store.holder(cell))):
        time.sleep(0.05)
    return int(told.rpartition(" ")[2])


def descendants(pid: int) -> set[int]:
    """Return the processes below a process, however deep."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except OSError:  # it has just ended
            continue
        parents[int(name.split()[0])] = int(rest.split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended may be a zombie for a while."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@needs_ray
def test_every_cell_ends_once_though_a_worker_is_killed(
    store: Store, launched: Callable[..., RayLauncher], own_answer: Callable[..., None]
) -> None:
    cells = [*cells_of(*ESTIMATES), *cells_of(*TRAINED)]
    long = cell_of(*LONG)
    launcher = launched([task_of(long)])
    answers = signal.getsignal(signal.SIGINT), own_answer
    doomed, *futures = launcher.launch([task_of(cell) for cell in (long, *cells)])
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == answers
    os.kill(worker_of(store, long), signal.SIGKILL)
    ended = doomed.result(PATIENCE_S)
    assert ended.how is How.DIED
    assert "WorkerCrashedError" in ended.reason and "\n" not in ended.reason
    assert Path(ended.reason.rpartition("logs: ")[2]).is_dir()
    assert [future.result(PATIENCE_S).how for future in futures] == [How.COMPUTED] * 4
    assert [store.status(cell) for cell in cells] == [Status.DONE] * 4
    assert store.status(long) is Status.INTERRUPTED

    for settings, options, words in [
        (replace(DEFAULTS, memory_gb=1e6), {}, "memory=1e.15, and Ray has .* on this machine"),
        (DEFAULTS, {"num_cpu": 1}, "hydra.launcher.ray.remote: .*num_cpu"),
    ]:
        wrong = replace(task_of(long, {"name": "ray", "ray": {"remote": options}}), settings=settings)
        with pytest.raises(ConfigError, match=words):
            launcher.launch([wrong])


@needs_ray
def test_closing_ends_what_runs_and_what_waits(store: Store, launched: Callable[..., RayLauncher]) -> None:
    cells = cells_of(*LONG, "seed=0,1,2")
    before = descendants(os.getpid())
    launcher = launched([task_of(cell) for cell in cells])
    futures = launcher.launch([task_of(cell) for cell in cells])
    while len(store.running()) < 2:
        time.sleep(0.05)
    processes = descendants(os.getpid()) - before
    assert len(processes) > 6  # two workers, a warm engine and a fork of it for each
    launcher.close()
    assert not [pid for pid in processes if is_alive(pid)]
    for future in futures:
        with pytest.raises(CancelledError):
            future.result(0)
    assert not list(store.under_way.glob("ray-*"))
    launcher.close()


@needs_ray
def test_options_that_ray_does_not_take_are_the_users_mistake(
    store: Store, launched: Callable[..., RayLauncher]
) -> None:
    task = task_of(cell_of(*LONG), {"name": "ray", "ray": {"init": {"num_cpu": 2}}})
    with pytest.raises(ConfigError, match=r"hydra\.launcher\.ray\.init: .*num_cpu"):
        launched([task]).launch([task])


@pytest.mark.skipif(not without_ray, reason="Ray is installed")
def test_without_ray_the_error_says_how_to_get_it(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"hydra-ray-launcher is not installed; pip install 'fscost\[ray\]'"):
        RayLauncher(store, [task_of(cell_of(*LONG))])


@pytest.mark.pipeline
def test_a_worker_computes_nothing_in_a_folder_of_its_own_machine(store: Store) -> None:
    task = task_of(cell_of(*LONG))
    token = store.under_way / "ray-1.lock"

    def reason(version: str = __version__) -> str:
        ended = run_task(str(store.path), str(token), version, task)
        assert ended.how is How.DIED
        return ended.reason

    here = f"{os.uname().nodename}: "
    assert reason().startswith(f"{here}store={store.path}: is another folder here")
    token.touch()
    assert reason().startswith(f"{here}store={store.path}: locks do not reach")
    with held(token, "the sweep"):
        assert reason("0.0").startswith(f"{here}has fscost {__version__}, the sweep was planned by 0.0")
    assert store.status(task.cell) is Status.MISSING
